// What a snapshot costs: capture and release in one thread, in a small collection and in a large one.
//
// The two collections take turns, so that both see the same machine. What is timed is Collection::snapshot() and the
// destruction of what it returns, nothing else; the indexer has finished.
#include <cstdio>
#include <vector>

#include "bench/curve.h"
#include "bench/load.h"
#include "bench/load_support.h"
#include "bench/machine.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr double kCaptureGoalNs = 200;
constexpr double kRatioGoal = 1.5;
constexpr std::uint32_t kRowsPerBatch = 10'000;

/// Few links and a narrow beam: the number of points counts here, not the quality of the graph.
Store build_of_size(const std::filesystem::path& path, std::uint32_t rows, std::uint32_t dim) {
  OpenOptions options;
  options.checkpoint_on_close = false;
  Store store = create_store(path, options, {.dimension = dim, .m = 4, .ef_construction = 8});
  const Stopwatch watch;
  SeededRandom random(rows);
  std::vector<float> vector(dim);
  WriteBatch batch;
  for (std::uint32_t row = 0; row < rows; ++row) {
    for (float& component : vector) component = static_cast<float>(random.unit());
    batch.upsert(row, vector);
    if (batch.size() < kRowsPerBatch && row + 1 < rows) continue;
    must(store.collection.write(batch, {.durability = Durability::none, .bulk = true}).status());
    batch.clear();
  }
  must(store.collection.wait_until_indexed());
  if (store.collection.snapshot().size() != rows) fail("points are missing");
  std::printf("built %u points of %u dimensions in %.1f s\n", rows, dim, watch.seconds());
  std::fflush(stdout);
  return store;
}

/// Nanoseconds for one capture and its release.
double one_round(const Collection& collection, std::uint32_t captures) {
  Lsn sum = 0;
  const Stopwatch watch;
  for (std::uint32_t i = 0; i < captures; ++i) sum += collection.snapshot().lsn();
  const double ns = watch.seconds() * 1e9 / captures;
  if (sum == 0) fail("the snapshots are of an empty log");
  return ns;
}

}  // namespace

void run_load_capture(const LoadCaptureArguments& arguments) {
  Report report(arguments.common.out, "load-capture");
  std::printf("== capture + release of a snapshot: %u rounds of %u, medians\n", arguments.rounds, arguments.captures);
  Scratch scratch(arguments.common.out);
  const Store small = build_of_size(scratch.fresh("small"), arguments.small_rows, arguments.dim);
  const Store large = build_of_size(scratch.fresh("large"), arguments.large_rows, arguments.dim);
  std::vector<double> small_ns;
  std::vector<double> large_ns;
  for (std::uint32_t round = 0; round < arguments.rounds; ++round) {
    small_ns.push_back(one_round(small.collection, arguments.captures));
    large_ns.push_back(one_round(large.collection, arguments.captures));
  }
  report.details()["small_ns"] = small_ns;
  report.details()["large_ns"] = large_ns;
  const auto name = [](std::uint32_t rows) { return "capture + release, " + std::to_string(rows) + " points"; };
  report.figure(name(arguments.small_rows), median(small_ns), "ns", at_most(kCaptureGoalNs));
  report.figure(name(arguments.large_rows), median(large_ns), "ns", at_most(kCaptureGoalNs));
  report.figure("capture + release, large / small", median(large_ns) / median(small_ns), "x", at_most(kRatioGoal));
  report.finish();
}

}  // namespace holdfast::bench
