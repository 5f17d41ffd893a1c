// What a live snapshot costs the writers: the same ingest without one, with one that is held from the start, and with
// one that is taken anew every second.
//
// Ingest is what a bulk load waits for: every batch durable, then every point in the graph. Each measurement has a
// fresh store; the three take turns, each round beginning with another one.
#include <array>
#include <cstdio>
#include <optional>
#include <vector>

#include "bench/curve.h"
#include "bench/load.h"
#include "bench/load_support.h"
#include "bench/machine.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr double kRatioGoal = 1.10;

enum class Held : std::uint8_t { nothing, from_the_start, anew_every_second };
constexpr std::array<const char*, 3> kHeldNames{"no snapshot", "one held from the start",
                                                "one taken anew every second"};

struct Ingests {
  std::vector<double> seconds;
  std::vector<double> processor_seconds;
  std::vector<double> retained_mb;
};

class SnapshotCost {
 public:
  SnapshotCost(const LoadSnapshotCostArguments& arguments, const Dataset& set, Report& report)
      : arguments_(arguments), set_(set), report_(report), scratch_(arguments.common.out) {}

  void run() {
    for (std::uint32_t round = 0; round < arguments_.rounds; ++round) {
      std::printf("round %u:", round + 1);
      for (std::uint32_t turn = 0; turn < 3; ++turn) {
        const std::uint32_t which = (round + turn) % 3;
        measure(static_cast<Held>(which), ingests_[which]);
        std::printf(" | %s %.1f s", kHeldNames[which], ingests_[which].seconds.back());
        std::fflush(stdout);
      }
      std::printf("\n");
    }
    for (std::uint32_t which = 0; which < 3; ++which) {
      report_.details()["ingests"][kHeldNames[which]] = {{"seconds", ingests_[which].seconds},
                                                         {"processor_seconds", ingests_[which].processor_seconds},
                                                         {"retained_mb", ingests_[which].retained_mb}};
      report_.figure(set_.name + " ingest, " + kHeldNames[which], median(ingests_[which].seconds), "s");
    }
    for (std::uint32_t which = 1; which < 3; ++which) {
      const std::string name = set_.name + " ingest, " + kHeldNames[which];
      report_.figure(name + " / none", median(ingests_[which].seconds) / median(ingests_[0].seconds), "x",
                     at_most(kRatioGoal));
      report_.figure(name + " / none, processor time",
                     median(ingests_[which].processor_seconds) / median(ingests_[0].processor_seconds), "x");
      report_.figure(name + ": retained at the end", median(ingests_[which].retained_mb), "MiB");
    }
  }

 private:
  void measure(Held held, Ingests& ingests) {
    const auto path = scratch_.fresh("store");
    OpenOptions options = open_options(arguments_.build);
    options.checkpoint_on_close = false;
    Store store = create_store(path, options,
                               {.dimension = set_.base.dim,
                                .metric = set_.metric,
                                .m = arguments_.build.m,
                                .ef_construction = arguments_.build.ef_construction});
    std::optional<Snapshot> snapshot;  // the ticker's own while it runs
    std::optional<Ticker> ticker;
    if (held != Held::nothing) snapshot = store.collection.snapshot();
    if (held == Held::anew_every_second) {
      ticker.emplace(std::chrono::seconds(1), [&] { snapshot = store.collection.snapshot(); });
    }

    const double processor = processor_seconds();
    const Stopwatch watch;
    WriteBatch batch;
    for (std::uint32_t row = 0; row < set_.base.rows; ++row) {
      batch.upsert(row, set_.base.row(row));
      if (batch.size() < arguments_.build.batch && row + 1 < set_.base.rows) continue;
      must(store.collection.write(batch, {.durability = Durability::sync, .bulk = true}).status());
      batch.clear();
    }
    must(store.collection.wait_until_indexed());
    ingests.seconds.push_back(watch.seconds());
    ingests.processor_seconds.push_back(processor_seconds() - processor);

    ticker.reset();
    const CollectionStats stats = store.collection.stats();
    if (stats.graph_nodes != set_.base.rows) fail("the graph does not hold every point");
    if (stats.expired_snapshots != 0) fail("the snapshot expired: what was measured is not its cost");
    if (held == Held::from_the_start && snapshot->size() != 0) fail("the snapshot of the start has changed");
    ingests.retained_mb.push_back(megabytes(stats.retained_bytes));
    snapshot.reset();
    must(store.database.close());
    std::filesystem::remove_all(path);
  }

  const LoadSnapshotCostArguments& arguments_;
  const Dataset& set_;
  Report& report_;
  Scratch scratch_;
  std::array<Ingests, 3> ingests_;
};

}  // namespace

void run_load_snapshot_cost(const LoadSnapshotCostArguments& arguments) {
  const Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "load-snapshot-cost");
  std::printf("== cost of a live snapshot on ingest, %s%s: %u x %u, %u per batch, synced\n", set.name.c_str(),
              set.synthetic ? " (SYNTHETIC)" : "", set.base.rows, set.base.dim, arguments.build.batch);
  SnapshotCost(arguments, set, report).run();
  report.finish();
}

}  // namespace holdfast::bench
