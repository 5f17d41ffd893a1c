// How long until a store answers: after a clean close, after kill -9 with a long log tail, and what grows with its
// size.
//
// Every opening happens in a process of its own that has done nothing before, and is timed from the call of
// Database::open until the first search has returned. The page cache is warm: the files were just written or copied.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "bench/child.h"
#include "bench/curve.h"
#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr double kCleanGoalMs = 50;
/// Of Database::open alone, by the size of the store.
constexpr double kOpenGoalMs = 5, kLargeOpenGoalMs = 10;
constexpr std::uint32_t kLargeRows = 100'000;
double open_goal_ms(std::uint32_t rows) { return rows > kLargeRows ? kLargeOpenGoalMs : kOpenGoalMs; }
constexpr double kKilledGoalMs = 300;
constexpr std::uint32_t kSyntheticDim = 128;
// Narrower than usual: the size of the lists counts here, not the quality of their choice.
constexpr std::uint32_t kSyntheticEfConstruction = 40;

nlohmann::json open_once(const std::filesystem::path& store, const std::filesystem::path& queries, std::uint32_t row) {
  Child child({"open-once", "--store", store.string(), "--query-file", queries.string(), "--row", std::to_string(row)});
  const std::string output = child.read_all();
  if (!child.wait()) fail("the process that opens the store failed");
  return nlohmann::json::parse(output);
}

/// One opening after the other, and what they have in common.
class Openings {
 public:
  void add(const nlohmann::json& opening) { all_.push_back(opening); }
  [[nodiscard]] const nlohmann::json& all() const { return all_; }
  [[nodiscard]] double median_of(const char* field) const { return median(column(field)); }
  [[nodiscard]] double largest(const char* field) const {
    const auto values = column(field);
    return *std::max_element(values.begin(), values.end());
  }
  void print(const std::string& title) const {
    std::printf("%-34s median %7.1f ms, worst %7.1f  (extents %.1f + log %.1f + rest %.1f, first search %.2f)\n",
                title.c_str(), median_of("answer_ms"), largest("answer_ms"), median_of("load_ms"),
                median_of("replay_ms"), median_of("open_ms") - median_of("load_ms") - median_of("replay_ms"),
                median_of("search_ms"));
    std::fflush(stdout);
  }

 private:
  [[nodiscard]] std::vector<double> column(const char* field) const {
    std::vector<double> values;
    for (const auto& opening : all_) values.push_back(opening[field].get<double>());
    return values;
  }
  nlohmann::json all_ = nlohmann::json::array();
};

class OpenTimes {
 public:
  OpenTimes(const OpenArguments& arguments, Report& report)
      : arguments_(arguments), report_(report), scratch_(arguments.common.out) {}

  void run(const Dataset& set) {
    const auto store = scratch_.fresh("store");
    const auto queries = scratch_.fresh("queries");
    must(write_matrix(queries, set.queries.values, set.queries.dim));
    build(store, set.base, set.metric, arguments_.build);
    after_clean_close(set.name, store, queries);
    after_kill(set.name, store, queries);
    std::filesystem::remove_all(store);
    growth();
  }

 private:
  static void build(const std::filesystem::path& store, const Matrix& base, Metric metric,
                    const BuildSettings& settings) {
    BuildTimes times;
    Store built = build_durably(store, base, metric, settings, times);
    must(built.database.close());
    std::printf("built a store of %u x %u in %.1f s\n", base.rows, base.dim, times.total_s());
    std::fflush(stdout);
  }

  Openings open_again_and_again(const std::filesystem::path& store, const std::filesystem::path& queries) const {
    (void)open_once(store, queries, 0);  // brings everything into the page cache
    Openings openings;
    for (std::uint32_t i = 1; i <= arguments_.repetitions; ++i) openings.add(open_once(store, queries, i));
    return openings;
  }

  void after_clean_close(const std::string& name, const std::filesystem::path& store,
                         const std::filesystem::path& queries) {
    const Openings openings = open_again_and_again(store, queries);
    if (openings.largest("frames_replayed") != 0) fail("frames were replayed after a clean close");
    openings.print("after a clean close");
    report_.details()["clean"] = openings.all();
    const auto points = openings.all().front()["points"].get<std::uint32_t>();
    report_.figure(name + " open, clean close, median", openings.median_of("open_ms"), "ms",
                   at_most(open_goal_ms(points)));
    report_.figure(name + " open + first answer, clean close, median", openings.median_of("answer_ms"), "ms",
                   at_most(kCleanGoalMs));
    report_.figure(name + " open + first answer, clean close, worst", openings.largest("answer_ms"), "ms");
  }

