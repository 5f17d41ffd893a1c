// Searches on a snapshot while other snapshots live and one writer runs, against the same reader alone beside a thread
// that only spins.
//
// Slices take turns, so that whatever else happens on the machine meets all of them alike. Each round:
//   alone   the store at rest (indexed, vacuumed, no other snapshot), a new snapshot, one spinning thread
//   before  a snapshot from before the writer began: it is read through what the writer changed since
//   beside  a snapshot that was taken while the writer ran: it holds points that the graph does not hold yet, which are
//           compared exactly
//   old     the snapshot from before again, once the writer has ended and everything is indexed, beside a spinning
//           thread: what is left of the cost is that of reading old versions
//   new     the same on a new snapshot, the others still alive: that of what the writer left in the graph
//   apart   the store at rest again, while the same writer and all that runs behind it are busy with another store of
//           the same points: what they cost because they share the machine, not the store
// In all but the first and the last the other snapshots live; they were taken one after the other while the writer ran.
// The writer is one thread that replaces random points one by one with Durability::sync, in the default mode: slowed
// down to the pace of the graph. Indexer, vacuum, checkpoints and scrubber run behind it as the default options have
// it; more than the spinning thread, which is one. All searches of a kind together make its rate.
#include <array>
#include <atomic>
#include <cstdio>
#include <optional>
#include <thread>
#include <vector>

#include "bench/curve.h"
#include "bench/load.h"
#include "bench/load_support.h"
#include "bench/machine.h"
#include "bench/report.h"
#include "bench/watched_reader.h"

namespace holdfast::bench {

namespace {

constexpr double kRatioGoal = 0.9;
constexpr double kSecondsBetweenSnapshots = 0.1;

enum class Slice : std::uint8_t { alone, before, beside, old_versions, new_versions, apart };
constexpr std::array<const char*, 6> kSliceNames{"alone", "before", "beside", "old", "new", "apart"};

class Pinned {
 public:
  Pinned(const LoadPinnedArguments& arguments, const Dataset& set, Report& report)
      : arguments_(arguments),
        set_(set),
        report_(report),
        scratch_(arguments.common.out),
        amplitude_(jitter_amplitude(set.base)) {}

  void run() {
    BuildTimes times;
    store_.emplace(build_durably(scratch_.fresh("store"), set_.base, set_.metric, arguments_.build, times));
    BuildTimes again;
    other_.emplace(build_durably(scratch_.fresh("other"), set_.base, set_.metric, arguments_.build, again));
    std::printf("built in %.1f s\n%8s %-8s %9s %10s %12s %9s | %9s %9s %9s %9s\n", times.total_s(), "round", "slice",
                "searches", "QPS", "/ processor", "p99 us", "writes/s", "growing", "dead", "snapshots");
    for (std::uint32_t round = 1; round <= arguments_.rounds; ++round) {
      take(round, Slice::alone, at_rest(store_->collection.snapshot()));
      beside_writer(round);
      must(store_->collection.wait_until_indexed());
      must(store_->collection.vacuum());
      apart_from_writer(round);
    }
    judge();
    must(store_->database.close());
    must(other_->database.close());
  }

 private:
  [[nodiscard]] WatchedReader reader(Snapshot held) const {
    return WatchedReader(store_->collection, set_.queries, arguments_.ef, std::move(held));
  }

  /// Beside a spinning thread.
  [[nodiscard]] WatchedSearches at_rest(Snapshot snapshot) const {
    WatchedReader watched = reader(std::move(snapshot));
    watched.open();
    spin(arguments_.seconds);
    watched.close();
    return watched.finish();
  }

  static void spin(double seconds) {
    const Stopwatch watch;
    while (watch.seconds() < seconds) {
    }
  }
  /// Leaves the processor to others meanwhile.
  static void rest(double seconds) {
    (void)wait_until(seconds, [] { return false; });
  }

  void beside_writer(std::uint32_t round) {
    std::vector<Snapshot> held{store_->collection.snapshot()};
    std::jthread writer([this, round](const std::stop_token& stop) { write(store_->collection, round, stop); });
    while (held.size() <= arguments_.snapshots) {
      rest(kSecondsBetweenSnapshots);
      held.push_back(store_->collection.snapshot());
    }
    take(round, Slice::before, beside(held.front()));
    take(round, Slice::beside, beside(store_->collection.snapshot()));
    writer.request_stop();
    writer.join();
    must(store_->collection.wait_until_indexed());
    take(round, Slice::old_versions, at_rest(held.front()));
    take(round, Slice::new_versions, at_rest(store_->collection.snapshot()));
    for (const Snapshot& snapshot : held) {
      if (snapshot.expired()) fail("a snapshot expired");
    }
  }

  void apart_from_writer(std::uint32_t round) {
    std::jthread writer([this, round](const std::stop_token& stop) { write(other_->collection, round, stop); });
    rest(kSecondsBetweenSnapshots);
    take(round, Slice::apart, beside(store_->collection.snapshot()));
    writer.request_stop();
    writer.join();
    must(other_->collection.wait_until_indexed());
    must(other_->collection.vacuum());
  }

