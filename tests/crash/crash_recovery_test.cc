// Crashes during recovery, and during the recovery of what they leave, three deep (support/explorer.h, RecoveryPlan).
// How large a run is: crash/crash_lab.h.
#include <algorithm>

#include "crash/crash_lab.h"
#include "crash/short_workloads.h"

namespace holdfast::testing {
namespace {

/// Below each root every call of every open, three levels deep, with each way to crash there (RecoveryPlan). The roots
/// are drawn from the states that crashes in the workloads of one and two operations leave; a long run takes them all.
TEST(CrashInRecovery, EveryCallOfOpenThreeDeep) {
  const CrashLab lab;
  const CrashReport report(lab, "every call of open, three deep");
  ExplorerOptions options{
      .choice = {.every_single = true, .drawn = 4},
      .sample = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(lab.states / 10'000, 1, 10'000)),
      .recovery = {.one_in = 1, .depth = 3, .exhaustive = true}};
  Explorer explorer(options);
  const std::vector<ShortWorkload> workloads = every_short_workload();
  for (std::size_t i = 1; i <= kOperations * (1 + kOperations) && explorer.failures().empty(); ++i) {
    if (!lab.is_mine(i)) continue;
    const auto [before, steps] = split(workloads[i]);
    explorer.explore(before, steps, "'" + workloads[i].name + "'", lab.seed * 10'000 + i);
  }
  report.print(explorer);
}

/// Drawn: long workloads, states below which every call of open is crashed, and one in four of the two levels below.
TEST(CrashInRecovery, RandomWorkloadsThreeDeep) {
  const CrashLab lab;
  const CrashReport report(lab, "random workloads, three deep");
  Explorer explorer({.shape = {.steps = 16, .backups = true},
                     .choice = {.drawn = 4},
                     .sample = 1'000,
                     .recovery = {.one_in = 20, .depth = 3}});
  for (std::uint64_t n = lab.shard;
       explorer.figures().in_recovery < lab.states / 50 / lab.shards && explorer.failures().empty(); n += lab.shards) {
    explorer.explore(lab.seed + n);
  }
  report.print(explorer);
}

}  // namespace
}  // namespace holdfast::testing
