// The plain life of a collection: empty, growing, with ties and twins, refilled, asked for what is not there.
#include <algorithm>
#include <set>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

class Empty : public OnSetting {
 protected:
  void expect_empty() {
    const Vector query = vector_of(1);
    const Snapshot snapshot = collection().snapshot();
    EXPECT_EQ(0u, snapshot.size());
    for (const bool exact : {false, true}) {
      EXPECT_TRUE(nearest(snapshot.search(query, {.k = 10, .exact = exact}), query, 10));
      EXPECT_TRUE(nearest(snapshot.search_range(query, {.radius = 1e9F, .exact = exact}), query, 0));
      auto cursor = snapshot.cursor(query, {.exact = exact});
      HF_OK(cursor);
      EXPECT_TRUE(nearest(cursor->next(10), query, 10));
      EXPECT_TRUE(cursor->exhausted());
      cursor->reset();
      EXPECT_TRUE(nearest(cursor->next(1), query, 1));
    }
    Vector queries = query;
    queries.insert(queries.end(), query.begin(), query.end());
    const auto batch = snapshot.search_batch(queries, {.k = 3}, 2);
    HF_OK(batch);
    ASSERT_EQ(2u, batch->size());
    for (const Hits& hits : *batch) EXPECT_TRUE(hits.empty());
    std::uint64_t next = 77;
    EXPECT_TRUE(snapshot.ids(0, 10, &next)->empty());
    EXPECT_EQ(0u, next) << "no more: where it began";
    EXPECT_TRUE(snapshot.points(0, 10, &next)->empty());
    HF_CODE(StatusCode::not_found, snapshot.get(1));
    HF_CODE(StatusCode::not_found, snapshot.distance(1, query));
    HF_CODE(StatusCode::not_found, collection().get(1));
    EXPECT_TRUE(collection().search(query)->empty());
    EXPECT_EQ(std::nullopt, collection().marker("m"));
    EXPECT_EQ(0u, collection().erase(1)->erased);
    HF_OK(collection().vacuum());
    HF_OK(collection().wait_until_indexed());
    HF_OK(collection().flush());
    const CollectionStats stats = collection().stats();
    EXPECT_EQ(0u, stats.points);
    EXPECT_EQ(0u, stats.values);
    EXPECT_EQ(0u, stats.growing);
    EXPECT_EQ(0u, stats.dead_in_graph);
  }
};
HF_ON_SETTINGS(Empty, every_setting);

TEST_P(Empty, EveryCallOnANewCollection) {
  create_here();
  expect_empty();
  bring();
  expect_empty();
  expect_sound();
}

TEST_P(Empty, EveryCallOnAnEmptiedCollection) {
  create_here();
  fill(1, 60);
  bring();
  for (std::uint64_t id = 1; id <= 60; ++id) erase(id);
  expect_empty();  // vacuums
  expect_empty();
  bring();
  expect_empty();
  fill(30, 20);
  expect_holds_truth();
  expect_sound();
}

class Growth : public OnSetting {};
HF_ON_SETTINGS(Growth, every_tier);

