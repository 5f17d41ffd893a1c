// Save and reload, points that change while they are in the growing tier, and closing with work pending.
#include <thread>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

class Reload : public OnSetting {};
HF_ON_SETTINGS(Reload, every_setting);

TEST_P(Reload, AnswersAreTheSameBitForBit) {
  create_here();
  fill(0, 300);
  bring();
  for (std::uint64_t id = 0; id < 300; id += 6) erase(id);
  for (std::uint64_t id = 1; id < 300; id += 6) put(id, vector_of(id + 9'000), R"({"new":1})");
  put(PointId::from_parts(PointId::Kind::uuid, 5, 5), vector_of(55));
  std::vector<Hits> graph, exact;
  const auto ask = [&](std::uint64_t q, bool by_comparing) {
    return *collection().search(vector_of(40'000 + q),
                                {.k = 15, .ef = 20, .with_payload = true, .exact = by_comparing});
  };
  HF_OK(collection().vacuum());
  for (std::uint64_t q = 0; q < 20; ++q) {
    graph.push_back(ask(q, false));
    exact.push_back(ask(q, true));
  }
  const CollectionStats before = collection().stats();
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE("reopened " + std::to_string(round + 1) + " times");
    reopen();
    for (std::uint64_t q = 0; q < 20; ++q) {
      EXPECT_EQ(ids_of(exact[q]), ids_of(ask(q, true)));
      EXPECT_TRUE(identical(graph[q], ask(q, false))) << "query " << q;
      EXPECT_TRUE(identical(exact[q], ask(q, true))) << "query " << q;
    }
    const CollectionStats after = collection().stats();
    EXPECT_EQ(before.points, after.points);
    EXPECT_EQ(before.graph_nodes, after.graph_nodes);
    EXPECT_EQ(before.dead_in_graph, after.dead_in_graph);
    EXPECT_LE(after.growing, before.growing) << "what died before it was indexed is not loaded";
    EXPECT_EQ(before.graph_levels, after.graph_levels);
    expect_holds_truth();
  }
  expect_sound();
}

TEST_P(Reload, MarkersAndPositionsComeAlong) {
  create_here();
  WriteBatch batch;
  batch.upsert(1, vector_of(1));
  batch.set_marker("imported", "7");
  HF_OK(collection().write(batch));
  fill(10, 20);
  bring();
  const Lsn lsn = collection().snapshot().lsn();
  reopen();
  EXPECT_EQ("7", collection().marker("imported"));
  EXPECT_GE(collection().upsert(2, vector_of(2))->lsn, lsn + 1);
  HF_OK(collection().snapshot({.at_least = lsn}));
}

TEST_P(Reload, TheLogAloneIsEnough) {
  options_.open.checkpoint_on_close = false;
  create_here();
  fill(0, 100);
  bring();
  fill(100, 100);
  for (std::uint64_t id = 0; id < 200; id += 3) erase(id);
  for (std::uint64_t id = 0; id < 200; id += 9) put(id, vector_of(id + 500));
  reopen(false);
  EXPECT_GT(collection().recovery_report().frames_replayed, 0u);
  expect_holds_truth();
  HF_OK(collection().wait_until_indexed());
  expect_holds_truth();
  expect_sound();
}

TEST_P(Reload, RowsThatWereFreedAreUsedAgainAfterwards) {
  create_here();
  fill(0, 200);
  bring();
  for (std::uint64_t id = 0; id < 200; id += 2) erase(id);
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  reopen();
  EXPECT_GE(collection().stats().free_slots, 100u) << "a reopened store forgot its free rows";
  fill(1'000, 100);
  EXPECT_LE(collection().stats().slots, 210u);
  reopen(false);
  EXPECT_LE(collection().stats().slots, 210u) << "replay takes the rows that the writes took";
  expect_holds_truth();
  HF_OK(collection().wait_until_indexed());
  expect_holds_truth();
  expect_sound();
}

class GrowingTier : public OnSetting {};
HF_ON_SETTINGS(GrowingTier, every_setting);

TEST_P(GrowingTier, PointsThatChangeBeforeTheyAreIndexed) {
  create_here();
  fill(0, 100);
  bring();
  fill(100, 100);                                                                  // growing
  for (std::uint64_t id = 100; id < 200; id += 4) erase(id);                       // dead before indexed
  for (std::uint64_t id = 101; id < 200; id += 4) put(id, vector_of(id + 3'000));  // overwritten before indexed
  for (std::uint64_t id = 102; id < 200; id += 4) {                                // deleted and written again
    erase(id);
    put(id, vector_of(id + 4'000));
  }
  expect_holds_truth();
  const Snapshot held = collection().snapshot();
  const auto then = truth();
  HF_OK(collection().wait_until_indexed());
  expect_holds_truth();
  expect_holds_truth(held);
  EXPECT_EQ(0u, collection().stats().growing);
  for (std::uint64_t id = 0; id < 200; id += 3) {
    if (truth().contains(id)) erase(id);
  }
  expect_holds_truth();
  EXPECT_EQ(then.size(), held.size());
  HF_OK(collection().vacuum());
  expect_holds_truth();
  expect_sound();
}

TEST_P(GrowingTier, DeadBeforeIndexedLeavesNoNode) {
  create_here();
  fill(0, 100);
  bring();
  const std::uint64_t nodes = collection().stats().graph_nodes;
  fill(500, 80);
  for (std::uint64_t id = 500; id < 580; ++id) erase(id);
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  EXPECT_EQ(indexed() ? nodes : 100u, collection().stats().graph_nodes);
  EXPECT_EQ(0u, collection().stats().dead_in_graph);
  expect_holds_truth();
  expect_sound();
}

class Pending : public Store {};

TEST_F(Pending, ClosingWhileTheIndexerVacuumAndACheckpointHaveWork) {
  options_.background = true;
  options_.open.vacuum_percent = 1;
  create(Metric::l2, 32);
  for (std::uint64_t round = 0; round < 6; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    fill(round * 500, 1'500);
    for (std::uint64_t id = round * 500; id < round * 500 + 400; ++id) erase(id);
    std::jthread checkpointer;
    if (round % 2 == 1) {
      checkpointer = std::jthread([c = collection()]() mutable { c.checkpoint().ignore(); });  // it may be closed
    }
    options_.open.checkpoint_on_close = round % 3 != 2;
    HF_OK(database().close());
    const Vector query = vector_of(round);
    EXPECT_TRUE(nearest(collection().search(query, {.k = 10, .exact = true}), query, 10)) << "handles keep reading";
    HF_CODE(StatusCode::closed, collection().upsert(1, query));
    if (checkpointer.joinable()) checkpointer.join();
    reopen_closed();
    expect_holds_truth(collection().snapshot(), round);
  }
  HF_OK(collection().wait_until_indexed());
  expect_holds_truth();
  expect_sound();
}

TEST_F(Pending, LettingGoOfAllHandlesWithWorkPending) {
  options_.background = true;
  create(Metric::l2, 32);
  for (std::uint64_t round = 0; round < 3; ++round) {
    fill(round * 1'000, 1'000);
    std::optional<Snapshot> survivor = collection().snapshot();
    let_go();
    EXPECT_EQ((round + 1) * 1'000, survivor->size());
    EXPECT_EQ(10u, survivor->search(vector_of(1))->size());
    survivor.reset();
    reopen_closed();
    expect_holds_truth(collection().snapshot(), round);
  }
}

}  // namespace
}  // namespace holdfast::testing
