// What load_churn.cc does in processes of its own: the store that is churned, and the fresh one with the same points.
//
// Every writer has ids and vectors that no other writer touches. Of its operations a third delete a live point, a third
// bring one back that is gone, and a third replace one, always by a vector that no live point has. The number of live
// points therefore wanders about where it began.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>
#include <unordered_set>
#include <vector>

#include "bench/curve.h"
#include "bench/load.h"
#include "bench/load_support.h"
#include "bench/machine.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr std::size_t kLatenciesMax = 2'000'000;  // of searches; made before memory is read for the first time
constexpr std::uint32_t kLoadBatch = 1'000;

struct LivePoint {
  std::uint64_t id;
  std::uint64_t row;  ///< of the pool
};

/// The points of one writer.
class Population {
 public:
  Population(std::uint32_t writer, std::uint32_t writers, std::uint32_t live_points, const Matrix& pool,
             std::uint64_t seed)
      : pool_(pool), random_(mix64(seed) + writer) {
    for (std::uint32_t id = writer; id < pool.rows; id += writers) {
      if (id < live_points) {
        live_.push_back({id, id});
      } else {
        gone_.push_back(id);
        free_rows_.push_back(id);
      }
    }
    if (live_.empty() || gone_.empty()) fail("too few points for so many writers");
    for (auto* const ids : {&gone_, &free_rows_}) ids->reserve(live_.size() + gone_.size());
    live_.reserve(live_.size() + gone_.size());
  }

  [[nodiscard]] const std::vector<LivePoint>& live() const { return live_; }

  /// Adds one, or none if it would be of an id that the batch names already.
  void add_operation(WriteBatch& batch) {
    const std::uint64_t kind = random_.below(3);
    if (gone_.empty() || (kind == 0 && !live_.empty())) {
      LivePoint& point = live_[random_.below(live_.size())];
      if (names(batch, point.id)) return;
      batch.erase(point.id);
      gone_.push_back(point.id);
      free_rows_.push_back(point.row);
      point = live_.back();
      live_.pop_back();
    } else if (kind == 1 || live_.empty()) {
      std::uint64_t& id = gone_[random_.below(gone_.size())];
      if (names(batch, id)) return;
      live_.push_back({id, take_row()});
      id = gone_.back();
      gone_.pop_back();
      batch.upsert(live_.back().id, pool_.row(live_.back().row));
    } else {
      LivePoint& point = live_[random_.below(live_.size())];
      if (names(batch, point.id)) return;
      const std::uint64_t row = take_row();
      free_rows_.push_back(point.row);
      point.row = row;
      batch.upsert(point.id, pool_.row(row));
    }
  }

 private:
  [[nodiscard]] std::uint64_t take_row() {
    std::uint64_t& chosen = free_rows_[random_.below(free_rows_.size())];
    const std::uint64_t row = chosen;
    chosen = free_rows_.back();
    free_rows_.pop_back();
    return row;
  }

  const Matrix& pool_;
  SeededRandom random_;
  std::vector<LivePoint> live_;
  std::vector<std::uint64_t> gone_;
  std::vector<std::uint64_t> free_rows_;  // as many as gone_
};

void write_live(const std::filesystem::path& path, const std::vector<LivePoint>& points) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(points.data()),
             static_cast<std::streamsize>(points.size() * sizeof(LivePoint)));
  if (!file.flush()) fail("cannot write " + path.string());
}

std::vector<LivePoint> read_live(const std::filesystem::path& path) {
  const auto bytes = must(read_file(path));
  std::vector<LivePoint> points(bytes.size() / sizeof(LivePoint));
  std::copy_n(bytes.begin(), points.size() * sizeof(LivePoint), std::as_writable_bytes(std::span(points)).begin());
  return points;
}

class ChurnChild {
 public:
  explicit ChurnChild(const LoadChurnChildArguments& arguments)
      : arguments_(arguments),
        pool_(must(parse_matrix(must(read_file(arguments.pool)), Encoding::f32))),
        queries_(must(parse_matrix(must(read_file(arguments.queries)), Encoding::f32))),
        latencies_us_(kLatenciesMax, 1.0) {
    const LoadChurnArguments& churn = arguments.churn;
    for (std::uint32_t w = 0; w < churn.writers; ++w) {
      populations_.emplace_back(w, churn.writers, arguments.live_points, pool_, churn.seed);
    }
    at_rest_ = trimmed_memory();
  }

