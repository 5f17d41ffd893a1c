// Codes beside the graph: when they come, and that nothing but time depends on them (engine/coding.h).
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/store_fixture.h"

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 24;

std::vector<float> scaled(std::uint64_t seed, float scale) {
  std::vector<float> vector = vector_of(seed, kDimension);
  for (float& x : vector) x *= scale;
  return vector;
}

class Codes : public ::testing::Test {
 protected:
  void SetUp() override {
    open();
    HF_ASSERT_OK(database_->create_collection("c", {.dimension = kDimension, .m = 8, .ef_construction = 60}));
    collection_ = *database_->collection("c");
  }
  void open() {
    auto database = Database::open_with("/store", options_on(fs_));
    HF_ASSERT_OK(database);
    database_.emplace(std::move(database).value());
    if (auto found = database_->collection("c"); found.ok()) collection_ = *found;
  }
  void reopen() {
    collection_.reset();
    HF_ASSERT_OK(database_->close());
    database_.reset();
    open();
  }
  void put(std::uint64_t begin, std::uint64_t end, float scale = 1) {
    WriteBatch batch;
    for (std::uint64_t id = begin; id < end; ++id) {
      batch.upsert(id, scaled(id, scale));
      if (batch.size() < 2'000 && id + 1 < end) continue;
      HF_ASSERT_OK(collection_->write(batch));
      batch = WriteBatch();
    }
    HF_ASSERT_OK(collection_->wait_until_indexed());
  }
  /// What a snapshot answers, bit for bit.
  static std::vector<Hits> answers(const Snapshot& snapshot, float scale = 1) {
    std::vector<Hits> all;
    for (std::uint64_t seed = 1'000'000; seed < 1'000'030; ++seed) {
      auto hits = snapshot.search(scaled(seed, scale), {.k = 10, .ef = 60});
      EXPECT_TRUE(hits.ok()) << hits.status().to_string();
      if (hits.ok()) all.push_back(std::move(hits).value());
    }
    return all;
  }
  /// Distances are exact, and as many of the nearest are found as by a walk by rows, which a cursor's is.
  static void expect_good(const Snapshot& snapshot, float scale = 1) {
    std::size_t found = 0;
    std::size_t by_rows = 0;
    for (std::uint64_t seed = 2'000'000; seed < 2'000'040; ++seed) {
      const std::vector<float> query = scaled(seed, scale);
      const auto truth = snapshot.search(query, {.k = 10, .exact = true});
      const auto hits = snapshot.search(query, {.k = 10, .ef = 80});
      HF_EXPECT_OK(truth);
      HF_EXPECT_OK(hits);
      auto cursor = snapshot.cursor(query, {.ef = 80});
      HF_EXPECT_OK(cursor);
      const auto near = [&](const Hit& hit) {
        return std::any_of(truth->begin(), truth->end(), [&](const Hit& one) { return one.id == hit.id; }) ? 1U : 0U;
      };
      for (const Hit& hit : *hits) {
        EXPECT_EQ(hit.distance, snapshot.distance(hit.id, query).value());
        found += near(hit);
      }
      for (const Hit& hit : cursor->next(10).value()) by_rows += near(hit);
    }
    EXPECT_GT(by_rows, 100U);
    EXPECT_GE(found + 12, by_rows);  // of 400
  }

  SimFileSystem fs_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

TEST_F(Codes, ComeWithTheFirstThousandNodesAndAgainAfterOpen) {
  put(0, 900);
  EXPECT_EQ(0U, collection_->stats().code_bytes);
  put(900, 3'000);
  EXPECT_GE(collection_->stats().code_bytes, 3'000U * kDimension);
  EXPECT_EQ(1U, collection_->stats().code_trainings);
  expect_good(collection_->snapshot());
  reopen();
  EXPECT_EQ(0U, collection_->stats().code_bytes);
  expect_good(collection_->snapshot());
  HF_ASSERT_OK(collection_->wait_until_indexed());
  EXPECT_GE(collection_->stats().code_bytes, 3'000U * kDimension);
  expect_good(collection_->snapshot());
}

TEST_F(Codes, SnapshotsKeepTheCodesThatTheyBeganWith) {
  put(0, 900);
  const Snapshot without = collection_->snapshot();
  const auto without_before = answers(without);
  put(900, 3'000);
  const Snapshot with = collection_->snapshot();
  const auto with_before = answers(with);
  put(3'000, 12'000);  // they are outgrown
  EXPECT_EQ(2U, collection_->stats().code_trainings);
  EXPECT_GE(collection_->stats().retained_bytes, 3'000U * kDimension) << "the codes that the snapshot reads";
  expect_same_answers(without_before, answers(without));
  expect_same_answers(with_before, answers(with));
  expect_good(collection_->snapshot());
}

TEST_F(Codes, AreTrainedAgainWhenTheDataDrifts) {
  put(0, 2'000);
  EXPECT_EQ(1U, collection_->stats().code_trainings);
  put(2'000, 6'000, 40);
  EXPECT_GE(collection_->stats().code_trainings, 2U);
  expect_good(collection_->snapshot(), 40);
}

TEST_F(Codes, RowsThatAreUsedAgainHaveTheCodesOfTheirNewVectors) {
  put(0, 3'000);
  for (int round = 1; round <= 3; ++round) {
    WriteBatch batch;
    for (std::uint64_t id = 0; id < 1'000; ++id) batch.erase(id + static_cast<std::uint64_t>(round - 1) * 10'000);
    HF_ASSERT_OK(collection_->write(batch));
    HF_ASSERT_OK(collection_->vacuum());
    const auto begin = static_cast<std::uint64_t>(round) * 10'000;
    put(begin, begin + 1'000);
    SCOPED_TRACE(round);
    expect_good(collection_->snapshot());
  }
  EXPECT_LT(collection_->stats().slots, 5'000U) << "no row was used again";
}

}  // namespace
}  // namespace holdfast::testing
