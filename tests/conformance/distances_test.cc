// Distances: high dimension, extreme magnitudes, cosine and its normalisation, and what ef may change.
#include <algorithm>
#include <cmath>
#include <limits>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

class Distances : public OnSetting {};
HF_ON_SETTINGS(Distances, every_setting);

TEST_P(Distances, HighDimensionStaysExactThroughRoundsOfInsertSearchDelete) {
  constexpr std::uint64_t kRounds = 5, kEach = 30;
  create_here(1'280);
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    for (std::uint64_t i = 0; i < kEach; ++i) put(round * kEach + i, vector_of(round * kEach + i));
    if (round % 2 == 0) bring();
    const Vector query = vector_of(90'000 + round);
    EXPECT_TRUE(nearest(collection().search(query, {.k = 10, .ef = 400}), query, 10));
    EXPECT_TRUE(nearest(collection().search(query, {.k = 10, .exact = true}), query, 10));
    for (std::uint64_t i = 0; i < kEach; i += 2) erase(round * kEach + i);
    EXPECT_TRUE(nearest(collection().search(query, {.k = 200, .ef = 400}), query, 200));
    if (round % 2 == 1) HF_OK(collection().vacuum());
  }
  bring();
  expect_holds_truth();
  expect_sound();
}

TEST_P(Distances, VectorsOfExtremeMagnitudeHaveFiniteOrderedDistances) {
  create_here(4);
  // The longest and the shortest vectors that are accepted; squared norms end at the largest float by 8.
  const float large = std::sqrt(std::numeric_limits<float>::max() / 8.0F) / 2.0F * 0.999F;
  const float small = 1e-18F;
  put(1, {large, large, large, large});
  put(2, {-large, -large, -large, -large});
  put(3, {small, 0, 0, small});
  put(4, {1, 2, 3, 4});
  for (std::uint64_t id = 10; id < 40; ++id) put(id, vector_of(id));
  bring();
  const std::vector<Vector> queries{{large, large, large, large}, {-large, large, -large, large}, {1, 1, 1, 1}};
  for (const Vector& query : queries) {
    for (const bool exact : {false, true}) {
      const auto hits = collection().search(query, {.k = 50, .ef = 100, .exact = exact});
      HF_OK(hits);
      ASSERT_EQ(truth().size(), hits->size());
      for (std::size_t i = 0; i < hits->size(); ++i) {
        EXPECT_TRUE(std::isfinite((*hits)[i].distance));
        if (i > 0) EXPECT_LE((*hits)[i - 1].distance, (*hits)[i].distance);
        const double wanted = true_distance_of((*hits)[i].id, query);
        EXPECT_LE(std::abs((*hits)[i].distance - wanted), 1e-5 * std::abs(wanted) + 1e-5);
      }
    }
  }
  // Past the limit, and infinite itself: refused before anything is written.
  const Lsn before = collection().snapshot().lsn();
  for (const float bad : {std::numeric_limits<float>::max(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const Vector vector{1, bad, 1, 1};
    HF_CODE(StatusCode::invalid_argument, collection().upsert(5, vector));
    HF_CODE(StatusCode::invalid_argument, collection().search(vector));
    HF_CODE(StatusCode::invalid_argument, collection().snapshot().distance(4, vector));
    HF_CODE(StatusCode::invalid_argument, collection().snapshot().cursor(vector));
    HF_CODE(StatusCode::invalid_argument, collection().snapshot().search_range(vector, {.radius = 1}));
  }
  EXPECT_EQ(before, collection().snapshot().lsn());
}

class Cosine : public OnSetting {};
INSTANTIATE_TEST_SUITE_P(On, Cosine,
                         ::testing::Values(Setting{Metric::cosine, Tier::growing},
                                           Setting{Metric::cosine, Tier::indexed},
                                           Setting{Metric::cosine, Tier::reopened}),
                         [](const auto& setting) { return name_of(setting.param); });

TEST_P(Cosine, LengthDoesNotMatterAndVectorsComeBackAsWritten) {
  create_here();
  for (std::uint64_t i = 0; i < 60; ++i) {
    Vector vector = vector_of(i / 3);
    const float factor = i % 3 == 0 ? 1.0F : i % 3 == 1 ? 0.03125F : 512.0F;  // exact in binary
    for (float& x : vector) x *= factor;
    put(i, vector);
  }
  bring();
  expect_holds_truth();
  for (std::uint64_t i = 0; i < 20; ++i) {
    const Vector query = vector_of(i);
    const auto hits = collection().search(query, {.k = 3, .ef = 100});
    HF_OK(hits);
    ASSERT_EQ(3u, hits->size());
    for (const Hit& hit : *hits) {
      EXPECT_EQ(i, hit.id.number() / 3) << "the three lengths of one direction come first";
      EXPECT_NEAR(0.0, hit.distance, 1e-6);
    }
    Vector opposite = query;
    for (float& x : opposite) x = -2 * x;
    EXPECT_NEAR(2.0, *collection().snapshot().distance(i * 3, opposite), 1e-6);
    Vector longer = query;
    for (float& x : longer) x *= 64;
    const auto same = collection().search(longer, {.k = 60, .ef = 100});
    EXPECT_TRUE(nearest(same, query, 60)) << "nor does the length of the query";
  }
  EXPECT_EQ(truth().at(1).vectors, collection().get(1)->vector);
  HF_CODE(StatusCode::invalid_argument, collection().upsert(99, Vector(12, 0.0F)));
  HF_CODE(StatusCode::invalid_argument, collection().search(Vector(12, 0.0F)));
  HF_CODE(StatusCode::invalid_argument, collection().snapshot().distance(1, Vector(12, 0.0F)));
}

TEST_P(Cosine, DistancesStayWithinTheirBounds) {
  create_here(7);
  for (std::uint64_t i = 0; i < 100; ++i) put(i, real_numbers(i, 7));
  bring();
  for (std::uint64_t i = 0; i < 100; ++i) {
    const Vector query = real_numbers(i, 7);
    const auto hits = collection().search(query, {.k = 100, .ef = 200});
    HF_OK(hits);
    for (const Hit& hit : *hits) {
      EXPECT_GE(hit.distance, -1e-6F);
      EXPECT_LE(hit.distance, 2.0F + 1e-6F);
    }
    EXPECT_EQ(PointId(i), hits->front().id);
  }
}

class Ef : public OnSetting {};
HF_ON_SETTINGS(Ef, every_metric);

TEST_P(Ef, CanBeChangedFromSearchToSearch) {
  constexpr std::uint64_t kPoints = 2'000, kQueries = 40;
  config_.m = 5;
  config_.ef_construction = 20;
  create(GetParam().metric, 24);
  for (std::uint64_t id = 0; id < kPoints; ++id) put(id, real_numbers(id, 24));
  bring();
  const Snapshot snapshot = collection().snapshot();
  std::vector<Hits> narrow_before;
  std::vector<double> recalls;
  for (const std::uint32_t ef : {10U, 30U, 100U, 400U, 2'000U}) {
    std::size_t found = 0;
    for (std::uint64_t q = 0; q < kQueries; ++q) {
      const Vector query = real_numbers(10'000 + q, 24);
      const auto hits = snapshot.search(query, {.k = 10, .ef = ef});
      HF_OK(hits);
      EXPECT_EQ(10u, hits->size());
      EXPECT_TRUE(sensible(*hits, query));
      const std::vector<Neighbor> best = neighbors(query);
      for (const Hit& hit : *hits) found += hit.distance <= best[9].distance + 1e-5;
      if (ef == 10) narrow_before.push_back(*hits);
      if (ef == 2'000) EXPECT_TRUE(nearest(hits, query, 10)) << "a beam as wide as the graph misses nothing";
    }
    recalls.push_back(static_cast<double>(found) / (10 * kQueries));
  }
  EXPECT_TRUE(std::is_sorted(recalls.begin(), recalls.end())) << ::testing::PrintToString(recalls);
  EXPECT_LT(recalls.front(), 1.0) << "too easy to tell: " << ::testing::PrintToString(recalls);
  EXPECT_GE(recalls[3], 0.95) << ::testing::PrintToString(recalls);
  for (std::uint64_t q = 0; q < kQueries; ++q) {
    const auto again = snapshot.search(real_numbers(10'000 + q, 24), {.k = 10, .ef = 10});
    EXPECT_TRUE(identical(narrow_before[q], *again)) << "an earlier wide search left something behind";
  }
  const auto raised = snapshot.search(real_numbers(1, 24), {.k = 200, .ef = 1});
  EXPECT_EQ(200u, raised->size()) << "ef smaller than k is raised to k";
}

}  // namespace
}  // namespace holdfast::testing
