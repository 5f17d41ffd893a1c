// Readers of old epochs while new ones are made. The interesting run of this file is the one under TSan.
#include <atomic>
#include <thread>

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

TEST(GraphEpochs, AnswersOfAnEpochDoNotChangeWhileOthersAreMade) {
  const auto vectors = clustered(2'500, 16, 20, 32);
  World world(16, Metric::l2, {8, 60});
  world.add_rows(vectors);
  world.index_until(600, 2);
  const GraphRoot old_root = world.root;
  const auto answers_of = [&](const GraphRoot& root) {
    std::vector<std::vector<Candidate>> answers(40);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      search_graph(*world.graph, root, Query(*world.table, vectors[i].data()), 10, 40, {}, answers[i]);
    }
    return answers;
  };
  const auto before = answers_of(old_root);
  std::atomic<bool> done{false};
  std::atomic<int> differences{0};
  std::atomic<int> rounds{0};
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 2; ++i) {
      readers.emplace_back([&] {
        do {
          if (answers_of(old_root) != before) ++differences;
          ++rounds;
        } while (!done.load());
      });
    }
    world.index_all(2);
    done.store(true);
  }
  EXPECT_EQ(differences.load(), 0);
  EXPECT_GT(rounds.load(), 0);
  EXPECT_EQ(answers_of(old_root), before);
  EXPECT_NE(answers_of(world.root), before);
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