  /// Returns how many writes were acknowledged before the writer died.
  std::uint64_t write_and_kill(const std::filesystem::path& store) const {
    Child writer({"write-until-killed", "--store", store.string()});
    std::array<char, 4096> buffer;
    std::uint64_t acknowledged = 0;
    while (acknowledged < arguments_.frames) {
      const std::size_t got = writer.read(buffer);
      if (got == 0) fail("the writer ended before it was killed");
      acknowledged += got;
    }
    writer.kill();
    acknowledged += writer.read_all().size();
    writer.wait();
    return acknowledged;
  }

  void after_kill(const std::string& name, const std::filesystem::path& store, const std::filesystem::path& queries) {
    const Stopwatch writing;
    const std::uint64_t before = open_once(store, queries, 0)["points"];
    const std::uint64_t acknowledged = write_and_kill(store);
    std::printf("killed a writer after %llu acknowledged batches (%.1f s)\n",
                static_cast<unsigned long long>(acknowledged), writing.seconds());
    Openings openings;
    for (std::uint32_t i = 0; i < arguments_.repetitions; ++i) {
      const auto copy = scratch_.fresh("killed");  // recovery shortens the tail, so each one gets the original
      std::filesystem::copy(store, copy, std::filesystem::copy_options::recursive);
      ::sync();  // or the first sync of the recovery would pay for the copy
      openings.add(open_once(copy, queries, i));
      std::filesystem::remove_all(copy);
      const nlohmann::json& last = openings.all().back();
      if (last["points"].get<std::uint64_t>() < before + acknowledged) fail("acknowledged points are lost");
      if (last["frames_replayed"].get<std::uint64_t>() < acknowledged) fail("the log is shorter than it should be");
    }
    const std::string frames = std::to_string(arguments_.frames);
    openings.print("after kill -9, " + frames + " frames");
    report_.details()["killed"] = openings.all();
    report_.figure(name + " open + first answer, kill -9 and " + frames + " frames, median",
                   openings.median_of("answer_ms"), "ms", at_most(kKilledGoalMs));
    report_.figure(name + " open + first answer, kill -9, worst", openings.largest("answer_ms"), "ms");
    report_.figure(name + " open, kill -9: replay of the log, median", openings.median_of("replay_ms"), "ms");
  }

  /// Milliseconds per million points, from two sizes.
  void growth() {
    struct Size {
      std::uint32_t rows;
      Openings openings;
    };
    BuildSettings settings = arguments_.build;
    settings.ef_construction = kSyntheticEfConstruction;
    std::vector<Size> sizes;
    for (const std::uint32_t rows : {arguments_.small_rows, arguments_.large_rows}) {
      const auto store = scratch_.fresh("grown");
      const auto queries = scratch_.fresh("queries");
      Matrix base;
      {
        Dataset set = synthetic_dataset("synthetic", {rows, 0, kSyntheticDim, Metric::l2}, 1);
        base = std::move(set.base);
      }
      must(write_matrix(queries, std::span(base.values).first(100 * kSyntheticDim), kSyntheticDim));
      build(store, base, Metric::l2, settings);
      sizes.push_back({rows, open_again_and_again(store, queries)});
      sizes.back().openings.print("clean, " + std::to_string(rows) + " points");
      report_.details()["growth"][std::to_string(rows)] = sizes.back().openings.all();
      const std::string points = std::to_string(rows) + " points";
      report_.figure("open, " + points + ", median", sizes.back().openings.median_of("open_ms"), "ms",
                     at_most(open_goal_ms(rows)));
      report_.figure("  first search after it, median", sizes.back().openings.median_of("search_ms"), "ms");
      std::filesystem::remove_all(store);
    }
    const double millions = (sizes[1].rows - static_cast<double>(sizes[0].rows)) / 1e6;
    const auto slope = [&](const char* field) {
      return (sizes[1].openings.median_of(field) - sizes[0].openings.median_of(field)) / millions;
    };
    report_.figure("open + first answer, growth with the store", slope("answer_ms"), "ms/1e6 pts");
    report_.figure("  of which extents (RecoveryReport::load_ms)", slope("load_ms"), "ms/1e6 pts");
  }

  const OpenArguments& arguments_;
  Report& report_;
  Scratch scratch_;
};

}  // namespace

void run_open(const OpenArguments& arguments) {
  const Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "open");
  std::printf("== open times, %s%s\n", set.name.c_str(), set.synthetic ? " (SYNTHETIC)" : "");
  OpenTimes(arguments, report).run(set);
  report.finish();
}

}  // namespace holdfast::bench
