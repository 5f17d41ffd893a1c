// A million points: built, searched and churned, beside a tenth of them in the same run.
//
// Both stores hold clustered vectors of one distribution (bench/synthetic.cc): the small one the first rows of the
// large one. Both are built durably, closed, and opened again; what is searched is mapped from their files. They take
// turns at every beam. The exact ten of each judged query are the engine's own (SearchOptions::exact), a few of which
// are compared with float64 over the plain rows first. More queries are timed than judged: a few hundred would leave
// what they touch in the caches.
//
// Then a part of the large store is replaced (two thirds) and deleted (one third) by one writer, with synced batches in
// the default mode; what that leaves is indexed, vacuumed and checkpointed, and searched in turns with the small one
// again, against exact answers of its own. Memory is that of a process that only opens the store and searches.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "bench/contestant.h"
#include "bench/curve.h"
#include "bench/holdfast_contestant.h"
#include "bench/load_support.h"
#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/report.h"
#include "bench/series.h"

namespace holdfast::bench {

namespace {

constexpr double kRecall = 0.95;
constexpr double kRatioGoal = 0.6;
constexpr std::uint32_t kReferenceBeam = 100;
constexpr std::uint32_t kWarmUpBeam = 200;
constexpr std::uint32_t kProgressSeconds = 10;
constexpr double kAgreementMin = 0.99;  // with float64: the last of ten may differ in the last bits

Matrix take_last(Matrix& matrix, std::uint32_t rows) {
  const auto begin = matrix.values.end() - static_cast<std::ptrdiff_t>(std::size_t{rows} * matrix.dim);
  Matrix last{rows, matrix.dim, std::vector<float>(begin, matrix.values.end())};
  matrix.values.erase(begin, matrix.values.end());
  matrix.rows -= rows;
  return last;
}

Matrix first_of(const Matrix& matrix, std::uint32_t rows) {
  const auto part = std::span(matrix.values).first(std::size_t{rows} * matrix.dim);
  return {rows, matrix.dim, {part.begin(), part.end()}};
}

/// One store, and the curve that is being measured on it.
class Side {
 public:
  Side(std::string name, std::filesystem::path path, const MillionArguments& arguments, Scratch& scratch,
       const Matrix& queries)
      : name_(std::move(name)),
        path_(std::move(path)),
        arguments_(arguments),
        set_{name_, true, Metric::l2, {}, queries, {}},
        setting_{set_, arguments.build, {}, set_.queries.values, scratch, arguments.turn_seconds, {}} {}

  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Collection& collection() { return store_->collection; }

  void build(const Matrix& base, Report& report) {
    BuildSettings settings = arguments_.build;
    const Stopwatch watch;
    settings.progress_s = kProgressSeconds;
    settings.progress = [&](const CollectionStats& stats) {
      std::fprintf(stderr, "%s: %llu written, %llu of them in the graph, %.0f s\n", name_.c_str(),
                   static_cast<unsigned long long>(stats.points), static_cast<unsigned long long>(stats.graph_nodes),
                   watch.seconds());
    };
    BuildTimes times;
    const double processor = processor_seconds();
    Store store = build_durably(path_, base, Metric::l2, settings, times);
    const double used = processor_seconds() - processor;
    std::printf(
        "%s: built in %.1f s (write, durable %.1f + rest of the graph %.1f + checkpoint %.1f), %.1f s of "
        "processor time\n",
        name_.c_str(), times.total_s(), times.write_s, times.index_s, times.checkpoint_s, used);
    std::fflush(stdout);
    report.figure(name_ + ": durable build", times.total_s(), "s");
    report.figure(name_ + ": durable build, points per second", base.rows / times.total_s(), "1/s");
    must(store.database.close());
    points_ = base.rows;
  }

  /// REQUIRES that the store is closed.
  void weigh(const std::string& when, Scratch& scratch, Report& report) const {
    const ServingMemory memory = serving_memory_of(path_, set_.queries, 0, kReferenceBeam, scratch);
    const double own = megabytes(memory.anonymous + memory.other);
    const auto per_point = static_cast<double>(memory.anonymous + memory.other) / static_cast<double>(points_);
    std::printf("%s: resident for searching, %s: %.0f MiB (%.0f bytes per point) and %.0f MiB of mapped vectors\n",
                name_.c_str(), when.c_str(), own, per_point, megabytes(memory.vectors));
    report.figure(name_ + ": resident for searching without mapped vectors, " + when, own, "MiB");
    report.figure(name_ + ": the same, bytes per point, " + when, per_point, "bytes");
    report.figure(name_ + ": mapped vectors resident, " + when, megabytes(memory.vectors), "MiB");
  }

  void open(Report& report) {
    store_ = std::make_unique<Store>(open_store(path_, open_options(arguments_.build)));
    const RecoveryReport& recovery = collection().recovery_report();
    if (!recovery.clean || recovery.frames_replayed != 0) fail(name_ + " was not closed cleanly");
    report.figure(name_ + ": opened again in", recovery.total_ms, "ms");
    must(collection().wait_until_indexed());  // codes may have to be made anew
    renew();
  }

