// Holdfast beside hnswlib on one data set: build time, recall against speed, memory. See docs/figures.md.
//
// Fairness: same M, ef_construction and number of threads; both searched by one thread, in turns (A B A B ...), the
// best and the median of the turns kept; recall by row number against the exact neighbors. What hnswlib is spared:
// vectors are normalised for it beforehand. What Holdfast does on top: everything that makes the build durable, and
// searching through the public API, which checks the query and returns ids and distances in order.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "bench/curve.h"
#include "bench/durable_build.h"
#include "bench/hnswlib_peer.h"
#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr std::uint32_t kNearest = 10;
constexpr std::uint32_t kBeams[] = {10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 160, 200, 400};
constexpr std::uint32_t kReferenceBeam = 100;
constexpr double kTurnSeconds = 0.03;  // at least; small sets are searched several times, or one time slice decides
constexpr double kRecalls[] = {0.95, 0.99};

/// Per point, in bytes; `resident` is the growth of the process less the bare vectors.
struct MemoryFigures {
  double resident = 0;
  double trimmed = 0;
};

/// One library at all beams: curve points and what they are made of.
struct Series {
  std::vector<CurvePoint> points;
  std::vector<std::vector<double>> qps;         // per beam, per turn
  std::vector<std::vector<double>> latency_us;  // per beam, all turns
  std::vector<double> processor_s;              // per beam, all turns

  Series()
      : points(std::size(kBeams)),
        qps(std::size(kBeams)),
        latency_us(std::size(kBeams)),
        processor_s(std::size(kBeams)) {}
};

/// Searches all queries with `search(query number, row numbers out)`.
template <class Search>
void take_turn(const Dataset& set, std::size_t beam, Search&& search, Series& series) {
  std::vector<std::uint32_t> found(std::size_t{set.queries.rows} * kNearest, ~std::uint32_t{0});
  std::vector<double>& latency = series.latency_us[beam];
  const double processor = thread_processor_seconds();
  const Stopwatch total;
  double before = 0;
  std::size_t searches = 0;
  while (before < kTurnSeconds) {
    for (std::uint32_t q = 0; q < set.queries.rows; ++q) {
      search(q, found.data() + std::size_t{q} * kNearest);
      const double now = total.seconds();
      latency.push_back((now - before) * 1e6);
      before = now;
    }
    searches += set.queries.rows;
  }
  series.processor_s[beam] += thread_processor_seconds() - processor;
  series.qps[beam].push_back(static_cast<double>(searches) / before);
  series.points[beam].ef = kBeams[beam];
  series.points[beam].recall = recall(set.nearest, found, kNearest);
}

void summarise(Series& series) {
  for (std::size_t beam = 0; beam < std::size(kBeams); ++beam) {
    CurvePoint& point = series.points[beam];
    point.qps_best = *std::max_element(series.qps[beam].begin(), series.qps[beam].end());
    point.qps_median = median(series.qps[beam]);
    point.qps_processor = static_cast<double>(series.latency_us[beam].size()) / series.processor_s[beam];
    point.p50_us = quantile(series.latency_us[beam], 0.50);
    point.p99_us = quantile(series.latency_us[beam], 0.99);
  }
}

nlohmann::json to_json(const Series& series) {
  nlohmann::json all;
  for (const CurvePoint& point : series.points) {
    all.push_back({{"ef", point.ef},
                   {"recall", point.recall},
                   {"qps_best", point.qps_best},
                   {"qps_median", point.qps_median},
                   {"qps_processor", point.qps_processor},
                   {"p50_us", point.p50_us},
                   {"p99_us", point.p99_us}});
  }
  return all;
}

class Comparison {
 public:
  Comparison(const CompareArguments& arguments, Dataset set, Report& report)
      : arguments_(arguments),
        set_(std::move(set)),
        report_(report),
        scratch_(arguments.common.out),
        peer_base_(normalised(set_.base.values, set_.base.dim, set_.metric)),
        peer_queries_(normalised(set_.queries.values, set_.queries.dim, set_.metric)) {}

