// How many single points per second become durable, beside what the disk itself can do.
//
// Writers write one point per batch; group commit lets them share fdatasyncs. The indexer runs meanwhile, as it does in
// production, and takes its share of the processor. Writers are in bulk mode: the log is measured, not how they are
// held back when the graph falls behind (`load ingest-smooth` shows that). Each measurement has a fresh store; modes
// take turns.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <thread>
#include <vector>

#include "base/random.h"
#include "bench/curve.h"
#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kFileBytes = std::size_t{64} << 20;
constexpr std::uint64_t kPointsMax = 400'000;  // bounds memory and disk where nothing is synced
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

struct Mode {
  std::uint32_t writers;
  Durability durability;
  [[nodiscard]] std::string name() const {
    return std::to_string(writers) + (writers == 1 ? " writer, " : " writers, ") + std::string(to_string(durability));
  }
};

struct Rates {
  std::vector<double> points_per_s;
  std::vector<double> syncs_per_s;
  std::vector<double> points_per_group;
  std::vector<double> latency_p50_us;
  std::vector<double> latency_p99_us;
};

class Ingest {
 public:
  Ingest(const IngestArguments& arguments, Report& report)
      : arguments_(arguments),
        report_(report),
        scratch_(arguments.common.out),
        vectors_(synthetic_dataset("points", {kDistinctVectors, 0, arguments.dim, Metric::l2}, 1).base),
        modes_{{arguments.writers, Durability::sync},
               {arguments.writers, Durability::interval},
               {arguments.writers, Durability::none},
               {1, Durability::sync},
               {1, Durability::none}} {}

  void run() {
    std::vector<double> raw;
    std::vector<Rates> rates(modes_.size());
    for (std::uint32_t round = 0; round < arguments_.rounds; ++round) {
      raw.push_back(raw_syncs_per_second(scratch_.fresh("raw"), arguments_.seconds));
      std::printf("round %u: disk %.0f fdatasync/s", round + 1, raw.back());
      for (std::size_t m = 0; m < modes_.size(); ++m) {
        measure(modes_[m], rates[m]);
        std::printf(" | %s %.0f/s", modes_[m].name().c_str(), rates[m].points_per_s.back());
        std::fflush(stdout);
      }
      std::printf("\n");
    }
    print_and_report(median(raw), rates);
  }

 private:
  void measure(const Mode& mode, Rates& rates) {
    const auto path = scratch_.fresh("store");
    OpenOptions options;
    options.durability = mode.durability;
    options.checkpoint_on_close = false;
    Database database = must(Database::open(path, options));
    Collection collection = must(database.create_collection("points", {.dimension = arguments_.dim}));
    const CollectionStats before = collection.stats();

    std::atomic<std::uint64_t> next{0};  // hands out ids; the collection synchronises itself
    std::vector<std::vector<double>> latencies(mode.writers);
    const Stopwatch watch;
    const auto work = [&](std::vector<double>& latency) {
      double now = watch.seconds();
      while (now < arguments_.seconds) {
        const std::uint64_t id = next++;
        if (id >= kPointsMax) break;
        must(collection.upsert(id, vectors_.row(id % vectors_.rows), {}, {.bulk = true}).status());
        const double after = watch.seconds();
        latency.push_back((after - now) * 1e6);
        now = after;
      }
    };
    std::vector<std::thread> writers;
    for (auto& latency : latencies) writers.emplace_back(work, std::ref(latency));
    for (std::thread& writer : writers) writer.join();
    const double seconds = watch.seconds();

    const CollectionStats after = collection.stats();
    std::vector<double> latency;
    for (const auto& part : latencies) latency.insert(latency.end(), part.begin(), part.end());
    const auto points = static_cast<double>(after.points);
    if (latency.size() != after.points) fail("acknowledged and stored points differ");
    rates.points_per_s.push_back(points / seconds);
    rates.syncs_per_s.push_back(static_cast<double>(after.syncs - before.syncs) / seconds);
    rates.points_per_group.push_back(points / static_cast<double>(after.groups - before.groups));
    rates.latency_p50_us.push_back(quantile(latency, 0.50));
    rates.latency_p99_us.push_back(quantile(latency, 0.99));
    must(database.close());
    std::filesystem::remove_all(path);
  }

  void print_and_report(double raw, const std::vector<Rates>& rates) {
    std::printf("\n%-20s %10s %10s %8s %10s %10s   (medians of %u rounds)\n", "", "points/s", "fsyncs/s", "pts/group",
                "p50 us", "p99 us", arguments_.rounds);
    for (std::size_t m = 0; m < modes_.size(); ++m) {
      const Rates& r = rates[m];
      std::printf("%-20s %10.0f %10.0f %8.2f %10.1f %10.1f\n", modes_[m].name().c_str(), median(r.points_per_s),
                  median(r.syncs_per_s), median(r.points_per_group), median(r.latency_p50_us),
                  median(r.latency_p99_us));
      report_.details()["modes"][modes_[m].name()] = {{"points_per_s", r.points_per_s},
                                                      {"syncs_per_s", r.syncs_per_s},
                                                      {"points_per_group", r.points_per_group},
                                                      {"latency_p50_us", r.latency_p50_us},
                                                      {"latency_p99_us", r.latency_p99_us}};
    }
    const auto points = [&](std::size_t mode) { return median(rates[mode].points_per_s); };
    const std::string many = std::to_string(arguments_.writers) + " writers";
    report_.figure("disk: 4 KiB write + fdatasync", raw, "1/s");
    for (std::size_t m = 0; m < modes_.size(); ++m) {
      report_.figure("ingest, " + modes_[m].name(), points(m), "points/s");
      report_.figure("ingest, " + modes_[m].name() + ", fsyncs", median(rates[m].syncs_per_s), "1/s");
    }
    report_.figure("ingest, " + many + ", sync / none", points(0) / points(2), "x");
    report_.figure("ingest, " + many + ", sync / interval", points(0) / points(1), "x");
    report_.figure("ingest, " + many + ", sync: points per fdatasync of the bare disk", points(0) / raw, "x");
    report_.figure("ingest, 1 writer, sync / fdatasync rate of the bare disk", points(3) / raw, "x");
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
  std::printf("== ingest: single points of %u dimensions, %.1f s each\n", arguments.dim, arguments.seconds);
  Ingest(arguments, report).run();
  report.finish();
}

}  // namespace holdfast::bench
