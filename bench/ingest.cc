// How many single records per second become durable: Holdfast, SQLite and RocksDB beside what the disk itself can do.
//
// A record is a vector and a small payload, the same for everybody, written alone and durable when the call returns;
// writers share fdatasyncs where the store can. Holdfast's indexer runs meanwhile, as it does in production, and takes
// its share of the processor; the others build no index. Writers are in bulk mode: the log is measured, not how they
// are held back when the graph falls behind (`load ingest-smooth` shows that). Each measurement has a fresh store; all
// take turns.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <thread>
#include <vector>

#include "bench/curve.h"
#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/record_store.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kFileBytes = std::size_t{64} << 20;
constexpr std::uint64_t kRecordsMax = 400'000;  // bounds memory and disk where nothing is synced
constexpr const char* kSqlite = "SQLite";
constexpr const char* kRocksdb = "RocksDB";
constexpr std::uint32_t kDistinctVectors = 4'096;

/// 4 KiB written and synced, one after the other, into a file that is as long as it will get: the least that a durable
/// write can cost on this disk.
double raw_syncs_per_second(const std::filesystem::path& path, double seconds) {
  const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  const std::vector<char> zeros(std::size_t{1} << 20);
  bool good = file >= 0;
  for (std::size_t at = 0; good && at < kFileBytes; at += zeros.size()) {
    good = ::pwrite(file, zeros.data(), zeros.size(), static_cast<off_t>(at)) == static_cast<ssize_t>(zeros.size());
  }
  good = good && ::fsync(file) == 0;
  const std::vector<char> block(kBlockBytes, 'x');
  const Stopwatch watch;
  std::uint64_t count = 0;
  for (; good && watch.seconds() < seconds; ++count) {
    const std::size_t at = count * kBlockBytes % kFileBytes;
    good = ::pwrite(file, block.data(), block.size(), static_cast<off_t>(at)) == static_cast<ssize_t>(block.size()) &&
           ::fdatasync(file) == 0;
  }
  const double rate = static_cast<double>(count) / watch.seconds();
  if (file >= 0) ::close(file);
  if (!good) fail("the raw measurement cannot write to " + path.string());
  return rate;
}

using Path = std::filesystem::path;

struct Rates {
  std::vector<double> records_per_s;
  std::vector<double> syncs_per_s;
  std::vector<double> syncs_per_record;
  std::vector<double> records_per_group;
  std::vector<double> latency_p50_us;
  std::vector<double> latency_p99_us;
};

/// One line of the table.
struct Mode {
  std::string name;
  std::uint32_t writers;
  std::function<OpenedStore(const Path&)> open;
  Rates rates = {};
};

std::string writers_text(std::uint32_t writers) {
  return std::to_string(writers) + (writers == 1 ? " writer" : " writers");
}

class Ingest {
 public:
  Ingest(const IngestArguments& arguments, Report& report)
      : arguments_(arguments),
        report_(report),
        scratch_(arguments.common.out),
        vectors_(synthetic_dataset("points", {kDistinctVectors, 0, arguments.dim, Metric::l2}, 1).base) {
    for (const std::uint32_t writers : {1u, arguments.writers}) add_modes(writers);
  }

  void run() {
    std::vector<double> raw;
    for (std::uint32_t round = 0; round < arguments_.rounds; ++round) {
      raw.push_back(raw_syncs_per_second(scratch_.fresh("raw"), arguments_.seconds));
      std::printf("round %u: the disk %.0f fdatasync/s", round + 1, raw.back());
      for (Mode& mode : modes_) {
        measure(mode);
        std::printf(" | %s, %s %.0f/s", mode.name.c_str(), writers_text(mode.writers).c_str(),
                    mode.rates.records_per_s.back());
        std::fflush(stdout);
      }
      std::printf("\n");
    }
    print(median(raw));
    report(median(raw));
  }

 private:
  void add_modes(std::uint32_t writers) {
    for (const Durability durability : {Durability::sync, Durability::interval, Durability::none}) {
      modes_.push_back(
          {"holdfast " + std::string(to_string(durability)), writers,
           [this, durability](const Path& path) { return open_holdfast_records(path, arguments_.dim, durability); }});
    }
#ifdef HOLDFAST_BENCH_SQLITE
    const auto sqlite = [writers](Sharing sharing) {
      return [writers, sharing](const Path& path) { return open_sqlite_records(path, writers, sharing); };
    };
    if (writers == 1) {
      modes_.push_back({kSqlite, writers, sqlite(Sharing::one_connection)});
    } else {
      modes_.push_back({std::string(kSqlite) + ", connection each", writers, sqlite(Sharing::connection_each)});
      modes_.push_back({std::string(kSqlite) + ", one, mutex", writers, sqlite(Sharing::one_connection)});
    }
#else
    if (writers == 1) std::printf("SKIPPED: SQLite (built without libsqlite3-dev)\n");
#endif
#ifdef HOLDFAST_BENCH_ROCKSDB
    modes_.push_back({kRocksdb, writers, [](const Path& path) { return open_rocksdb_records(path); }});
#else
    if (writers == 1) std::printf("SKIPPED: RocksDB (built without librocksdb-dev)\n");
#endif
  }

