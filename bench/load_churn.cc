// Points that come, change and go for long: is the store as good and as small at the end as a new one?
//
// The store that is churned and the fresh one live in processes of their own, one after the other, so that their
// resident memory can be compared; load_churn_child.cc says what they do. This part makes the vectors, starts the two
// and judges. Vectors are the data set's and a tenth more, which are near to some of the data: every point has a vector
// of its own at any time, and the live ones are always a random choice of the same distribution.
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/child.h"
#include "bench/load.h"
#include "bench/load_support.h"
#include "bench/machine.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr double kRecallGoal = 0.005;
constexpr double kSizeGoal = 1.3;
// "No growth", less what two readings of a process at work differ by.
constexpr double kGrowthGoal = 1.02;

Matrix make_pool(const Matrix& base, std::uint64_t seed) {
  Matrix pool = base;
  pool.rows += base.rows / 10;
  pool.values.reserve(std::size_t{pool.rows} * pool.dim);
  SeededRandom random(seed);
  const float amplitude = jitter_amplitude(base);
  std::vector<float> row;
  for (std::uint32_t extra = base.rows; extra < pool.rows; ++extra) {
    jitter(base.row(random.below(base.rows)), amplitude, random, row);
    pool.values.insert(pool.values.end(), row.begin(), row.end());
  }
  return pool;
}

/// Prints what the child prints, as it comes, but for its last line, which is the result.
nlohmann::json run_child(const std::vector<std::string>& arguments) {
  Child child(arguments);
  std::array<char, 4096> buffer;
  std::string line;
  std::string result;
  while (const std::size_t got = child.read(buffer)) {
    for (const char character : std::span(buffer).first(got)) {
      line.push_back(character);
      if (character != '\n') continue;
      if (line.starts_with('{')) {
        result = line;
      } else {
        std::fputs(line.c_str(), stdout);
        std::fflush(stdout);
      }
      line.clear();
    }
  }
  if (!child.wait() || result.empty()) fail("the process with the store failed");
  return nlohmann::json::parse(result);
}

void judge(Report& report, const nlohmann::json& churned, const nlohmann::json& fresh) {
  const auto of = [](const nlohmann::json& run, const char* field) { return run[field].get<double>(); };
  const auto ratio = [&](const char* field) { return of(churned, field) / of(fresh, field); };
  report.figure("churn: operations", of(churned, "operations_per_s"), "1/s");
  report.figure("churn: search p50 meanwhile", of(churned, "search_p50_us"), "us");
  report.figure("churn: search p99 meanwhile", of(churned, "search_p99_us"), "us");
  report.figure("churn: recall@10, churned", of(churned, "recall"), "");
  report.figure("churn: recall@10, fresh", of(fresh, "recall"), "");
  report.figure("churn: recall@10, fresh - churned", of(fresh, "recall") - of(churned, "recall"), "",
                at_most(kRecallGoal));
  report.figure("churn: resident memory, churned", of(churned, "resident_mb"), "MiB");
  report.figure("churn: resident memory, churned / fresh", ratio("resident_mb"), "x", at_most(kSizeGoal));
  report.figure("churn: anonymous memory, churned / fresh", ratio("anonymous_mb"), "x");
  report.figure("churn: disk, churned", of(churned, "disk_mb"), "MiB");
  report.figure("churn: disk, churned / fresh", ratio("disk_mb"), "x", at_most(kSizeGoal));
  report.figure("churn: slots, churned / fresh", ratio("slots"), "x");
  const nlohmann::json& third = churned["quarters"][2];
  const nlohmann::json& last = churned["quarters"][3];
  const auto growth = [&](const char* field) { return of(last, field) / of(third, field); };
  report.figure("churn: slots, last quarter / the one before", growth("slots"), "x", at_most(kGrowthGoal));
  report.figure("churn: resident memory, last quarter / the one before", growth("resident_mb"), "x",
                at_most(kGrowthGoal));
  report.figure("churn: disk after checkpoints, last quarter / the one before", growth("disk_mb"), "x",
                at_most(kGrowthGoal));
}

}  // namespace

void run_load_churn(const LoadChurnArguments& arguments) {
  Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "load-churn");
  std::printf(
      "== churn, %s%s: %u x %u live, %llu operations by %u writers, %u per batch, durability %s, ef %u, seed %llu\n",
      set.name.c_str(), set.synthetic ? " (SYNTHETIC)" : "", set.base.rows, set.base.dim,
      static_cast<unsigned long long>(arguments.operations), arguments.writers, arguments.batch,
      std::string(to_string(arguments.durability)).c_str(), arguments.ef,
      static_cast<unsigned long long>(arguments.seed));
  std::fflush(stdout);
  Scratch scratch(arguments.common.out);
  const auto pool = scratch.fresh("pool");
  const auto queries = scratch.fresh("queries");
  must(write_matrix(pool, make_pool(set.base, arguments.seed).values, set.base.dim));
  must(write_matrix(queries, set.queries.values, set.queries.dim));
  const std::uint32_t live_points = set.base.rows;
  const std::string metric(to_string(set.metric));
  set = {};  // the children have the processor caches and the memory for themselves

  const BuildSettings& build = arguments.build;
  std::vector<std::string> words{"load",
                                 "churn-child",
                                 "--pool",
                                 pool.string(),
                                 "--query-file",
                                 queries.string(),
                                 "--live",
                                 scratch.fresh("live").string(),
                                 "--live-points",
                                 std::to_string(live_points),
                                 "--metric",
                                 metric,
                                 "--operations",
                                 std::to_string(arguments.operations),
                                 "--writers",
                                 std::to_string(arguments.writers),
                                 "--batch",
                                 std::to_string(arguments.batch),
                                 "--ef",
                                 std::to_string(arguments.ef),
                                 "--seed",
                                 std::to_string(arguments.seed),
                                 "--durability",
                                 std::string(to_string(arguments.durability)),
                                 "--m",
                                 std::to_string(build.m),
                                 "--ef-construction",
                                 std::to_string(build.ef_construction),
                                 "--threads",
                                 std::to_string(build.threads),
                                 "--store"};
  const auto run = [&](const std::string& name, bool fresh) {
    const auto store = scratch.fresh(name);
    std::vector<std::string> command = words;
    command.push_back(store.string());
    if (fresh) command.emplace_back("--fresh");
    nlohmann::json result = run_child(command);
    std::filesystem::remove_all(store);
    return result;
  };
  const nlohmann::json churned = run("churned", false);
  const nlohmann::json fresh = run("fresh", true);
  report.details()["churned"] = churned;
  report.details()["fresh"] = fresh;
  judge(report, churned, fresh);
  report.finish();
}

}  // namespace holdfast::bench
