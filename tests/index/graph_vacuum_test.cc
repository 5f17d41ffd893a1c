// Nodes leave the graph: repair, removal, and slots that are used again, under readers of older epochs.
#include <atomic>
#include <thread>

#include "index/vacuum_fixture.h"

namespace holdfast::index {
namespace {

constexpr GraphParams kParams{8, 60};

/// 1,500 points in 12 dimensions, all in the graph.
void fill(MortalWorld& world, std::uint64_t seed, std::size_t count = 1'500) {
  const auto vectors = clustered(count, 12, 15, seed);
  (void)world.put(vectors);
}

TEST(GraphVacuum, RepairedNodesNameNoDoomedOneAndAreFoundAsBefore) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 51);
  const auto queries = clustered(200, 12, 15, 151);
  world.kill_if([](Slot slot) { return mix64(slot) % 8 == 0; });
  ASSERT_GT(world.links_into(world.dead), 1'000U);
  const double before = world.recall(queries, 10, 60, world.alive());
  world.repair();
  EXPECT_EQ(world.links_into(world.dead), 0U);
  const GraphRoot repaired = world.root;
  world.repair();
  EXPECT_EQ(world.root.epoch, repaired.epoch) << "nothing was left to do";
  world.vacuum();
  world.expect_alright();
  EXPECT_GT(world.recall(queries, 10, 60, world.alive()), before - 0.02);
}

TEST(GraphVacuum, WholeNeighborhoodsMayBeDoomed) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 52);
  // Everything nearer to one point than the median: chains of doomed nodes, and a hole that must be bridged.
  const RowQuery center(*world.table, 7);
  std::vector<float> distances;
  for (Slot slot = 0; slot < world.end; ++slot) distances.push_back(center->distance(world.table->row(slot)));
  auto sorted = distances;
  std::sort(sorted.begin(), sorted.end());
  world.kill_if([&](Slot slot) { return distances[slot] <= sorted[sorted.size() / 2]; });
  world.vacuum();
  world.expect_alright();
  EXPECT_EQ(world.root.nodes, 749U);
  EXPECT_GT(world.recall(clustered(100, 12, 15, 152), 10, 60, world.alive()), 0.95);
}

TEST(GraphVacuum, WhatIsStillNamedIsNotRemoved) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 53, 400);
  world.kill(17);
  const Bytes before = world.image(world.root.epoch + 1);
  auto refused = world.graph->writer().remove(world.root, world.dead, world.end, world.retired);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::internal);
  EXPECT_TRUE(world.image(world.root.epoch + 1) == before);
  world.vacuum();
  EXPECT_FALSE(world.graph->contains(17, world.root.epoch));
  EXPECT_TRUE(world.graph->contains(17, world.root.epoch - 2));
  EXPECT_EQ(world.root.nodes, 399U);
}

TEST(GraphVacuum, NothingDoomedIsNoEpoch) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 54, 300);
  world.connect();
  const GraphEpoch epoch = world.root.epoch;
  world.vacuum();
  EXPECT_EQ(world.root.epoch, epoch);
  SlotSet strangers;
  strangers.insert(world.end + 5);  // no node, no table
  world.step(world.graph->writer().remove(world.root, strangers, world.end, world.retired));
  EXPECT_EQ(world.root.epoch, epoch);
}

TEST(GraphVacuum, EveryEpochStaysReadableBitForBit) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 55, 900);
  const auto image_of = [&world](GraphEpoch epoch) {
    Bytes bytes;
    world.graph->encode_level0(0, 1'200, epoch, bytes);
    world.graph->encode_upper(0, 1'200, epoch, bytes);
    return bytes;
  };
  std::vector<std::pair<GraphRoot, Bytes>> images;
  const auto keep = [&] { images.emplace_back(world.root, image_of(world.root.epoch)); };
  keep();
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(round);
    world.kill_if([&](Slot slot) { return mix64(slot * 31 + static_cast<Slot>(round)) % 10 == 0; });
    world.repair();
    keep();
    world.vacuum();
    keep();
    (void)world.put(clustered(60, 12, 15, 255 + static_cast<std::uint64_t>(round)));  // new slots: the past is pinned
    keep();
  }
  for (const auto& [root, image] : images) {
    SCOPED_TRACE(root.epoch);
    ASSERT_TRUE(image_of(root.epoch) == image);
    const GraphCheck check = check_graph(*world.graph, root, world.end);
    EXPECT_EQ(check.violations, std::vector<std::string>());
  }
  // Only the newest root is pinned: everything older may go, and the slots may be used again.
  const Bytes newest = image_of(world.root.epoch);
  const GraphRoot pinned = world.root;
  world.forget_the_past();
  EXPECT_TRUE(image_of(pinned.epoch) == newest);
  const auto reused = world.put(clustered(100, 12, 15, 259));
  EXPECT_LT(reused.front(), 900U);
  EXPECT_TRUE(image_of(pinned.epoch) == newest) << "a reused slot is no node of the epochs in which it was free";
  EXPECT_FALSE(world.graph->contains(reused.front(), pinned.epoch));
  EXPECT_TRUE(world.graph->contains(reused.front(), world.root.epoch));
  world.connect();
  world.expect_alright();
}

