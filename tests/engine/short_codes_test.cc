// Short codes for Preset::fast: when they come, and that snapshots keep what they began with
// (engine/short_coding.h).
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/store_fixture.h"

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 144;
const SearchOptions kFast = {.k = 10, .ef = 60, .preset = Preset::fast};

class ShortCodesInTheEngine : public ::testing::Test {
 protected:
  void SetUp() override { create(kDimension); }
  void create(std::uint32_t dimension) {
    collection_.reset();
    database_.reset();
    fs_ = std::make_unique<SimFileSystem>(1);
    dimension_ = dimension;
    auto database = Database::open_with("/store", options_on(*fs_));
    HF_ASSERT_OK(database);
    database_.emplace(std::move(database).value());
    HF_ASSERT_OK(database_->create_collection("c", {.dimension = dimension, .m = 8, .ef_construction = 60}));
    collection_ = *database_->collection("c");
  }
  void put(std::uint64_t begin, std::uint64_t end) {
    WriteBatch batch;
    for (std::uint64_t id = begin; id < end; ++id) batch.upsert(id, vector_of(id, dimension_));
    HF_ASSERT_OK(collection_->write(batch));
    HF_ASSERT_OK(collection_->wait_until_indexed());
  }
  /// Most of the variance lies in the first 60 components, of which each point has one in `sparse`.
  void put_flat(std::uint64_t begin, std::uint64_t end, std::uint64_t sparse) {
    WriteBatch batch;
    for (std::uint64_t id = begin; id < end; ++id) {
      std::vector<float> vector = vector_of(id, dimension_);
      for (std::size_t i = 0; i < vector.size(); ++i) {
        if (i >= 60 || (id + i) * 0x9E3779B97F4A7C15ULL % 1'000'003 % sparse != 0) vector[i] *= 0.05F;
      }
      batch.upsert(id, vector);
    }
    HF_ASSERT_OK(collection_->write(batch));
    HF_ASSERT_OK(collection_->wait_until_indexed());
  }
  /// The first one makes the collection want short codes.
  void ask_fast_once() {
    HF_ASSERT_OK(collection_->search(vector_of(1, dimension_), kFast));
    HF_ASSERT_OK(collection_->wait_until_indexed());
  }
  [[nodiscard]] std::vector<Hits> answers(const Snapshot& snapshot) const {
    std::vector<Hits> all;
    for (std::uint64_t seed = 1'000'000; seed < 1'000'030; ++seed) {
      auto hits = snapshot.search(vector_of(seed, dimension_), kFast);
      EXPECT_TRUE(hits.ok()) << hits.status().to_string();
      if (hits.ok()) all.push_back(std::move(hits).value());
    }
    return all;
  }
  /// Distances are exact, and nearly as many of the nearest are found as by codes of 8 bits.
  void expect_good(const Snapshot& snapshot) const {
    std::size_t found = 0;
    std::size_t balanced = 0;
    for (std::uint64_t seed = 2'000'000; seed < 2'000'040; ++seed) {
      const std::vector<float> query = vector_of(seed, dimension_);
      const auto truth = snapshot.search(query, {.k = 10, .exact = true});
      const auto fast = snapshot.search(query, kFast);
      const auto other = snapshot.search(query, {.k = 10, .ef = 60});
      HF_EXPECT_OK(truth);
      HF_EXPECT_OK(fast);
      HF_EXPECT_OK(other);
      const auto near = [&](const Hit& hit) {
        return std::any_of(truth->begin(), truth->end(), [&](const Hit& one) { return one.id == hit.id; }) ? 1U : 0U;
      };
      for (const Hit& hit : *fast) {
        EXPECT_EQ(hit.distance, snapshot.distance(hit.id, query).value());
        found += near(hit);
      }
      for (const Hit& hit : *other) balanced += near(hit);
    }
    EXPECT_GE(found + 40, balanced) << "of 400";
    EXPECT_GT(found, 60U) << "these are random vectors: hard ones";
  }