TEST_P(Growth, AcrossBlocks) {
  // Rows, arrivals and extents come in blocks of up to 16,384.
  constexpr std::uint64_t kPoints = kSanitized ? 17'000 : 34'000;
  config_.m = 4;
  config_.ef_construction = 12;
  create(Metric::l2, 4);
  for (std::uint64_t first = 0; first < kPoints; first += 1'000) {
    const Vector before = vector_of(first);
    EXPECT_EQ(first, collection().snapshot().size());
    fill(first, 1'000);
    EXPECT_EQ(0.0F, *collection().snapshot().distance(first + 999, vector_of(first + 999)));
  }
  bring();
  const Snapshot snapshot = collection().snapshot();
  EXPECT_EQ(kPoints, snapshot.size());
  for (std::uint64_t id = 0; id < kPoints; id += 977) {
    EXPECT_EQ(vector_of(id), snapshot.get(id)->vector);
    const Vector query = vector_of(id + kPoints);
    EXPECT_TRUE(nearest(snapshot.search(query, {.k = 20, .exact = true}), query, 20));
    const auto hits = snapshot.search(query, {.k = 20, .ef = 100});
    HF_OK(hits);
    EXPECT_EQ(20u, hits->size());
    EXPECT_TRUE(sensible(*hits, query));
  }
  std::set<PointId> seen;
  std::uint64_t position = 0, next = 0;
  for (;; position = next) {
    const auto ids = snapshot.ids(position, 777, &next);
    HF_OK(ids);
    if (next == position) break;
    for (const PointId& id : *ids) EXPECT_TRUE(seen.insert(id).second) << id.to_string();
  }
  EXPECT_EQ(kPoints, seen.size());
}

class Order : public OnSetting {};
HF_ON_SETTINGS(Order, every_setting);

TEST_P(Order, NearestFirstAndTiesInOneOrderForAllQuestions) {
  create_here(4);
  // Four signs of each of 40 vectors: under every metric many points are at the same distance from an axis.
  for (std::uint64_t i = 0; i < 160; ++i) {
    Vector vector = vector_of(i / 4);
    if (i % 2 == 1) vector[2] = -vector[2];
    if (i % 4 >= 2) vector[3] = -vector[3];
    put(i, vector);
  }
  bring();
  const Snapshot snapshot = collection().snapshot();
  const Vector axis{3, 1, 0, 0};
  const auto all = snapshot.search(axis, {.k = 160, .ef = 160, .exact = true});
  EXPECT_TRUE(nearest(all, axis, 160));
  std::size_t ties = 0;
  for (std::size_t i = 1; i < all->size(); ++i) ties += (*all)[i].distance == (*all)[i - 1].distance;
  EXPECT_GT(ties, 80u) << "the case is about ties";
  EXPECT_TRUE(identical(*all, *snapshot.search(axis, {.k = 160, .ef = 400}))) << "graph and exact search agree on ties";
  for (std::uint32_t k = 1; k <= 160; k += 7) {
    for (const bool exact : {false, true}) {
      const auto some = snapshot.search(axis, {.k = k, .ef = 400, .exact = exact});
      EXPECT_TRUE(nearest(some, axis, k));
      EXPECT_TRUE(identical(*some, Hits(all->begin(), all->begin() + k))) << "k = " << k << ", exact = " << exact;
    }
  }
  // "Equal distances in the order of rows": the order in which ids() lists them.
  std::uint64_t next = 0;
  const std::vector<PointId> rows = *snapshot.ids(0, 1'000, &next);
  for (std::size_t i = 1; i < all->size(); ++i) {
    if ((*all)[i].distance != (*all)[i - 1].distance) continue;
    const auto one = std::find(rows.begin(), rows.end(), (*all)[i - 1].id);
    const auto two = std::find(rows.begin(), rows.end(), (*all)[i].id);
    EXPECT_LT(one - rows.begin(), two - rows.begin());
  }
}

TEST_P(Order, IterationIsStableAndResumesAtAnyPosition) {
  create_here();
  fill(1, 100);
  for (std::uint64_t id = 1; id <= 100; id += 3) erase(id);
  bring();
  fill(200, 10);
  const Snapshot snapshot = collection().snapshot();
  std::uint64_t next = 0;
  const std::vector<PointId> all = *snapshot.ids(0, 1'000, &next);
  fill(300, 50);
  erase(200);
  HF_OK(collection().wait_until_indexed());
  for (const std::size_t limit : {std::size_t{1}, std::size_t{7}, std::size_t{1'000}}) {
    std::vector<PointId> pieces;
    std::uint64_t position = 0;
    for (;;) {
      const auto points = snapshot.points(position, limit, &next);
      HF_OK(points);
      EXPECT_EQ(ids_of(Hits{}).size() + points->size(), snapshot.ids(position, limit, &next)->size());
      for (const Point& point : *points) {
        pieces.push_back(point.id);
        EXPECT_EQ(snapshot.get(point.id)->vector, point.vector);
        EXPECT_EQ(snapshot.get(point.id)->payload, point.payload);
      }
      if (next == position) break;
      EXPECT_LE(points->size(), limit);
      position = next;
    }
    EXPECT_EQ(all, pieces) << "in pieces of " << limit;
  }
}

class Twins : public OnSetting {};
HF_ON_SETTINGS(Twins, every_setting);

TEST_P(Twins, IdenticalVectorsAreAllFoundAndCanBeDeletedOneByOne) {
  create_here(8);
  const Vector twin = vector_of(4'711);
  for (std::uint64_t id = 0; id < 150; ++id) put(id, twin);
  fill(1'000, 50);
  bring();
  expect_holds_truth();
  EXPECT_TRUE(nearest(collection().search(twin, {.k = 170, .ef = 300}), twin, 170));
  for (std::uint64_t id = 0; id < 150; id += 2) erase(id);
  EXPECT_TRUE(nearest(collection().search(twin, {.k = 100, .ef = 300}), twin, 100));
  bring();
  HF_OK(collection().vacuum());
  expect_holds_truth();
  expect_sound();
}

TEST_P(Twins, NothingButIdenticalVectors) {
  create_here(8);
  const Vector twin = vector_of(1);
  for (std::uint64_t id = 0; id < 300; ++id) put(id, twin);
  bring();
  expect_holds_truth();
  expect_sound();
}

class Reinsertion : public OnSetting {};
HF_ON_SETTINGS(Reinsertion, every_setting);

TEST_P(Reinsertion, TheSameVectorsUnderNewIds) {
  create_here();
  std::uint64_t first = 0;
  for (int round = 0; round < 4; ++round, first += 1'000) {
    SCOPED_TRACE("round " + std::to_string(round));
    for (std::uint64_t i = 0; i < 120; ++i) put(first + i, vector_of(i));
    bring();
    expect_holds_truth();
    for (std::uint64_t i = 0; i < 120; ++i) {
      const auto own = collection().search(vector_of(i), {.k = 1, .ef = 60});
      HF_OK(own);
      ASSERT_EQ(1u, own->size());
      if (GetParam().metric == Metric::l2) {
        EXPECT_EQ(PointId(first + i), own->front().id);
      }
    }
    for (std::uint64_t i = 0; i < 120; ++i) erase(first + i);
    EXPECT_TRUE(collection().search(vector_of(3))->empty()) << "ghosts";
    if (round % 2 == 1) HF_OK(collection().vacuum());
  }
  expect_sound();
}

TEST_P(Reinsertion, TheSameIdsAgain) {
  create_here();
  for (std::uint64_t round = 0; round < 4; ++round) {
    for (std::uint64_t id = 0; id < 100; ++id) put(id, vector_of(id + round * 31), R"({"round":1})");
    bring();
    expect_holds_truth();
    for (std::uint64_t id = 0; id < 100; id += 2) erase(id);
    for (std::uint64_t id = 0; id < 100; id += 4) put(id, vector_of(id + 5'000), R"({"again":true})");
    expect_holds_truth();
  }
  expect_sound();
}

class Missing : public OnSetting {};
HF_ON_SETTINGS(Missing, every_setting);

TEST_P(Missing, DistanceAndGetOfAnIdThatIsNotThere) {
  create_here();
  fill(0, 20);
  bring();
  const Vector query = vector_of(99);
  const Snapshot before = collection().snapshot();
  for (std::uint64_t id = 0; id < 20; ++id)
    EXPECT_TRUE(nearly(*before.distance(id, query), true_distance_of(id, query)));
  erase(7);
  const Snapshot after = collection().snapshot();
  for (const PointId id : {PointId(7), PointId(20), PointId::from_parts(PointId::Kind::uuid, 0, 3)}) {
    HF_CODE(StatusCode::not_found, after.distance(id, query));
    HF_CODE(StatusCode::not_found, after.get(id));
    HF_CODE(StatusCode::not_found, collection().get(id));
  }
  EXPECT_TRUE(before.distance(7, query).ok()) << "the older snapshot still has it";
  EXPECT_EQ(0u, collection().erase(7)->erased);
  put(7, query);
  EXPECT_TRUE(nearly(*collection().snapshot().distance(7, query), true_distance_of(7, query)));
  HF_CODE(StatusCode::not_found, after.distance(7, query));
}

}  // namespace
}  // namespace holdfast::testing
