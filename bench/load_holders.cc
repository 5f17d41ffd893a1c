// Snapshots that are asked the same again and again while writers change and delete everything at full speed.
//
// Each holder takes its snapshot at another moment, writes down the answers to its queries, and then asks them again
// for as long as it lives: ids, bits of the distances and payloads must never change. No budget takes a snapshot back
// here, so that what they retain can be read at the end; after their release it must all be given back.
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

namespace holdfast::bench {

namespace {

constexpr double kFreedWithinSeconds = 30;

/// What one holder saw.
struct Holder {
  std::optional<Snapshot> snapshot;
  std::uint64_t searches = 0;
  std::uint64_t changed = 0;  ///< answers that were not the first one
  double seconds = 0;
  std::atomic<bool> answered{false};  ///< once the first answers are there; its waiter reads nothing else
};

class Holders {
 public:
  Holders(const LoadHoldersArguments& arguments, const Dataset& set, Report& report)
      : arguments_(arguments),
        set_(set),
        report_(report),
        scratch_(arguments.common.out),
        holders_(arguments.holders) {}

  void run() {
    OpenOptions options = open_options(arguments_.build);
    options.checkpoint_on_close = false;
    options.snapshot_bytes_max = 0;
    store_.emplace(create_store(scratch_.fresh("store"), options,
                                {.dimension = set_.base.dim,
                                 .metric = set_.metric,
                                 .m = arguments_.build.m,
                                 .ef_construction = arguments_.build.ef_construction}));
    fill();
    under_load();
    release();
    must(store_->database.close());
  }

 private:
  static std::string payload(std::uint64_t version) { return "{\"version\":" + std::to_string(version) + "}"; }

  void fill() {
    const Stopwatch watch;
    WriteBatch batch;
    for (std::uint32_t row = 0; row < set_.base.rows; ++row) {
      batch.upsert(row, set_.base.row(row), payload(0));
      if (batch.size() < arguments_.build.batch && row + 1 < set_.base.rows) continue;
      must(store_->collection.write(batch, {.durability = Durability::none, .bulk = true}).status());
      batch.clear();
    }
    must(store_->collection.wait_until_indexed());
    std::printf("built in %.1f s\n", watch.seconds());
    std::fflush(stdout);
  }

  void under_load() {
    const CollectionStats before = store_->collection.stats();
    const Stopwatch watch;
    std::vector<std::jthread> writers;
    for (std::uint32_t w = 0; w < arguments_.writers; ++w) {
      writers.emplace_back([this, w](const std::stop_token& stop) { write(w, stop); });
    }
    std::vector<std::thread> threads;
    for (Holder& holder : holders_) {  // the next one begins when this one has its first answers
      threads.emplace_back([this, &holder] { hold(holder); });
      holder.answered.wait(false);
    }
    for (std::thread& thread : threads) thread.join();
    for (std::jthread& writer : writers) writer.request_stop();
    writers.clear();
    report_load(before, watch.seconds());
  }

  /// Two thirds upserts, one third deletes, of ids that no other writer touches.
  void write(std::uint32_t writer, const std::stop_token& stop) {
    SeededRandom random(mix64(arguments_.seed) + writer);
    const float amplitude = jitter_amplitude(set_.base);
    const std::uint64_t own = set_.base.rows / arguments_.writers;
    std::vector<float> vector;
    WriteBatch batch;
    for (std::uint64_t version = 1; !stop.stop_requested(); ++version) {
      batch.clear();
      while (batch.size() < arguments_.batch) {
        const std::uint64_t id = random.below(own) * arguments_.writers + writer;
        if (names(batch, id)) continue;
        if (random.below(3) == 0) {
          batch.erase(id);
        } else {
          jitter(set_.base.row(random.below(set_.base.rows)), amplitude, random, vector);
          batch.upsert(id, vector, payload(version));
        }
      }
      must(store_->collection.write(batch, {.durability = arguments_.durability}).status());
      operations_.fetch_add(batch.size(), std::memory_order_relaxed);  // a meter, read after the join
    }
  }

  void hold(Holder& holder) {
    const Stopwatch watch;
    holder.snapshot = store_->collection.snapshot();
    const Snapshot& snapshot = *holder.snapshot;
    const std::uint64_t size = snapshot.size();
    const std::uint32_t asked = std::min(arguments_.asked, set_.queries.rows);
    std::vector<Hits> first;
    for (std::uint32_t q = 0; q < asked; ++q) first.push_back(ask(snapshot, q));
    holder.answered.store(true);
    holder.answered.notify_one();
    do {
      for (std::uint32_t q = 0; q < asked; ++q) {
        holder.changed += static_cast<std::uint64_t>(!identical(ask(snapshot, q), first[q]));
        ++holder.searches;
      }
      holder.changed += static_cast<std::uint64_t>(snapshot.size() != size);
    } while (watch.seconds() < arguments_.seconds);
    holder.seconds = watch.seconds();
  }

