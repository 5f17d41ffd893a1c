#include "bench/compare_report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace holdfast::bench {

namespace {

constexpr double kRecalls[] = {0.95, 0.99};

/// What a curve of Holdfast should reach against hnswlib; the first line that fits counts.
struct RatioGoal {
  const char* dataset;
  const char* ending;  ///< of the curve's name
  double recall;
  double ratio;
};
constexpr RatioGoal kGoals[] = {
    {"sift-100k-128-l2", "balanced", 0.95, 2.9},     {"sift-100k-128-l2", "balanced", 0.99, 3.2},
    {"fashion-mnist-784-l2", "balanced", 0.95, 3.2}, {"fashion-mnist-784-l2", "balanced", 0.99, 4.2},
    {"word2vec-300-cosine", "balanced", 0.95, 2.5},  {"gist-30k-960-l2", "fast", 0.95, 6.5},
    {"gist-30k-960-l2", "fast", 0.99, 6.5},          {"gist-30k-960-l2", "balanced", 0.95, 3.8},
    {"gist-30k-960-l2", "balanced", 0.99, 3.8},
};

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

bool is_holdfast(const std::string& curve) { return curve.rfind("holdfast", 0) == 0; }

Goal goal_of(const std::string& dataset, const std::string& curve, double recall) {
  if (!is_holdfast(curve)) return {};
  for (const RatioGoal& goal : kGoals) {
    if (dataset == goal.dataset && ends_with(curve, goal.ending) && recall == goal.recall) return at_least(goal.ratio);
  }
  return {};
}

/// Opened for appending; `heading` is written if the file is new.
std::ofstream open_csv(const std::filesystem::path& file, const char* heading) {
  const bool is_new = !std::filesystem::exists(file);
  std::ofstream lines(file, std::ios::app);
  lines.precision(8);
  if (is_new) lines << heading << '\n';
  return lines;
}

void must_flush(std::ofstream& lines, const std::filesystem::path& file) {
  if (!lines.flush()) fail("cannot write to " + file.string());
}

/// "12345" or "12345 at the smallest ef".
std::string qps_text(const QpsAtRecall& qps) {
  char text[64];
  std::snprintf(text, sizeof text, "%.0f%s", qps.qps, qps.reading == Reading::above ? " at the smallest ef" : "");
  return text;
}

}  // namespace

void print_curves(const std::string& state, const std::vector<Series>& curves, std::uint32_t turns) {
  std::printf(
      "\nsearch, %s: recall@%u and QPS of one thread (best of %u turns; of one call for all queries where that"
      " is faster)\n%5s",
      state.c_str(), kNearest, turns, "ef");
  for (const Series& curve : curves) std::printf(" | %-16s", curve.name().c_str());
  for (std::size_t beam = 0; beam < beams().size(); ++beam) {
    std::printf("\n%5u", beams()[beam]);
    for (const Series& curve : curves) {
      const CurvePoint& point = curve.points()[beam];
      std::printf(" | %.4f %*.0f", point.recall, static_cast<int>(std::max<std::size_t>(16, curve.name().size())) - 7,
                  point.qps_top);
    }
  }
  std::printf("\n");
  std::fflush(stdout);
}

void print_at_recall(double recall, const std::vector<Series>& curves, const Series& reference) {
  const QpsAtRecall base = qps_at_recall(reference.points(), recall, &CurvePoint::qps_top);
  std::printf("\nat recall %.2f: QPS, ratio to %s; latencies in us of single calls at the first ef that reaches it\n",
              recall, reference.name().c_str());
  std::printf("%-26s %9s %6s | %5s %7s %8s %8s %8s %8s\n", "", "QPS", "ratio", "ef", "recall", "p50", "p95", "p99",
              "p99.9");
  for (const Series& curve : curves) {
    const QpsAtRecall qps = qps_at_recall(curve.points(), recall, &CurvePoint::qps_top);
    const CurvePoint* const point = curve.first_with(recall);
    if (qps.reading == Reading::unreached || point == nullptr) {
      std::printf("%-26s %9s\n", curve.name().c_str(), "unreached");
      continue;
    }
    const double ratio = base.reading == Reading::unreached ? 0 : qps.qps / base.qps;
    std::printf("%-26s %8.0f%s %6.2f | %5u %7.4f %8.1f %8.1f %8.1f %8.1f", curve.name().c_str(), qps.qps,
                qps.reading == Reading::above ? "*" : " ", ratio, point->ef, point->recall, point->p50_us,
                point->p95_us, point->p99_us, point->p999_us);
    const auto beam = static_cast<std::size_t>(point - curve.points().data());
    if (const Counts counts = curve.counts_per_query(beam); counts.counted) {
      std::printf(" | per query: %.0f instructions, %.0f cycles, %.0f LLC misses", counts.values[0], counts.values[1],
                  counts.values[2]);
    }
    std::printf("\n");
  }
  std::fflush(stdout);
}

