// The crash explorer: runs a workload on the simulated disk, stops before every call, makes the disks that a crash at
// that moment may leave, opens the store on each and asks the oracle (support/oracle.h).
//
// A state counts as explored if the store was opened on it. A disk that is equal, byte for byte and name for name, to
// one that was opened for the same step of the same workload is produced, but not opened again.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "support/oracle.h"
#include "support/store_driver.h"
#include "support/workload.h"

namespace holdfast::testing {

struct ExplorerOptions {
  WorkloadShape shape;
  std::uint32_t random_states_per_call = 8;  ///< besides the fixed ones
  /// Of the states that a call may leave, so many per cent are explored, chosen by the seed. All calls are visited.
  std::uint32_t sample_percent = 100;
  /// Of this many explored states one is also crashed at every call of its recovery; 0: none.
  std::uint32_t recovery_sample = 0;
  std::uint32_t recovery_depth = 1;  ///< how many crashes during recovery follow each other
};

class Explorer {
 public:
  explicit Explorer(const ExplorerOptions& options) : options_(options) {}

  /// One workload, from its first call to its last. Stops early once five failures were found.
  void explore(std::uint64_t seed);
  void explore(const std::vector<Step>& steps, std::uint64_t seed);

  [[nodiscard]] std::uint64_t explored() const noexcept { return explored_; }
  [[nodiscard]] std::uint64_t produced() const noexcept { return produced_; }
  [[nodiscard]] std::uint64_t in_recovery() const noexcept { return in_recovery_; }
  [[nodiscard]] std::uint64_t workloads() const noexcept { return workloads_; }
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  /// What the oracle objected to, with everything that reproduces it.
  [[nodiscard]] const std::vector<std::string>& failures() const noexcept { return failures_; }

 private:
  struct Crash {
    bool kill = false;
    CrashPolicy policy;
    std::uint64_t seed = 0;
    [[nodiscard]] std::string to_string() const;
  };
  [[nodiscard]] std::vector<Crash> crashes_of(const SimFileSystem& disk);
  [[nodiscard]] bool done() const noexcept { return failures_.size() >= 5; }
  void at_call(const SimFileSystem& disk, const Model& model, const std::string& where);
  void check(const SimFileSystem& found, const Model& model, Loss loss, const std::string& where, std::uint64_t seed);
  void crash_recovery(const SimFileSystem& found, const Model& model, Loss loss, const std::string& where,
                      std::uint32_t depth);

  const ExplorerOptions options_;
  SeededRandom random_{1};
  std::uint64_t step_ = 0;
  std::uint64_t explored_ = 0, produced_ = 0, in_recovery_ = 0, workloads_ = 0, calls_ = 0;
  std::set<std::uint64_t> seen_;  // of this workload
  std::vector<std::string> failures_;
};

/// Everything that a process which opens this disk can see.
[[nodiscard]] std::uint64_t fingerprint(const SimFileSystem& disk);

/// A number from the environment, or the default.
[[nodiscard]] std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise);

}  // namespace holdfast::testing
