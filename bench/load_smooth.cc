// How a writer fares that is faster than the indexer: second by second, slowed down by the store (the default), and in
// bulk mode, which never slows down.
//
// What to look for: under back pressure the rate falls to that of the indexer without a pause, the growing tier stays
// at a length, and no single write waits for long. In bulk mode the rate stays and the growing tier grows.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "bench/curve.h"
#include "bench/load.h"
#include "bench/load_support.h"
#include "bench/machine.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr std::uint64_t kPointsMax = 4'000'000;  // bounds memory in bulk mode

struct Second {
  double points_per_s = 0;
  LatencyFigures latency;
  std::uint64_t growing = 0;
  std::uint64_t stalls = 0;
  double stalled_ms = 0;
};

class Smooth {
 public:
  Smooth(const LoadSmoothArguments& arguments, const Dataset& set, Report& report)
      : arguments_(arguments), set_(set), report_(report), scratch_(arguments.common.out) {}

  void run() {
    for (const bool bulk : {false, true}) judge(bulk ? "bulk" : "slowed down", measure(bulk));
  }

 private:
  std::vector<Second> measure(bool bulk) {
    std::printf("\n%s\n%6s %10s %9s %9s %9s %10s %8s %10s\n", bulk ? "bulk mode" : "with back pressure", "second",
                "points/s", "p50 us", "p99 us", "max us", "growing", "stalls", "stalled ms");
    const auto path = scratch_.fresh("store");
    OpenOptions options;
    options.checkpoint_on_close = false;
    Store store = create_store(path, options, {.dimension = set_.base.dim, .metric = set_.metric});
    const WriteOptions how{.durability = arguments_.durability, .bulk = bulk};
    SeededRandom random(1);
    const float amplitude = jitter_amplitude(set_.base);
    std::vector<Second> seconds;
    std::vector<double> latencies;
    std::vector<float> vector;
    WriteBatch batch;
    CollectionStats before = store.collection.stats();
    std::uint64_t id = 0;
    std::uint64_t first = 0;
    const Stopwatch watch;
    double begin = 0;
    while (begin < arguments_.seconds && id < kPointsMax) {
      batch.clear();
      for (std::uint32_t i = 0; i < arguments_.batch; ++i, ++id) {
        jitter(set_.base.row(id % set_.base.rows), amplitude, random, vector);
        batch.upsert(id, vector);
      }
      const double start = watch.seconds();
      must(store.collection.write(batch, how).status());
      const double end = watch.seconds();
      latencies.push_back((end - start) * 1e6);
      if (end - begin < 1) continue;
      const CollectionStats after = store.collection.stats();
      seconds.push_back({static_cast<double>(id - first) / (end - begin), latency_figures(latencies), after.growing,
                         after.writer_stalls - before.writer_stalls,
                         static_cast<double>(after.writer_stall_us - before.writer_stall_us) * 1e-3});
      print(seconds.size(), seconds.back());
      latencies.clear();
      before = after;
      first = id;
      begin = watch.seconds();
    }
    const Stopwatch draining;
    must(store.collection.wait_until_indexed());
    const double drained = draining.seconds();
    std::printf("%llu points written in all; indexed %.1f s later\n", static_cast<unsigned long long>(id), drained);
    report_.figure(std::string(bulk ? "bulk" : "slowed down") + ": from the last write until indexed", drained, "s");
    must(store.database.close());
    std::filesystem::remove_all(path);
    return seconds;
  }

  static void print(std::size_t number, const Second& second) {
    std::printf("%6zu %10.0f %9.1f %9.1f %9.1f %10llu %8llu %10.1f\n", number, second.points_per_s,
                second.latency.p50_us, second.latency.p99_us, second.latency.max_us,
                static_cast<unsigned long long>(second.growing), static_cast<unsigned long long>(second.stalls),
                second.stalled_ms);
    std::fflush(stdout);
  }

  /// The first seconds are left out of the rates: the growing tier has its length only after them.
  void judge(const std::string& mode, const std::vector<Second>& seconds) {
    if (seconds.size() < 2) fail("too short to say anything; see --seconds");
    std::vector<double> rates;
    std::vector<double> p99;
    double longest = 0;
    std::uint64_t growing = 0;
    for (std::size_t i = 0; i < seconds.size(); ++i) {
      const Second& second = seconds[i];
      report_.details()["seconds"][mode].push_back({{"points_per_s", second.points_per_s},
                                                    {"latency", second.latency.json()},
                                                    {"growing", second.growing},
                                                    {"stalls", second.stalls},
                                                    {"stalled_ms", second.stalled_ms}});
      longest = std::max(longest, second.latency.max_us);
      growing = std::max(growing, second.growing);
      if (i < seconds.size() / 3) continue;
      rates.push_back(second.points_per_s);
      p99.push_back(second.latency.p99_us);
    }
    report_.figure(mode + ": rate in the last two thirds, median second", median(rates), "points/s");
    report_.figure(mode + ": slowest second / median second", quantile(rates, 0) / median(rates), "x");
    report_.figure(mode + ": p99 of a write, median second", median(p99), "us");
    report_.figure(mode + ": p99 of a write, worst second", quantile(p99, 1), "us");
    report_.figure(mode + ": longest write", longest * 1e-3, "ms");
    report_.figure(mode + ": longest growing tier", static_cast<double>(growing), "points");
  }

  const LoadSmoothArguments& arguments_;
  const Dataset& set_;
  Report& report_;
  Scratch scratch_;
};

}  // namespace

void run_load_smooth(const LoadSmoothArguments& arguments) {
  const Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "load-ingest-smooth");
  std::printf("== one writer, second by second, %s%s: %u per batch, durability %s\n", set.name.c_str(),
              set.synthetic ? " (SYNTHETIC)" : "", arguments.batch,
              std::string(to_string(arguments.durability)).c_str());
  Smooth(arguments, set, report).run();
  report.finish();
}

}  // namespace holdfast::bench