TEST(GraphVacuum, TheGraphDoesNotDependOnTheNumberOfThreads) {
  Bytes images[3];
  for (const unsigned threads : {1U, 2U, 5U}) {
    MortalWorld world(12, Metric::l2, kParams);
    for (std::uint64_t round = 0; round < 5; ++round) {
      (void)world.put(clustered(300, 12, 15, 60 + round), threads);
      world.kill_if([&](Slot slot) { return mix64(slot + 1'000 * round) % 6 == 0; });
      (void)world.put(clustered(100, 12, 15, 80 + round), threads);
      world.vacuum(threads);
      world.forget_the_past();
    }
    world.expect_alright();
    images[threads / 2] = world.image(world.root.epoch);
  }
  EXPECT_TRUE(images[0] == images[1]);
  EXPECT_TRUE(images[0] == images[2]);
}

TEST(GraphVacuum, InsertionInterleavedWithRepairKeepsRemovalPossible) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 56, 800);
  world.kill_if([](Slot slot) { return slot % 9 == 3; });
  const SlotSet doomed = world.dead;
  for (Slot begin = 0; begin < 800; begin += 100) {
    world.step(
        world.graph->writer().repair(world.root, doomed, world.linkable(), begin, begin + 100, 2, world.retired));
    (void)world.put(clustered(20, 12, 15, 300 + begin));
    world.kill(begin + 1);  // dies meanwhile and is not doomed: may stay linked, may not be linked anew
    world.connect();
  }
  world.step(world.graph->writer().remove(world.root, doomed, world.end, world.retired));
  world.connect();
  world.expect_alright();
}

TEST(GraphVacuum, TheEntryMayBeDeletedAgainAndAgain) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 57, 400);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    const Slot entry = world.root.entry;
    world.kill(entry);
    world.vacuum();
    world.forget_the_past();
    ASSERT_NE(world.root.entry, entry);
    world.expect_alright();
    int top = 0;
    Slot expected = kNoSlot;
    for (const Slot slot : world.nodes()) {
      const int level = world.graph->level(slot, world.root.epoch);
      if (expected == kNoSlot || level > top) {
        top = level;
        expected = slot;
      }
    }
    EXPECT_EQ(world.root.entry, expected);
  }
  EXPECT_EQ(world.root.nodes, 340U);
}

TEST(GraphVacuum, AWholeLevelMayBeDeleted) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 58);
  ASSERT_GE(world.root.levels, 3U);
  for (int level = static_cast<int>(world.root.levels) - 1; level > 0; --level) {
    SCOPED_TRACE(level);
    world.kill_if([&](Slot slot) { return world.graph->level(slot, world.root.epoch) >= level; });
    world.vacuum();
    world.forget_the_past();
    world.expect_alright();
    EXPECT_EQ(world.root.levels, static_cast<std::uint32_t>(level));
  }
  const auto queries = clustered(100, 12, 15, 158);
  EXPECT_GT(world.recall(queries, 10, 60, world.alive()), 0.9);
  (void)world.put(clustered(400, 12, 15, 159));  // levels come back
  world.connect();
  world.expect_alright();
  EXPECT_GT(world.root.levels, 1U);
}

TEST(GraphVacuum, EmptiedAndRefilledTenTimesItIsAsGoodAndAsSmall) {
  const auto queries = clustered(100, 12, 15, 160);
  MortalWorld world(12, Metric::l2, kParams);
  double first = 0;
  std::uint64_t bytes = 0;
  for (std::uint64_t round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    (void)world.put(clustered(600, 12, 15, 400 + round));
    world.connect();
    world.expect_alright();
    const double recall = world.recall(queries, 10, 40, world.alive());
    if (round == 0) {
      first = recall;
      bytes = world.graph->memory_bytes();
    }
    EXPECT_GT(recall, first - 0.05);
    EXPECT_LT(static_cast<double>(world.graph->memory_bytes()), 1.1 * static_cast<double>(bytes));
    world.kill_if([](Slot) { return true; });
    world.vacuum();
    EXPECT_EQ(world.root.nodes, 0U);
    EXPECT_EQ(world.root.levels, 0U);
    EXPECT_EQ(world.root.entry, kNoSlot);
    EXPECT_TRUE(world.search(queries[0], 10, 40).empty());
    world.expect_alright();
    world.forget_the_past();
  }
  EXPECT_EQ(world.end, 600U) << "slots are used again";
  // What is left: tables, and one small list per slot.
  EXPECT_LE(world.graph->memory_bytes(), std::uint64_t{kChunkSlots} * 16 + 600 * 32);
}

