// Random workloads for crash tests: the same seed gives the same steps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "holdfast/types.h"

namespace holdfast::testing {

struct Step {
  enum class Kind : std::uint8_t { create, drop, write, flush, checkpoint, index, vacuum, reopen, backup };
  Kind kind = Kind::write;
  std::string collection;                ///< all but reopen and backup
  CollectionConfig config;               ///< create
  WriteBatch batch;                      ///< write
  std::optional<Durability> durability;  ///< write
  bool checkpoint_on_close = false;      ///< reopen
  [[nodiscard]] std::string to_string() const;
};

struct WorkloadShape {
  std::uint32_t steps = 24;
  std::uint32_t collections = 2;
  bool weak_durability = false;  ///< writes draw interval and none, too, and flush is called
  /// Many deletes, replacements and vacuums, so that rows die in the graph, leave it, and are used again.
  bool churn = false;
  bool backups = false;  ///< now and then the store is copied to kBackupPath (oracle.h)
  bool large = true;     ///< now and then a payload that takes several blocks, or more than one segment
};

/// The first step creates a collection. Ids come from a small set, so that updates and deletes hit; some
/// have several vectors.
[[nodiscard]] std::vector<Step> make_workload(std::uint64_t seed, const WorkloadShape& shape);

/// Components are small whole numbers, so that squared distances are exact, and never all zero.
[[nodiscard]] std::vector<float> random_vector(SeededRandom& random, std::uint32_t dimension);
/// Every id that workloads use.
[[nodiscard]] const std::vector<PointId>& workload_ids();
/// Every marker that workloads use.
[[nodiscard]] const std::vector<std::string>& workload_markers();
/// Written by the oracle after recovery, by no workload.
[[nodiscard]] PointId probe_id();

}  // namespace holdfast::testing