  nlohmann::json churn() {
    Store store = create();
    std::vector<LivePoint> points;
    for (std::uint32_t id = 0; id < arguments_.live_points; ++id) points.push_back({id, id});
    load(store, points);
    points = {};
    print_head();
    nlohmann::json result;
    (void)quarter_line(store, "loaded", 0, 1, {});
    const Stopwatch watch;
    for (std::uint64_t quarter = 1; quarter <= 4; ++quarter) result["quarters"].push_back(run_quarter(store, quarter));
    result["operations_per_s"] = static_cast<double>(operations_) / watch.seconds();
    latencies_us_.resize(std::max<std::size_t>(1, searches_kept_));
    const LatencyFigures latency = latency_figures(latencies_us_);
    result["search_p50_us"] = latency.p50_us;
    result["search_p99_us"] = latency.p99_us;
    result["searches"] = searches_.load();
    for (const Population& population : populations_) {
      points.insert(points.end(), population.live().begin(), population.live().end());
    }
    std::sort(points.begin(), points.end(), [](const LivePoint& a, const LivePoint& b) { return a.id < b.id; });
    write_live(arguments_.live, points);
    settle(store, points.size(), result);
    return result;
  }

  nlohmann::json fresh() {
    Store store = create();
    const std::vector<LivePoint> points = read_live(arguments_.live);
    load(store, points);
    nlohmann::json result;
    settle(store, points.size(), result);
    return result;
  }

 private:
  [[nodiscard]] Store create() const {
    OpenOptions options = open_options(arguments_.churn.build);
    options.checkpoint_on_close = false;
    return create_store(arguments_.store, options,
                        {.dimension = pool_.dim,
                         .metric = arguments_.metric,
                         .m = arguments_.churn.build.m,
                         .ef_construction = arguments_.churn.build.ef_construction});
  }

  void load(Store& store, const std::vector<LivePoint>& points) const {
    WriteBatch batch;
    for (std::size_t i = 0; i < points.size(); ++i) {
      batch.upsert(points[i].id, pool_.row(points[i].row));
      if (batch.size() < kLoadBatch && i + 1 < points.size()) continue;
      must(store.collection.write(batch, {.durability = Durability::none, .bulk = true}).status());
      batch.clear();
    }
    must(store.collection.wait_until_indexed());
  }