  void run() {
    build_both();
    search_both("as built");
    report_memory("as built");
    reopen();
    search_both("reopened");
  }

 private:
  [[nodiscard]] std::string named(const std::string& figure) const { return set_.name + " " + figure; }
  [[nodiscard]] double per_point(double bytes) const { return bytes / set_.base.rows; }
  [[nodiscard]] double vector_bytes() const { return static_cast<double>(set_.base.values.size() * sizeof(float)); }

  /// What `build` adds to the memory of this process, per point and beyond the vectors.
  template <class Build>
  MemoryFigures memory_of(Build&& build) {
    const auto before = static_cast<double>(trimmed_memory().total());
    build();
    MemoryFigures figures;
    figures.resident = per_point(static_cast<double>(resident_memory().total()) - before - vector_bytes());
    const Memory after = trimmed_memory();
    figures.trimmed = per_point(static_cast<double>(after.total()) - before - vector_bytes());
    report_.details()["resident"].push_back({{"anonymous", after.anonymous}, {"file", after.file}, {"before", before}});
    return figures;
  }

  void build_holdfast() {
    store_.reset();
    path_ = scratch_.fresh("store");
    BuildTimes times;
    const double processor = processor_seconds();
    store_ = std::make_unique<Store>(build_durably(path_, set_.base, set_.metric, arguments_.build, times));
    holdfast_s_.push_back(times.total_s());
    holdfast_processor_s_.push_back(processor_seconds() - processor);
    std::printf(
        "  holdfast %7.2f s  (write, durable %.2f + rest of the graph %.2f + checkpoint %.2f), %.2f of processor\n",
        times.total_s(), times.write_s, times.index_s, times.checkpoint_s, holdfast_processor_s_.back());
    std::fflush(stdout);
    report_.details()["holdfast_build_s"].push_back(
        {{"write", times.write_s}, {"index", times.index_s}, {"checkpoint", times.checkpoint_s}});
  }

  void build_hnswlib() {
    peer_.reset();
    const double processor = processor_seconds();
    const Stopwatch total;
    peer_ = std::make_unique<HnswlibPeer>(set_.metric, set_.base.dim, set_.base.rows, arguments_.build.m,
                                          arguments_.build.ef_construction);
    peer_->add_all(peer_base_, arguments_.build.threads);
    hnswlib_s_.push_back(total.seconds());
    hnswlib_processor_s_.push_back(processor_seconds() - processor);
    std::printf("  hnswlib  %7.2f s, %.2f of processor\n", hnswlib_s_.back(), hnswlib_processor_s_.back());
    std::fflush(stdout);
    report_.details()["hnswlib_build_s"].push_back(hnswlib_s_.back());
  }

  void build_both() {
    std::printf("build, %u threads, M %u, ef_construction %u, batches of %u, durability sync\n",
                arguments_.build.threads, arguments_.build.m, arguments_.build.ef_construction, arguments_.build.batch);
    for (std::uint32_t round = 0; round < arguments_.builds; ++round) {
      if (round == 0) {  // later rounds reuse freed memory, which would hide what they take
        memory_ = memory_of([&] { build_holdfast(); });
        peer_memory_ = memory_of([&] { build_hnswlib(); });
      } else {
        close_store();
        build_holdfast();
        build_hnswlib();
      }
    }
    const double median_ratio = median(holdfast_s_) / median(hnswlib_s_);
    const double best_ratio = *std::min_element(holdfast_s_.begin(), holdfast_s_.end()) /
                              *std::min_element(hnswlib_s_.begin(), hnswlib_s_.end());
    report_.figure(named("durable build, median"), median(holdfast_s_), "s");
    report_.figure(named("hnswlib build in memory, median"), median(hnswlib_s_), "s");
    report_.figure(named("durable build / hnswlib, medians"), median_ratio, "x", at_most(1.3));
    report_.figure(named("durable build / hnswlib, best of each"), best_ratio, "x");
    report_.figure(named("durable build / hnswlib, processor time"),
                   median(holdfast_processor_s_) / median(hnswlib_processor_s_), "x");
  }

