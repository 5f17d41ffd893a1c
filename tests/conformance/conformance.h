// What the behaviour suite stands on: a small store, and beside it the truth that its answers are compared with.
//
// The truth is a map of what was written, and distances computed in double precision by sorting. Vectors are made of
// small whole numbers, so that l2 and inner_product have no rounding and ties are real ties.
//
// A case runs on the tiers that are meaningful for it (Tier): the same question must have the same answer wherever the
// points happen to be.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/options.h"
#include "holdfast/holdfast.hpp"
#include "support/temp_dir.h"
#include "support/true_distance.h"

namespace holdfast::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

/// Where the points are when they are asked for.
enum class Tier : std::uint8_t {
  growing,   ///< committed, and not in the graph yet
  indexed,   ///< in the graph
  reopened,  ///< in the graph that a checkpoint brought back
};

struct Setting {
  Metric metric = Metric::l2;
  Tier tier = Tier::growing;
  ComponentType type = ComponentType::f32;
};
[[nodiscard]] std::string name_of(const Setting& setting);
[[nodiscard]] const std::vector<Setting>& every_setting();
/// All three tiers under l2, for cases that have nothing to do with the metric.
[[nodiscard]] const std::vector<Setting>& every_tier();
/// All three metrics in the graph.
[[nodiscard]] const std::vector<Setting>& every_metric();

/// Every type of components but float32, in each metric and on each tier.
[[nodiscard]] const std::vector<Setting>& every_type();

using Vector = std::vector<float>;

/// A vector of whole numbers in [-20, 20], never all zero; a function of its seed.
[[nodiscard]] Vector whole_numbers(std::uint64_t seed, std::uint32_t dimension);
/// Vectors with real components in [-1, 1).
[[nodiscard]] Vector real_numbers(std::uint64_t seed, std::uint32_t dimension);
/// Equal up to the rounding of single precision.
[[nodiscard]] bool nearly(double a, double b);

struct Neighbor {
  double distance = 0;
  PointId id;
  std::uint32_t value = 0;
};

class Store : public ::testing::Test {
 protected:
  struct Written {
    Vector vectors;
    std::uint32_t values = 1;
    std::string payload;
  };

  Store();
  ~Store() override;

  // --- the store ---
  /// Set before create().
  engine::EngineOptions options_;
  CollectionConfig config_{.dimension = 12, .metric = Metric::l2, .m = 8, .ef_construction = 80};
  /// Opens a database in a directory of its own and makes the collection. Fatal on failure.
  void create(Metric metric, std::uint32_t dimension = 12);
  /// Closes (with a checkpoint if so) and opens again. Fatal on failure.
  void reopen(bool checkpoint = true);
  /// After close() or let_go().
  void reopen_closed();
  /// Moves all points there.
  void bring_to(Tier tier);
  [[nodiscard]] Collection& collection() { return *collection_; }
  [[nodiscard]] Database& database() { return *database_; }
  /// Two writes that change no point: rows that nobody needs any more take their last steps with the commits.
  void let_rows_go();
  /// Lets go of every handle without closing.
  void let_go();
  /// verify() on the closed store: no damage, no node that nothing reaches. Opens it again.
  void expect_sound();

  // --- writing, to the store and to the truth ---
  void put(PointId id, const Vector& vector, std::string_view payload = {});
  void put_values(PointId id, const Vector& vectors, std::uint32_t values, std::string_view payload = {});
  void erase(PointId id);
  /// Ids first..first+count-1, whose vectors are those of their ids as seeds.
  void fill(std::uint64_t first, std::uint64_t count);
  /// Whole numbers in [-20, 20], which every type holds exactly; for u8 in [0, 40].
  [[nodiscard]] Vector vector_of(std::uint64_t seed) const;

  // --- the truth ---
  [[nodiscard]] const std::map<PointId, Written>& truth() const { return truth_; }
  [[nodiscard]] double true_distance_of(PointId id, std::span<const float> query) const;
  /// Every id by its best value, nearest first.
  [[nodiscard]] std::vector<Neighbor> neighbors(std::span<const float> query) const;
  /// Each hit is a live point at its true distance with its best value, in order, none twice.
  [[nodiscard]] ::testing::AssertionResult sensible(const Hits& hits, std::span<const float> query) const;
  /// Sensible, complete, and the k nearest.
  [[nodiscard]] ::testing::AssertionResult nearest(const Result<Hits>& hits, std::span<const float> query,
                                                   std::size_t k) const;
  /// Whatever a snapshot can be asked agrees with the truth: size, ids, points, get, exact search, and a search by
  /// graph that is wide enough to visit every node.
  void expect_holds_truth(const Snapshot& snapshot, std::uint64_t seed = 1) const;
  void expect_holds_truth() { expect_holds_truth(collection().snapshot()); }

 private:
  TempDir directory_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
  std::map<PointId, Written> truth_;
};

class OnSetting : public Store, public ::testing::WithParamInterface<Setting> {
 protected:
  /// The collection in the metric of the setting.
  void create_here(std::uint32_t dimension = 12) {
    config_.type = GetParam().type;
    create(GetParam().metric, dimension);
  }
  void bring() { bring_to(GetParam().tier); }
  [[nodiscard]] bool indexed() const { return GetParam().tier != Tier::growing; }
};

#define HF_ON_SETTINGS(fixture, settings)                                \
  INSTANTIATE_TEST_SUITE_P(On, fixture, ::testing::ValuesIn(settings()), \
                           [](const auto& setting) { return name_of(setting.param); })

#define HF_OK(expression)                                                   \
  do {                                                                      \
    const auto& hf_outcome = (expression);                                  \
    ASSERT_TRUE(hf_outcome.ok()) << ::holdfast::testing::words(hf_outcome); \
  } while (false)
#define HF_CODE(expected, expression)                                                \
  do {                                                                               \
    const auto& hf_outcome = (expression);                                           \
    EXPECT_EQ(to_string(expected), to_string(::holdfast::testing::code(hf_outcome))) \
        << ::holdfast::testing::words(hf_outcome);                                   \
  } while (false)

inline std::string words(const Status& status) { return status.to_string(); }
inline StatusCode code(const Status& status) { return status.code(); }
template <class T>
std::string words(const Result<T>& result) {
  return result.status().to_string();
}
template <class T>
StatusCode code(const Result<T>& result) {
  return result.status().code();
}

/// Ids in order.
[[nodiscard]] std::vector<PointId> ids_of(const Hits& hits);
/// Equal ids, distances (bit for bit), payloads and values.
[[nodiscard]] ::testing::AssertionResult identical(const Hits& a, const Hits& b);

}  // namespace holdfast::testing
