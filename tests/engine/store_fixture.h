// Small stores for the engine's tests: deterministic vectors, and a database on a simulated or a real disk.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/options.h"
#include "holdfast/holdfast.hpp"
#include "support/sim_file_system.h"
#include "support/temp_dir.h"

namespace holdfast::testing {

/// A vector that is a function of its seed; components in [-1, 1).
inline std::vector<float> vector_of(std::uint64_t seed, std::uint32_t dimension) {
  SeededRandom random(seed * 0x9E3779B97F4A7C15ULL + 1);
  std::vector<float> vector(dimension);
  for (float& x : vector) x = static_cast<float>(random.unit() * 2 - 1);
  return vector;
}

inline std::string payload_of(std::uint64_t seed) { return "{\"n\":" + std::to_string(seed) + "}"; }

/// The same ids at the same distances, in the same order.
inline void expect_same_answers(const std::vector<Hits>& before, const std::vector<Hits>& after) {
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    ASSERT_EQ(before[i].size(), after[i].size());
    for (std::size_t j = 0; j < before[i].size(); ++j) {
      EXPECT_EQ(before[i][j].id, after[i][j].id);
      EXPECT_EQ(before[i][j].distance, after[i][j].distance);
    }
  }
}

inline engine::EngineOptions options_on(os::FileSystem& fs, bool background = false) {
  engine::EngineOptions options;
  options.fs = &fs;
  options.background = background;
  options.open.log_segment_bytes = 64 * 1024;
  options.open.indexing_threads = 2;
  return options;
}

/// Fails the test, with the status, unless ok.
#define HF_ASSERT_OK(expression)                                           \
  do {                                                                     \
    const auto& hf_outcome = (expression);                                 \
    ASSERT_TRUE(hf_outcome.ok()) << ::holdfast::testing::text(hf_outcome); \
  } while (false)
#define HF_EXPECT_OK(expression)                                           \
  do {                                                                     \
    const auto& hf_outcome = (expression);                                 \
    EXPECT_TRUE(hf_outcome.ok()) << ::holdfast::testing::text(hf_outcome); \
  } while (false)
#define HF_EXPECT_CODE(expected, expression)                                         \
  do {                                                                               \
    const auto& hf_outcome = (expression);                                           \
    EXPECT_EQ(to_string(::holdfast::testing::code(hf_outcome)), to_string(expected)) \
        << ::holdfast::testing::text(hf_outcome);                                    \
  } while (false)

inline std::string text(const Status& status) { return status.to_string(); }
inline StatusCode code(const Status& status) { return status.code(); }
template <class T>
std::string text(const Result<T>& result) {
  return result.status().to_string();
}
template <class T>
StatusCode code(const Result<T>& result) {
  return result.status().code();
}

/// A database on a simulated disk, without background threads unless asked for.
class SimStore : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kDimension = 8;

  Database open_database(bool background = false) {
    auto db = Database::open_with("/store", options_on(fs_, background));
    if (!db.ok()) throw std::runtime_error(db.status().to_string());
    return std::move(db).value();
  }
  static Collection make(Database& db, const std::string& name = "c", Metric metric = Metric::l2,
                         std::uint32_t dimension = kDimension) {
    CollectionConfig config;
    config.dimension = dimension;
    config.metric = metric;
    config.m = 8;
    config.ef_construction = 64;
    auto collection = db.create_collection(name, config);
    if (!collection.ok()) throw std::runtime_error(collection.status().to_string());
    return std::move(collection).value();
  }
  static Status put(Collection& collection, std::uint64_t id, std::uint64_t seed) {
    return collection.upsert(id, vector_of(seed, collection.config().dimension), payload_of(seed)).status();
  }
  /// The point is there exactly as `put(id, seed)` wrote it.
  static ::testing::AssertionResult holds(const Collection& collection, std::uint64_t id, std::uint64_t seed) {
    const auto point = collection.get(id);
    if (!point.ok()) return ::testing::AssertionFailure() << point.status().to_string();
    if (point->vector != vector_of(seed, collection.config().dimension)) {
      return ::testing::AssertionFailure() << "id " << id << ": another vector than that of seed " << seed;
    }
    if (point->payload != payload_of(seed)) {
      return ::testing::AssertionFailure() << "id " << id << ": payload " << point->payload;
    }
    return ::testing::AssertionSuccess();
  }
  static bool missing(const Collection& collection, std::uint64_t id) {
    return collection.get(id).status().code() == StatusCode::not_found;
  }

  SimFileSystem fs_{7};
};

enum class Disk { simulated, real };

/// The same on either disk; for tests that look at the store through its API only.
class AnyStore : public SimStore, public ::testing::WithParamInterface<Disk> {
 protected:
  Database open_database(bool background = false) {
    if (GetParam() == Disk::simulated) return SimStore::open_database(background);
    auto db = Database::open_with(directory_ / "store", options_on(os::posix_file_system(), background));
    if (!db.ok()) throw std::runtime_error(db.status().to_string());
    return std::move(db).value();
  }

 private:
  TempDir directory_;
};

#define HF_ON_BOTH_DISKS(fixture)                                                          \
  INSTANTIATE_TEST_SUITE_P(Disks, fixture, ::testing::Values(Disk::simulated, Disk::real), \
                           [](const auto& disk) { return disk.param == Disk::simulated ? "simulated" : "real"; })

}  // namespace holdfast::testing
