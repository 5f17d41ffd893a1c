// Codes of 4 bits: what they say of distances, and that a walk by them finds nearly what one by 8 bits does.
#include "index/short_codes.h"

#include <cmath>
#include <cstring>

#include "index/fixture.h"
#include "simd/code_kernels.h"

namespace holdfast::index {
namespace {

constexpr Metric kMetrics[] = {Metric::l2, Metric::cosine, Metric::inner_product};

/// A graph whose nodes all have codes of both kinds.
struct TwiceCoded {
  TwiceCoded(const std::vector<std::vector<float>>& vectors, Metric metric)
      : world(static_cast<std::uint32_t>(vectors.front().size()), metric) {
    world.add_rows(vectors);
    world.index_all();
    for (Slot slot = 0; slot < world.end; ++slot) all.push_back(slot);
    codes = std::make_unique<CodeTable>(Quantizer::train(*world.table, all));
    EXPECT_TRUE(codes->reserve(world.end).ok());
    for (const Slot slot : all) codes->assign(*world.table, slot);
    shorts = std::make_unique<ShortCodes>(*codes, all);
    EXPECT_TRUE(shorts->reserve(world.end).ok());
    for (const Slot slot : all) shorts->assign(*codes, slot);
  }
  [[nodiscard]] float approximate(const CodeQuery& query, Slot slot) const {
    const CodeRows::Row row = shorts->at(slot);
    float norm = 0;
    std::memcpy(&norm, row.norm, sizeof norm);
    std::int32_t dot = 0;
    simd::code_kernels().dot_u4(query.weights, &row.codes, 1, shorts->components(), &dot);
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

TEST(ShortCodes, DistancesAreNearTheExactOnesAndTheBoundHolds) {
  for (const Metric metric : kMetrics) {
    for (const std::uint32_t dimension : {5U, 64U, 100U, 128U, 200U}) {
      SCOPED_TRACE(std::string(to_string(metric)) + ", dimension " + std::to_string(dimension));
      const auto vectors = clustered(1'000, dimension, 20, dimension);
      const TwiceCoded coded(vectors, metric);
      std::vector<std::int8_t> weights(coded.shorts->components());
      std::uint64_t above = 0;
      std::uint64_t pairs = 0;
      double error = 0;
      double spread = 0;
      for (std::size_t q = 0; q < 20; ++q) {
        const std::vector<float>& query = vectors[500 + q];
        const CodeQuery prepared = coded.shorts->quantizer().prepare(query.data(), weights.data(), weights.size());
        const Query exact(*coded.world.table, query.data());
        for (const Slot slot : coded.all) {
          const float distance = exact.distance(coded.world.table->row(slot));
          const float approximate = coded.approximate(prepared, slot);
          above += coded.shorts->quantizer().lower_bound(prepared, approximate) > distance * 1.001F + 1e-4F ? 1 : 0;
          error += std::abs(static_cast<double>(approximate) - static_cast<double>(distance));
          spread += std::abs(static_cast<double>(distance));
          ++pairs;
        }
      }
      EXPECT_LT(error / spread, 0.12) << "4 bits are worth more than that";
      EXPECT_LT(static_cast<double>(above) / static_cast<double>(pairs), 0.01) << above << " of " << pairs;
    }
  }
}

TEST(ShortCodes, AWalkFindsNearlyWhatOneByEightBitsDoes) {
  for (const Metric metric : kMetrics) {
    SCOPED_TRACE(to_string(metric));
    auto vectors = clustered(3'000, 96, 30, 7);
    const std::vector<std::vector<float>> queries(vectors.end() - 100, vectors.end());
    vectors.resize(2'900);
    const TwiceCoded coded(vectors, metric);
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
    EXPECT_GT(same, 940U) << "of 1000";
    EXPECT_LT(coded.shorts->memory_bytes() * 10, coded.codes->memory_bytes() * 9);
  }
}

TEST(ShortCodes, ComponentsThatNeverChangeAndOutliersDoNoHarm) {
  auto vectors = clustered(1'200, 70, 10, 3);
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    for (std::size_t j = 0; j < 70; j += 7) vectors[i][j] = 4.5F;  // always the same
    if (i % 400 == 0) vectors[i][1] = 50;                          // far beyond what others have
  }
  const TwiceCoded coded(vectors, Metric::l2);
  for (std::size_t i = 0; i < vectors.size(); i += 40) {
    const auto found = coded.search(vectors[i], 60, true);
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.front().distance, 0) << "row " << i << " does not find itself";
  }
}

}  // namespace
}  // namespace holdfast::index
