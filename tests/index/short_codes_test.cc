// Short codes of both kinds: what they say of distances, that a walk by them finds nearly what one by 8 bits does, and
// which kind suits what.
#include "index/short_codes.h"

#include <cmath>
#include <cstring>
#include <optional>

#include "index/fixture.h"
#include "simd/code_kernels.h"

namespace holdfast::index {
namespace {

constexpr Metric kMetrics[] = {Metric::l2, Metric::cosine, Metric::inner_product};
using Kind = ShortCodes::Kind;

/// Points of a space of `inner` dimensions, turned into one of `dimension`, and a little noise in every component.
std::vector<std::vector<float>> thick(std::size_t count, std::uint32_t dimension, std::uint32_t inner,
                                      std::uint64_t seed) {
  SeededRandom random(seed);
  std::vector<std::vector<float>> axes(inner, std::vector<float>(dimension));
  for (auto& axis : axes) {
    for (float& x : axis) x = static_cast<float>(random.unit() - 0.5);
  }
  auto vectors = clustered(count, inner, 20, seed + 1);
  for (auto& vector : vectors) {
    std::vector<float> turned(dimension);
    for (std::uint32_t j = 0; j < inner; ++j) {
      for (std::uint32_t i = 0; i < dimension; ++i) turned[i] += vector[j] * axes[j][i];
    }
    for (float& x : turned) x += 0.3F * static_cast<float>(random.unit() - 0.5);
    vector = turned;
  }
  return vectors;
}

/// A graph whose nodes all have codes of both kinds.
struct TwiceCoded {
  TwiceCoded(const std::vector<std::vector<float>>& vectors, Metric metric, Kind kind)
      : world(static_cast<std::uint32_t>(vectors.front().size()), metric) {
    world.add_rows(vectors);
    world.index_all();
    for (Slot slot = 0; slot < world.end; ++slot) all.push_back(slot);
    codes = std::make_unique<CodeTable>(Quantizer::train(*world.table, all));
    EXPECT_TRUE(codes->reserve(world.end).ok());
    for (const Slot slot : all) codes->assign(*world.table, slot);
    shorts = ShortCodes::make(kind, *codes, all);
    EXPECT_TRUE(shorts->reserve(world.end).ok());
    for (const Slot slot : all) shorts->assign(*codes, slot);
  }
  [[nodiscard]] float approximate(const CodeQuery& query, Slot slot) const {
    const CodeRows::Row row = shorts->at(slot);
    float norm = 0;
    std::memcpy(&norm, row.norm, sizeof norm);
    std::int32_t dot = 0;
    shorts->dot()(query.weights, &row.codes, 1, shorts->components(), &dot);
    return query.distance(norm, dot);
  }
  [[nodiscard]] std::vector<Candidate> search(const std::vector<float>& query, std::uint32_t ef, bool by_shorts) const {
    SearchAids aids;
    aids.codes = codes.get();
    if (by_shorts) aids.short_codes = shorts.get();
    std::vector<Candidate> out;
    search_graph(*world.graph, world.root, Query(*world.table, query.data()), 10, ef, {}, out, aids);
    return out;
  }

