// Compact codes: what they say of distances, and that a walk by them finds what a walk by the rows does.
#include <cmath>
#include <cstring>
#include <limits>

#include "index/code_table.h"
#include "index/fixture.h"
#include "simd/code_kernels.h"

namespace holdfast::index {
namespace {

constexpr Metric kMetrics[] = {Metric::l2, Metric::cosine, Metric::inner_product};

/// A table of vectors with codes for all of them.
struct Coded {
  Coded(const std::vector<std::vector<float>>& vectors, Metric metric, std::size_t sample_rows = 1'000)
      : table(static_cast<std::uint32_t>(vectors.front().size()), metric) {
    const auto rows = static_cast<Slot>(vectors.size());
    EXPECT_TRUE(table.reserve(rows).ok());
    std::vector<Slot> sample;
    for (Slot slot = 0; slot < rows; ++slot) {
      table.assign(slot, vectors[slot]);
      if (slot < sample_rows) sample.push_back(slot);
    }
    codes = std::make_unique<CodeTable>(Quantizer::train(table, sample));
    EXPECT_TRUE(codes->reserve(rows).ok());
    for (Slot slot = 0; slot < rows; ++slot) codes->assign(table, slot);
  }
  [[nodiscard]] CodeQuery prepare(const std::vector<float>& query) {
    weights.resize(codes->stride());
    return codes->quantizer().prepare(query.data(), weights.data(), weights.size());
  }
  [[nodiscard]] float approximate(const CodeQuery& query, Slot slot) const {
    const CodeTable::Row row = codes->at(slot);
    float norm = 0;
    std::memcpy(&norm, row.norm, sizeof norm);
    std::int32_t dot = 0;
    simd::code_kernels().dot_u8(query.weights, &row.codes, 1, codes->stride(), &dot);
    return query.distance(norm, dot);
  }

  VectorTable table;
  std::unique_ptr<CodeTable> codes;
  std::vector<std::int8_t> weights;
};

TEST(Quantizer, DistancesAreNearTheExactOnesAndTheBoundHolds) {
  for (const Metric metric : kMetrics) {
    for (const std::uint32_t dimension : {1U, 3U, 60U, 61U, 64U, 100U, 128U, 200U}) {
      SCOPED_TRACE(std::string(to_string(metric)) + ", dimension " + std::to_string(dimension));
      const auto vectors = clustered(2'000, dimension, 20, dimension);
      Coded coded(vectors, metric);
      std::uint64_t above = 0;
      std::uint64_t pairs = 0;
      for (std::size_t q = 0; q < 20; ++q) {
        const std::vector<float>& query = vectors[1'500 + q];
        const CodeQuery prepared = coded.prepare(query);
        const Query exact(coded.table, query.data());
        for (Slot slot = 0; slot < 2'000; ++slot) {
          const float distance = exact.distance(coded.table.row(slot));
          const float bound = coded.codes->quantizer().lower_bound(prepared, coded.approximate(prepared, slot));
          above += bound > distance * 1.0001F + 1e-5F ? 1 : 0;
          ++pairs;
        }
      }
      EXPECT_LT(static_cast<double>(above) / static_cast<double>(pairs), 2e-3) << above << " of " << pairs;
    }
  }
}

TEST(Quantizer, WholeNumbersOfOneByteLoseNothing) {
  SeededRandom random(5);
  std::vector<std::vector<float>> vectors(1'500, std::vector<float>(70));
  for (auto& vector : vectors) {
    for (float& x : vector) x = static_cast<float>(random.below(256));
  }
  Coded coded(vectors, Metric::l2);
  EXPECT_TRUE(coded.codes->quantizer().lossless());
  for (Slot slot = 0; slot < 1'500; ++slot) {
    const CodeTable::Row row = coded.codes->at(slot);
    for (std::size_t i = 0; i < 70; ++i) ASSERT_EQ(static_cast<float>(row.codes[i]), vectors[slot][i]) << slot;
  }
  EXPECT_EQ(0U, coded.codes->cut_rows());
  EXPECT_TRUE(coded.codes->exact());
  std::vector<std::vector<float>> fractions = vectors;
  fractions[10][3] += 0.5F;
  EXPECT_FALSE(Coded(fractions, Metric::l2).codes->quantizer().lossless());
  for (const float later : {0.5F, 300.0F, -1.0F}) {  // not in the sample
    std::vector<std::vector<float>> mixed = vectors;
    mixed[1'400][3] = later;
    const Coded other(mixed, Metric::l2);
    EXPECT_TRUE(other.codes->quantizer().lossless());
    EXPECT_FALSE(other.codes->exact()) << later;
  }
}

TEST(Quantizer, RowsFarBeyondTheSampleAreCutAndCounted) {
  auto vectors = clustered(1'200, 16, 4, 9);
  for (std::size_t i = 1'100; i < 1'200; ++i) vectors[i][i % 16] += 100;
  const Coded coded(vectors, Metric::l2);
  EXPECT_EQ(100U, coded.codes->cut_rows());
}

TEST(Quantizer, ASampleOfOneValueIsNoTrouble) {
  const std::vector<std::vector<float>> same(1'000, std::vector<float>(8, 0.25F));
  Coded coded(same, Metric::l2);
  const CodeQuery query = coded.prepare(same[0]);
  EXPECT_TRUE(std::isfinite(coded.approximate(query, 7)));
  EXPECT_NEAR(coded.approximate(query, 7), 0, 1e-6);
}

// Components up to the largest float, in rows and queries: no codes, or at least no undefined conversion.
TEST(Quantizer, HugeComponentsDoNoHarm) {
  auto vectors = clustered(1'200, 16, 4, 9);
  vectors[5][3] = 3e38F;
  vectors[6][3] = -3e38F;
  EXPECT_FALSE(Coded(vectors, Metric::l2).codes->quantizer().usable());
  vectors[7][3] = std::numeric_limits<float>::quiet_NaN();  // as a damaged row may hold
  vectors[5][3] = vectors[6][3] = vectors[7][3] = 0;
  vectors[1'160][3] = std::numeric_limits<float>::quiet_NaN();
  vectors[1'150][3] = 3e38F;  // not in the sample
  for (const Metric metric : kMetrics) {
    Coded coded(vectors, metric);
    EXPECT_TRUE(coded.codes->quantizer().usable());
    std::vector<float> query(16, 3e38F);
    const CodeQuery prepared = coded.prepare(query);
    for (const Slot slot : {0U, 1'150U}) {
      (void)coded.codes->quantizer().lower_bound(prepared, coded.approximate(prepared, slot));
    }
    query.assign(16, 1e-38F);
    EXPECT_TRUE(std::isfinite(coded.approximate(coded.prepare(query), 0)));
  }
}

TEST(CodeTable, TheNormStandsWhereThereIsRoom) {
  for (const std::uint32_t dimension : {60U, 61U, 64U, 124U, 128U}) {
    const auto vectors = clustered(1'000, dimension, 5, 3);
    const Coded coded(vectors, Metric::l2);
    EXPECT_EQ(coded.codes->norms_apart(), dimension % 64 == 0 || dimension % 64 > 60) << dimension;
    for (const Slot slot : {0U, 1U, 999U}) {
      const CodeTable::Row row = coded.codes->at(slot);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(row.codes) % 64, 0U);
      float norm = 0;
      std::memcpy(&norm, row.norm, sizeof norm);
      EXPECT_GT(norm, 0);
    }
  }
}

/// Share of the exact ten nearest that a search finds, by codes or by rows; distances are exact either way.
double recall(const World& world, const CodeTable* codes, const std::vector<std::vector<float>>& queries,
              const Visibility& visibility, std::uint32_t hidden) {
  std::size_t found = 0;
  for (const auto& query : queries) {
    SearchAids aids;
    aids.codes = codes;
    aids.hidden = hidden;
    std::vector<Candidate> answer;
    search_graph(*world.graph, world.root, Query(*world.table, query.data()), 10, 60, visibility, answer, aids);
    EXPECT_TRUE(std::is_sorted(answer.begin(), answer.end()));
    const Query exact(*world.table, query.data());
    for (const Candidate& hit : answer) {
      EXPECT_EQ(hit.distance, exact.distance(world.table->row(hit.slot)));
      EXPECT_TRUE(visibility(hit.slot));
    }
    for (const Candidate& truth : world.exact(query, 10, visibility)) {
      found += std::find(answer.begin(), answer.end(), truth) != answer.end() ? 1 : 0;
    }
  }
  return static_cast<double>(found) / static_cast<double>(queries.size() * 10);
}

void expect_same_recall(Metric metric, bool bytes) {
  SCOPED_TRACE(std::string(to_string(metric)) + (bytes ? ", bytes" : ""));
  World world(48, metric);
  auto vectors = clustered(6'000, 48, 40, 17);
  if (bytes) {
    for (auto& vector : vectors) {
      for (float& x : vector) x = std::clamp(std::round(x * 40 + 128), 0.0F, 255.0F);
    }
  }
  const std::vector<std::vector<float>> queries(vectors.end() - 100, vectors.end());
  vectors.resize(5'900);
  world.add_rows(vectors);
  world.index_all();
  std::vector<Slot> sample;
  for (Slot slot = 0; slot < 1'000; ++slot) sample.push_back(slot);
  CodeTable codes(Quantizer::train(*world.table, sample));
  ASSERT_TRUE(codes.reserve(world.end).ok());
  for (Slot slot = 0; slot < world.end; ++slot) codes.assign(*world.table, slot);
  EXPECT_EQ(codes.exact(), bytes && metric != Metric::cosine);
  const auto some = [](const void*, Slot slot) noexcept { return slot % 10 != 0; };
  const auto few = [](const void*, Slot slot) noexcept { return slot % 10 == 0; };
  struct Case {
    Visibility visibility;
    std::uint32_t hidden;
  };
  for (const Case& each : {Case{{}, 0}, Case{{some, nullptr}, 590}, Case{{few, nullptr}, 5'310}}) {
    const double by_rows = recall(world, nullptr, queries, each.visibility, each.hidden);
    const double by_codes = recall(world, &codes, queries, each.visibility, each.hidden);
    EXPECT_GT(by_rows, 0.8);
    EXPECT_GT(by_codes, by_rows - 0.01) << each.hidden << " hidden";
  }
}

TEST(CodeWalk, FindsWhatAWalkByRowsFinds) {
  for (const Metric metric : kMetrics) expect_same_recall(metric, false);
}
// Exact distances are taken from the codes then, bit for bit those of the rows.
TEST(CodeWalk, FindsWhatAWalkByRowsFindsAmongBytes) {
  for (const Metric metric : kMetrics) expect_same_recall(metric, true);
}

/// Builds in the engine's batches; by codes from the first thousand nodes on.
void build_by_codes(World& world, unsigned threads, std::unique_ptr<CodeTable>& codes) {
  GraphWriter writer = world.graph->writer();
  while (world.next < world.end) {
    if (!codes && world.next >= 1'000) {
      std::vector<Slot> sample;
      for (Slot slot = 0; slot < world.next; ++slot) sample.push_back(slot);
      codes = std::make_unique<CodeTable>(Quantizer::train(*world.table, sample));
      ASSERT_TRUE(codes->reserve(world.end).ok());
      for (const Slot slot : sample) codes->assign(*world.table, slot);
    }
    const auto count = static_cast<Slot>(GraphWriter::batch_size(world.root.nodes, world.end - world.next));
    std::vector<NewNode> batch;
    for (Slot i = 0; i < count; ++i) {
      batch.push_back(world.node(world.next + i));
      if (codes) codes->assign(*world.table, world.next + i);
    }
    auto result = writer.insert(world.root, batch, {}, threads, world.retired, codes.get());
    ASSERT_TRUE(result.ok()) << result.status().to_string();
    world.root = *result;
    world.next += count;
  }
}

TEST(CodeBuild, TheGraphIsAsGoodAndTheSameForAnyNumberOfThreads) {
  for (const Metric metric : kMetrics) {
    SCOPED_TRACE(to_string(metric));
    auto vectors = clustered(5'000, 32, 40, 23);
    const std::vector<std::vector<float>> queries(vectors.end() - 100, vectors.end());
    vectors.resize(4'900);
    World by_rows(32, metric);
    by_rows.add_rows(vectors);
    by_rows.index_all();
    World by_codes(32, metric);
    by_codes.add_rows(vectors);
    std::unique_ptr<CodeTable> codes;
    build_by_codes(by_codes, 1, codes);
    ASSERT_TRUE(codes);
    // The engine links in what is left; under the inner product that is not little.
    expect_sound(by_codes, check_graph(*by_rows.graph, by_rows.root, by_rows.end).unreachable + 49);
    EXPECT_GT(by_codes.recall(queries, 10, 60), by_rows.recall(queries, 10, 60) - 0.01);
    World again(32, metric);
    again.add_rows(vectors);
    std::unique_ptr<CodeTable> same;
    build_by_codes(again, 3, same);
    EXPECT_EQ(by_codes.image(by_codes.root.epoch), again.image(again.root.epoch));
  }
}

}  // namespace
}  // namespace holdfast::index
