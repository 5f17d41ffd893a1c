#include "index/search.h"

#include <set>

#include "index/fixture.h"

namespace holdfast::index {
namespace {

class GraphSearch : public testing::TestWithParam<Metric> {};

TEST_P(GraphSearch, FindsNearlyAllNeighbors) {
  const auto vectors = clustered(5'300, 32, 40, 11);
  World world(32, GetParam());
  world.add_rows({vectors.begin(), vectors.begin() + 5'000});
  world.index_all();
  expect_sound(world, GetParam() == Metric::inner_product ? 500 : 0);
  const std::vector<std::vector<float>> queries(vectors.begin() + 5'000, vectors.end());
  EXPECT_GT(world.recall(queries, 10, 100), 0.98);
  EXPECT_GT(world.recall(queries, 1, 10), 0.75);
}

TEST_P(GraphSearch, DistancesAreThoseOfTheScanBitForBit) {
  const auto vectors = clustered(600, 19, 5, 12);
  World world(19, GetParam());
  world.add_rows(vectors);
  world.index_all();
  for (std::size_t i = 0; i < 20; ++i) {
    const auto truth = world.exact(vectors[i], 600);
    for (const Candidate& hit : world.search(vectors[i], 50, 200)) {
      const auto same = [&](const Candidate& c) { return c.slot == hit.slot; };
      const auto found = std::find_if(truth.begin(), truth.end(), same);
      ASSERT_NE(found, truth.end());
      EXPECT_EQ(found->distance, hit.distance);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, GraphSearch, testing::Values(Metric::l2, Metric::inner_product, Metric::cosine),
                         [](const auto& param_info) { return std::string(to_string(param_info.param)); });

TEST(GraphSearchEdges, EmptyGraphAndSinglePoint) {
  World world(3, Metric::l2);
  const std::vector<float> query{1, 2, 3};
  EXPECT_TRUE(world.search(query, 10, 10).empty());
  world.add_rows({{1, 2, 4}});
  EXPECT_TRUE(world.search(query, 10, 10).empty());
  world.index_all();
  EXPECT_EQ(world.search(query, 10, 10), (std::vector<Candidate>{{1.0F, 0}}));
  expect_sound(world);
}

TEST(GraphSearchEdges, MoreWantedThanThereAre) {
  const auto vectors = clustered(50, 8, 3, 4);
  World world(8, Metric::l2);
  world.add_rows(vectors);
  world.index_all();
  EXPECT_EQ(world.search(vectors[0], 100, 10), world.exact(vectors[0], 100));
  EXPECT_EQ(world.search(vectors[0], 100, 2'000), world.exact(vectors[0], 100));  // the walk with heaps
}

TEST(GraphSearchEdges, BothWalksGiveTheSameAnswer) {
  const auto vectors = clustered(3'000, 12, 20, 5);
  World world(12, Metric::l2);
  world.add_rows(vectors);
  world.index_all();
  const Visibility all{[](const void*, Slot) noexcept { return true; }, nullptr};
  for (std::size_t i = 0; i < 100; ++i) {
    ASSERT_EQ(world.search(vectors[i], 10, 40), world.search(vectors[i], 10, 40, all));
  }
}

TEST(GraphSearchEdges, TiesComeByAge) {
  World world(1, Metric::l2);
  std::vector<std::vector<float>> vectors;
  for (int i = 0; i < 40; ++i) vectors.push_back({static_cast<float>(i % 4)});
  world.add_rows(vectors);
  world.index_all();
  const auto hits = world.search({0}, 20, 40);
  EXPECT_EQ(hits, world.exact({0}, 20));
  EXPECT_TRUE(std::is_sorted(hits.begin(), hits.end()));
}

bool one_in_ten(const void*, Slot slot) noexcept { return slot % 10 == 3; }
bool in_set(const void* context, Slot slot) noexcept {
  return static_cast<const std::set<Slot>*>(context)->contains(slot);
}

TEST(GraphSearchVisibility, InvisiblePointsRouteButAreNeverFound) {
  const auto vectors = clustered(5'000, 24, 30, 6);
  World world(24, Metric::l2);
  world.add_rows(vectors);
  world.index_all();
  const Visibility visibility{one_in_ten, nullptr};
  for (std::size_t i = 0; i < 50; ++i) {
    for (const Candidate& hit : world.search(vectors[i], 10, 50, visibility)) ASSERT_EQ(hit.slot % 10, 3U);
  }
  EXPECT_GT(world.recall({vectors.begin(), vectors.begin() + 100}, 10, 100, visibility), 0.98);
}

TEST(GraphSearchVisibility, FewerVisibleThanWanted) {
  const auto vectors = clustered(2'000, 8, 10, 7);
  World world(8, Metric::l2);
  world.add_rows(vectors);
  world.index_all();
  const std::set<Slot> visible{3, 500, 1'999};
  const Visibility visibility{in_set, &visible};
  EXPECT_EQ(world.search(vectors[9], 10, 20, visibility), world.exact(vectors[9], 10, visibility));
  const std::set<Slot> none;
  EXPECT_TRUE(world.search(vectors[9], 10, 20, {in_set, &none}).empty());
}

TEST(Scan, MergesRangesIntoTheSameAnswer) {
  const auto vectors = clustered(1'003, 7, 10, 8);
  World world(7, Metric::cosine);
  world.add_rows(vectors);
  const Query query(*world.table, vectors[5].data());
  std::vector<Candidate> merged;
  scan(*world.table, query, 0, 0, 10, {}, merged);
  EXPECT_TRUE(merged.empty());
  scan(*world.table, query, 0, 401, 10, {}, merged);
  scan(*world.table, query, 401, 402, 10, {}, merged);
  scan(*world.table, query, 402, 1'003, 10, {}, merged);
  EXPECT_EQ(merged, world.exact(vectors[5], 10));
  const auto everything = world.exact(vectors[5], 5'000);
  EXPECT_EQ(everything.size(), 1'003U);
  EXPECT_TRUE(std::is_sorted(everything.begin(), everything.end()));
  EXPECT_EQ(std::vector<Candidate>(everything.begin(), everything.begin() + 10), merged);
}

}  // namespace
}  // namespace holdfast::index
