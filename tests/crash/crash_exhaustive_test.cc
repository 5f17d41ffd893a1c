// All workloads of up to three operations (crash/short_workloads.h), with a crash at every file-system call and after
// the last one, x {killed, all unsynced lost, all kept, each unsynced operation lost alone, each kept alone, each
// file's and each directory's unsynced effects lost alone and kept alone, the last write torn at every sector} and
// drawn: torn at bytes, sectors lost in any subset and order across files, sizes without data, directory entries.
//
// A workload is explored from where it differs from a shorter one: its first operations are run, its last one is
// crashed. So each state is explored once, and all of them together are those of all prefixes.
//
// How large a run is: crash/crash_lab.h. The exhaustive run leaves nothing of this out; a smaller one draws states.
#include "crash/crash_lab.h"
#include "crash/short_workloads.h"

namespace holdfast::testing {
namespace {

TEST(CrashExhaustive, EveryWorkloadOfUpToThreeOperations) {
  const CrashLab lab;
  const CrashReport report(lab, "all workloads of up to three operations");
  const std::vector<ShortWorkload> workloads = every_short_workload();
  ASSERT_EQ(1u + 11 + 121 + 1331, workloads.size());
  ExplorerOptions options{.choice = {.every_single = true, .drawn = lab.exhaustive ? 48u : 12u}};
  if (!lab.exhaustive) options.sample = static_cast<std::uint32_t>(lab.states / 200);
  Explorer explorer(options);
  for (std::size_t i = 0; i < workloads.size() && explorer.failures().empty(); ++i) {
    if (!lab.is_mine(i)) continue;
    const auto [before, steps] = split(workloads[i]);
    explorer.explore(before, steps, "'" + workloads[i].name + "'", lab.seed * 10'000 + i);
  }
  report.print(explorer);
}

}  // namespace
}  // namespace holdfast::testing
