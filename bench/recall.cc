// Recall that searches reach against the one that they ask for: what calibration on a collection's own points
// (engine/calibration.h) is worth for queries from elsewhere, what a search gets before it, and what it costs.
#include <cstdio>

#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr const char* kSets[] = {"sift-100k-128-l2", "fashion-mnist-784-l2", "gist-30k-960-l2", "word2vec-300-cosine",
                                 "glove-25-cosine"};
constexpr float kWanted[] = {0.9F, 0.95F, 0.98F, 0.99F};
constexpr std::uint32_t kKs[] = {10, 100};

struct Reached {
  double recall = 0;
  double qps = 0;  ///< per second of processor time
  double ef = 0;   ///< mean of what the searches were as wide as; 0: exact
  Beam beam = Beam::given;
};

Reached search_all(const Dataset& set, const Snapshot& snapshot, const SearchOptions& options) {
  std::vector<std::uint32_t> found(std::size_t{set.queries.rows} * options.k, ~std::uint32_t{0});
  Reached reached;
  const double begin = thread_processor_seconds();
  for (std::uint32_t q = 0; q < set.queries.rows; ++q) {
    const Hits hits = must(snapshot.search(set.queries.row(q), options));
    std::uint32_t* rows = found.data() + std::size_t{q} * options.k;
    for (const Hit& hit : hits) *rows++ = static_cast<std::uint32_t>(hit.id.number());
    reached.ef += hits.ef;
    reached.beam = hits.beam;
  }
  reached.qps = set.queries.rows / (thread_processor_seconds() - begin);
  reached.ef /= set.queries.rows;
  reached.recall = recall(set.nearest, found, options.k);
  return reached;
}

void measure(const Dataset& set, const RecallArguments& arguments, Scratch& scratch, Report& report) {
  BuildTimes times;
  Store store = build_durably(scratch.fresh("store"), set.base, set.metric, arguments.build, times);
  const Snapshot before = store.collection.snapshot();  // keeps the widths that it began with
  for (const Preset preset : {Preset::balanced, Preset::fast}) {
    const CollectionStats stats = store.collection.stats();
    const Stopwatch watch;
    must(store.collection.calibrate(preset));
    const double wall_s = watch.seconds();
    const double processor_s =
        static_cast<double>(store.collection.stats().calibration_us - stats.calibration_us) * 1e-6;
    const std::string name(to_string(preset));
    std::printf("\n%s (%u x %u), %s: calibrated in %.2f s, %.2f s of processor time; the build took %.2f s\n",
                set.name.c_str(), set.base.rows, set.base.dim, name.c_str(), wall_s, processor_s, times.total_s());
    report.figure(set.name + ", " + name + ": calibration", processor_s, "s");
    std::printf("  %4s %7s | %6s %8s | %10s %6s %8s %8s\n", "k", "wanted", "ef", "assumed", "calibrated", "ef",
                "reached", "QPS");
    const Snapshot after = store.collection.snapshot();
    for (const std::uint32_t k : kKs) {
      if (k > set.nearest.width) continue;
      for (const float wanted : kWanted) {
        SearchOptions options{.k = k};
        options.recall = wanted;
        options.preset = preset;
        const Reached assumed = search_all(set, before, options);
        const Reached reached = search_all(set, after, options);
        std::printf("  %4u %7.2f | %6.0f %8.4f | %10s %6.0f %8.4f %8.0f\n", k, static_cast<double>(wanted), assumed.ef,
                    assumed.recall, std::string(to_string(reached.beam)).c_str(), reached.ef, reached.recall,
                    reached.qps);
        char figure[96];
        std::snprintf(figure, sizeof figure, "%s, %s: recall@%u for %.2f", set.name.c_str(), name.c_str(), k,
                      static_cast<double>(wanted));
        report.figure(figure, reached.recall, "", at_least(static_cast<double>(wanted)));
      }
    }
    std::fflush(stdout);
  }
  must(store.database.close());
}

}  // namespace

void run_recall(const RecallArguments& arguments) {
  Report report(arguments.common.out, "recall");
  Scratch scratch(arguments.common.out);
  for (const char* const name : kSets) {
    if (!arguments.dataset.empty() && arguments.dataset != name) continue;
    measure(dataset_or_stand_in(arguments.common, name), arguments, scratch, report);
  }
  report.finish();
}

}  // namespace holdfast::bench