  [[nodiscard]] Hits ask(const Snapshot& snapshot, std::uint32_t query) const {
    return must(snapshot.search(set_.queries.row(query), {.k = 10, .ef = 100, .with_payload = true}));
  }

  void report_load(const CollectionStats& before, double seconds) {
    const CollectionStats after = store_->collection.stats();
    const Memory memory = trimmed_memory();
    std::uint64_t searches = 0;
    std::uint64_t changed = 0;
    for (std::size_t h = 0; h < holders_.size(); ++h) {
      const Holder& holder = holders_[h];
      std::printf("holder %zu: lsn %llu, %llu points, %llu searches in %.1f s, %llu changed answers\n", h,
                  static_cast<unsigned long long>(holder.snapshot->lsn()),
                  static_cast<unsigned long long>(holder.snapshot->size()),
                  static_cast<unsigned long long>(holder.searches), holder.seconds,
                  static_cast<unsigned long long>(holder.changed));
      searches += holder.searches;
      changed += holder.changed;
    }
    const auto operations = static_cast<double>(operations_.load());
    std::printf("%.0f operations in %.1f s meanwhile (%llu batches, %llu of them stalled), %llu checkpoints, ",
                operations, seconds, static_cast<unsigned long long>(after.writes - before.writes),
                static_cast<unsigned long long>(after.writer_stalls - before.writer_stalls),
                static_cast<unsigned long long>(after.checkpoint_generation - before.checkpoint_generation));
    std::printf("%llu growing, %llu slots (%llu dead, %llu free), %.0f MiB resident\n",
                static_cast<unsigned long long>(after.growing), static_cast<unsigned long long>(after.slots),
                static_cast<unsigned long long>(after.dead_slots), static_cast<unsigned long long>(after.free_slots),
                megabytes(memory.total()));
    const std::string name = std::to_string(arguments_.holders) + " holders";
    report_.figure(name + ": changed answers", static_cast<double>(changed), "answers", at_most(0));
    report_.figure(name + ": searches compared", static_cast<double>(searches), "searches");
    report_.figure(name + ": operations of the writers meanwhile", operations / seconds, "1/s");
    report_.figure(name + ": retained at the end", megabytes(after.retained_bytes), "MiB");
    report_.figure(name + ": rows that wait for them", static_cast<double>(after.reclaim_backlog), "rows");
    report_.figure(name + ": resident before their release", megabytes(memory.total()), "MiB");
  }

  void release() {
    must(store_->collection.wait_until_indexed());
    const Stopwatch watch;
    for (Holder& holder : holders_) holder.snapshot.reset();
    CollectionStats stats = store_->collection.stats();
    const bool freed = wait_until(kFreedWithinSeconds, [&] {
      must(
          store_->collection.erase(0, {.durability = Durability::none}).status());  // a store at rest frees, too, later
      stats = store_->collection.stats();
      return stats.pinned_snapshots == 0 && stats.retained_bytes == 0 && stats.reclaim_backlog == 0;
    });
    const std::string name = std::to_string(arguments_.holders) + " holders";
    report_.figure(name + ": retained after their release", megabytes(stats.retained_bytes), "MiB", at_most(0),
                   freed ? "" : "after " + std::to_string(static_cast<int>(kFreedWithinSeconds)) + " s");
    report_.figure(name + ": from their release until all is freed", watch.seconds(), "s");
    report_.figure(name + ": resident after their release", megabytes(trimmed_memory().total()), "MiB");
  }

  const LoadHoldersArguments& arguments_;
  const Dataset& set_;
  Report& report_;
  Scratch scratch_;
  std::optional<Store> store_;
  std::vector<Holder> holders_;
  std::atomic<std::uint64_t> operations_{0};
};

}  // namespace

void run_load_holders(const LoadHoldersArguments& arguments) {
  const Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "load-holders");
  std::printf("== %u holders of snapshots, %u queries each, beside %u writers, %s%s: %u x %u, %.0f s, seed %llu, %s\n",
              arguments.holders, arguments.asked, arguments.writers, set.name.c_str(),
              set.synthetic ? " (SYNTHETIC)" : "", set.base.rows, set.base.dim, arguments.seconds,
              static_cast<unsigned long long>(arguments.seed), std::string(to_string(arguments.durability)).c_str());
  Holders(arguments, set, report).run();
  report.finish();
}

}  // namespace holdfast::bench
