#include "bench/graph_churn.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <vector>

#include "base/random.h"
#include "bench/datasets.h"
#include "index/check.h"
#include "index/graph.h"
#include "index/search.h"

namespace holdfast::bench {
namespace {

constexpr std::uint32_t kM = 16;
constexpr std::uint32_t kEfConstruction = 200;
constexpr std::uint32_t kK = 10;
constexpr std::uint32_t kQueries = 1'000;
constexpr Slot kStepSlots = 16'384;  ///< of a repair

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <class T>
T need(Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", result.status().to_string().c_str());
    std::exit(1);
  }
  return *result;
}

/// Vectors to draw points from, more than live at a time, and queries.
struct Source {
  Matrix points;
  Matrix queries;
  Metric metric = Metric::l2;
};

Matrix clustered(std::uint32_t rows, std::uint32_t dim, std::uint64_t seed) {
  constexpr std::size_t kClusters = 500;
  SeededRandom centers(1);  // the same for points and queries
  std::vector<float> center(kClusters * dim);
  for (float& x : center) x = static_cast<float>(centers.unit());
  SeededRandom random(seed);
  Matrix matrix{rows, dim, {}};
  matrix.values.reserve(std::size_t{rows} * dim);
  for (std::uint32_t row = 0; row < rows; ++row) {
    const std::size_t of = random.below(kClusters) * dim;
    for (std::uint32_t i = 0; i < dim; ++i) {
      const double bell = random.unit() + random.unit() + random.unit() - 1.5;
      matrix.values.push_back(center[of + i] + static_cast<float>(bell * 0.4));
    }
  }
  return matrix;
}

Source source_for(ChurnPlan& plan) {
  if (const auto root = data_root(""); !root.empty() && !plan.synthetic) {
    if (auto set = load_dataset(root, "sift-100k-128-l2"); set.ok()) {
      plan.live = std::min(plan.live, set->base.rows * 4 / 5);
      set->queries.rows = std::min(set->queries.rows, kQueries);
      std::printf("churn on sift-100k: ");
      return {std::move(set->base), std::move(set->queries), set->metric};
    }
  }
  std::printf("churn on synthetic clusters: ");
  return {clustered(plan.live * 5 / 4, 32, 2), clustered(kQueries, 32, 3), Metric::l2};
}

struct Costs {
  double insert = 0;
  double repair = 0;
  double remove = 0;
  double connect = 0;
  std::uint64_t inserted = 0;
  std::uint64_t removed = 0;
  std::uint64_t vacuums = 0;
  std::uint64_t retired = 0;
};

class World {
 public:
  World(const Source& source, std::uint32_t slots, unsigned threads)
      : source_(source),
        table_(source.points.dim, source.metric),
        graph_(table_, {kM, kEfConstruction}),
        dead_(slots),
        threads_(threads) {
    if (!table_.reserve(slots).ok() || !graph_.reserve(slots).ok()) std::exit(1);
  }

  /// The point is inserted with the next batch.
  Slot add(std::uint32_t point) {
    const Slot slot = free_.empty() ? end_++ : free_.back();
    if (!free_.empty()) free_.pop_back();
    table_.assign(slot, source_.points.row(point));
    waiting_.push_back({slot, index::level_for(mix64(++drawn_), kM)});
    return slot;
  }
  void kill(Slot slot) { dead_.insert(slot); }
  [[nodiscard]] std::size_t dead() const { return dead_.size(); }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::size_t nodes() const { return root_.nodes; }

  void insert_waiting() {
    std::size_t done = 0;
    while (done < waiting_.size()) {
      const std::size_t count = index::GraphWriter::batch_size(root_.nodes, waiting_.size() - done);
      metered(costs.insert, [&] {
        return graph_.writer().insert(root_, std::span(waiting_).subspan(done, count), linkable(), threads_, retired_);
      });
      done += count;
    }
    costs.inserted += done;
    waiting_.clear();
  }
  void vacuum() {
    for (Slot begin = 0; begin < end_; begin += kStepSlots) {
      metered(costs.repair, [&] {
        return graph_.writer().repair(root_, dead_, linkable(), begin, begin + kStepSlots, threads_, retired_);
      });
    }
    metered(costs.remove, [&] { return graph_.writer().remove(root_, dead_, end_, retired_); });
    connect();
    dead_.for_each([&](Slot slot) {
      graph_.release_node(slot);
      free_.push_back(slot);
    });
    std::sort(free_.begin(), free_.end(), std::greater<>());  // the lowest number is used first
    costs.removed += dead_.size();
    ++costs.vacuums;
    dead_.clear();
  }
  void connect() {
    metered(costs.connect, [&] { return graph_.writer().connect(root_, end_, linkable(), retired_); });
  }