  /// A new snapshot, warm; a new curve begins.
  void renew() {
    snapshot_ = std::make_unique<Snapshot>(collection().snapshot());
    points_ = snapshot_->size();
    for (std::uint32_t q = 0; q < set_.queries.rows; ++q) (void)search(q, {.k = kNearest, .ef = kWarmUpBeam});
    find_exactly();
    series_ = std::make_unique<Series>(name_);
  }

  /// Part of the exact neighbors that float64 over the plain rows finds, too.
  [[nodiscard]] double agreement(const Matrix& base) const {
    Matrix some = first_of(set_.queries, std::min(arguments_.checked, arguments_.judged));
    const Neighbors exact = nearest_rows(base, some, Metric::l2, kNearest);
    return recall(exact, std::span(set_.nearest.rows).first(std::size_t{some.rows} * kNearest), kNearest);
  }

  void turn(std::size_t beam) {
    const SearchOptions options{.k = kNearest, .ef = beams()[beam]};
    Turn turn = timed_turn(setting_, [&](std::uint32_t q, std::uint32_t* rows) {
      for (const Hit& hit : search(q, options)) *rows++ = static_cast<std::uint32_t>(hit.id.number());
    });
    turn.found.resize(set_.nearest.rows.size());  // of the queries that are judged
    series_->add(beam, turn, set_.nearest);
  }

  [[nodiscard]] Series& series() { return *series_; }

  void close() {
    snapshot_.reset();
    must(store_->database.close());
    store_.reset();
  }

 private:
  [[nodiscard]] Hits search(std::uint32_t query, const SearchOptions& options) const {
    return must(snapshot_->search(set_.queries.row(query), options));
  }

  void find_exactly() {
    const std::uint32_t judged = std::min(arguments_.judged, set_.queries.rows);
    const auto asked = std::span(set_.queries.values).first(std::size_t{judged} * set_.queries.dim);
    const Stopwatch watch;
    set_.nearest = {judged, kNearest, {}};
    for (const Hits& hits : must(snapshot_->search_batch(asked, {.k = kNearest, .exact = true}))) {
      if (hits.size() != kNearest) fail("an exact search found " + std::to_string(hits.size()) + " points");
      for (const Hit& hit : hits) set_.nearest.rows.push_back(static_cast<std::uint32_t>(hit.id.number()));
    }
    std::fprintf(stderr, "%s: %u exact searches in %.1f s\n", name_.c_str(), judged, watch.seconds());
  }

  const std::string name_;
  const std::filesystem::path path_;
  const MillionArguments& arguments_;
  Dataset set_;
  const Setting setting_;
  std::uint64_t points_ = 0;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Snapshot> snapshot_;
  std::unique_ptr<Series> series_;
};

class Million {
 public:
  Million(const MillionArguments& arguments, Report& report)
      : arguments_(arguments), report_(report), scratch_(arguments.common.out), random_(arguments.seed) {
    const std::uint32_t upserts = changed() - changed() / 3;
    base_ = synthetic_dataset("", {arguments.rows + upserts + arguments.queries, 0, arguments.dim, Metric::l2},
                              arguments.seed)
                .base;
    queries_ = take_last(base_, arguments.queries);
    fresh_ = take_last(base_, upserts);
  }

  void run() {
    Side small(name_of(arguments_.small_rows), scratch_.fresh("small"), arguments_, scratch_, queries_);
    Side large(name_of(arguments_.rows), scratch_.fresh("large"), arguments_, scratch_, queries_);
    small.build(first_of(base_, arguments_.small_rows), report_);
    large.build(base_, report_);
    large.weigh("built", scratch_, report_);
    small.open(report_);
    large.open(report_);
    const double agreement = large.agreement(base_);
    std::printf("exact searches agree with float64 over the plain rows in %.4f of %u neighbors\n", agreement,
                std::min(arguments_.checked, arguments_.judged) * kNearest);
    if (agreement < kAgreementMin) fail("the exact search is not exact");
    const CurvePoint built = compare(small, large, "built");
    churn(large);
    large.renew();
    small.renew();
    const CurvePoint churned = compare(small, large, "churned");
    const double before = built.recall;
    report_.figure(large.name() + ": recall@10 at ef " + std::to_string(kReferenceBeam) + ", churned - built",
                   churned.recall - before, "");
    large.close();
    large.weigh("churned", scratch_, report_);
    small.close();
  }

 private:
  [[nodiscard]] std::uint32_t changed() const { return arguments_.rows / 100 * arguments_.percent; }

  [[nodiscard]] std::string name_of(std::uint32_t rows) const {
    return std::to_string(rows) + " x " + std::to_string(arguments_.dim);
  }