  void close_store() {
    must(store_->database.close());
    store_.reset();
    std::error_code ignored;  // the scratch directory goes as a whole at the end
    std::filesystem::remove_all(path_, ignored);
  }

  void reopen() {
    must(store_->database.close());
    store_.reset();
    const auto before = static_cast<double>(trimmed_memory().total());
    store_ = std::make_unique<Store>(open_store(path_, open_options(arguments_.build)));
    const RecoveryReport& recovery = store_->collection.recovery_report();
    if (!recovery.clean || recovery.frames_replayed != 0) fail("the store was not closed cleanly");
    warm_up(store_->collection.snapshot());
    std::printf("\nreopened in %.1f ms; resident memory grew by %.1f bytes per point, vectors included where touched\n",
                recovery.total_ms, per_point(static_cast<double>(resident_memory().total()) - before));
    report_memory("reopened");
  }

  void warm_up(const Snapshot& snapshot) {
    for (std::uint32_t q = 0; q < std::min(200u, set_.queries.rows); ++q) {
      must(snapshot.search(set_.queries.row(q), {.k = kNearest, .ef = kReferenceBeam}).status());
    }
  }

  void search_both(const std::string& state) {
    const Snapshot snapshot = store_->collection.snapshot();
    warm_up(snapshot);
    Series ours;
    Series theirs;
    for (std::uint32_t turn = 0; turn < arguments_.turns; ++turn) {
      for (std::size_t beam = 0; beam < std::size(kBeams); ++beam) {
        const auto search_ours = [&](std::uint32_t q, std::uint32_t* rows) {
          const Hits hits = must(snapshot.search(set_.queries.row(q), {.k = kNearest, .ef = kBeams[beam]}));
          for (const Hit& hit : hits) *rows++ = static_cast<std::uint32_t>(hit.id.number());
        };
        peer_->set_ef(kBeams[beam]);
        const auto search_theirs = [&](std::uint32_t q, std::uint32_t* rows) {
          peer_->search(peer_queries_.data() + std::size_t{q} * set_.queries.dim, kNearest, rows);
        };
        take_turn(set_, beam, search_ours, ours);
        take_turn(set_, beam, search_theirs, theirs);
      }
    }
    summarise(ours);
    summarise(theirs);
    print_curves(state, ours, theirs);
    report_curves(state, ours, theirs);
  }

  void print_curves(const std::string& state, const Series& ours, const Series& theirs) const {
    std::printf("\nsearch, %s: recall@%u, QPS of one thread (best and median of %u turns), latency in us\n",
                state.c_str(), kNearest, arguments_.turns);
    std::printf("%5s | %8s %8s %8s %8s %8s | %8s %8s %8s %8s %8s\n", "", "holdfast", "best", "median", "p50", "p99",
                "hnswlib", "best", "median", "p50", "p99");
    for (std::size_t i = 0; i < std::size(kBeams); ++i) {
      const CurvePoint& a = ours.points[i];
      const CurvePoint& b = theirs.points[i];
      std::printf("%5u | %8.4f %8.0f %8.0f %8.1f %8.1f | %8.4f %8.0f %8.0f %8.1f %8.1f\n", a.ef, a.recall, a.qps_best,
                  a.qps_median, a.p50_us, a.p99_us, b.recall, b.qps_best, b.qps_median, b.p50_us, b.p99_us);
    }
    std::fflush(stdout);
  }