  std::uint32_t dimension_ = 0;
  std::unique_ptr<SimFileSystem> fs_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

TEST_F(ShortCodesInTheEngine, ComeWhenSomebodySearchesFast) {
  put(0, 3'000);
  const std::uint64_t without = collection_->stats().code_bytes;
  HF_ASSERT_OK(collection_->search(vector_of(1, dimension_), {.k = 10}));
  HF_ASSERT_OK(collection_->wait_until_indexed());
  EXPECT_EQ(without, collection_->stats().code_bytes) << "nobody asked for them";
  ask_fast_once();
  EXPECT_GE(collection_->stats().code_bytes, without + 3'000U * kDimension / 2);
  expect_good(collection_->snapshot());
}

TEST_F(ShortCodesInTheEngine, SnapshotsKeepWhatTheyBeganWith) {
  put(0, 3'000);
  const Snapshot before = collection_->snapshot();
  const auto by_eight_bits = answers(before);
  ask_fast_once();
  const Snapshot with = collection_->snapshot();
  const auto by_four_bits = answers(with);
  put(3'000, 12'000);  // codes of 8 bits are outgrown, so short ones are made again
  EXPECT_EQ(4U, collection_->stats().code_trainings);
  expect_same_answers(by_eight_bits, answers(before));
  expect_same_answers(by_four_bits, answers(with));
  expect_good(collection_->snapshot());
}

TEST_F(ShortCodesInTheEngine, RowsThatAreUsedAgainHaveTheCodesOfTheirNewVectors) {
  put(0, 3'000);
  ask_fast_once();
  for (std::uint64_t round = 1; round <= 3; ++round) {
    WriteBatch batch;
    for (std::uint64_t id = 0; id < 1'000; ++id) batch.erase(id + (round - 1) * 10'000);
    HF_ASSERT_OK(collection_->write(batch));
    HF_ASSERT_OK(collection_->vacuum());
    put(round * 10'000, round * 10'000 + 1'000);
    expect_good(collection_->snapshot());
  }
}

TEST_F(ShortCodesInTheEngine, AreNotMadeForFewComponents) {
  create(64);
  put(0, 2'000);
  const std::uint64_t without = collection_->stats().code_bytes;
  ask_fast_once();
  EXPECT_EQ(without, collection_->stats().code_bytes);
  expect_good(collection_->snapshot());
}

TEST_F(ShortCodesInTheEngine, OfVectorsWithFewPrincipalComponentsTakeTwoCacheLines) {
  create(400);
  put_flat(0, 2'000, 1);
  const std::uint64_t without = collection_->stats().code_bytes;
  ask_fast_once();
  const std::uint64_t with = collection_->stats().code_bytes;
  EXPECT_GE(with, without + 2'000U * 128);
  EXPECT_LT(with - without, without / 2) << "nibbles would take half";
  expect_good(collection_->snapshot());
}

// Axes are learned once more when many nodes lie beyond them, and not for ever. These do not lie beyond the ranges of
// the components, which the codes of 8 bits are made by.
TEST_F(ShortCodesInTheEngine, AxesAreLearnedAnewWhenNodesComeThatReachBeyondThem) {
  create(400);
  put_flat(0, 11'000, 10);  // beyond ten times the first sample: the codes of 8 bits are not outgrown any more
  ask_fast_once();
  const std::uint64_t before = collection_->stats().code_trainings;
  put_flat(20'000, 20'900, 1);
  EXPECT_EQ(before, collection_->stats().code_trainings) << "these are few";
  put_flat(30'000, 30'400, 1);
  EXPECT_EQ(before + 1, collection_->stats().code_trainings);
  put_flat(40'000, 40'100, 1);
  EXPECT_EQ(before + 1, collection_->stats().code_trainings);
  expect_good(collection_->snapshot());
}

}  // namespace
}  // namespace holdfast::testing
