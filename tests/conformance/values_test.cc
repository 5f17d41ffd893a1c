// Several vectors under one id: a document and the vectors of its passages.
#include <set>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

class Values : public OnSetting {
 protected:
  Vector values_of(std::uint64_t id, std::uint32_t values, std::uint64_t salt = 0) const {
    Vector all;
    for (std::uint32_t i = 0; i < values; ++i) {
      const Vector one = vector_of(id * 100 + i + salt * 1'000'000);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }
  void document(std::uint64_t id, std::uint32_t values, std::uint64_t salt = 0) {
    put_values(id, values_of(id, values, salt), values, R"({"doc":)" + std::to_string(id) + "}");
  }
  /// 60 ids with 1 to 7 vectors each.
  void library() {
    for (std::uint64_t id = 0; id < 60; ++id) document(id, 1 + static_cast<std::uint32_t>(id % 7));
  }
  std::uint64_t values_in_truth() const {
    std::uint64_t count = 0;
    for (const auto& [id, point] : truth()) count += point.values;
    return count;
  }
};
HF_ON_SETTINGS(Values, every_setting);

TEST_P(Values, AnIdIsFoundOnceByItsBestVector) {
  create_here();
  library();
  bring();
  expect_holds_truth();
  EXPECT_EQ(60u, collection().stats().points);
  EXPECT_EQ(values_in_truth(), collection().stats().values);
  const Snapshot snapshot = collection().snapshot();
  for (std::uint64_t id = 0; id < 60; ++id) {
    for (std::uint32_t value = 0; value < truth().at(id).values; ++value) {
      const Vector query = vector_of(id * 100 + value);
      for (const bool exact : {false, true}) {
        const auto hits = snapshot.search(query, {.k = 5, .ef = 400, .with_payload = true, .exact = exact});
        EXPECT_TRUE(nearest(hits, query, 5));
        for (const Hit& hit : *hits) EXPECT_EQ(truth().at(hit.id).payload, hit.payload);
        if (GetParam().metric == Metric::inner_product) continue;  // the longest wins there, not the equal one
        EXPECT_EQ(PointId(id), hits->front().id);
        EXPECT_EQ(value, hits->front().value);
      }
      EXPECT_TRUE(nearly(*snapshot.distance(id, query), true_distance_of(id, query)));
    }
  }
  expect_sound();
}

TEST_P(Values, KMayExceedTheNumberOfIds) {
  create_here();
  library();
  bring();
  const Vector query = vector_of(424'242);
  for (const std::uint32_t k : {59U, 60U, 61U, 1'000U}) {
    EXPECT_TRUE(nearest(collection().search(query, {.k = k, .ef = 1'000}), query, k));
    EXPECT_TRUE(nearest(collection().search(query, {.k = k, .exact = true}), query, k));
  }
}

TEST_P(Values, ManyNearVectorsOfOneIdDoNotCrowdOutTheOthers) {
  create_here();
  const Vector query = vector_of(1);
  Vector crowd;
  for (std::uint32_t i = 0; i < 300; ++i) {
    Vector near = query;
    near[i % 12] += static_cast<float>(1 + i % 3);
    crowd.insert(crowd.end(), near.begin(), near.end());
  }
  put_values(5'000, crowd, 300);
  fill(10'000, 100);
  bring();
  EXPECT_TRUE(nearest(collection().search(query, {.k = 10, .exact = true}), query, 10));
  EXPECT_TRUE(nearest(collection().search(query, {.k = 10, .ef = 600}), query, 10));
  const auto by_default = collection().search(query, {.k = 10});
  HF_OK(by_default);
  EXPECT_EQ(10u, by_default->size()) << "a beam full of one id must go on";
  EXPECT_TRUE(sensible(*by_default, query));
  const auto small = collection().search(query, {.k = 10, .ef = 10});
  HF_OK(small);
  EXPECT_EQ(10u, small->size());
}

TEST_P(Values, EveryKindOfSearchKnowsThem) {
  create_here();
  library();
  bring();
  const Snapshot snapshot = collection().snapshot();
  const Vector query = vector_of(31'337);
  const Hits all = *snapshot.search(query, {.k = 60, .with_payload = true, .exact = true});
  EXPECT_TRUE(nearest(Result<Hits>(all), query, 60));
  const float radius = all[29].distance;
  for (const bool exact : {false, true}) {
    const auto range =
        snapshot.search_range(query, {.radius = radius, .ef = 400, .with_payload = true, .exact = exact});
    HF_OK(range);
    EXPECT_TRUE(sensible(*range, query));
    ASSERT_GE(range->size(), 30u);
    EXPECT_TRUE(identical(Hits(all.begin(), all.begin() + static_cast<long>(range->size())), *range));
    for (const std::uint32_t n : {1U, 7U, 100U}) {
      auto cursor = snapshot.cursor(query, {.ef = 400, .with_payload = true, .exact = exact});
      HF_OK(cursor);
      Hits pieces;
      for (;;) {
        const auto piece = cursor->next(n);
        HF_OK(piece);
        if (piece->empty()) break;
        pieces.insert(pieces.end(), piece->begin(), piece->end());
        ASSERT_LE(pieces.size(), 60u) << "an id comes again with another value";
      }
      EXPECT_TRUE(identical(all, pieces)) << "pieces of " << n << ", exact = " << exact;
    }
  }
  const auto batch = snapshot.search_batch(query, {.k = 60, .ef = 400, .with_payload = true}, 2);
  HF_OK(batch);
  EXPECT_TRUE(identical(all, batch->front()));
}

TEST_P(Values, DeletingTheIdDeletesThemAll) {
  create_here();
  library();
  bring();
  const Snapshot before = collection().snapshot();
  for (std::uint64_t id = 0; id < 60; id += 2) erase(id);
  EXPECT_EQ(30u, collection().stats().points);
  EXPECT_EQ(values_in_truth(), collection().stats().values);
  expect_holds_truth();
  bring();
  expect_holds_truth();
  if (GetParam().tier != Tier::reopened) EXPECT_EQ(7u, before.get(6)->values) << "the snapshot still has them";
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  EXPECT_EQ(0u, collection().stats().dead_in_graph);
  expect_holds_truth();
  for (std::uint64_t id = 0; id < 60; id += 2) HF_CODE(StatusCode::not_found, collection().get(id));
  expect_sound();
}

TEST_P(Values, OverwritingChangesTheirNumber) {
  create_here();
  library();
  bring();
  for (std::uint64_t round = 1; round <= 6; ++round) {
    for (std::uint64_t id = 0; id < 60; id += 3) {
      const auto values = static_cast<std::uint32_t>((id + round) % 5);
      if (values == 0) {
        put(id, vector_of(id + round));
      } else {
        document(id, values, round);
      }
    }
    if (round == 3) HF_OK(collection().vacuum());
    if (round % 2 == 0) bring();
    expect_holds_truth(collection().snapshot(), round);
  }
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  EXPECT_EQ(values_in_truth(), collection().stats().values);
  EXPECT_EQ(values_in_truth(), collection().stats().graph_nodes);
  expect_holds_truth();
  expect_sound();
}

TEST_P(Values, SurviveAReplayOfTheLog) {
  options_.open.checkpoint_on_close = false;
  create_here();
  library();
  bring();
  document(3, 6, 9);
  erase(4);
  document(1'000, 2);
  reopen(false);
  EXPECT_GE(collection().recovery_report().frames_replayed, GetParam().tier == Tier::reopened ? 3u : 0u);
  expect_holds_truth();
  reopen(true);
  expect_holds_truth();
  expect_sound();
}

TEST_P(Values, LimitsAndWrongShapes) {
  create_here(4);
  bring();
  const Lsn before = collection().snapshot().lsn();
  const auto attempt = [&](const Vector& vectors, std::uint32_t values) {
    WriteBatch batch;
    batch.upsert(1, Vector{1, 2, 3, 4});
    batch.upsert_values(2, vectors, values);
    return collection().write(batch).status();
  };
  HF_CODE(StatusCode::invalid_argument, attempt(Vector(8, 1.0F), 0));
  HF_CODE(StatusCode::invalid_argument, attempt(Vector(8, 1.0F), 1));
  HF_CODE(StatusCode::invalid_argument, attempt(Vector(8, 1.0F), 3));
  HF_CODE(StatusCode::invalid_argument, attempt(Vector{}, 2));
  HF_CODE(StatusCode::invalid_argument, attempt(Vector((kMaxValues + 1) * 4, 1.0F), kMaxValues + 1));
  if (GetParam().metric == Metric::cosine) {
    HF_CODE(StatusCode::invalid_argument, attempt({1, 1, 1, 1, 0, 0, 0, 0}, 2));
  }
  EXPECT_EQ(before, collection().snapshot().lsn());
  Vector many;
  for (std::uint32_t i = 0; i < kMaxValues; ++i) {
    const Vector one = vector_of(i);
    many.insert(many.end(), one.begin(), one.end());
  }
  put_values(3, many, kMaxValues);
  put(4, {9, 9, 9, 9});
  const Vector query{1, 2, 3, 4};
  EXPECT_TRUE(nearest(collection().search(query, {.k = 10, .exact = true}), query, 10));
  EXPECT_EQ(many, collection().get(3)->vector);
}

}  // namespace
}  // namespace holdfast::testing
