// Graphs that are broken on purpose, by rows that are written by hand, and what connect() makes of them.
#include <map>

#include "index/vacuum_fixture.h"

namespace holdfast::index {
namespace {

constexpr GraphParams kSmall{2, 20};  // 4 links at level 0, 2 above

using Lists = std::map<Slot, std::vector<Slot>>;

/// `count` points on a line, linked at level 0 as `lists` says; `tops`: nodes of level 1 and their links there.
void forge(MortalWorld& world, Slot count, const Lists& lists, const Lists& tops, Slot entry) {
  std::vector<std::vector<float>> vectors;
  for (Slot slot = 0; slot < count; ++slot) vectors.push_back({static_cast<float>(slot), 0});
  world.add_rows(vectors);
  const auto links_max = world.graph->params().max_links(0);
  Bytes level0;
  for (Slot slot = 0; slot < count; ++slot) {
    const auto found = lists.find(slot);
    const std::vector<Slot> links = found == lists.end() ? std::vector<Slot>() : found->second;
    put(level0, static_cast<std::uint32_t>(links.size()));
    for (std::uint32_t i = 0; i < links_max; ++i) put(level0, i < links.size() ? links[i] : 0U);
  }
  Bytes upper;
  put(upper, static_cast<std::uint32_t>(tops.size()));
  for (const auto& [slot, links] : tops) {
    put(upper, slot);
    put(upper, 1U);
    put(upper, static_cast<std::uint32_t>(links.size()));
    for (const Slot link : links) put(upper, link);
  }
  const auto owner = std::make_shared<Bytes>(std::move(level0));
  ASSERT_TRUE(world.graph->attach_level0(0, *owner, count, owner).ok());
  ASSERT_TRUE(world.graph->load_upper(0, upper, count).ok());
  world.root = {1, entry, tops.empty() ? 1U : 2U, count};
}

TEST(GraphConnect, ASoundGraphIsNotTouched) {
  MortalWorld world(12, Metric::l2, {8, 60});
  (void)world.put(clustered(800, 12, 10, 81));
  world.connect();
  const GraphEpoch epoch = world.root.epoch;
  world.connect();
  EXPECT_EQ(world.root.epoch, epoch);
  EXPECT_EQ(check_graph(*world.graph, world.root, world.end).unreachable, 0U);
  const GraphRoot none;
  auto result = world.graph->writer().connect(none, 0, {}, world.retired);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->epoch, 0U);
}

TEST(GraphConnect, ComponentsAreLinkedInWhereThereIsRoom) {
  MortalWorld world(2, Metric::l2, kSmall);
  forge(world, 12, {{0, {1}}, {1, {0, 2}}, {2, {1}}, {5, {6}}, {6, {5}}, {9, {10}}, {10, {11}}, {11, {9}}}, {}, 0);
  EXPECT_EQ(check_graph(*world.graph, world.root, world.end).unreachable, 9U);
  const Bytes before = world.image(1);
  world.connect();
  world.expect_alright();
  EXPECT_EQ(world.root.epoch, 2U);
  EXPECT_TRUE(world.image(1) == before) << "readers of the epoch before";
}

TEST(GraphConnect, NothingThatWasReachableGetsLostWhenEveryListIsFull) {
  // Two cliques of five: all lists are full, and the second one has no link from the first.
  Lists lists;
  for (Slot slot = 0; slot < 10; ++slot) {
    for (Slot other = slot / 5 * 5; other < slot / 5 * 5 + 5; ++other) {
      if (other != slot) lists[slot].push_back(other);
    }
  }
  MortalWorld world(2, Metric::l2, kSmall);
  forge(world, 10, lists, {}, 2);
  EXPECT_EQ(check_graph(*world.graph, world.root, world.end).unreachable, 5U);
  world.connect();
  world.expect_alright();
}

TEST(GraphConnect, ManySingleNodesAreLinkedInThroughFullTrees) {
  // A tree in which every inner node has four children, and as many nodes that nobody names.
  Lists lists;
  constexpr Slot kTree = 85;
  for (Slot slot = 0; slot * 4 + 4 < kTree; ++slot) {
    for (Slot child = slot * 4 + 1; child <= slot * 4 + 4; ++child) lists[slot].push_back(child);
  }
  MortalWorld world(2, Metric::l2, kSmall);
  forge(world, 2 * kTree, lists, {}, 0);
  world.connect();
  world.expect_alright();
}

TEST(GraphConnect, DeadNodesNeedNotBeReachable) {
  MortalWorld world(2, Metric::l2, kSmall);
  forge(world, 6, {{0, {1}}, {1, {0}}, {4, {5}}}, {}, 0);
  for (const Slot slot : {2U, 3U, 4U, 5U}) world.kill(slot);
  world.connect();
  EXPECT_EQ(world.root.epoch, 1U) << "nothing to do";
  world.expect_alright();
  EXPECT_EQ(check_graph(*world.graph, world.root, world.end).unreachable, 4U);
}

TEST(GraphConnect, AllDeadIsNothingToDo) {
  MortalWorld world(2, Metric::l2, kSmall);
  forge(world, 6, {{0, {1}}, {1, {0}}, {4, {5}}}, {{0, {4}}, {4, {0}}}, 0);
  for (Slot slot = 0; slot < 6; ++slot) world.kill(slot);
  world.connect();
  EXPECT_EQ(world.root.epoch, 1U);
}

TEST(GraphConnect, ADescentDoesNotEndInAPocket) {
  // The entry leads everywhere. A descent towards large numbers ends at 8, which leads to 9 and 10 only: without a way
  // back a search there would never see 7.
  MortalWorld world(2, Metric::l2, kSmall);
  forge(world, 11,
        {{0, {1, 4}},
         {1, {0, 2}},
         {2, {3}},
         {3, {2, 1}},
         {4, {5}},
         {5, {6}},
         {6, {7, 8}},
         {7, {6, 0}},
         {8, {9, 10}},
         {9, {8, 10}},
         {10, {9}}},
        {{0, {8}}, {8, {0}}}, 0);
  EXPECT_EQ(check_graph(*world.graph, world.root, world.end).unreachable, 0U);
  EXPECT_EQ(check_graph(*world.graph, world.root, world.end).stranded, 1U);
  EXPECT_EQ(world.search({8, 0}, 4, 20).size(), 3U);
  world.connect();
  world.expect_alright();
  EXPECT_EQ(world.search({8, 0}, 11, 20).size(), 11U);
}

TEST(GraphConnect, PocketsOfFullListsAreLeft) {
  Lists lists;
  for (Slot slot = 0; slot < 15; ++slot) {
    for (Slot other = slot / 5 * 5; other < slot / 5 * 5 + 5; ++other) {
      if (other != slot) lists[slot].push_back(other);
    }
  }
  lists[0][3] = 5;   // leads into the second clique,
  lists[1][3] = 10;  // and into the third
  MortalWorld world(2, Metric::l2, kSmall);
  forge(world, 15, lists, {{2, {7, 12}}, {7, {2}}, {12, {2}}}, 2);
  EXPECT_EQ(check_graph(*world.graph, world.root, world.end).stranded, 2U);
  world.connect();
  world.expect_alright();
}

TEST(GraphConnect, RandomBrokenGraphsAreMended) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(900 + seed);
    Lists lists;
    Lists tops;
    constexpr Slot kCount = 120;
    for (Slot slot = 0; slot < kCount; ++slot) {
      std::vector<Slot>& links = lists[slot];
      for (std::uint64_t i = random.below(5); i > 0; --i) {
        const auto link = static_cast<Slot>(random.below(kCount));
        if (link != slot && std::find(links.begin(), links.end(), link) == links.end()) links.push_back(link);
      }
      if (random.below(6) == 0) tops[slot];
    }
    tops[kCount / 2];
    MortalWorld world(2, Metric::l2, kSmall);
    forge(world, kCount, lists, tops, kCount / 2);
    world.kill_if([&](Slot) { return random.below(8) == 0; });
    world.connect();
    world.expect_alright();
    const GraphEpoch epoch = world.root.epoch;
    world.connect();
    EXPECT_EQ(world.root.epoch, epoch) << "once is enough";
  }
}