  /// Returns the point of the large store's curve at the reference beam.
  CurvePoint compare(Side& small, Side& large, const std::string& when) {
    for (std::uint32_t turn = 0; turn < arguments_.turns; ++turn) {
      for (std::size_t beam = 0; beam < beams().size(); ++beam) {
        small.turn(beam);
        large.turn(beam);
      }
      std::fprintf(stderr, "%s: turn %u of %u\n", when.c_str(), turn + 1, arguments_.turns);
    }
    small.series().summarise();
    large.series().summarise();
    std::printf("\n%s%6s %14s %14s %14s %14s\n", when.c_str(), "ef", "recall, small", "QPS", "recall, large", "QPS");
    for (std::size_t beam = 0; beam < beams().size(); ++beam) {
      const CurvePoint& a = small.series().points()[beam];
      const CurvePoint& b = large.series().points()[beam];
      std::printf("%*s%6u %14.4f %14.0f %14.4f %14.0f\n", static_cast<int>(when.size()), "", a.ef, a.recall, a.qps_best,
                  b.recall, b.qps_best);
    }
    for (Side* const side : {&small, &large}) {
      report_.details()["curves"][when][side->name()] = side->series().json();
      const CurvePoint& at = side->series().at_ef(kReferenceBeam);
      report_.figure(side->name() + ": recall@10 at ef " + std::to_string(at.ef) + ", " + when, at.recall, "");
    }
    judge(small, large, when, "", &CurvePoint::qps_best);
    judge(small, large, when, ", medians", &CurvePoint::qps_median);
    judge(small, large, when, ", processor time", &CurvePoint::qps_processor);
    return large.series().at_ef(kReferenceBeam);
  }

  void judge(Side& small, Side& large, const std::string& when, const std::string& which, double CurvePoint::*qps) {
    const QpsAtRecall a = qps_at_recall(small.series().points(), kRecall, qps);
    const QpsAtRecall b = qps_at_recall(large.series().points(), kRecall, qps);
    if (a.reading == Reading::unreached || b.reading == Reading::unreached) fail("recall 0.95 is not reached");
    char remark[64];
    std::snprintf(remark, sizeof remark, "(%.0f against %.0f)", b.qps, a.qps);
    report_.figure("QPS at recall 0.95, " + large.name() + ", " + when + " / " + small.name() + which, b.qps / a.qps,
                   "x", which.empty() ? at_least(kRatioGoal) : Goal{}, remark);
  }

  void churn(Side& side) {
    std::vector<std::uint32_t> ids(arguments_.rows);
    std::iota(ids.begin(), ids.end(), 0u);
    for (std::uint32_t i = 0; i < changed(); ++i) std::swap(ids[i], ids[i + random_.below(ids.size() - i)]);
    Collection& collection = side.collection();
    const CollectionStats before = collection.stats();
    const Stopwatch watch;
    double said = 0;
    WriteBatch batch;
    for (std::uint32_t i = 0; i < changed(); ++i) {
      if (i < fresh_.rows) {
        batch.upsert(ids[i], fresh_.row(i));
      } else {
        batch.erase(ids[i]);
      }
      if (batch.size() < arguments_.churn_batch && i + 1 < changed()) continue;
      must(collection.write(batch, {.durability = Durability::sync}).status());
      batch.clear();
      if (watch.seconds() < said + kProgressSeconds) continue;
      said = watch.seconds();
      std::fprintf(stderr, "churn: %u of %u, %.0f s\n", i + 1, changed(), said);
    }
    const double written = watch.seconds();
    must(collection.wait_until_indexed());
    const double indexed = watch.seconds();
    must(collection.vacuum());
    const double vacuumed = watch.seconds();
    must(collection.checkpoint());
    const double checkpointed = watch.seconds();
    const CollectionStats after = collection.stats();
    std::printf(
        "\nchurn: %u replaced, %u deleted, durable in %.1f s, + indexed %.1f, + vacuumed %.1f, + checkpoint %.1f; "
        "%llu points, disk %.0f MiB (%.0f before)\n",
        fresh_.rows, changed() - fresh_.rows, written, indexed - written, vacuumed - indexed, checkpointed - vacuumed,
        static_cast<unsigned long long>(after.points), megabytes(after.disk_bytes), megabytes(before.disk_bytes));
    std::fflush(stdout);
    report_.figure(side.name() + ": churn, operations per second, durable", changed() / written, "1/s");
    report_.figure(side.name() + ": churn until durable, indexed, vacuumed, checkpointed", checkpointed, "s");
    report_.figure(side.name() + ": disk, churned / built",
                   static_cast<double>(after.disk_bytes) / static_cast<double>(before.disk_bytes), "x");
  }

  const MillionArguments& arguments_;
  Report& report_;
  Scratch scratch_;
  SeededRandom random_;
  Matrix base_;
  Matrix fresh_;  ///< vectors of the points that are replaced
  Matrix queries_;
};

}  // namespace

void run_million(const MillionArguments& arguments) {
  Report report(arguments.common.out, "million");
  std::printf("== %u and %u x %u clustered vectors, %u queries (%u judged), %u threads build, seed %llu\n",
              arguments.small_rows, arguments.rows, arguments.dim, arguments.queries, arguments.judged,
              arguments.build.threads, static_cast<unsigned long long>(arguments.seed));
  Million(arguments, report).run();
  report.finish();
}

}  // namespace holdfast::bench
