// What a checkpoint writes: a store, some per cent of whose points get new vectors (and dead rows go, and are used
// again), then a checkpoint. The bytes are those of the files of the new generation that the one before did not have,
// extents, manifest and all, against those of all files that the generation names. The log is not counted.
//
// (What checkpoints cost a reader meanwhile is told by `load interference`.)
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <vector>

#include "bench/load.h"
#include "bench/load_support.h"
#include "bench/machine.h"
#include "bench/report.h"
#include "engine/image.h"
#include "os/file_system.h"
#include "storage/extent_format.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::bench {

namespace {

constexpr double kGoalPercent = 10;  ///< of the store's bytes, after changing kGoalChange per cent of the points
constexpr double kGoalChange = 1;

/// Bytes by what they hold.
using BytesByKind = std::map<std::string, std::uint64_t>;

std::uint64_t sum(const BytesByKind& bytes) {
  std::uint64_t total = 0;
  for (const auto& [kind, count] : bytes) total += count;
  return total;
}

class CheckpointBytes {
 public:
  CheckpointBytes(const LoadCheckpointArguments& arguments, const Dataset& set, Report& report)
      : arguments_(arguments),
        set_(set),
        report_(report),
        scratch_(arguments.common.out),
        random_(arguments.seed),
        amplitude_(jitter_amplitude(set.base)) {}

  void run() {
    OpenOptions options = open_options(arguments_.build);
    options.checkpoint_on_close = false;
    options.checkpoint_log_bytes = ~std::uint64_t{0};
    options.vacuum_percent = 100;
    const std::filesystem::path path = scratch_.fresh("store");
    store_.emplace(create_store(path, options,
                                {.dimension = set_.base.dim,
                                 .metric = set_.metric,
                                 .m = arguments_.build.m,
                                 .ef_construction = arguments_.build.ef_construction}));
    directory_ = collection_directory(path);
    WriteBatch batch;
    for (std::uint32_t id = 0; id < set_.base.rows; ++id) {
      batch.upsert(id, set_.base.row(id), payload(id));
      if (batch.size() == 1'000 || id + 1 == set_.base.rows) write(batch);
    }
    must(store_->collection.wait_until_indexed());
    must(store_->collection.checkpoint());
    std::printf("%9s %6s %10s %10s %8s  %s\n", "changed %", "round", "written MB", "store MB", "share %",
                "written, MB by kind (+: patches)");
    for (const double percent : arguments_.percent) {
      for (std::uint32_t round = 1; round <= arguments_.rounds; ++round) change_and_measure(percent, round);
      judge(percent);
    }
    must(store_->database.close());
  }

 private:
  static std::string payload(std::uint64_t seed) { return "{\"n\":" + std::to_string(seed) + "}"; }

  void write(WriteBatch& batch) {
    must(store_->collection.write(batch, {.durability = Durability::none, .bulk = true}).status());
    batch.clear();
  }

  static std::filesystem::path collection_directory(const std::filesystem::path& store) {
    for (const auto& entry : std::filesystem::directory_iterator(store)) {
      if (storage::parse_name(entry.path().filename().string()).kind == storage::FileKind::collection_directory) {
        return entry.path();
      }
    }
    fail("the store has no collection");
  }

  void change_and_measure(double percent, std::uint32_t round) {
    const auto changes = static_cast<std::uint32_t>(std::llround(set_.base.rows * percent / 100));
    // Every id once at most: points all over the store, each with a vector near to one of the data.
    WriteBatch batch;
    std::vector<float> vector;
    const std::uint32_t stride = changes == 0 ? 1 : set_.base.rows / changes;
    for (std::uint32_t i = 0; i < changes; ++i) {
      const std::uint64_t id = std::uint64_t{i} * stride + random_.below(stride);
      jitter(set_.base.row(random_.below(set_.base.rows)), amplitude_, random_, vector);
      batch.upsert(id, vector, payload(random_.next()));
      if (batch.size() == 1'000 || i + 1 == changes) write(batch);
    }
    if (arguments_.vacuum) must(store_->collection.vacuum());
    must(store_->collection.wait_until_indexed());
    const std::uint64_t first_new = newest_manifest().next_extent;
    must(store_->collection.checkpoint());
    BytesByKind written, all;
    const storage::Manifest manifest = newest_manifest();
    for (const storage::ExtentInfo& extent : manifest.extents) {
      const std::string kind = engine::to_string(engine::kind_of(extent.kind));
      const std::uint64_t bytes = storage::extent_file_bytes(extent.data_bytes);
      all[kind] += bytes;
      if (extent.number >= first_new) written[kind + (engine::is_patch(extent.kind) ? "+" : "")] += bytes;
    }
    const std::uint64_t of_manifest =
        std::filesystem::file_size(directory_ / storage::manifest_name(manifest.generation));
    all["manifest"] += of_manifest;
    if (!written.empty()) written["manifest"] += of_manifest;
    take(percent, round, written, sum(all));
  }

  storage::Manifest newest_manifest() const {
    os::FileSystem& fs = os::posix_file_system();
    const auto generations = must(storage::list_manifests(fs, directory_.string()));
    return must(storage::read_manifest(fs, directory_.string(), generations.front()));
  }

  void take(double percent, std::uint32_t round, const BytesByKind& written, std::uint64_t all) {
    const double share = 100.0 * static_cast<double>(sum(written)) / static_cast<double>(all);
    std::string kinds;
    for (const auto& [kind, bytes] : written) {
      std::array<char, 64> text{};
      std::snprintf(text.data(), text.size(), " %s %.2f", kind.c_str(), megabytes(bytes));
      kinds += text.data();
    }
    std::printf("%9.1f %6u %10.2f %10.2f %8.2f %s\n", percent, round, megabytes(sum(written)), megabytes(all), share,
                kinds.c_str());
    std::fflush(stdout);
    shares_[percent].push_back(share);
    report_.details()["checkpoints"].push_back(
        {{"percent", percent}, {"round", round}, {"store_bytes", all}, {"written_bytes", written}});
  }

  void judge(double percent) {
    const std::vector<double>& shares = shares_[percent];
    std::array<char, 64> name{};
    std::snprintf(name.data(), name.size(), "checkpoint after changing %g %% of the points: ", percent);
    const std::string title(name.data());
    const double worst = *std::max_element(shares.begin(), shares.end());
    if (percent == kGoalChange) {
      report_.figure(title + "largest share of the store", worst, "%", at_most(kGoalPercent));
    } else {
      report_.figure(title + "largest share of the store", worst, "%");
    }
  }

  const LoadCheckpointArguments& arguments_;
  const Dataset& set_;
  Report& report_;
  Scratch scratch_;
  SeededRandom random_;
  const float amplitude_;
  std::optional<Store> store_;
  std::filesystem::path directory_;
  std::map<double, std::vector<double>> shares_;
};

}  // namespace

void run_load_checkpoint(const LoadCheckpointArguments& arguments) {
  const Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "load-checkpoint");
  std::printf("== what a checkpoint writes, %s%s: %u x %u, %s vacuum, seed %llu\n", set.name.c_str(),
              set.synthetic ? " (SYNTHETIC)" : "", set.base.rows, set.base.dim, arguments.vacuum ? "with" : "without",
              static_cast<unsigned long long>(arguments.seed));
  CheckpointBytes(arguments, set, report).run();
  report.finish();
}

}  // namespace holdfast::bench
