// Holdfast beside other libraries on one data set: build time, recall against speed, memory. See docs/figures.md.
//
// Fairness: same M, ef_construction and number of threads; all searched by one thread, in turns (A B C A B C ...), the
// best and the median of the turns kept; recall by row number against the exact neighbors. What the others are spared:
// vectors are normalised for them beforehand. What Holdfast does on top: everything that makes the build durable, and
// searching through the public API, which checks the query and returns ids and distances in order.
//
// Searched are: Holdfast as built beside hnswlib, then Holdfast reopened from its files beside everybody.
#include <cstdio>
#include <memory>

#include "base/try.h"
#include "bench/compare_report.h"
#include "bench/contestant.h"
#include "bench/hnswlib_peer.h"
#include "bench/holdfast_contestant.h"
#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/report.h"
#include "bench/series.h"

namespace holdfast::bench {

namespace {

constexpr std::uint32_t kReferenceBeam = 100;
constexpr double kBuildGoal = 0.5;           // of hnswlib's time
constexpr double kServingGoal = 0.45;        // of hnswlib's memory
constexpr std::uint32_t kSmallSet = 10'000;  // rows from which the fixed costs of a collection weigh little
constexpr std::uint32_t kLargeSet = 50'000;  // rows from which fixed costs of a process weigh little

class Comparison {
 public:
  Comparison(const CompareArguments& arguments, Dataset set, Report& report)
      : arguments_(arguments),
        set_(std::move(set)),
        report_(report),
        scratch_(arguments.common.out),
        base_(normalised(set_.base.values, set_.base.dim, set_.metric)),
        queries_(normalised(set_.queries.values, set_.queries.dim, set_.metric)),
        setting_{set_, arguments_.build, base_, queries_, scratch_, arguments_.turn_seconds, arguments_.node_peers} {
    for (std::size_t kind = 0; kind < store_kinds().size(); ++kind) {
      stores_.push_back(std::make_unique<HoldfastContestant>(setting_, kind));
      contestants_.push_back(stores_.back().get());
    }
    peers_ = make_peers(setting_, arguments_.peers);
    for (const auto& peer : peers_) contestants_.push_back(peer.get());
    for (const Contestant* contestant : contestants_) entries_.push_back({.name = contestant->name()});
  }

  void run() {
    build_all();
    search("as built", stores_.size() + 1);
    for (std::size_t i = 0; i < stores_.size(); ++i) report_store(*stores_[i], "as built");
    for (const auto& store : stores_) report_serving(*store);
    search("reopened", contestants_.size());
    report_entries();
  }

 private:
  [[nodiscard]] std::string named(const Contestant& of, const std::string& figure) const {
    return set_.name + ", " + of.name() + ": " + figure;
  }
  [[nodiscard]] double per_point(double bytes) const { return bytes / set_.base.rows; }
  [[nodiscard]] double vector_bytes() const { return static_cast<double>(set_.base.values.size() * sizeof(float)); }
  /// hnswlib stands right behind the stores.
  [[nodiscard]] const Entry& reference() const { return entries_[stores_.size()]; }

  /// Later rounds reuse freed memory, which would hide what they take: memory is that of the first.
  Status build(std::size_t i, bool first) {
    Contestant& contestant = *contestants_[i];
    Entry& entry = entries_[i];
    HF_ASSIGN(const Memory before, contestant.memory());
    HF_ASSIGN(const BuildCost cost, contestant.build());
    if (first) {
      HF_ASSIGN(const Memory after, contestant.memory());
      entry.trimmed_bytes = static_cast<double>(after.total()) - static_cast<double>(before.total());
      entry.disk_bytes = static_cast<double>(contestant.disk_bytes());
      HF_ASSIGN(entry.call_overhead_us, contestant.call_overhead_us());
    }
    entry.build_s.push_back(cost.seconds);
    entry.processor_s.push_back(cost.processor_s);
    std::printf("  %-20s %7.2f s, %.2f of processor%s%s\n", contestant.name().c_str(), cost.seconds, cost.processor_s,
                cost.parts.empty() ? "" : ": ", cost.parts.c_str());
    std::fflush(stdout);
    report_.details()["builds"][contestant.name()].push_back(
        {{"seconds", cost.seconds}, {"processor_s", cost.processor_s}, {"parts", cost.parts}});
    return {};
  }