  nlohmann::json run_quarter(Store& store, std::uint64_t quarter) {
    const LoadChurnArguments& churn = arguments_.churn;
    const std::uint64_t per_writer = churn.operations / 4 / churn.writers;
    const CollectionStats before = store.collection.stats();
    const Stopwatch watch;
    std::jthread reader([&](const std::stop_token& stop) { read(store.collection, stop); });
    std::vector<std::thread> writers;
    for (Population& population : populations_) {
      writers.emplace_back([&] {
        WriteBatch batch;
        for (std::uint64_t done = 0; done < per_writer; done += batch.size()) {
          batch.clear();
          while (batch.size() < churn.batch && done + batch.size() < per_writer) population.add_operation(batch);
          must(store.collection.write(batch, {.durability = churn.durability}).status());
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
    const double seconds = watch.seconds();
    reader.request_stop();
    reader.join();
    operations_ += per_writer * churn.writers;
    return quarter_line(store, std::to_string(quarter), per_writer * churn.writers, seconds, before);
  }

  /// Searches without a pause; no id may be found twice.
  void read(const Collection& collection, const std::stop_token& stop) {
    std::unordered_set<PointId> ids;
    for (std::uint32_t q = 0; !stop.stop_requested(); ++q) {
      const Stopwatch watch;
      const Hits hits = must(collection.search(queries_.row(q % queries_.rows), {.k = 10, .ef = arguments_.churn.ef}));
      if (searches_kept_ < kLatenciesMax) latencies_us_[searches_kept_++] = watch.seconds() * 1e6;
      searches_.fetch_add(1, std::memory_order_relaxed);  // a meter
      ids.clear();
      for (const Hit& hit : hits) {
        if (!ids.insert(hit.id).second) fail("a search found " + hit.id.to_string() + " twice");
      }
    }
  }

  static void print_head() {
    std::printf("%7s %9s %9s %8s %8s %8s %8s %8s %9s %9s %9s %9s %8s %9s\n", "quarter", "ops", "ops/s", "live", "slots",
                "dead", "free", "growing", "RSS MiB", "anon MiB", "disk MiB", "+2 ckpts", "stalls", "stall ms");
    std::fflush(stdout);
  }

  /// As it is at this moment, nothing waited for; then the disk after two checkpoints, which let go of older logs.
  nlohmann::json quarter_line(Store& store, const std::string& title, std::uint64_t operations, double seconds,
                              const CollectionStats& before) {
    const CollectionStats stats = store.collection.stats();
    const auto [resident, anonymous] = memory();
    for (int i = 0; i < 2; ++i) must(store.collection.checkpoint());
    const double disk = megabytes(store.collection.stats().disk_bytes);
    const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf("%7s %9llu %9.0f %8llu %8llu %8llu %8llu %8llu %9.1f %9.1f %9.1f %9.1f %8llu %9.1f\n", title.c_str(),
                number(operations), static_cast<double>(operations) / seconds, number(stats.points),
                number(stats.slots), number(stats.dead_slots), number(stats.free_slots), number(stats.growing),
                resident, anonymous, megabytes(stats.disk_bytes), disk,
                number(stats.writer_stalls - before.writer_stalls),
                static_cast<double>(stats.writer_stall_us - before.writer_stall_us) * 1e-3);
    std::fflush(stdout);
    return {{"operations", operations},
            {"seconds", seconds},
            {"live", stats.points},
            {"slots", stats.slots},
            {"dead", stats.dead_slots},
            {"free", stats.free_slots},
            {"growing", stats.growing},
            {"resident_mb", resident},
            {"anonymous_mb", anonymous},
            {"disk_as_is_mb", megabytes(stats.disk_bytes)},
            {"disk_mb", disk},
            {"vacuumed", stats.vacuumed_slots},
            {"stalls", stats.writer_stalls - before.writer_stalls}};
  }

  struct Mebibytes {
    double resident;
    double anonymous;
  };
  /// What this process has grown by since before it had a store.
  [[nodiscard]] Mebibytes memory() const {
    const Memory now = trimmed_memory();
    return {megabytes(now.total()) - megabytes(at_rest_.total()),
            megabytes(now.anonymous) - megabytes(at_rest_.anonymous)};
  }

  /// Everything indexed, vacuumed and in two checkpoints, the second of which lets go of the generation before.
  void settle(Store& store, std::size_t points, nlohmann::json& result) const {
    must(store.collection.wait_until_indexed());
    must(store.collection.vacuum());
    for (int i = 0; i < 2; ++i) must(store.collection.checkpoint());
    const CollectionStats stats = store.collection.stats();
    if (stats.points != points) {
      fail("the store has " + std::to_string(stats.points) + " points, the model " + std::to_string(points));
    }
    const auto [resident, anonymous] = memory();
    result["points"] = stats.points;
    result["slots"] = stats.slots;
    result["resident_mb"] = resident;
    result["anonymous_mb"] = anonymous;
    result["disk_mb"] = megabytes(stats.disk_bytes);
    result["recall"] = recall_at_10(store.collection.snapshot(), queries_, arguments_.churn.ef);
    std::printf("%s: %llu points in %llu slots, %.1f MiB resident, %.1f MiB anonymous, %.1f MiB disk, recall %.4f\n",
                arguments_.fresh ? "fresh" : "settled", static_cast<unsigned long long>(stats.points),
                static_cast<unsigned long long>(stats.slots), resident, anonymous, megabytes(stats.disk_bytes),
                result["recall"].get<double>());
    must(store.database.close());
  }

  const LoadChurnChildArguments& arguments_;
  const Matrix pool_;
  const Matrix queries_;
  std::vector<double> latencies_us_;  // the reader's while it runs
  std::size_t searches_kept_ = 0;     // of latencies_us_; the reader's while it runs
  std::atomic<std::uint64_t> searches_{0};
  std::vector<Population> populations_;
  std::uint64_t operations_ = 0;
  Memory at_rest_;
};

}  // namespace

void run_load_churn_child(const LoadChurnChildArguments& arguments) {
  ChurnChild child(arguments);
  std::printf("%s\n", (arguments.fresh ? child.fresh() : child.churn()).dump().c_str());
}

}  // namespace holdfast::bench