void print_entries(const std::vector<Entry>& entries, const Entry& reference, const Dataset& set) {
  const double rows = set.base.rows;
  std::printf("\n%-20s %9s %6s %10s | %10s %6s %10s | %s\n", "", "build s", "ratio", "cpu s", "resident", "ratio",
              "on disk", "overhead of a call");
  for (const Entry& entry : entries) {
    const double build = median(entry.build_s);
    std::printf("%-20s %9.2f %6.2f %10.2f | %10.0f %6.2f %10.0f |", entry.name.c_str(), build,
                build / median(reference.build_s), median(entry.processor_s), entry.trimmed_bytes / rows,
                entry.trimmed_bytes / reference.trimmed_bytes, entry.disk_bytes / rows);
    if (entry.call_overhead_us > 0)
      std::printf(" %.1f us: called through Node, nothing subtracted", entry.call_overhead_us);
    std::printf("\n");
  }
  std::printf("(medians of the builds; bytes per point, vectors included, of the process after the first build)\n");
  std::fflush(stdout);
}

void write_curves(const std::filesystem::path& directory, const Dataset& set, const std::string& state,
                  const std::vector<Series>& curves) {
  const auto file = directory / "curves.csv";
  std::ofstream lines = open_csv(file,
                                 "dataset,synthetic,state,library,ef,recall,qps_best,qps_median,qps_batch,qps_top,"
                                 "qps_processor,p50_us,p95_us,p99_us,p999_us,instructions,cycles,llc_misses");
  for (const Series& curve : curves) {
    for (std::size_t beam = 0; beam < curve.points().size(); ++beam) {
      const CurvePoint& p = curve.points()[beam];
      lines << set.name << ',' << set.synthetic << ',' << state << ',' << curve.name() << ',' << p.ef << ',' << p.recall
            << ',' << p.qps_best << ',' << p.qps_median << ',' << p.qps_batch << ',' << p.qps_top << ','
            << p.qps_processor << ',' << p.p50_us << ',' << p.p95_us << ',' << p.p99_us << ',' << p.p999_us;
      const Counts counts = curve.counts_per_query(beam);
      for (const double value : counts.values) {
        lines << ',';
        if (counts.counted) lines << value;
      }
      lines << '\n';
    }
  }
  must_flush(lines, file);
}

void write_entries(const std::filesystem::path& directory, const Dataset& set, const std::vector<Entry>& entries) {
  const auto file = directory / "libraries.csv";
  std::ofstream lines = open_csv(file,
                                 "dataset,synthetic,library,build_s,build_processor_s,resident_bytes_per_point,"
                                 "disk_bytes_per_point,call_overhead_us");
  for (const Entry& entry : entries) {
    lines << set.name << ',' << set.synthetic << ',' << entry.name << ',' << median(entry.build_s) << ','
          << median(entry.processor_s) << ',' << entry.trimmed_bytes / set.base.rows << ','
          << entry.disk_bytes / set.base.rows << ',' << entry.call_overhead_us << '\n';
  }
  must_flush(lines, file);
}

void report_ratios(Report& report, const Dataset& set, const std::string& state, const Series& curve,
                   const Series& reference) {
  struct Which {
    const char* name;
    double CurvePoint::*qps;
  };
  constexpr Which kAll[] = {{"best", &CurvePoint::qps_top},
                            {"median", &CurvePoint::qps_median},
                            {"processor time", &CurvePoint::qps_processor}};
  for (const double wanted : kRecalls) {
    for (const Which& which : kAll) {
      if (which.qps != &CurvePoint::qps_top && !is_holdfast(curve.name())) continue;  // enough to compare with
      const QpsAtRecall a = qps_at_recall(curve.points(), wanted, which.qps);
      const QpsAtRecall b = qps_at_recall(reference.points(), wanted, which.qps);
      char name[160];
      std::snprintf(name, sizeof name, "%s, %s: QPS / hnswlib at recall %.2f, %s, %s", set.name.c_str(),
                    curve.name().c_str(), wanted, which.name, state.c_str());
      if (a.reading == Reading::unreached || b.reading == Reading::unreached) {
        if (which.qps == &CurvePoint::qps_top && is_holdfast(curve.name())) {
          std::printf("%s: no ratio, recall not reached\n", name);
        }
        continue;
      }
      const Goal goal = which.qps == &CurvePoint::qps_top ? goal_of(set.name, curve.name(), wanted) : Goal{};
      report.figure(name, a.qps / b.qps, "x", goal, "(" + qps_text(a) + " against " + qps_text(b) + " QPS)");
    }
  }
}

}  // namespace holdfast::bench