  void measure(Mode& mode) {
    const auto path = scratch_.fresh("store");
    const auto store = must(mode.open(path));
    std::atomic<std::uint64_t> next{0};  // hands out ids; the stores synchronise themselves
    std::vector<std::vector<double>> latencies(mode.writers);
    const Stopwatch watch;
    const auto work = [&](unsigned writer) {
      double now = watch.seconds();
      while (now < arguments_.seconds) {
        const std::uint64_t id = next++;
        if (id >= kRecordsMax) break;
        char payload[64];
        const int length = std::snprintf(payload, sizeof payload, R"({"title": "record %llu", "year": %d})",
                                         static_cast<unsigned long long>(id), 1900 + static_cast<int>(id % 128));
        must(store->put(writer, id, vectors_.row(id % vectors_.rows), {payload, static_cast<std::size_t>(length)}));
        const double after = watch.seconds();
        latencies[writer].push_back((after - now) * 1e6);
        now = after;
      }
    };
    std::vector<std::thread> writers;
    for (unsigned writer = 0; writer < mode.writers; ++writer) writers.emplace_back(work, writer);
    for (std::thread& writer : writers) writer.join();
    const double seconds = watch.seconds();

    const RecordCounts counts = must(store->counts());
    std::vector<double> latency;
    for (const auto& part : latencies) latency.insert(latency.end(), part.begin(), part.end());
    if (latency.size() != counts.records) fail(mode.name + ": acknowledged and stored records differ");
    const auto records = static_cast<double>(counts.records);
    mode.rates.records_per_s.push_back(records / seconds);
    mode.rates.syncs_per_s.push_back(static_cast<double>(counts.syncs) / seconds);
    mode.rates.syncs_per_record.push_back(static_cast<double>(counts.syncs) / std::max(1.0, records));
    mode.rates.records_per_group.push_back(counts.groups == 0 ? 0 : records / static_cast<double>(counts.groups));
    mode.rates.latency_p50_us.push_back(quantile(latency, 0.50));
    mode.rates.latency_p99_us.push_back(quantile(latency, 0.99));
    must(store->close());
    std::filesystem::remove_all(path);
  }

  void print(double raw) const {
    std::printf("\n%-34s %10s %9s %9s %10s %9s %9s %9s   (medians of %u rounds; the disk: %.0f fdatasync/s)\n", "",
                "records/s", "/ disk", "fsyncs/s", "fsyncs/rec", "per group", "p50 us", "p99 us", arguments_.rounds,
                raw);
    for (const Mode& mode : modes_) {
      const Rates& r = mode.rates;
      std::printf("%-34s %10.0f %9.2f", (mode.name + ", " + writers_text(mode.writers)).c_str(),
                  median(r.records_per_s), median(r.records_per_s) / raw);
      if (median(r.records_per_group) > 0) {
        std::printf(" %9.0f %10.3f %9.2f", median(r.syncs_per_s), median(r.syncs_per_record),
                    median(r.records_per_group));
      } else {
        std::printf(" %9s %10s %9s", "", "", "");
      }
      std::printf(" %9.1f %9.1f\n", median(r.latency_p50_us), median(r.latency_p99_us));
    }
  }

  /// Records per second of the fastest mode whose name begins so; 0: there is none.
  [[nodiscard]] double best(const std::string& beginning, std::uint32_t writers) const {
    double found = 0;
    for (const Mode& mode : modes_) {
      if (mode.writers != writers || mode.name.rfind(beginning, 0) != 0) continue;
      found = std::max(found, median(mode.rates.records_per_s));
    }
    return found;
  }

  [[nodiscard]] double syncs_per_record(const std::string& name, std::uint32_t writers) const {
    for (const Mode& mode : modes_) {
      if (mode.writers == writers && mode.name == name) return median(mode.rates.syncs_per_record);
    }
    return 0;
  }

  void report(double raw) {
    report_.figure("disk: 4 KiB write + fdatasync", raw, "1/s");
    for (const Mode& mode : modes_) {
      const std::string name = mode.name + ", " + writers_text(mode.writers);
      report_.figure("ingest, " + name, median(mode.rates.records_per_s), "records/s");
      report_.details()["modes"][name] = {
          {"records_per_s", mode.rates.records_per_s},       {"syncs_per_s", mode.rates.syncs_per_s},
          {"syncs_per_record", mode.rates.syncs_per_record}, {"records_per_group", mode.rates.records_per_group},
          {"latency_p50_us", mode.rates.latency_p50_us},     {"latency_p99_us", mode.rates.latency_p99_us}};
    }
    for (const std::uint32_t writers : {1u, arguments_.writers}) {
      const std::string who = "ingest, " + writers_text(writers) + ", sync: ";
      const double own = best("holdfast sync", writers);
      report_.figure(who + "fdatasyncs per record", syncs_per_record("holdfast sync", writers), "");
      report_.figure(who + "records per fdatasync of the bare disk", own / raw, "x");
      report_.figure(who + "sync / none", own / best("holdfast none", writers), "x");
      for (const char* const other : {kSqlite, kRocksdb}) {
        const double rate = best(other, writers);
        if (rate > 0) report_.figure(who + "holdfast / " + other + " (its faster way)", own / rate, "x");
      }
    }
  }

  const IngestArguments& arguments_;
  Report& report_;
  Scratch scratch_;
  Matrix vectors_;
  std::vector<Mode> modes_;
};

}  // namespace

void run_ingest(const IngestArguments& arguments) {
  Report report(arguments.common.out, "ingest");
  std::printf("== ingest: single records of %u float32 and a payload of about 40 bytes, %.1f s each\n", arguments.dim,
              arguments.seconds);
  Ingest(arguments, report).run();
  report.finish();
}

}  // namespace holdfast::bench
