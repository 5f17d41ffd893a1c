// The latency of one reader beside the work that goes on in the background, against the same reader beside a thread
// that only spins.
//
// The reader searches without a pause; a search counts only if the work it is to be measured beside was under way from
// its begin to its end. Slices take turns, one beside the spinning thread before each other one, so that whatever else
// happens on the machine meets all of them alike:
//   spin, checkpoints, spin, indexer (new points arrive), spin, vacuum (the same points are gone)
// so that every round begins with the same points. Background vacuum and checkpoints are off: they run when told to.
// Beside the indexer the reader holds a snapshot from before the points arrived: exact comparison with what is not
// indexed yet is a cost of the search, not a disturbance. Ratios are of all searches of a kind together.
//
// The same is shown in processor time of the reader's thread: what caches, memory and locks cost, without the turns
// that the scheduler gives to other threads. On a machine that others use, too, that is all that can be told apart.
#include <array>
#include <cstdio>
#include <optional>
#include <vector>

#include "bench/curve.h"
#include "bench/load.h"
#include "bench/load_support.h"
#include "bench/machine.h"
#include "bench/report.h"
#include "bench/watched_reader.h"

namespace holdfast::bench {

namespace {

constexpr double kRatioGoal = 1.5;
constexpr std::uint32_t kUpdatesPerCheckpoint = 2'000;
constexpr std::uint32_t kCheckpointsPerSliceMax = 20;

enum class Beside : std::uint8_t { spin, checkpoints, indexer, vacuum };
constexpr std::array<const char*, 4> kBesideNames{"a spinning thread", "checkpoints", "the indexer", "vacuum"};

class Interference {
 public:
  Interference(const LoadInterferenceArguments& arguments, const Dataset& set, Report& report)
      : arguments_(arguments),
        set_(set),
        report_(report),
        scratch_(arguments.common.out),
        random_(arguments.seed),
        amplitude_(jitter_amplitude(set.base)),
        coming_(std::max(1u, set.base.rows / 100 * arguments.percent)) {}

  void run() {
    OpenOptions options = open_options(arguments_.build);
    options.checkpoint_on_close = false;
    options.checkpoint_log_bytes = ~std::uint64_t{0};
    options.vacuum_percent = 100;
    store_.emplace(create_store(scratch_.fresh("store"), options,
                                {.dimension = set_.base.dim,
                                 .metric = set_.metric,
                                 .m = arguments_.build.m,
                                 .ef_construction = arguments_.build.ef_construction}));
    write_rows(0, set_.base.rows, false);
    must(store_->collection.wait_until_indexed());
    must(store_->collection.checkpoint());
    std::printf("%8s %-18s %9s %9s %9s %9s %10s\n", "round", "beside", "searches", "p50 us", "p99 us", "p99.9 us",
                "max us");
    for (std::uint32_t round = 1; round <= arguments_.rounds; ++round) {
      take(round, Beside::spin, beside_spinning());
      take(round, Beside::checkpoints, beside_checkpoints());
      take(round, Beside::spin, beside_spinning());
      take(round, Beside::indexer, beside_indexer());
      take(round, Beside::spin, beside_spinning());
      take(round, Beside::vacuum, beside_vacuum());
    }
    judge();
    must(store_->database.close());
  }

