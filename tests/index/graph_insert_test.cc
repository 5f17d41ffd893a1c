#include <cmath>

#include "index/fixture.h"

namespace holdfast::index {
namespace {

TEST(LevelFor, IsGeometricWithRatioM) {
  for (const std::uint32_t m : {4U, 16U}) {
    std::vector<double> at_least(kMaxLevels + 1, 0);
    constexpr int kDraws = 200'000;
    for (std::uint64_t id = 0; id < kDraws; ++id) {
      const int level = level_for(id, m);
      ASSERT_GE(level, 0);
      ASSERT_LT(level, kMaxLevels);
      for (int i = 0; i <= level; ++i) at_least[static_cast<std::size_t>(i)] += 1;
    }
    EXPECT_EQ(at_least[0], kDraws);
    EXPECT_NEAR(at_least[1] / kDraws, 1.0 / m, 0.1 / m);
    EXPECT_NEAR(at_least[2] / kDraws, 1.0 / m / m, 0.3 / m / m);
  }
  EXPECT_EQ(level_for(42, 16), level_for(42, 16));
}

TEST(GraphInsert, IsTheSameForAnyNumberOfThreads) {
  const auto vectors = clustered(3'000, 16, 20, 21);
  Bytes images[3];
  GraphRoot roots[3];
  for (unsigned threads = 1; threads <= 3; ++threads) {
    World world(16, Metric::l2);
    world.add_rows(vectors);
    world.index_all(threads);
    images[threads - 1] = world.image(world.root.epoch);
    roots[threads - 1] = world.root;
  }
  EXPECT_EQ(roots[0].entry, roots[1].entry);
  EXPECT_TRUE(images[0] == images[1]);
  EXPECT_TRUE(images[0] == images[2]);
}

TEST(GraphInsert, SmallBatchesOfAnySizeGiveAGoodGraph) {
  const auto vectors = clustered(2'200, 16, 30, 22);
  for (const Slot size : {Slot{1}, Slot{7}, Slot{250}}) {
    SCOPED_TRACE(size);
    World world(16, Metric::l2);
    world.add_rows({vectors.begin(), vectors.begin() + 2'000});
    for (Slot begin = 0; begin < 2'000; begin += size) {
      std::vector<NewNode> batch;
      for (Slot slot = begin; slot < std::min<Slot>(begin + size, 2'000); ++slot) batch.push_back(world.node(slot));
      auto root = world.graph->writer().insert(world.root, batch, 2, world.retired);
      ASSERT_TRUE(root.ok());
      EXPECT_EQ(root->epoch, world.root.epoch + 1);
      world.root = *root;
    }
    expect_sound(world);
    EXPECT_GT(world.recall({vectors.begin() + 2'000, vectors.end()}, 10, 64), 0.98);
  }
}

TEST(GraphInsert, TheEntryIsTheHighestNodeAndStaysOnTies) {
  World world(2, Metric::l2);
  world.add_rows({{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 0}});
  const auto insert = [&](std::vector<NewNode> batch) {
    auto root = world.graph->writer().insert(world.root, batch, 1, world.retired);
    ASSERT_TRUE(root.ok());
    world.root = *root;
    expect_sound(world);
  };
  insert({{1, 0}, {0, 0}});
  EXPECT_EQ(world.root.entry, 0U);
  EXPECT_EQ(world.root.levels, 1U);
  insert({{3, 2}, {2, 2}});
  EXPECT_EQ(world.root.entry, 2U);
  EXPECT_EQ(world.root.levels, 3U);
  insert({{4, 2}});
  EXPECT_EQ(world.root.entry, 2U);
  EXPECT_EQ(world.root.nodes, 5U);
}

TEST(GraphInsert, RefusesWhatHasNoPlaceAndChangesNothing) {
  World world(2, Metric::l2);
  world.add_rows({{0, 0}, {1, 0}, {2, 0}});
  GraphWriter writer = world.graph->writer();
  auto root = writer.insert(world.root, std::vector<NewNode>{{0, 1}}, 1, world.retired);
  ASSERT_TRUE(root.ok());
  world.root = *root;
  const Bytes before = world.image(world.root.epoch + 1);
  const auto refused = [&](std::vector<NewNode> batch) {
    const auto result = writer.insert(world.root, batch, 1, world.retired);
    return !result.ok() && result.status().code() == StatusCode::invalid_argument;
  };
  EXPECT_TRUE(refused({{1, 0}, {0, 0}}));
  EXPECT_TRUE(refused({{1, 0}, {1, 0}}));
  EXPECT_TRUE(refused({{kChunkSlots, 0}}));
  EXPECT_TRUE(refused({{1, kMaxLevels}}));
  EXPECT_TRUE(refused({{1, -1}}));
  EXPECT_TRUE(world.image(world.root.epoch + 1) == before);
  auto empty = writer.insert(world.root, {}, 1, world.retired);
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->epoch, world.root.epoch);
}

TEST(GraphInsert, GrowsAcrossChunks) {
  // Slots on both sides of a chunk's end; those between are no nodes.
  World world(8, Metric::l2);
  const auto vectors = clustered(400, 8, 5, 23);
  ASSERT_TRUE(world.table->reserve(kChunkSlots + 200).ok());
  ASSERT_TRUE(world.graph->reserve(kChunkSlots + 200).ok());
  world.end = kChunkSlots + 200;
  std::vector<NewNode> batch;
  for (Slot i = 0; i < 400; ++i) {
    const Slot slot = kChunkSlots - 200 + i;
    world.table->assign(slot, vectors[i]);
    batch.push_back(world.node(slot));
  }
  auto root = world.graph->writer().insert(world.root, batch, 2, world.retired);
  ASSERT_TRUE(root.ok());
  world.root = *root;
  expect_sound(world);
  EXPECT_FALSE(world.graph->contains(0, world.root.epoch));
  EXPECT_TRUE(world.graph->contains(kChunkSlots, world.root.epoch));
  EXPECT_EQ(world.graph->changed_epoch(0), 1U);
  EXPECT_EQ(world.graph->changed_epoch(1), 1U);
  EXPECT_EQ(world.graph->changed_epoch(2), 0U);
  for (std::size_t i = 0; i < 400; i += 37) {
    const auto hits = world.search(vectors[i], 1, 50);
    ASSERT_FALSE(hits.empty());
    EXPECT_EQ(hits[0].slot, kChunkSlots - 200 + i);
  }
}

// Clusters that arrive one after the other, each larger than a batch and than the beam: the worst order there is.
TEST(GraphInsert, ClustersThatArriveInOrderStayConnected) {
  World world(16, Metric::l2, {16, 50});
  auto vectors = clustered(3'000, 16, 1, 24);
  for (std::size_t i = 0; i < vectors.size(); ++i) vectors[i][0] += static_cast<float>(i / 600) * 40;
  world.add_rows(vectors);
  world.index_all();
  expect_sound(world);
  for (std::size_t i = 0; i < vectors.size(); i += 97) EXPECT_EQ(world.search(vectors[i], 1, 50)[0].slot, i);
}

TEST(GraphInsert, MemoryPerNodeStaysInItsBudget) {
  const auto vectors = clustered(kChunkSlots, 8, 50, 25);
  World world(8, Metric::l2, {16, 40});
  world.add_rows(vectors);
  world.index_all();
  const double bytes = static_cast<double>(world.graph->memory_bytes()) / kChunkSlots;
  EXPECT_LT(bytes, 200);
  EXPECT_GT(bytes, 60);
}

TEST(BatchSize, IsSmallAgainstTheGraph) {
  EXPECT_EQ(GraphWriter::batch_size(0, 1), 1U);
  EXPECT_LE(GraphWriter::batch_size(0, 100'000), 512U);
  EXPECT_LE(GraphWriter::batch_size(100'000, 100'000), 5'000U);
  EXPECT_LE(GraphWriter::batch_size(100'000'000, 100'000), 4'000U);
  EXPECT_EQ(GraphWriter::batch_size(1'000, 3), 3U);
}

}  // namespace
}  // namespace holdfast::index
