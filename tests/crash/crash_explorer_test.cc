// The write path, checkpoints and backups with a crash at every call of random workloads (tests/support/explorer.h).
// How large a run is: crash/crash_lab.h.
#include "crash/crash_lab.h"

namespace holdfast::testing {
namespace {

/// Explores workload after workload until this process has explored its part of `states`.
void explore(const char* name, const ExplorerOptions& options, std::uint64_t states) {
  const CrashLab lab;
  const CrashReport report(lab, name);
  Explorer explorer(options);
  for (std::uint64_t n = lab.shard; explorer.figures().explored < states / lab.shards && explorer.failures().empty();
       n += lab.shards) {
    explorer.explore(lab.seed + n);
  }
  report.print(explorer);
}

TEST(CrashExplorer, AcknowledgedWritesSurviveACrashAtEveryCall) {
  explore("random workloads", {.shape = {.backups = true}, .sample = 3'000}, CrashLab().states * 35 / 100);
}

TEST(CrashExplorer, WeakDurabilityLosesOnlyASuffixOfWholeBatches) {
  explore("durability interval and none", {.shape = {.weak_durability = true}, .sample = 2'000},
          CrashLab().states * 15 / 100);
}

TEST(CrashExplorer, ChurnAndVacuumLeaveNoGhostsAndResurrectNothing) {
  explore("churn", {.shape = {.steps = 40, .collections = 1, .churn = true, .large = false}, .sample = 2'000},
          CrashLab().states * 25 / 100);
}

TEST(CrashExplorer, ChurnWithWeakDurabilityLosesOnlyASuffix) {
  explore("churn, durability interval and none",
          {.shape = {.steps = 40, .collections = 1, .weak_durability = true, .churn = true, .large = false},
           .sample = 2'000},
          CrashLab().states * 15 / 100);
}

}  // namespace
}  // namespace holdfast::testing