  World world;
  std::vector<Slot> all;
  std::unique_ptr<CodeTable> codes;
  std::unique_ptr<ShortCodes> shorts;
};

/// The mean error of the short codes' distances, as share of the mean distance.
double mean_error(const TwiceCoded& coded, const std::vector<std::vector<float>>& queries) {
  ShortCodes::QueryRoom room;
  double error = 0;
  double size = 0;
  for (const std::vector<float>& query : queries) {
    const CodeQuery prepared = coded.shorts->prepare(query.data(), room);
    const Query exact(*coded.world.table, query.data());
    for (const Slot slot : coded.all) {
      const float distance = exact.distance(coded.world.table->row(slot));
      error += std::abs(static_cast<double>(coded.approximate(prepared, slot)) - static_cast<double>(distance));
      size += std::abs(static_cast<double>(distance));
    }
  }
  return error / size;
}

TEST(ShortCodes, DistancesOfNibblesAreNearTheExactOnes) {
  for (const Metric metric : kMetrics) {
    for (const std::uint32_t dimension : {5U, 64U, 100U, 128U, 200U}) {
      SCOPED_TRACE(std::string(to_string(metric)) + ", dimension " + std::to_string(dimension));
      const auto vectors = clustered(1'000, dimension, 20, dimension);
      const TwiceCoded coded(vectors, metric, Kind::nibbles);
      EXPECT_LT(mean_error(coded, {vectors.begin() + 500, vectors.begin() + 520}), 0.12);
    }
  }
}

TEST(ShortCodes, DistancesOfPrincipalComponentsAreNearTheExactOnes) {
  for (const Metric metric : {Metric::l2, Metric::cosine}) {
    for (const std::uint32_t dimension : {5U, 100U, 129U, 400U}) {
      SCOPED_TRACE(std::string(to_string(metric)) + ", dimension " + std::to_string(dimension));
      const auto vectors = thick(1'000, dimension, 40, dimension);
      const TwiceCoded coded(vectors, metric, Kind::principal);
      EXPECT_LT(mean_error(coded, {vectors.begin() + 500, vectors.begin() + 520}), 0.03);
    }
  }
}

void expect_nearly_the_same(const TwiceCoded& coded, const std::vector<std::vector<float>>& queries) {
  std::size_t same = 0;
  for (const std::vector<float>& query : queries) {
    const auto found = coded.search(query, 60, true);
    const auto expected = coded.search(query, 60, false);
    ASSERT_EQ(found.size(), 10U);
    const Query exact(*coded.world.table, query.data());
    for (const Candidate& hit : found) {
      // Handed out are exact distances, whatever walked.
      ASSERT_EQ(hit.distance, exact.distance(coded.world.table->row(hit.slot)));
      same += std::find(expected.begin(), expected.end(), hit) != expected.end() ? 1 : 0;
    }
  }
  EXPECT_GT(same, queries.size() * 94 / 10);
}

TEST(ShortCodes, AWalkByNibblesFindsNearlyWhatOneByEightBitsDoes) {
  for (const Metric metric : kMetrics) {
    SCOPED_TRACE(to_string(metric));
    auto vectors = clustered(3'000, 96, 30, 7);
    const std::vector<std::vector<float>> queries(vectors.end() - 100, vectors.end());
    vectors.resize(2'900);
    const TwiceCoded coded(vectors, metric, Kind::nibbles);
    expect_nearly_the_same(coded, queries);
    EXPECT_LT(coded.shorts->memory_bytes() * 10, coded.codes->memory_bytes() * 9);
  }
}

TEST(ShortCodes, AWalkByPrincipalComponentsFindsNearlyWhatOneByEightBitsDoes) {
  for (const Metric metric : {Metric::l2, Metric::cosine}) {
    for (const bool bytes : {false, true}) {  // bytes: codes of 8 bits are exact
      SCOPED_TRACE(std::string(to_string(metric)) + (bytes ? ", bytes" : ""));
      auto vectors = thick(2'500, 420, 60, 11);
      for (auto& vector : vectors) {
        for (float& x : vector) x = bytes ? std::clamp(std::nearbyint(128 + 8 * x), 0.0F, 255.0F) : x;
      }
      const std::vector<std::vector<float>> queries(vectors.end() - 100, vectors.end());
      vectors.resize(2'400);
      const TwiceCoded coded(vectors, metric, Kind::principal);
      expect_nearly_the_same(coded, queries);
      EXPECT_EQ(128U, coded.shorts->stride());
    }
  }
}

TEST(ShortCodes, ComponentsThatNeverChangeAndOutliersDoNoHarm) {
  auto vectors = clustered(1'200, 70, 10, 3);
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    for (std::size_t j = 0; j < 70; j += 7) vectors[i][j] = 4.5F;  // always the same
    if (i % 400 == 0) vectors[i][1] = 50;                          // far beyond what others have
  }
  for (const Kind kind : {Kind::principal, Kind::nibbles}) {
    const TwiceCoded coded(vectors, Metric::l2, kind);
    for (std::size_t i = 0; i < vectors.size(); i += 40) {
      const auto found = coded.search(vectors[i], 60, true);
      ASSERT_FALSE(found.empty());
      EXPECT_EQ(found.front().distance, 0) << "row " << i << " does not find itself";
    }
  }
}

TEST(ShortCodes, IdenticalVectorsAndFewOfThemDoNoHarm) {
  for (const std::size_t count : {1U, 3U, 700U}) {
    const std::vector<std::vector<float>> vectors(count, std::vector<float>(400, 1.5F));
    const TwiceCoded coded(vectors, Metric::l2, Kind::principal);
    const auto found = coded.search(vectors[0], 20, true);
    ASSERT_EQ(found.size(), std::min<std::size_t>(count, 10));
    for (const Candidate& hit : found) EXPECT_EQ(hit.distance, 0);
  }
}

TEST(ShortCodes, RowsFarBeyondTheSampleAreCountedAndStayFarAway) {
  auto vectors = thick(1'200, 400, 30, 9);
  for (std::size_t i = 600; i < vectors.size(); ++i) {
    for (float& x : vectors[i]) x = 6 * x;
  }
  TwiceCoded coded(vectors, Metric::l2, Kind::principal);
  EXPECT_EQ(0U, coded.shorts->cut_rows()) << "the sample holds them";
  coded.shorts = ShortCodes::make(Kind::principal, *coded.codes, std::span(coded.all).first(600));
  ASSERT_TRUE(coded.shorts->reserve(coded.world.end).ok());
  for (const Slot slot : coded.all) coded.shorts->assign(*coded.codes, slot);
  EXPECT_GT(coded.shorts->cut_rows(), 100U);
  EXPECT_LE(coded.shorts->cut_rows(), 600U);
  // What is cut counts as if it were at right angles to all else: too near, but not as if it were not there.
  EXPECT_LT(mean_error(coded, {vectors.begin() + 100, vectors.begin() + 110}), 0.5);
}

TEST(ShortCodes, TheKindThatSuitsIsLearned) {
  const auto kind_for = [](const std::vector<std::vector<float>>& vectors, Metric metric) -> std::optional<Kind> {
    const TwiceCoded coded(vectors, metric, Kind::nibbles);
    const auto learned = ShortCodes::learn(*coded.codes, coded.all);
    return learned ? std::optional(learned->kind()) : std::nullopt;
  };
  const auto few_hold_most = thick(600, 400, 40, 5);
  EXPECT_EQ(Kind::principal, kind_for(few_hold_most, Metric::l2));
  EXPECT_EQ(Kind::principal, kind_for(few_hold_most, Metric::cosine));
  EXPECT_EQ(Kind::nibbles, kind_for(few_hold_most, Metric::inner_product));
  EXPECT_EQ(Kind::nibbles, kind_for(thick(600, 200, 40, 5), Metric::l2)) << "not long enough for axes";
  EXPECT_EQ(std::nullopt, kind_for(thick(600, 100, 40, 5), Metric::l2)) << "too short for anything";
  auto noise = clustered(2'000, 400, 2'000, 5);
  EXPECT_EQ(Kind::nibbles, kind_for(noise, Metric::l2)) << "no axes hold most of it";
  for (auto& vector : noise) {
    for (float& x : vector) x = std::clamp(std::nearbyint(128 + 20 * x), 0.0F, 255.0F);
  }
  EXPECT_EQ(std::nullopt, kind_for(noise, Metric::l2)) << "bytes: 8 bits are exact";
}

}  // namespace
}  // namespace holdfast::index