// Under the inner product a few long vectors are everybody's neighbors, and many nodes lose all links to them.
TEST(GraphConnect, NodesThatNobodyWantsAreFoundUnderTheInnerProduct) {
  auto vectors = clustered(1'500, 16, 10, 82);
  for (std::size_t i = 0; i < vectors.size(); i += 5) vectors[i] = vectors[0];
  MortalWorld world(16, Metric::inner_product, {8, 60});
  (void)world.put(vectors);
  world.connect();
  world.expect_alright();
}

TEST(GraphCheckOfSlots, NamesLinksToWhatIsNoNodeOrFree) {
  MortalWorld world(2, Metric::l2, kSmall);
  forge(world, 4, {{0, {1, 2}}, {1, {0, 3, 3}}, {2, {0}}, {3, {0}}}, {}, 0);
  world.free = {2};
  const GraphCheck check = check_graph(*world.graph, world.root, world.end, {}, world.in_use());
  ASSERT_EQ(check.violations.size(), 2U);
  EXPECT_NE(check.violations[0].find("slot 1, level 0: a link stands twice"), std::string::npos);
  EXPECT_NE(check.violations[1].find("slot 2 is a node, but free"), std::string::npos);
  // All go at once: nobody is left who names them, and one comes back.
  SlotSet all;
  for (Slot slot = 0; slot < 4; ++slot) all.insert(slot);
  world.step(world.graph->writer().remove(world.root, all, world.end, world.retired));
  const NewNode one[] = {{2, 0}};
  world.graph->release_node(2);
  world.step(world.graph->writer().insert(world.root, one, 1, world.retired));
  EXPECT_EQ(check_graph(*world.graph, world.root, world.end).violations, std::vector<std::string>());
  EXPECT_EQ(world.root.nodes, 1U);
}

TEST(SlotSets, InsertContainForEach) {
  SlotSet set(10);
  EXPECT_TRUE(set.empty());
  for (const Slot slot : {5U, 0U, 63U, 64U, 1'000U}) EXPECT_TRUE(set.insert(slot));
  EXPECT_FALSE(set.insert(64));
  EXPECT_EQ(set.size(), 5U);
  EXPECT_TRUE(set.contains(1'000));
  EXPECT_FALSE(set.contains(999));
  EXPECT_FALSE(set.contains(1'000'000));
  std::vector<Slot> slots;
  set.for_each([&](Slot slot) { slots.push_back(slot); });
  EXPECT_EQ(slots, (std::vector<Slot>{0, 5, 63, 64, 1'000}));
  set.clear();
  EXPECT_TRUE(set.empty());
  EXPECT_FALSE(set.contains(5));
}

}  // namespace
}  // namespace holdfast::index
