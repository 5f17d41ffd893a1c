// The walk that can be taken up again, and walks that are stopped.
#include "index/hnsw_walker.h"

#include <set>

#include "index/fixture.h"

namespace holdfast::index {
namespace {

constexpr StopCheck kNever{};
const Visibility kAll{};

bool not_every_third(const void*, Slot slot) noexcept { return slot % 3 != 0; }
bool multiple_of(const void* context, Slot slot) noexcept { return slot % *static_cast<const Slot*>(context) == 0; }

class WalkerTest : public testing::Test {
 protected:
  WalkerTest() : vectors_(clustered(2'000, 12, 20, 5)), world_(12, Metric::l2) {
    world_.add_rows(vectors_);
    world_.index_until(1'900, 2);  // the last hundred are no nodes
  }
  void begin(const Query& query) { walker_.begin(*world_.graph, world_.root, query, world_.end); }
  bool look(const Query& query, std::uint32_t width, const Visibility& visibility = kAll,
            const StopCheck& stop = kNever) {
    return walker_.look(*world_.graph, world_.root, query, width, visibility, stop);
  }
  std::vector<Candidate> take(std::size_t count) {
    std::vector<Candidate> taken;
    for (; taken.size() < count && !walker_.beam_empty(); walker_.pop()) taken.push_back(walker_.front());
    return taken;
  }
  std::vector<Candidate> drain(const Query& query, std::uint32_t width, const Visibility& visibility = kAll) {
    std::vector<Candidate> all;
    while (look(query, width, visibility) && !walker_.beam_empty()) {
      const auto part = take(width / 2 + 1);
      EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }
  static std::set<Slot> slots_of(const std::vector<Candidate>& candidates) {
    std::set<Slot> slots;
    for (const Candidate& c : candidates) EXPECT_TRUE(slots.insert(c.slot).second) << "slot " << c.slot << " twice";
    return slots;
  }

  std::vector<std::vector<float>> vectors_;
  World world_;
  GraphWalker walker_;
};

TEST_F(WalkerTest, the_first_look_finds_what_a_search_finds) {
  for (std::size_t i = 0; i < 50; ++i) {
    const Query query(*world_.table, vectors_[i].data());
    for (const Visibility& visibility : {kAll, Visibility{not_every_third, nullptr}}) {
      begin(query);
      ASSERT_TRUE(look(query, 40, visibility));
      EXPECT_EQ(take(40), world_.search(vectors_[i], 40, 40, visibility));
    }
  }
}

TEST_F(WalkerTest, hands_out_every_node_once) {
  for (const std::uint32_t width : {1u, 10u, 100u, 3'000u}) {
    const Query query(*world_.table, vectors_[7].data());
    begin(query);
    const auto all = drain(query, width);
    EXPECT_TRUE(walker_.walked());
    EXPECT_EQ(slots_of(all).size(), 1'900u);
    if (width >= 100) {
      const auto truth =
          world_.exact(vectors_[7], 2'000, {[](const void*, Slot slot) noexcept { return slot < 1'900; }, nullptr});
      EXPECT_EQ(std::vector<Candidate>(all.begin(), all.begin() + 100),
                std::vector<Candidate>(truth.begin(), truth.begin() + 100));
    }
  }
}

TEST_F(WalkerTest, hidden_nodes_route_but_are_not_handed_out) {
  const Query query(*world_.table, vectors_[7].data());
  const Slot step = 50;
  begin(query);
  const auto all = drain(query, 10, {multiple_of, &step});
  EXPECT_EQ(slots_of(all).size(), 1'900u / step);
  EXPECT_TRUE(std::all_of(all.begin(), all.end(), [](const Candidate& c) { return c.slot % 50 == 0; }));
}

TEST_F(WalkerTest, the_sweep_gives_what_the_walk_cannot_reach) {
  const Query query(*world_.table, vectors_[7].data());
  begin(query);
  for (Slot slot = 1'950; slot < 2'000; ++slot) walker_.skip(slot);
  auto all = drain(query, 64);
  EXPECT_FALSE(walker_.swept());
  ASSERT_TRUE(walker_.sweep(*world_.table, query, {not_every_third, nullptr}, kNever));
  EXPECT_TRUE(walker_.swept());
  const auto rest = drain(query, 64);
  std::set<Slot> expected;
  for (Slot slot = 1'900; slot < 1'950; ++slot) {
    if (slot % 3 != 0) expected.insert(slot);
  }
  EXPECT_EQ(slots_of(rest), expected);
}

TEST_F(WalkerTest, begins_again_with_nothing_left_over) {
  const Query first(*world_.table, vectors_[7].data());
  const Query second(*world_.table, vectors_[8].data());
  begin(first);
  ASSERT_TRUE(look(first, 500));
  begin(second);
  EXPECT_TRUE(walker_.beam_empty());
  ASSERT_TRUE(look(second, 30));
  EXPECT_EQ(take(30), world_.search(vectors_[8], 30, 30));
}

TEST_F(WalkerTest, of_an_empty_graph_gives_nothing_but_the_sweep) {
  World empty(12, Metric::l2);
  empty.add_rows({vectors_[0], vectors_[1]});
  const Query query(*empty.table, vectors_[1].data());
  walker_.begin(*empty.graph, empty.root, query, empty.end);
  ASSERT_TRUE(walker_.look(*empty.graph, empty.root, query, 5, kAll, kNever));
  EXPECT_TRUE(walker_.beam_empty());
  EXPECT_TRUE(walker_.walked());
  ASSERT_TRUE(walker_.sweep(*empty.table, query, kAll, kNever));
  ASSERT_TRUE(walker_.look(*empty.graph, empty.root, query, 5, kAll, kNever));
  EXPECT_EQ(take(5), empty.exact(vectors_[1], 5));
}

/// Says yes from the given question on.
struct After {
  int questions;
  static bool ask(void* context) noexcept { return static_cast<After*>(context)->questions-- <= 0; }
  StopCheck check() { return {ask, this}; }
};

TEST_F(WalkerTest, stopped_anywhere_it_goes_on_and_loses_nothing) {
  const Query query(*world_.table, vectors_[7].data());
  begin(query);
  std::vector<Candidate> all;
  int stopped = 0;
  for (bool more = true; more;) {
    After one{1};
    const bool complete = look(query, 200, kAll, one.check());
    stopped += complete ? 0 : 1;
    const auto part = take(3);
    all.insert(all.end(), part.begin(), part.end());
    more = !complete || !part.empty();
  }
  EXPECT_GT(stopped, 0);
  After none{0};
  EXPECT_FALSE(walker_.sweep(*world_.table, query, kAll, none.check()));
  After one{1};
  while (!walker_.sweep(*world_.table, query, kAll, one.check())) one = After{1};
  const auto rest = drain(query, 100);
  all.insert(all.end(), rest.begin(), rest.end());
  EXPECT_EQ(slots_of(all).size(), 2'000u);
}

TEST_F(WalkerTest, stopped_searches_and_scans_return_what_they_have) {
  for (const std::uint32_t ef : {100u, 1'000u}) {  // the sorted beam, and heaps
    std::size_t last = 0;
    for (const int questions : {0, 1, 2, 1'000}) {
      After after{questions};
      std::vector<Candidate> out;
      SearchAids aids;
      aids.stop = after.check();
      search_graph(*world_.graph, world_.root, Query(*world_.table, vectors_[3].data()), 100, ef, {}, out, aids);
      EXPECT_TRUE(std::is_sorted(out.begin(), out.end()));
      EXPECT_GE(out.size(), last);
      last = out.size();
    }
    EXPECT_EQ(last, 100u);
  }
  After after{1};
  std::vector<Candidate> out;
  const Query query(*world_.table, vectors_[3].data());
  scan(*world_.table, query, 0, 2'000, 5, {}, out, after.check());
  std::vector<Candidate> truth;
  scan(*world_.table, query, 0, kRowsPerStopCheck, 5, {}, truth);
  EXPECT_EQ(out, truth);
}

TEST_F(WalkerTest, a_list_of_slots_is_scanned_like_a_range) {
  std::vector<Slot> slots;
  for (Slot slot = 0; slot < 2'000; ++slot) slots.push_back(1'999 - slot);
  const Query query(*world_.table, vectors_[3].data());
  std::vector<Candidate> out;
  scan_slots(*world_.table, query, std::span(slots).first(1'300), 50, {not_every_third, nullptr}, kNever, out);
  scan_slots(*world_.table, query, std::span(slots).subspan(1'300), 50, {not_every_third, nullptr}, kNever, out);
  EXPECT_EQ(out, world_.exact(vectors_[3], 50, {not_every_third, nullptr}));
}

TEST_F(WalkerTest, few_hidden_nodes_cost_no_recall) {
  const std::vector<std::vector<float>> queries(vectors_.begin(), vectors_.begin() + 200);
  for (const Slot step : {2u, 3u, 10u, 100u}) {
    const Visibility visible{[](const void* context, Slot slot) noexcept {
                               return slot % *static_cast<const Slot*>(context) != 0 && slot < 1'900;
                             },
                             &step};
    SearchAids aids;
    aids.hidden = (1'900 + step - 1) / step;
    std::size_t found = 0;
    std::size_t wanted = 0;
    for (const auto& query : queries) {
      std::vector<Candidate> out;
      search_graph(*world_.graph, world_.root, Query(*world_.table, query.data()), 10, 50, visible, out, aids);
      const auto truth = world_.exact(query, 10, visible);
      wanted += truth.size();
      for (const Candidate& hit : out) found += std::count(truth.begin(), truth.end(), hit) != 0 ? 1 : 0;
      ASSERT_EQ(out.size(), truth.size());
    }
    EXPECT_GE(static_cast<double>(found) / static_cast<double>(wanted), 0.99) << "hidden: one in " << step;
  }
}

TEST_F(WalkerTest, a_cluster_of_hidden_nodes_is_walked_through) {
  // The 300 nodes nearest to the query are hidden: the wider beam holds nothing else.
  const auto near = world_.exact(vectors_[9], 300);
  std::set<Slot> hidden;
  for (const Candidate& c : near) hidden.insert(c.slot);
  const Visibility visible{[](const void* context, Slot slot) noexcept {
                             return !static_cast<const std::set<Slot>*>(context)->contains(slot) && slot < 1'900;
                           },
                           &hidden};
  SearchAids aids;
  aids.hidden = 300;
  std::vector<Candidate> out;
  search_graph(*world_.graph, world_.root, Query(*world_.table, vectors_[9].data()), 10, 50, visible, out, aids);
  EXPECT_EQ(out, world_.exact(vectors_[9], 10, visible));
}

}  // namespace
}  // namespace holdfast::index