TEST(GraphVacuum, PointsAreFoundThatCameWhenEverythingWasDead) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 59, 700);
  world.kill_if([](Slot) { return true; });
  const SlotSet doomed = world.dead;
  const auto vectors = clustered(500, 12, 15, 161);
  const auto slots = world.put(vectors);
  EXPECT_EQ(world.links_into(world.dead), 0U);
  std::size_t found = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto hits = world.search(vectors[i], 1, 60, world.linkable());
    found += !hits.empty() && hits[0].slot == slots[i] ? 1 : 0;
  }
  EXPECT_GE(found, 475U) << "before any vacuum";
  world.vacuum();
  world.expect_alright();
  EXPECT_EQ(world.root.nodes, 500U);
  EXPECT_GT(world.recall(vectors, 10, 60, world.alive()), 0.95);
}

TEST(GraphVacuum, NewNodesAndDeadNodesDoNotLinkToEachOther) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 62, 900);
  world.kill_if([](Slot slot) { return slot % 5 == 0; });
  const std::size_t before = world.links_into(world.dead);
  const auto slots = world.put(clustered(200, 12, 15, 162));
  EXPECT_LE(world.links_into(world.dead), before);
  SlotSet fresh;
  for (const Slot slot : slots) fresh.insert(slot);
  for (const Slot slot : world.nodes()) {
    for (int level = 0; level <= world.graph->level(slot, world.root.epoch); ++level) {
      for (const Slot link : world.graph->neighbors(slot, level, world.root.epoch)) {
        EXPECT_FALSE(fresh.contains(slot) && world.dead.contains(link)) << slot << " -> " << link;
        EXPECT_FALSE(fresh.contains(link) && world.dead.contains(slot)) << slot << " -> " << link;
      }
    }
  }
}

TEST(GraphVacuum, ASlotComesBackWithAnotherLevelOnlyAfterItsRelease) {
  MortalWorld world(12, Metric::l2, kParams);
  fill(world, 63, 600);
  Slot tall = kNoSlot;
  Slot flat = kNoSlot;
  for (const Slot slot : world.nodes()) {
    if (slot == world.root.entry) continue;
    (world.graph->level(slot, world.root.epoch) > 0 ? tall : flat) = slot;
  }
  ASSERT_NE(tall, kNoSlot);
  world.kill(tall);
  world.kill(flat);
  world.vacuum();
  const NewNode nodes[] = {{tall, 0}, {flat, 2}};
  auto early = world.graph->writer().insert(world.root, nodes, {}, 1, world.retired);
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.status().code(), StatusCode::invalid_argument);
  world.release_retired();
  const GraphEpoch between = world.root.epoch;
  for (const Slot slot : {tall, flat}) {
    world.graph->release_node(slot);
    world.graph->release_node(slot);  // again: no effect
    EXPECT_EQ(world.graph->level(slot, between), -1);
  }
  world.graph->release_node(world.root.entry);  // a node: no effect
  world.step(world.graph->writer().insert(world.root, nodes, {}, 1, world.retired));
  EXPECT_EQ(world.graph->level(tall, world.root.epoch), 0);
  EXPECT_EQ(world.graph->level(flat, world.root.epoch), 2);
  EXPECT_EQ(world.graph->level(flat, between), -1);
  EXPECT_TRUE(world.graph->neighbors(flat, 1, between).empty());
  world.removed.clear();
  world.connect();
  world.expect_alright();
}

