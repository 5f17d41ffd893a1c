// Requests that are wrong, limits, and the memory that a collection says it takes.
#include <cstdio>
#include <fstream>
#include <limits>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class Parameters : public OnSetting {};
HF_ON_SETTINGS(Parameters, every_setting);

TEST_P(Parameters, InvalidSearchesAreRefusedByEveryKindOfSearch) {
  create_here();
  fill(0, 30);
  bring();
  const Snapshot snapshot = collection().snapshot();
  const Vector good = vector_of(1);
  Vector with_nan = good;
  with_nan[3] = kNan;
  for (const Vector& bad : {Vector{}, Vector(11, 1.0F), Vector(13, 1.0F), with_nan}) {
    HF_CODE(StatusCode::invalid_argument, snapshot.search(bad));
    HF_CODE(StatusCode::invalid_argument, snapshot.search(bad, {.exact = true}));
    HF_CODE(StatusCode::invalid_argument, snapshot.search_range(bad, {.radius = 1}));
    HF_CODE(StatusCode::invalid_argument, snapshot.cursor(bad));
    HF_CODE(StatusCode::invalid_argument, snapshot.distance(1, bad));
    if (!bad.empty()) HF_CODE(StatusCode::invalid_argument, snapshot.search_batch(bad));
  }
  for (const SearchOptions& bad :
       {SearchOptions{.k = 0}, SearchOptions{.k = kMaxK + 1}, SearchOptions{.k = 1, .ef = kMaxEf + 1}}) {
    HF_CODE(StatusCode::invalid_argument, snapshot.search(good, bad));
    HF_CODE(StatusCode::invalid_argument, snapshot.search_batch(good, bad));
  }
  HF_CODE(StatusCode::invalid_argument, snapshot.search_range(good, {.radius = kNan}));
  HF_CODE(StatusCode::invalid_argument, snapshot.search_range(good, {.radius = 1, .ef = kMaxEf + 1}));
  if (GetParam().metric != Metric::inner_product) {
    HF_CODE(StatusCode::invalid_argument, snapshot.search_range(good, {.radius = -1}));
  }
  HF_CODE(StatusCode::invalid_argument, snapshot.cursor(good, {.ef = kMaxEf + 1}));
  auto cursor = snapshot.cursor(good);
  HF_OK(cursor);
  HF_CODE(StatusCode::invalid_argument, cursor->next(kMaxK + 1));
  EXPECT_TRUE(nearest(cursor->next(30), good, 30)) << "a refused call moves nothing";
  // One bad query in a batch: none is answered.
  Vector queries = good;
  queries.insert(queries.end(), with_nan.begin(), with_nan.end());
  HF_CODE(StatusCode::invalid_argument, snapshot.search_batch(queries, {}, 2));
  expect_holds_truth(snapshot);
}

TEST_P(Parameters, InvalidWritesChangeNothing) {
  create_here();
  fill(0, 30);
  bring();
  const Lsn before = collection().snapshot().lsn();
  HF_CODE(StatusCode::invalid_argument, collection().upsert(1, Vector(11, 1.0F)));
  HF_CODE(StatusCode::invalid_argument, collection().upsert(1, Vector{}));
  HF_CODE(StatusCode::invalid_argument, collection().upsert(1, Vector(12, kNan)));
  HF_CODE(StatusCode::invalid_argument, collection().upsert(1, vector_of(5), "no json"));
  HF_CODE(StatusCode::invalid_argument, collection().upsert(1, vector_of(5), "[1]"));
  WriteBatch batch;
  batch.upsert(500, vector_of(500));
  batch.upsert(1, Vector(12, kNan));
  HF_CODE(StatusCode::invalid_argument, collection().write(batch));
  batch.clear();
  batch.upsert(500, vector_of(500));
  batch.erase(500);
  HF_CODE(StatusCode::invalid_argument, collection().write(batch));
  EXPECT_EQ(before, collection().snapshot().lsn());
  expect_holds_truth();
  EXPECT_EQ(0u, collection().write(WriteBatch{})->lsn);
}

using Configuration = Store;

