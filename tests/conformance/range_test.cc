// Range search, and many queries at once.
#include <cmath>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

class Range : public OnSetting {
 protected:
  void SetUp() override {
    create_here();
    fill(0, 250);
    bring();
    for (std::uint64_t id = 0; id < 250; id += 4) erase(id);
  }
  std::size_t within(const Vector& query, float radius) const {
    std::size_t count = 0;
    for (const Neighbor& neighbor : neighbors(query)) count += neighbor.distance <= radius;
    return count;
  }
};
HF_ON_SETTINGS(Range, every_setting);

TEST_P(Range, FindsAllWithinTheRadiusNearestFirst) {
  const Snapshot snapshot = collection().snapshot();
  for (std::uint64_t q = 0; q < 8; ++q) {
    const Vector query = vector_of(5'000 + q);
    const std::vector<Neighbor> all = neighbors(query);
    for (const std::size_t wanted : {std::size_t{1}, std::size_t{10}, std::size_t{100}, all.size() - 1}) {
      // Between two neighbors, so that rounding has no say.
      std::size_t last = wanted;
      while (last + 1 < all.size() && nearly(all[last - 1].distance, all[last].distance)) ++last;
      if (last + 1 >= all.size()) continue;
      const auto radius = static_cast<float>((all[last - 1].distance + all[last].distance) / 2);
      if (radius < 0 && GetParam().metric != Metric::inner_product) continue;
      for (const bool exact : {false, true}) {
        const auto hits =
            snapshot.search_range(query, {.radius = radius, .ef = 400, .with_payload = true, .exact = exact});
        EXPECT_TRUE(nearest(hits, query, last)) << "radius " << radius << ", exact = " << exact;
        EXPECT_EQ(last, within(query, radius));
        for (const Hit& hit : *hits) EXPECT_EQ(truth().at(hit.id).payload, hit.payload);
      }
      const auto narrow = snapshot.search_range(query, {.radius = radius});
      HF_OK(narrow);
      EXPECT_TRUE(sensible(*narrow, query));
      for (const Hit& hit : *narrow) EXPECT_LE(hit.distance, radius);
      const auto limited = snapshot.search_range(query, {.radius = radius, .ef = 400, .limit = 5});
      EXPECT_TRUE(nearest(limited, query, std::min<std::size_t>(5, last)));
    }
  }
}

TEST_P(Range, TheRadiusBelongsToIt) {
  const Snapshot snapshot = collection().snapshot();
  const Vector query = vector_of(6'000);
  const Hits all = *snapshot.search(query, {.k = 250, .exact = true});
  for (const std::size_t i : {std::size_t{0}, std::size_t{3}, std::size_t{77}}) {
    const float radius = all[i].distance;
    for (const bool exact : {false, true}) {
      const auto hits = snapshot.search_range(query, {.radius = radius, .ef = 400, .exact = exact});
      HF_OK(hits);
      ASSERT_GT(hits->size(), i);
      EXPECT_EQ(radius, hits->back().distance) << "distance <= radius, the equal one included";
      EXPECT_EQ(all[i].id, (*hits)[i].id);
      const float below = std::nextafter(radius, -1e30F);
      if (below < 0 && GetParam().metric != Metric::inner_product) continue;
      const auto without = snapshot.search_range(query, {.radius = below, .ef = 400, .exact = exact});
      HF_OK(without);
      EXPECT_LT(without->size(), hits->size());
    }
  }
}

TEST_P(Range, NothingAndEverything) {
  const Snapshot snapshot = collection().snapshot();
  const Vector query = vector_of(6'001);
  for (const bool exact : {false, true}) {
    const auto everything = snapshot.search_range(query, {.radius = 1e30F, .ef = 400, .exact = exact});
    EXPECT_TRUE(nearest(everything, query, truth().size()));
    const float nothing = GetParam().metric == Metric::inner_product ? -1e30F : 0.0F;
    EXPECT_TRUE(snapshot.search_range(query, {.radius = nothing, .exact = exact})->empty());
  }
  if (GetParam().metric == Metric::l2) {
    const auto own = snapshot.search_range(vector_of(3), {.radius = 0});
    EXPECT_EQ(std::vector<PointId>{3}, ids_of(*own)) << "radius 0 finds what is identical";
  }
}

TEST_P(Range, StaysTheSameOnASnapshot) {
  const Snapshot snapshot = collection().snapshot();
  const Vector query = vector_of(6'002);
  const RangeOptions options{.radius = static_cast<float>(neighbors(query)[60].distance), .with_payload = true};
  const Hits before = *snapshot.search_range(query, options);
  for (std::uint64_t id = 1; id < 100; ++id) put(id, query);
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  fill(1'000, 100);
  EXPECT_TRUE(identical(before, *snapshot.search_range(query, options)));
}

class Batch : public OnSetting {};
HF_ON_SETTINGS(Batch, every_setting);

TEST_P(Batch, AnswersAreThoseOfSingleSearchesOnAnyNumberOfThreads) {
  constexpr std::uint64_t kQueries = 37;
  create_here();
  fill(0, 300);
  bring();
  fill(300, 30);
  for (std::uint64_t id = 0; id < 330; id += 7) erase(id);
  const Snapshot snapshot = collection().snapshot();
  Vector queries;
  for (std::uint64_t q = 0; q < kQueries; ++q) {
    const Vector query = vector_of(7'000 + q);
    queries.insert(queries.end(), query.begin(), query.end());
  }
  for (const bool exact : {false, true}) {
    const SearchOptions options{.k = 12, .ef = 20, .with_payload = true, .exact = exact};
    for (const std::uint32_t threads : {0U, 1U, 2U, 5U, 64U}) {
      const auto answers = snapshot.search_batch(queries, options, threads);
      HF_OK(answers);
      ASSERT_EQ(kQueries, answers->size());
      for (std::uint64_t q = 0; q < kQueries; ++q) {
        const auto single = snapshot.search(std::span(queries).subspan(q * 12, 12), options);
        EXPECT_TRUE(identical(*single, (*answers)[q])) << "query " << q << ", threads " << threads;
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::testing
