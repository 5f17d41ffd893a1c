// The crash explorer: runs a workload on the simulated disk, stops before every call and after the last one, makes the
// disks that a crash at that moment may leave, opens the store on each and asks the oracle (support/oracle.h).
//
// A state counts as explored if the store was opened on it. A disk that no process could tell from one that was opened
// for the same step of the same workload is produced, but not opened again.
//
// Crashes during recovery (RecoveryPlan). Some explored states are roots. From a root the explorer goes on level by
// level: it opens each state of a level, crashes before every call of that open, and the new disks are the next level.
// What is found there must be what the root's own recovery found ("a crash during recovery is like one crash"): for a
// root that lost its power, that very version; for one that was killed, what either loss allows. A state that was
// reached before, of the same moment and with the same promise, on this level or a higher one, is not gone into again.
// In an exhaustive plan, all recoveries of one moment draw the same random numbers (salts), so that recoveries that do
// the same pass through the same disks, and a crash at a disk that was passed before is not repeated; blocks of other
// files never show up there, since with equal salts they would be taken for the log's own, which cannot happen to real
// salts.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "support/crash_choices.h"
#include "support/oracle.h"
#include "support/store_driver.h"
#include "support/workload.h"

namespace holdfast::testing {

struct RecoveryPlan {
  std::uint32_t one_in = 0;  ///< of so many explored states one, drawn by seed, is a root; 0: none
  std::uint32_t depth = 1;   ///< how many crashes during recovery follow each other
  /// Every call of every open on every level x {killed, all lost, all kept, each unsynced operation lost alone, kept
  /// alone}. Else: every call on the first level, one call in four below it, four drawn crashes at each.
  bool exhaustive = false;
};

struct ExplorerOptions {
  WorkloadShape shape = {};
  CrashChoice choice = {};
  /// Of the states that a call may leave, so many in ten thousand are explored, drawn by the seed. All calls are
  /// visited.
  std::uint32_t sample = 10'000;
  RecoveryPlan recovery = {};
};

class Explorer {
 public:
  explicit Explorer(const ExplorerOptions& options) : options_(options) {}

  /// One random workload, from its first call to its last. Stops early once five failures were found.
  void explore(std::uint64_t seed);
  /// `before` is run, not explored; then the crashes come. With no step in `before`, opening is explored, too.
  void explore(const std::vector<Step>& before, const std::vector<Step>& steps, const std::string& name,
               std::uint64_t seed);

  struct Figures {
    std::uint64_t explored = 0;     ///< distinct states on which the store was opened and questioned
    std::uint64_t produced = 0;     ///< states, repetitions included
    std::uint64_t in_recovery = 0;  ///< of the explored ones, those left by a crash during recovery
    std::uint64_t roots = 0;        ///< states whose recoveries were crashed
    std::uint64_t workloads = 0;
    std::uint64_t calls = 0;  ///< at which the workloads were stopped
  };
  [[nodiscard]] const Figures& figures() const noexcept { return figures_; }
  /// What the oracle objected to, with everything that reproduces it.
  [[nodiscard]] const std::vector<std::string>& failures() const noexcept { return failures_; }

 private:
  /// A state below a root, whose recovery is to be crashed.
  struct Found {
    std::unique_ptr<SimFileSystem> disk;
    Loss loss = Loss::power;  ///< the worst so far
    std::string where;
  };
  [[nodiscard]] bool done() const noexcept { return failures_.size() >= 5; }
  void at_call(const SimFileSystem& disk, const StoreDriver& driver, const std::string& where);
  /// Questions the state if it is new. Returns whether its recovery is still to be crashed if it was reached at this
  /// depth: false if it was reached before, at this depth or a smaller one.
  bool check(const SimFileSystem& found, const Expectation& expected, std::uint32_t depth, const std::string& where);
  /// Whether something is met for the first time, or for the first time at this depth or a smaller one. `is_new` (may
  /// be null) tells which.
  bool meet(std::uint64_t what, std::uint32_t depth, bool* is_new);
  void crash_recovery(Found root, const Model& model, const BackupModel& backup);
  [[nodiscard]] std::vector<Found> crash_open(const Found& found, const Expectation& expected, std::uint32_t depth);

  const ExplorerOptions options_;
  SeededRandom random_{1};
  std::uint64_t moment_ = 0;  // of the workload: equal disks at different moments must hold different things
  Figures figures_;
  std::unordered_map<std::uint64_t, std::uint32_t> seen_;  // of this workload: the smallest depth
  std::vector<std::string> failures_;
};

/// A number from the environment, or the default.
[[nodiscard]] std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise);

}  // namespace holdfast::testing
