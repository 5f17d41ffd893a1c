// How a durable build gets faster with the threads that build the graph: 1, 2, 4 and so on up to the cores there are.
//
// Each build is that of durable_build.h in a fresh store: written in synced batches through the log, indexed meanwhile,
// checkpointed. The writer is a thread of its own, which the indexer's threads share the cores with: with as many of
// them as there are cores it is not idle cores that they gain while it writes. Numbers of threads take turns.
#include <cstdio>
#include <thread>
#include <vector>

#include "bench/curve.h"
#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

/// What builds with one number of threads took.
struct Builds {
  std::uint32_t threads;
  std::vector<double> total_s = {};
  std::vector<double> write_s = {};
  std::vector<double> processor_s = {};
};

void build(Builds& builds, Scratch& scratch, const BuildScalingArguments& arguments, const Dataset& set) {
  const auto path = scratch.fresh("store");
  BuildSettings settings = arguments.build;
  settings.threads = builds.threads;
  BuildTimes times;
  const double processor = processor_seconds();
  Store store = build_durably(path, set.base, set.metric, settings, times);
  builds.processor_s.push_back(processor_seconds() - processor);
  builds.total_s.push_back(times.total_s());
  builds.write_s.push_back(times.write_s);
  std::printf("%u %-8s %8.2f s = write, durable %.2f + rest of the graph %.2f + checkpoint %.2f; processor %.2f s\n",
              builds.threads, builds.threads == 1 ? "thread" : "threads", times.total_s(), times.write_s, times.index_s,
              times.checkpoint_s, builds.processor_s.back());
  std::fflush(stdout);
  must(store.database.close());
  std::filesystem::remove_all(path);
}

}  // namespace

void run_build_scaling(const BuildScalingArguments& arguments) {
  const Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "scaling-" + set.name);
  std::printf("== a durable build by more and more threads, %s%s: %u x %u\n", set.name.c_str(),
              set.synthetic ? " (SYNTHETIC)" : "", set.base.rows, set.base.dim);
  Scratch scratch(arguments.common.out);
  std::vector<Builds> all;
  for (std::uint32_t threads = 1; threads <= std::max(1u, std::thread::hardware_concurrency()); threads *= 2) {
    all.push_back({threads});
  }
  for (std::uint32_t round = 0; round < arguments.rounds; ++round) {
    for (Builds& builds : all) build(builds, scratch, arguments, set);
  }
  for (const Builds& builds : all) {
    const std::string name = set.name + " durable build, threads " + std::to_string(builds.threads);
    report.details()["builds"][std::to_string(builds.threads)] = {
        {"total_s", builds.total_s}, {"write_s", builds.write_s}, {"processor_s", builds.processor_s}};
    report.figure(name, median(builds.total_s), "s");
    report.figure(name + ": processor time", median(builds.processor_s), "s");
    if (builds.threads > 1) {
      report.figure(name + ": times as fast as one", median(all.front().total_s) / median(builds.total_s), "x");
      report.figure(name + ": best / best", quantile(all.front().total_s, 0) / quantile(builds.total_s, 0), "x");
    }
  }
  report.finish();
}

}  // namespace holdfast::bench