  WatchedSearches beside(Snapshot snapshot) {
    WatchedReader watched = reader(std::move(snapshot));
    const std::uint64_t writes = writes_.load(std::memory_order_relaxed);
    watched.open();
    const Stopwatch watch;
    rest(arguments_.seconds);
    watched.close();
    write_rate_ = static_cast<double>(writes_.load(std::memory_order_relaxed) - writes) / watch.seconds();
    write_rates_.push_back(write_rate_);
    return watched.finish();
  }

  void write(Collection& collection, std::uint32_t round, const std::stop_token& stop) {
    SeededRandom random(mix64(arguments_.seed) + round);
    std::vector<float> vector;
    while (!stop.stop_requested()) {
      jitter(set_.base.row(random.below(set_.base.rows)), amplitude_, random, vector);
      must(collection.upsert(random.below(set_.base.rows), vector, {}, {.durability = Durability::sync}).status());
      writes_.fetch_add(1, std::memory_order_relaxed);  // a meter
    }
  }

  void take(std::uint32_t round, Slice slice, const WatchedSearches& searches) {
    const auto which = static_cast<std::size_t>(slice);
    if (searches.us.empty()) fail(std::string("no search fell into a slice '") + kSliceNames[which] + "'");
    const CollectionStats stats = store_->collection.stats();
    const LatencyFigures figures = latency_figures(searches.us);
    const bool beside = slice == Slice::before || slice == Slice::beside || slice == Slice::apart;
    const double writes = beside ? write_rate_ : 0;
    std::printf("%8u %-8s %9zu %10.0f %12.0f %9.1f | %9.0f %9llu %9llu %9llu\n", round, kSliceNames[which],
                figures.count, searches.qps(), searches.qps_processor(), figures.p99_us, writes,
                static_cast<unsigned long long>(stats.growing), static_cast<unsigned long long>(stats.dead_in_graph),
                static_cast<unsigned long long>(stats.pinned_snapshots));
    std::fflush(stdout);
    report_.details()["slices"].push_back({{"slice", kSliceNames[which]},
                                           {"qps", searches.qps()},
                                           {"qps_processor", searches.qps_processor()},
                                           {"latency", figures.json()},
                                           {"writes_per_s", writes},
                                           {"growing", stats.growing},
                                           {"dead_in_graph", stats.dead_in_graph}});
    all_[which].add(searches);
  }

  void judge() {
    const WatchedSearches& alone = all_[0];
    report_.figure("search alone beside a spinning thread", alone.qps(), "1/s");
    report_.figure("writes meanwhile, one writer, sync, slowed down to the graph", median(write_rates_), "1/s");
    const std::string beside = " beside " + std::to_string(arguments_.snapshots) + " others and a writer / alone";
    for (const Slice slice : {Slice::before, Slice::beside}) {
      const WatchedSearches& searches = all_[static_cast<std::size_t>(slice)];
      const std::string name =
          (slice == Slice::before ? "search on a snapshot from before" : "search on a snapshot from meanwhile") +
          beside;
      report_.figure(name, searches.qps() / alone.qps(), "x", at_least(kRatioGoal));
      report_.figure(name + ", processor time", searches.qps_processor() / alone.qps_processor(), "x");
    }
    const WatchedSearches& apart = all_[static_cast<std::size_t>(Slice::apart)];
    const WatchedSearches& before = all_[static_cast<std::size_t>(Slice::before)];
    report_.figure("search alone, the writer on another store / alone", apart.qps() / alone.qps(), "x");
    report_.figure("search on a snapshot from before" + beside.substr(0, beside.size() - 8) +
                       " / alone, the writer on another store",
                   before.qps() / apart.qps(), "x");
    for (const Slice slice : {Slice::old_versions, Slice::new_versions}) {
      const WatchedSearches& searches = all_[static_cast<std::size_t>(slice)];
      const std::string which = slice == Slice::old_versions ? "the snapshot from before" : "a new snapshot";
      report_.figure("search on " + which + " once the writer has ended / alone", searches.qps() / alone.qps(), "x");
    }
  }

  const LoadPinnedArguments& arguments_;
  const Dataset& set_;
  Report& report_;
  Scratch scratch_;
  const float amplitude_;
  std::optional<Store> store_;
  std::optional<Store> other_;
  std::atomic<std::uint64_t> writes_{0};
  double write_rate_ = 0;  // of the last slice
  std::vector<double> write_rates_;
  std::array<WatchedSearches, 6> all_;
};

}  // namespace

void run_load_pinned(const LoadPinnedArguments& arguments) {
  const Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "load-pinned");
  std::printf(
      "== one reader at ef %u on a snapshot, beside %u others and a writer, %s%s: %u x %u, %u threads index, "
      "seed %llu\n",
      arguments.ef, arguments.snapshots, set.name.c_str(), set.synthetic ? " (SYNTHETIC)" : "", set.base.rows,
      set.base.dim, arguments.build.threads, static_cast<unsigned long long>(arguments.seed));
  Pinned(arguments, set, report).run();
  report.finish();
}

}  // namespace holdfast::bench