  /// The stores and hnswlib several times, in turns; everybody else once. A peer that fails leaves.
  void build_all() {
    std::printf("build, %u threads, M %u, ef_construction %u; Holdfast in batches of %u, durability sync\n",
                arguments_.build.threads, arguments_.build.m, arguments_.build.ef_construction, arguments_.build.batch);
    const std::size_t always = stores_.size() + 1;
    for (std::uint32_t round = 0; round < arguments_.builds; ++round) {
      for (std::size_t i = 0; i < always; ++i) must(build(i, round == 0));
      for (std::size_t i = always; round == 0 && i < contestants_.size();) {
        const Status built = build(i, true);
        if (built.ok()) {
          ++i;
          continue;
        }
        std::printf("SKIPPED: %s\n", built.to_string().c_str());
        contestants_.erase(contestants_.begin() + static_cast<std::ptrdiff_t>(i));
        entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  struct Curve {
    Contestant* contestant;
    std::size_t mode;
    Series series;
  };

  /// Every curve at every beam, in turns. A peer that fails leaves.
  void take_turns(std::vector<Curve>& curves) {
    for (std::uint32_t turn = 0; turn < arguments_.turns; ++turn) {
      for (std::size_t beam = 0; beam < beams().size(); ++beam) {
        for (std::size_t i = 0; i < curves.size();) {
          const auto taken = curves[i].contestant->turn(curves[i].mode, beams()[beam]);
          if (taken.ok()) {
            curves[i++].series.add(beam, taken.value(), set_.nearest);
            continue;
          }
          std::printf("SKIPPED: %s\n", taken.status().to_string().c_str());
          if (curves[i].contestant == contestants_[stores_.size()]) fail("nothing to compare with");
          curves.erase(curves.begin() + static_cast<std::ptrdiff_t>(i));
        }
      }
    }
  }

  /// The first `count` contestants.
  void search(const std::string& state, std::size_t count) {
    std::vector<Curve> curves;
    for (std::size_t i = 0; i < count; ++i) {
      const auto modes = contestants_[i]->modes();
      for (std::size_t mode = 0; mode < modes.size(); ++mode) {
        const std::string tail = modes[mode].empty() ? "" : " " + modes[mode];
        curves.push_back({contestants_[i], mode, Series(contestants_[i]->name() + tail)});
      }
    }
    take_turns(curves);
    std::vector<Series> all;
    std::size_t reference_at = 0;
    for (Curve& curve : curves) {
      curve.series.summarise();
      if (curve.contestant == contestants_[stores_.size()]) reference_at = all.size();
      all.push_back(std::move(curve.series));
    }
    report_curves(state, all, all[reference_at]);
  }

  void report_curves(const std::string& state, const std::vector<Series>& curves, const Series& hnswlib) {
    print_curves(state, curves, arguments_.turns);
    print_at_recall(0.95, curves, hnswlib);
    print_at_recall(0.99, curves, hnswlib);
    write_curves(arguments_.common.out, set_, state, curves);
    for (const Series& curve : curves) {
      report_.details()["search"][state][curve.name()] = curve.json();
      const bool goal = curve.name() == stores_[0]->name() && set_.metric == Metric::l2;
      const CurvePoint& point = curve.at_ef(kReferenceBeam);
      if (curve.name().rfind("holdfast", 0) == 0 || &curve == &hnswlib) {
        report_.figure(set_.name + ", " + curve.name() + ": recall@10, ef 100, " + state, point.recall, "",
                       goal ? at_least(0.98) : Goal{});
      }
      if (&curve != &hnswlib) report_ratios(report_, set_, state, curve, hnswlib);
    }
  }

  void report_store(const HoldfastContestant& store, const std::string& state) {
    const CollectionStats stats = store.stats();
    report_.figure(named(store, "memory beyond vectors, stats, " + state),
                   per_point(static_cast<double>(stats.overhead_bytes)), "B/point",
                   set_.base.rows >= kSmallSet ? at_most(300) : Goal{});
    report_.details()["memory"][store.name()][state] = {{"overhead_bytes", stats.overhead_bytes},
                                                        {"vector_bytes", stats.vector_bytes},
                                                        {"retained_bytes", stats.retained_bytes},
                                                        {"disk_bytes", stats.disk_bytes},
                                                        {"log_bytes", stats.log_bytes}};
  }

  /// Memory of a process that only serves, then open again here.
  void report_serving(HoldfastContestant& store) {
    const ServingMemory memory = store.serving_memory(kReferenceBeam);
    const auto served = static_cast<double>(memory.anonymous + memory.other);
    std::printf(
        "\n%s, reopened in a process of its own, %u queries at ef %u: bytes per point: heap %.0f, mapped lists,"
        " codes and ids %.0f, mapped vectors as far as touched %.0f\n",
        store.name().c_str(), set_.queries.rows, kReferenceBeam, per_point(static_cast<double>(memory.anonymous)),
        per_point(static_cast<double>(memory.other)), per_point(static_cast<double>(memory.vectors)));
    const bool goal = set_.name == "fashion-mnist-784-l2" && &store == stores_[0].get();
    report_.figure(named(store, "serving memory without mapped vectors / hnswlib"), served / reference().trimmed_bytes,
                   "x", goal ? at_most(kServingGoal) : Goal{});
    report_.figure(named(store, "serving memory, mapped vectors included / hnswlib"),
                   (served + static_cast<double>(memory.vectors)) / reference().trimmed_bytes, "x");
    std::printf("%s: reopened in %.1f ms\n", store.name().c_str(), store.reopen());
    report_store(store, "reopened");
  }

  void report_entries() {
    print_entries(entries_, reference(), set_);
    write_entries(arguments_.common.out, set_, entries_);
    const bool goal_set = set_.name == "sift-100k-128-l2" || set_.name == "fashion-mnist-784-l2";
    for (std::size_t i = 0; i < stores_.size(); ++i) {
      const Entry& entry = entries_[i];
      report_.figure(named(*stores_[i], "durable build / hnswlib, medians"),
                     median(entry.build_s) / median(reference().build_s), "x", goal_set ? at_most(kBuildGoal) : Goal{});
      report_.figure(named(*stores_[i], "durable build / hnswlib, processor time"),
                     median(entry.processor_s) / median(reference().processor_s), "x");
      // What any process needs once (code, stacks, buffers: some megabytes) weighs little only where there are many
      // points.
      report_.figure(named(*stores_[i], "memory beyond vectors, resident, as built"),
                     per_point(entry.trimmed_bytes - vector_bytes()), "B/point",
                     set_.base.rows >= kLargeSet ? at_most(300) : Goal{});
      report_.figure(named(*stores_[i], "bytes on disk / bytes of vectors"), entry.disk_bytes / vector_bytes(), "x");
    }
  }

  const CompareArguments& arguments_;
  Dataset set_;
  Report& report_;
  Scratch scratch_;
  std::vector<float> base_;
  std::vector<float> queries_;
  Setting setting_;
  std::vector<std::unique_ptr<HoldfastContestant>> stores_;
  std::vector<std::unique_ptr<Contestant>> peers_;
  std::vector<Contestant*> contestants_;  // the stores, hnswlib, the other peers
  std::vector<Entry> entries_;            // of each contestant
};

}  // namespace

void run_compare(const CompareArguments& arguments) {
  Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "compare-" + arguments.dataset);
  std::printf("== %s%s: %u x %u, %s, %u queries\n", set.name.c_str(), set.synthetic ? " (SYNTHETIC)" : "",
              set.base.rows, set.base.dim, std::string(to_string(set.metric)).c_str(), set.queries.rows);
  if (!thread_counters().available()) std::printf("no counts per query: %s\n", thread_counters().reason().c_str());
  Comparison(arguments, std::move(set), report).run();
  report.finish();
}

}  // namespace holdfast::bench