  [[nodiscard]] double recall(std::uint32_t ef) const {
    std::size_t found = 0;
    std::vector<index::Candidate> hits;
    std::vector<index::Candidate> truth;
    for (std::uint32_t i = 0; i < source_.queries.rows; ++i) {
      const index::Query query(table_, source_.queries.row(i).data());
      truth.clear();
      index::scan(table_, query, 0, end_, kK, in_graph(), truth);
      index::search_graph(graph_, root_, query, kK, ef, linkable(), hits);
      for (const index::Candidate& hit : hits) {
        found += hit.distance <= truth.back().distance ? 1 : 0;
      }
    }
    return static_cast<double>(found) / (static_cast<double>(source_.queries.rows) * kK);
  }
  void print_shape(const char* name) const {
    const index::GraphCheck check = index::check_graph(graph_, root_, end_, linkable());
    std::printf("  %-8s %llu nodes, %u levels, %.2f links each, %llu unreachable, %llu stranded, %zu violations;", name,
                static_cast<unsigned long long>(check.nodes), root_.levels,
                static_cast<double>(check.links) / static_cast<double>(check.nodes),
                static_cast<unsigned long long>(check.unreachable), static_cast<unsigned long long>(check.stranded),
                check.violations.size());
    std::printf(" recall@10 at ef 50 %.4f, 100 %.4f, 200 %.4f\n", recall(50), recall(100), recall(200));
    std::fflush(stdout);
  }

  Costs costs;

 private:
  template <class Step>
  void metered(double& seconds, Step step) {
    const double begin = processor_seconds();
    root_ = need(step());
    seconds += processor_seconds() - begin;
    costs.retired += retired_.size();
    for (const index::RetiredList& list : retired_) index::release_list(list.list);
    retired_.clear();
  }
  [[nodiscard]] index::Visibility linkable() const {
    if (dead_.empty()) return {};
    return {
        [](const void* set, Slot slot) noexcept { return !static_cast<const index::SlotSet*>(set)->contains(slot); },
        &dead_};
  }
  [[nodiscard]] index::Visibility in_graph() const {
    return {[](const void* world, Slot slot) noexcept {
              const World& self = *static_cast<const World*>(world);
              return self.graph_.contains(slot, self.root_.epoch) && !self.dead_.contains(slot);
            },
            this};
  }

  const Source& source_;
  index::VectorTable table_;
  index::Graph graph_;
  index::GraphRoot root_;
  index::SlotSet dead_;
  std::vector<Slot> free_;  ///< lowest last
  std::vector<index::NewNode> waiting_;
  std::vector<index::RetiredList> retired_;
  unsigned threads_;
  Slot end_ = 0;
  std::uint64_t drawn_ = 0;
};

void print_costs(const char* name, const Costs& costs) {
  std::printf("  %-8s insertion %.1f us each", name, costs.insert / static_cast<double>(costs.inserted) * 1e6);
  if (costs.removed > 0) {
    const auto removed = static_cast<double>(costs.removed);
    const auto vacuums = static_cast<double>(costs.vacuums);
    std::printf("; %.0f vacuums: repair %.1f us per removed node, remove %.1f ms and connect %.1f ms per vacuum",
                vacuums, costs.repair / removed * 1e6, costs.remove / vacuums * 1e3, costs.connect / vacuums * 1e3);
    std::printf("; vacuum / insertion %.3f; %.1f lists superseded per point",
                (costs.repair + costs.remove + costs.connect) / costs.insert,
                static_cast<double>(costs.retired) / static_cast<double>(costs.inserted));
  }
  std::printf(" (processor time)\n");
}

}  // namespace

int run_churn(const ChurnPlan& wanted) {
  ChurnPlan plan = wanted;
  const Source source = source_for(plan);
  std::printf("%u live, %u replacements, vacuum at %.0f %%\n", plan.live, plan.replacements, plan.vacuum_at * 100);
  World world(source, plan.live * 5 / 4, plan.threads);
  std::vector<Slot> slot_of;            // by position of a live point
  std::vector<std::uint32_t> point_of;  // likewise
  std::vector<std::uint32_t> idle;      // points that do not live
  for (std::uint32_t point = 0; point < source.points.rows; ++point) {
    if (point >= plan.live) {
      idle.push_back(point);
      continue;
    }
    slot_of.push_back(world.add(point));
    point_of.push_back(point);
  }
  world.insert_waiting();
  world.print_shape("before");
  print_costs("before", world.costs);
  world.costs = {};
  SeededRandom random(7);
  for (std::uint32_t done = 0; done < plan.replacements; ++done) {
    const std::size_t at = random.below(plan.live);
    const std::size_t other = random.below(idle.size());
    if (world.waiting() >= index::GraphWriter::batch_size(world.nodes(), world.waiting() + 1)) world.insert_waiting();
    std::swap(point_of[at], idle[other]);
    world.kill(slot_of[at]);
    slot_of[at] = world.add(point_of[at]);
    if (static_cast<double>(world.dead()) >= plan.vacuum_at * static_cast<double>(world.nodes())) {
      world.insert_waiting();
      world.vacuum();
    }
    if ((done + 1) % std::max(plan.replacements / 3, 1U) == 0) {
      world.insert_waiting();
      world.print_shape("churned");
    }
  }
  world.insert_waiting();
  world.vacuum();
  world.print_shape("vacuumed");
  print_costs("churn", world.costs);

  World fresh(source, plan.live, plan.threads);
  for (const std::uint32_t point : point_of) (void)fresh.add(point);
  fresh.insert_waiting();
  fresh.connect();
  fresh.print_shape("fresh");
  print_costs("fresh", fresh.costs);
  return 0;
}

}  // namespace holdfast::bench
