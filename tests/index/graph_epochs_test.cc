// Readers of old epochs while new ones are made. The interesting run of this file is the one under TSan.
#include <atomic>
#include <thread>

#include "index/epoch_lists.h"
#include "index/fixture.h"

namespace holdfast::index {
namespace {

TEST(GraphEpochs, EveryEpochStaysReadableBitForBit) {
  const auto vectors = clustered(1'500, 8, 10, 31);
  World world(8, Metric::l2, {8, 40});
  world.add_rows(vectors);
  std::vector<std::pair<GraphEpoch, Bytes>> images;
  for (Slot until = 100; until <= 1'500; until += 200) {
    world.index_until(until, 2);
    images.emplace_back(world.root.epoch, world.image(world.root.epoch));
  }
  for (const auto& [epoch, image] : images) {
    SCOPED_TRACE(epoch);
    EXPECT_TRUE(world.image(epoch) == image);
  }
  EXPECT_EQ(world.graph->changed_epoch(0), world.root.epoch);
}

class EpochAnswers : public ::testing::TestWithParam<bool> {};

// With lists that are kept, which all readers of the epoch share and fill, and without.
TEST_P(EpochAnswers, DoNotChangeWhileOthersAreMade) {
  const auto vectors = clustered(2'500, 16, 20, 32);
  World world(16, Metric::l2, {8, 60});
  world.add_rows(vectors);
  world.index_until(600, 2);
  const GraphRoot old_root = world.root;
  std::atomic<std::uint64_t> meter{0};
  const auto answers_of = [&](const GraphRoot& root, const SearchAids& aids) {
    std::vector<std::vector<Candidate>> answers(40);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      search_graph(*world.graph, root, Query(*world.table, vectors[i].data()), 10, 40, {}, answers[i], aids);
    }
    return answers;
  };
  const auto before = answers_of(old_root, {});
  {
    const EpochLists lists;
    const SearchAids keeping{.lists = &lists, .lists_meter = &meter};
    const SearchAids aids = GetParam() ? keeping : SearchAids{};
    std::atomic<bool> done{false};
    std::atomic<int> differences{0};
    std::atomic<int> rounds{0};
    {
      std::vector<std::jthread> readers;
      for (int i = 0; i < 2; ++i) {
        readers.emplace_back([&] {
          do {
            if (answers_of(old_root, aids) != before) ++differences;
            ++rounds;
          } while (!done.load());
        });
      }
      world.index_all(2);
      done.store(true);
    }
    EXPECT_EQ(differences.load(), 0);
    EXPECT_GT(rounds.load(), 0);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(answers_of(old_root, aids), before);
    EXPECT_EQ(lists.table() != nullptr, GetParam());
    EXPECT_EQ(meter.load() != 0, GetParam());
    EXPECT_NE(answers_of(world.root, {}), before);
  }
  EXPECT_EQ(meter.load(), 0U);
}
INSTANTIATE_TEST_SUITE_P(With, EpochAnswers, ::testing::Bool(),
                         [](const auto& suite) { return suite.param ? "kept_lists" : "chains"; });

TEST(EpochListsTest, BelongToOneEpochAlone) {
  std::atomic<std::uint64_t> meter{0};
  EpochLists lists;
  lists.met_old(kChunkSlots / 512 - 1, kChunkSlots, meter);
  EXPECT_EQ(lists.table(), nullptr) << "too few to pay for it";
  lists.met_old(0, kChunkSlots, meter);
  EXPECT_EQ(lists.table(), nullptr);
  lists.met_old(1, kChunkSlots, meter);
  ASSERT_NE(lists.table(), nullptr);
  EXPECT_GE(meter.load(), kChunkSlots * sizeof(void*));

  NeighborList* const list = new_list(nullptr, 1, 0);
  const NeighborList* found = nullptr;
  EXPECT_FALSE(lists.table()->find(7, found));
  lists.table()->keep(7, list);
  lists.table()->keep(8, nullptr);
  lists.table()->keep(kChunkSlots, list);  // made after the table
  EXPECT_TRUE(lists.table()->find(7, found));
  EXPECT_EQ(found, list);
  EXPECT_TRUE(lists.table()->find(8, found));
  EXPECT_EQ(found, nullptr);
  EXPECT_FALSE(lists.table()->find(kChunkSlots, found));
  release_list(list);

  EpochLists copy(lists);
  EXPECT_EQ(copy.table(), nullptr);
  copy.met_old(kChunkSlots, kChunkSlots, meter);
  ASSERT_NE(copy.table(), nullptr);
  copy = EpochLists();
  EXPECT_EQ(copy.table(), nullptr);
  lists = copy;
  EXPECT_EQ(meter.load(), 0U);
}

// What the engine's reclaimer does: a list goes once no pinned root is older than the epoch that superseded it.
TEST(GraphEpochs, SupersededListsCanBeFreedOnceNobodyReadsBefore) {
  const auto vectors = clustered(1'200, 8, 10, 33);
  World world(8, Metric::l2, {8, 40});
  world.add_rows(vectors);
  world.index_until(500, 2);
  const GraphRoot pinned = world.root;
  const Bytes image = world.image(pinned.epoch);
  world.index_all();
  std::erase_if(world.retired, [&](const RetiredList& retired) {
    if (retired.epoch > pinned.epoch) return false;
    release_list(retired.list);
    return true;
  });
  EXPECT_FALSE(world.retired.empty());
  EXPECT_TRUE(world.image(pinned.epoch) == image);  // under ASan: touches nothing that was freed
  world.release_retired();
  expect_sound(world);
}

}  // namespace
}  // namespace holdfast::index