TEST_F(Configuration, InvalidCollections) {
  create(Metric::l2);
  const auto make = [&](const char* name, CollectionConfig config) {
    return database().create_collection(name, config);
  };
  HF_CODE(StatusCode::invalid_argument, make("x", {.dimension = 0}));
  HF_CODE(StatusCode::invalid_argument, make("x", {.dimension = kMaxDimension + 1}));
  HF_CODE(StatusCode::invalid_argument, make("x", {.dimension = 4, .m = 1}));
  HF_CODE(StatusCode::invalid_argument, make("x", {.dimension = 4, .m = kMaxM + 1}));
  HF_CODE(StatusCode::invalid_argument, make("x", {.dimension = 4, .m = 16, .ef_construction = 15}));
  HF_CODE(StatusCode::invalid_argument, make("x", {.dimension = 4, .ef_construction = kMaxEfConstruction + 1}));
  HF_CODE(StatusCode::invalid_argument, make("x", {.dimension = 4, .metric = static_cast<Metric>(9)}));
  HF_CODE(StatusCode::invalid_argument, make("../x", {.dimension = 4}));
  HF_CODE(StatusCode::invalid_argument, make("", {.dimension = 4}));
  HF_CODE(StatusCode::already_exists, make("c", {.dimension = 4}));
  EXPECT_EQ(std::vector<std::string>{"c"}, database().collections());
  for (const std::uint32_t dimension : {1U, 2U, 3U, 5U}) {
    auto small =
        make(("d" + std::to_string(dimension)).c_str(), {.dimension = dimension, .m = 2, .ef_construction = 2});
    HF_OK(small);
    for (std::uint64_t id = 0; id < 50; ++id) HF_OK(small->upsert(id, whole_numbers(id, dimension)));
    HF_OK(small->wait_until_indexed());
    EXPECT_EQ(50u, small->search(whole_numbers(7, dimension), {.k = 50, .ef = 200})->size());
  }
}

TEST_F(Configuration, InvalidOptions) {
  for (const std::uint32_t percent : {0U, 101U}) {
    engine::EngineOptions options = options_;
    options.open.vacuum_percent = percent;
    TempDir directory;
    HF_CODE(StatusCode::invalid_argument, Database::open_with(directory / "store", options));
  }
  engine::EngineOptions options = options_;
  options.open.snapshot_age_max = std::chrono::milliseconds(-1);
  TempDir directory;
  HF_CODE(StatusCode::invalid_argument, Database::open_with(directory / "store", options));
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0, resident = 0;
  statm >> pages >> resident;
  return resident * 4'096;
}

using Memory = Store;

TEST_F(Memory, TheEstimateAgreesWithTheMeasurement) {
  if (kSanitized) GTEST_SKIP() << "skipped: a sanitizer's allocator keeps freed memory and red zones";
  constexpr std::uint64_t kPoints = 16'000;
  create(Metric::l2, 200);
  std::vector<Vector> warm;  // the test's own memory is allocated before the first measurement
  for (std::uint64_t i = 0; i < 16; ++i) warm.push_back(vector_of(i));
  const std::uint64_t before = resident_bytes();
  const CollectionStats empty = collection().stats();
  for (std::uint64_t id = 0; id < kPoints; ++id) {
    Vector& vector = warm[id % 16];
    vector[id % 200] += 1;
    HF_OK(collection().upsert(id, vector, {}, {.bulk = true}));
  }
  HF_OK(collection().wait_until_indexed());
  const CollectionStats stats = collection().stats();
  const std::uint64_t measured = resident_bytes() - before;
  const std::uint64_t estimate = stats.vector_bytes + stats.overhead_bytes + stats.payload_bytes -
                                 (empty.vector_bytes + empty.overhead_bytes + empty.payload_bytes);
  std::printf("memory of %llu points: %.1f MB measured, %.1f MB in stats()\n", static_cast<unsigned long long>(kPoints),
              static_cast<double>(measured) / 1e6, static_cast<double>(estimate) / 1e6);
  EXPECT_GE(stats.vector_bytes, kPoints * 200 * sizeof(float));
  EXPECT_LE(static_cast<double>(measured), 1.35 * static_cast<double>(estimate));
  EXPECT_GE(static_cast<double>(measured), 0.7 * static_cast<double>(estimate));
}

}  // namespace
}  // namespace holdfast::testing