TEST(GraphVacuum, MappedRowsLieUnderRemovedNodesAndUnderTheirSuccessors) {
  const auto vectors = clustered(700, 12, 15, 64);
  MortalWorld built(12, Metric::l2, kParams);
  (void)built.put(vectors);
  Bytes level0;
  Bytes upper;
  built.graph->encode_level0(0, built.end, built.root.epoch, level0);
  built.graph->encode_upper(0, built.end, built.root.epoch, upper);

  MortalWorld world(12, Metric::l2, kParams);
  world.add_rows(vectors);
  auto owner = std::make_shared<Bytes>(level0);
  ASSERT_TRUE(world.graph->attach_level0(0, ByteSpan(*owner), world.end, owner).ok());
  ASSERT_TRUE(world.graph->load_upper(0, ByteSpan(upper), world.end).ok());
  world.root = built.root;
  const GraphRoot loaded = world.root;
  const Bytes image = world.image(loaded.epoch);
  world.kill_if([&](Slot slot) { return slot % 4 == 1 || slot == loaded.entry; });
  const std::size_t doomed = world.dead.size();
  world.vacuum();
  world.expect_alright();
  EXPECT_EQ(world.root.nodes, 700 - doomed);
  EXPECT_FALSE(world.graph->contains(1, world.root.epoch));
  EXPECT_TRUE(world.image(loaded.epoch) == image);
  world.forget_the_past();
  const auto reused = world.put(clustered(100, 12, 15, 65));
  EXPECT_EQ(reused.front(), 1U);
  world.connect();
  world.expect_alright();
  world.kill_if([](Slot slot) { return slot % 4 == 1; });
  world.vacuum();
  world.forget_the_past();
  world.expect_alright();
  EXPECT_FALSE(world.graph->contains(1, world.root.epoch)) << "the mapped row must not shine through";
}

TEST(GraphVacuum, TwinsUnderChurnStayReachable) {
  MortalWorld world(8, Metric::l2, {8, 50});
  auto vectors = clustered(1'200, 8, 10, 66);
  const std::vector<float> twin = vectors[0];
  for (std::size_t i = 0; i < vectors.size(); i += 3) vectors[i] = twin;
  (void)world.put(vectors);
  SeededRandom random(67);
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    world.kill_if([&](Slot) { return random.below(10) == 0; });
    const std::size_t count = world.dead.size();
    world.vacuum();
    world.forget_the_past();
    auto more = clustered(count, 8, 10, 500 + static_cast<std::uint64_t>(round));
    for (std::size_t i = 0; i < more.size(); i += 3) more[i] = twin;
    (void)world.put(more);
    world.connect();
    world.expect_alright();
    EXPECT_GT(world.recall(clustered(50, 8, 10, 600), 5, 50, world.alive()), 0.93);
  }
  const auto truth = world.exact(twin, 200, world.alive());
  const auto hits = world.search(twin, 200, 300, world.alive());
  ASSERT_EQ(hits.size(), truth.size());
  EXPECT_EQ(hits.back().distance, truth.back().distance);
}

// The run of this one that matters is the one under TSan. A reader of an old root has what it reads pinned; a reader of
// the newest root encodes all slots while others are released and used again.
TEST(GraphVacuum, ReadersAreNotDisturbedWhileStepsArePublished) {
  MortalWorld world(12, Metric::l2, kParams);
  world.add_rows(clustered(1'000, 12, 15, 68));  // slots for all that follows
  for (Slot slot = 0; slot < world.end; ++slot) world.free.push_back(slot);
  (void)world.put(clustered(800, 12, 15, 69));
  world.kill_if([](Slot slot) { return slot % 7 == 2; });
  world.vacuum();
  const GraphRoot pinned = world.root;  // what was superseded until here may go, nothing else
  const auto queries = clustered(20, 12, 15, 70);
  const auto answers_of = [&](const GraphRoot& root) {
    std::vector<std::vector<Candidate>> answers(queries.size());
    for (std::size_t i = 0; i < queries.size(); ++i) {
      search_graph(*world.graph, root, Query(*world.table, queries[i].data()), 10, 40, {}, answers[i]);
    }
    return answers;
  };
  const auto before = answers_of(pinned);
  const Bytes image = world.image(pinned.epoch);
  std::atomic<bool> done{false};
  std::atomic<int> differences{0};
  {
    std::vector<std::jthread> readers;
    readers.emplace_back([&] {
      do {
        if (answers_of(pinned) != before) ++differences;
      } while (!done.load());
    });
    readers.emplace_back([&] {
      do {
        Bytes bytes;
        world.graph->encode_level0(0, 1'000, pinned.epoch, bytes);
        world.graph->encode_upper(0, 1'000, pinned.epoch, bytes);
        if (bytes != image) ++differences;
      } while (!done.load());
    });
    // Slots that were removed before `pinned` are released and used again beside the readers, others are removed.
    world.forget_the_past();
    const auto more = clustered(60, 12, 15, 71);
    for (std::size_t round = 0; round < 3; ++round) {
      (void)world.put(std::span(more).subspan(round * 20, 20));
      world.kill_if([&](Slot slot) { return slot % 11 == round; });
      world.vacuum();
    }
    done.store(true);
  }
  EXPECT_EQ(differences.load(), 0);
  EXPECT_EQ(answers_of(pinned), before);
  world.expect_alright();
}

}  // namespace
}  // namespace holdfast::index