 private:
  /// Ids [first, first + count), each with a vector near to one of the data.
  void write_rows(std::uint64_t first, std::uint64_t count, bool moved) {
    WriteBatch batch;
    std::vector<float> vector;
    for (std::uint64_t id = first; id < first + count; ++id) {
      if (moved) {
        jitter(set_.base.row(random_.below(set_.base.rows)), amplitude_, random_, vector);
        batch.upsert(id, vector);
      } else {
        batch.upsert(id, set_.base.row(id));
      }
      if (batch.size() < 1'000 && id + 1 < first + count) continue;
      must(store_->collection.write(batch, {.durability = Durability::none, .bulk = true}).status());
      batch.clear();
    }
  }

  [[nodiscard]] WatchedReader reader(std::optional<Snapshot> held = {}) {
    return WatchedReader(store_->collection, set_.queries, arguments_.ef, std::move(held));
  }

  WatchedSearches beside_spinning() {
    WatchedReader watched = reader();
    watched.open();
    const Stopwatch watch;
    while (watch.seconds() < arguments_.seconds) {
    }
    watched.close();
    return watched.finish();
  }

  /// Between two checkpoints some points change, and are indexed, so that the next one has lists and rows to write.
  WatchedSearches beside_checkpoints() {
    WatchedReader watched = reader();
    double measured = 0;
    for (std::uint32_t i = 0; i < kCheckpointsPerSliceMax && measured < arguments_.seconds; ++i) {
      const std::uint32_t updates = std::min(kUpdatesPerCheckpoint, set_.base.rows / 10);
      write_rows(random_.below(set_.base.rows - updates), updates, true);
      must(store_->collection.wait_until_indexed());
      const Stopwatch watch;
      watched.open();
      must(store_->collection.checkpoint());
      watched.close();
      measured += watch.seconds();
    }
    return watched.finish();
  }

  WatchedSearches beside_indexer() {
    WatchedReader watched = reader(store_->collection.snapshot());
    write_rows(set_.base.rows, coming_, true);
    watched.open();
    must(store_->collection.wait_until_indexed());
    watched.close();
    return watched.finish();
  }

  WatchedSearches beside_vacuum() {
    WriteBatch batch;
    for (std::uint64_t id = 0; id < coming_; ++id) batch.erase(set_.base.rows + id);
    must(store_->collection.write(batch, {.durability = Durability::none}).status());
    WatchedReader watched = reader();
    watched.open();
    must(store_->collection.vacuum());
    watched.close();
    return watched.finish();
  }

  void take(std::uint32_t round, Beside beside, const WatchedSearches& latencies) {
    const auto which = static_cast<std::size_t>(beside);
    if (latencies.us.empty()) fail(std::string("no search fell into a window beside ") + kBesideNames[which]);
    const LatencyFigures figures = latency_figures(latencies.us);
    print(std::to_string(round), which, figures);
    report_.details()["slices"].push_back({{"beside", kBesideNames[which]},
                                           {"latency", figures.json()},
                                           {"processor", latency_figures(latencies.processor_us).json()}});
    all_[which].add(latencies);
    slice_p99_us_[which].push_back(figures.p99_us);
  }

  static void print(const std::string& title, std::size_t which, const LatencyFigures& figures) {
    std::printf("%8s %-18s %9zu %9.1f %9.1f %9.1f %10.1f\n", title.c_str(), kBesideNames[which], figures.count,
                figures.p50_us, figures.p99_us, figures.p999_us, figures.max_us);
    std::fflush(stdout);
  }

  void judge() {
    std::array<LatencyFigures, 4> figures;
    std::array<LatencyFigures, 4> processor;
    for (std::size_t which = 0; which < 4; ++which) {
      figures[which] = latency_figures(all_[which].us);
      processor[which] = latency_figures(all_[which].processor_us);
      print("all", which, figures[which]);
      const std::string name = std::string("search beside ") + kBesideNames[which];
      report_.figure(name + ": p50", figures[which].p50_us, "us");
      report_.figure(name + ": p99", figures[which].p99_us, "us");
      report_.figure(name + ": p99.9", figures[which].p999_us, "us");
    }
    for (std::size_t which = 1; which < 4; ++which) {
      const std::string name = std::string("search beside ") + kBesideNames[which] + " / beside a spinning thread: ";
      report_.figure(name + "p50", figures[which].p50_us / figures[0].p50_us, "x");
      report_.figure(name + "p99", figures[which].p99_us / figures[0].p99_us, "x", at_most(kRatioGoal));
      report_.figure(name + "p99, processor time", processor[which].p99_us / processor[0].p99_us, "x");
      report_.figure(name + "p99.9", figures[which].p999_us / figures[0].p999_us, "x");
      report_.figure(name + "p99, median slices", median(slice_p99_us_[which]) / median(slice_p99_us_[0]), "x");
    }
  }

  const LoadInterferenceArguments& arguments_;
  const Dataset& set_;
  Report& report_;
  Scratch scratch_;
  SeededRandom random_;
  const float amplitude_;
  const std::uint32_t coming_;
  std::optional<Store> store_;
  std::array<WatchedSearches, 4> all_;
  std::array<std::vector<double>, 4> slice_p99_us_;
};

}  // namespace

void run_load_interference(const LoadInterferenceArguments& arguments) {
  const Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "load-interference");
  std::printf("== one reader at ef %u beside background work, %s%s: %u x %u, %u threads index, seed %llu\n",
              arguments.ef, set.name.c_str(), set.synthetic ? " (SYNTHETIC)" : "", set.base.rows, set.base.dim,
              arguments.build.threads, static_cast<unsigned long long>(arguments.seed));
  Interference(arguments, set, report).run();
  report.finish();
}

}  // namespace holdfast::bench