  void report_curves(const std::string& state, const Series& ours, const Series& theirs) {
    report_.details()["search"][state] = {{"holdfast", to_json(ours)}, {"hnswlib", to_json(theirs)}};
    const auto reference = std::find(std::begin(kBeams), std::end(kBeams), kReferenceBeam) - std::begin(kBeams);
    const CurvePoint& point = ours.points[static_cast<std::size_t>(reference)];
    const CurvePoint& peer_point = theirs.points[static_cast<std::size_t>(reference)];
    const bool goal_set = set_.metric == Metric::l2;
    report_.figure(named("recall@10, ef 100, " + state), point.recall, "", goal_set ? at_least(0.98) : Goal{});
    report_.figure(named("recall@10 of hnswlib, ef 100, " + state), peer_point.recall, "");
    report_.figure(named("latency p50, ef 100, " + state), point.p50_us, "us");
    report_.figure(named("latency p99, ef 100, " + state), point.p99_us, "us");
    for (const double wanted : kRecalls) {
      report_qps(state, wanted, "best", ours, theirs, &CurvePoint::qps_best, goal_set ? at_least(1.0) : Goal{});
      report_qps(state, wanted, "median", ours, theirs, &CurvePoint::qps_median, Goal{});
      report_qps(state, wanted, "processor time", ours, theirs, &CurvePoint::qps_processor, Goal{});
    }
  }

  void report_qps(const std::string& state, double wanted, const char* which, const Series& ours, const Series& theirs,
                  double CurvePoint::*qps, Goal goal) {
    const QpsAtRecall a = qps_at_recall(ours.points, wanted, qps);
    const QpsAtRecall b = qps_at_recall(theirs.points, wanted, qps);
    char name[96];
    std::snprintf(name, sizeof name, "QPS / hnswlib at recall %.2f, %s, %s", wanted, which, state.c_str());
    if (a.reading == Reading::unreached || b.reading == Reading::unreached) {
      std::printf("%s: no ratio, recall not reached by %s\n", name,
                  a.reading == Reading::unreached ? "holdfast" : "hnswlib");
      return;
    }
    char remark[160];
    std::snprintf(remark, sizeof remark, "(%.0f%s against %.0f%s QPS)", a.qps,
                  a.reading == Reading::above ? " at the smallest ef" : "", b.qps,
                  b.reading == Reading::above ? " at the smallest ef" : "");
    report_.figure(named(name), a.qps / b.qps, "x", goal, remark);
  }

  void report_memory(const std::string& state) {
    const CollectionStats stats = store_->collection.stats();
    report_.figure(named("memory beyond vectors, stats, " + state),
                   per_point(static_cast<double>(stats.overhead_bytes)), "B/point", at_most(300));
    report_.details()["memory"][state] = {{"overhead_bytes", stats.overhead_bytes},
                                          {"vector_bytes", stats.vector_bytes},
                                          {"retained_bytes", stats.retained_bytes},
                                          {"disk_bytes", stats.disk_bytes},
                                          {"log_bytes", stats.log_bytes}};
    if (state != "as built") return;
    report_.figure(named("memory beyond vectors, resident, as built"), memory_.resident, "B/point");
    // What any process needs once (code, stacks, buffers: some megabytes) weighs little only where there are many
    // points.
    report_.figure(named("memory beyond vectors, resident, trimmed"), memory_.trimmed, "B/point",
                   set_.base.rows >= 50'000 ? at_most(300) : Goal{});
    report_.figure(named("memory beyond vectors, resident, hnswlib"), peer_memory_.trimmed, "B/point");
    report_.figure(named("bytes on disk / bytes of vectors"), static_cast<double>(stats.disk_bytes) / vector_bytes(),
                   "x");
  }

  const CompareArguments& arguments_;
  Dataset set_;
  Report& report_;
  Scratch scratch_;
  std::vector<float> peer_base_;
  std::vector<float> peer_queries_;
  std::filesystem::path path_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<HnswlibPeer> peer_;
  std::vector<double> holdfast_s_;
  std::vector<double> hnswlib_s_;
  std::vector<double> holdfast_processor_s_;
  std::vector<double> hnswlib_processor_s_;
  MemoryFigures memory_;
  MemoryFigures peer_memory_;
};

}  // namespace

void run_compare(const CompareArguments& arguments) {
  Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "compare-" + arguments.dataset);
  std::printf("== %s%s: %u x %u, %s, %u queries\n", set.name.c_str(), set.synthetic ? " (SYNTHETIC)" : "",
              set.base.rows, set.base.dim, std::string(to_string(set.metric)).c_str(), set.queries.rows);
  Comparison(arguments, std::move(set), report).run();
  report.finish();
}

}  // namespace holdfast::bench
