// Deletes, updates and vacuum: the dead take no place, the living stay connected, rows are used again.
#include <algorithm>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

class Overwriting : public OnSetting {};
HF_ON_SETTINGS(Overwriting, every_setting);

TEST_P(Overwriting, KeepsTheGraphConnected) {
  create_here();
  fill(0, 250);
  bring();
  for (std::uint64_t round = 1; round <= 6; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    SeededRandom random(round);
    for (std::uint64_t i = 0; i < 250; ++i) {
      const std::uint64_t id = random.below(250);
      put(id, vector_of(id + round * 1'000), R"({"round":)" + std::to_string(round) + "}");
    }
    bring();
    expect_holds_truth(collection().snapshot(), round);
    if (round % 3 == 0) {
      HF_OK(collection().vacuum());
      expect_holds_truth(collection().snapshot(), round);
    }
  }
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  EXPECT_EQ(0u, collection().stats().dead_in_graph);
  expect_holds_truth();
  expect_sound();
}

TEST_P(Overwriting, WithTheSameVectorChangesThePayloadOnly) {
  create_here();
  fill(0, 50);
  bring();
  for (int round = 0; round < 20; ++round) put(25, vector_of(25), R"({"round":)" + std::to_string(round) + "}");
  expect_holds_truth();
  bring();
  expect_holds_truth();
  const auto own = collection().search(vector_of(25), {.k = 50, .ef = 100, .with_payload = true});
  HF_OK(own);
  EXPECT_EQ(1, std::count_if(own->begin(), own->end(), [](const Hit& hit) { return hit.id == PointId(25); }));
}

class Deleting : public OnSetting {};
HF_ON_SETTINGS(Deleting, every_setting);

TEST_P(Deleting, TheEntryPointAgainAndAgain) {
  // Whatever the entry point is, it goes some time: in the order of insertion, its reverse, and any order.
  for (const std::uint64_t order : {0U, 1U, 2U}) {
    SCOPED_TRACE("order " + std::to_string(order));
    if (order == 0) create_here();
    fill(0, 150);
    bring();
    std::vector<std::uint64_t> ids;
    for (std::uint64_t id = 0; id < 150; ++id) ids.push_back(id);
    if (order == 1) std::reverse(ids.begin(), ids.end());
    if (order == 2) std::shuffle(ids.begin(), ids.end(), SeededRandom(5));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      erase(ids[i]);
      if (order == 2 || i % 3 == 0) HF_OK(collection().vacuum());
      const Vector query = vector_of(ids[i]);
      EXPECT_TRUE(nearest(collection().search(query, {.k = 150, .ef = 400}), query, 150)) << i << " points deleted";
    }
    EXPECT_EQ(0u, collection().snapshot().size());
  }
  fill(0, 40);
  bring();
  expect_holds_truth();
  expect_sound();
}

TEST_P(Deleting, DeadPointsAreNeitherReturnedNorLinkedByNewOnes) {
  create_here();
  fill(0, 300);
  bring();
  for (std::uint64_t id = 0; id < 300; id += 2) erase(id);
  // New points stand exactly where the dead ones stood: the dead are their nearest nodes.
  for (std::uint64_t id = 0; id < 300; id += 2) put(1'000 + id, vector_of(id));
  bring();
  for (std::uint64_t id = 0; id < 300; id += 2) {
    const auto hits = collection().search(vector_of(id), {.k = 20, .ef = 60});
    HF_OK(hits);
    EXPECT_EQ(20u, hits->size()) << "the dead take no place";
    EXPECT_TRUE(sensible(*hits, vector_of(id)));
  }
  expect_holds_truth();
  // If a new point hung on dead ones alone, or named one, the checks of verify() and a wide search would tell.
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  const CollectionStats stats = collection().stats();
  EXPECT_EQ(0u, stats.dead_in_graph);
  EXPECT_EQ(300u, stats.graph_nodes);
  expect_holds_truth();
  expect_sound();
}

TEST_P(Deleting, AWholeLevelAndAllAboveIt) {
  config_.m = 3;  // many levels
  config_.ef_construction = 24;
  create_here();
  fill(0, 400);
  HF_OK(collection().wait_until_indexed());
  const std::uint32_t levels = collection().stats().graph_levels;
  ASSERT_GE(levels, 3u) << "seed of the levels";
  bring();
  // Half of what is left, again and again: the top levels lose all their nodes while the bottom still has some.
  std::uint32_t lowest = levels;
  for (std::uint64_t step = 2; step <= 256; step *= 2) {
    SCOPED_TRACE("every " + std::to_string(step) + "th is left");
    for (std::uint64_t id = 0; id < 400; ++id) {
      if (id % step != 0 && truth().contains(id)) erase(id);
    }
    HF_OK(collection().vacuum());
    lowest = std::min(lowest, collection().stats().graph_levels);
    expect_holds_truth(collection().snapshot(), step);
  }
  EXPECT_LT(lowest, levels) << "no level was emptied";
  fill(1'000, 300);
  HF_OK(collection().wait_until_indexed());
  expect_holds_truth();
  expect_sound();
}

TEST_P(Deleting, ABridgeBetweenClustersIsRepaired) {
  config_.m = 3;
  config_.ef_construction = 12;
  create(GetParam().metric, 3);
  // Two clusters far apart, and a chain of points between them.
  const auto cluster = [](std::uint64_t i, float x) {
    return Vector{x, 30 + static_cast<float>(i % 8), 1 + static_cast<float>(i / 8)};
  };
  for (std::uint64_t i = 0; i < 64; ++i) put(i, cluster(i, -1'000));
  for (std::uint64_t i = 0; i < 64; ++i) put(100 + i, cluster(i, 1'000));
  for (std::uint64_t i = 0; i < 100; ++i) put(200 + i, {static_cast<float>(i) * 20 - 990, 30, 5});
  bring();
  expect_holds_truth();
  for (std::uint64_t i = 0; i < 100; ++i) erase(200 + i);
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  for (const float side : {-1'000.0F, 1'000.0F}) {
    const Vector query = cluster(20, side);
    EXPECT_TRUE(nearest(collection().search(query, {.k = 128, .ef = 200}), query, 128)) << "one cluster is cut off";
  }
  expect_holds_truth();
  expect_sound();
}

class Refilling : public OnSetting {};
HF_ON_SETTINGS(Refilling, every_setting);

TEST_P(Refilling, TenTimesIsAsGoodAndAsSmallAsNew) {
  constexpr std::uint64_t kPoints = 300;
  create_here();
  CollectionStats first;
  for (std::uint64_t round = 0; round < 10; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    for (std::uint64_t i = 0; i < kPoints; i += 20) fill(round * 10'000 + i, 20);
    bring();
    if (round == 0) first = collection().stats();
    expect_holds_truth(collection().snapshot(), round);
    const CollectionStats full = collection().stats();
    EXPECT_EQ(kPoints, full.points);
    EXPECT_LE(full.slots, kPoints + kPoints / 5) << "rows are not used again";
    EXPECT_LE(full.vector_bytes, first.vector_bytes * 13 / 10 + 65'536);
    for (std::uint64_t i = 0; i < kPoints; ++i) erase(round * 10'000 + i);
    HF_OK(collection().wait_until_indexed());
    HF_OK(collection().vacuum());
    let_rows_go();
    const CollectionStats empty = collection().stats();
    EXPECT_EQ(0u, empty.points);
    EXPECT_EQ(0u, empty.dead_in_graph);
    EXPECT_EQ(0u, empty.graph_nodes);
    EXPECT_EQ(0u, empty.reclaim_backlog) << "nobody holds a snapshot";
    expect_holds_truth(collection().snapshot(), round);
  }
  expect_sound();
}

TEST_P(Refilling, ASnapshotKeepsItsRowsWhateverIsRefilled) {
  create_here();
  fill(0, 200);
  bring();
  const auto before_truth = truth();
  std::optional<Snapshot> old = collection().snapshot();
  const Vector query = vector_of(12'345);
  const Hits exact = *old->search(query, {.k = 200, .with_payload = true, .exact = true});
  const Hits graph = *old->search(query, {.k = 20, .ef = 40, .with_payload = true});
  for (std::uint64_t round = 1; round <= 4; ++round) {
    for (const auto& [id, point] : std::map(truth())) erase(id);
    HF_OK(collection().wait_until_indexed());
    HF_OK(collection().vacuum());
    fill(round * 1'000, 200);
    HF_OK(collection().wait_until_indexed());
    EXPECT_TRUE(identical(exact, *old->search(query, {.k = 200, .with_payload = true, .exact = true})));
    EXPECT_TRUE(identical(graph, *old->search(query, {.k = 20, .ef = 40, .with_payload = true})));
    for (const auto& [id, point] : before_truth) EXPECT_EQ(point.vectors, old->get(id)->vector);
    expect_holds_truth(collection().snapshot(), round);
  }
  const CollectionStats held = collection().stats();
  EXPECT_EQ(1u, held.pinned_snapshots);
  EXPECT_EQ(old->lsn(), held.oldest_snapshot_lsn);
  EXPECT_GE(held.reclaim_backlog, 200u) << "the rows of the snapshot wait for it";
  EXPECT_GT(held.retained_bytes, 0u);
  old.reset();
  HF_OK(collection().vacuum());
  for (int i = 0; i < 2; ++i) let_rows_go();
  const CollectionStats released = collection().stats();
  EXPECT_EQ(0u, released.pinned_snapshots);
  EXPECT_EQ(0u, released.oldest_snapshot_lsn);
  EXPECT_EQ(0u, released.reclaim_backlog);
  EXPECT_GE(released.free_slots, 200u);
  expect_holds_truth();
  expect_sound();
}

}  // namespace
}  // namespace holdfast::testing
