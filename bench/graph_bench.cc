// The graph alone beside hnswlib: build and search in memory, nothing logged, nothing durable. What the engine adds on
// top is measured by holdfast_bench.
//
//   graph_bench                       sift-100k and fashion-mnist from $HOLDFAST_DATA or ../shared/data
//   graph_bench sift-100k-128-l2      one data set
//   graph_bench --reps 3 --alone ...  three passes per point; without hnswlib. Walks by rows first, then by codes.
//   graph_bench --by-codes ...         builds by codes, too
//   graph_bench --ef 40 --repeat 20 ...  one width; each query 20 times in a row: without waiting for memory
//   graph_bench churn                 replacing points at random, vacuums, and a fresh build beside it (graph_churn.h);
//                                     --live n, --replace n, --synthetic
//
// Both build with 2 threads, M = 16, ef_construction = 200. Searches run on one thread; the two libraries take turns,
// and each point of a curve is the best and the median of its passes. Times are processor time, which other programs on
// the machine disturb less; wall time of the builds stands beside it.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/curve.h"
#include "bench/datasets.h"
#include "bench/graph_churn.h"
#include "bench/hnswlib_peer.h"
#include "index/check.h"
#include "index/graph.h"
#include "index/search.h"
#include "index/short_codes.h"

namespace holdfast::bench {
namespace {

constexpr std::uint32_t kM = 16;
constexpr std::uint32_t kEfConstruction = 200;
constexpr std::uint32_t kK = 10;
constexpr std::uint32_t kEfs[] = {10, 14, 20, 28, 40, 56, 80, 100, 140, 200, 320};

double processor_seconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Times {
  double wall = 0;
  double processor = 0;
};
Times timed(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  const double processor_begin = processor_seconds(CLOCK_PROCESS_CPUTIME_ID);
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
          processor_seconds(CLOCK_PROCESS_CPUTIME_ID) - processor_begin};
}

struct Plan {
  unsigned reps = 5;
  unsigned threads = 2;
  unsigned ef = 0;  ///< of those that are tried; 0: all
  unsigned repeat = 1;
  bool alone = false;
  bool by_codes = false;
};

/// A graph over all rows of a data set, built in the batches that the engine takes.
class Own {
 public:
  explicit Own(const Dataset& set)
      : table_(set.base.dim, set.metric), graph_(table_, {kM, kEfConstruction}), rows_(set.base.rows) {
    if (!table_.reserve(rows_).ok() || !graph_.reserve(rows_).ok()) std::exit(1);
    for (Slot slot = 0; slot < rows_; ++slot) table_.assign(slot, set.base.row(slot));
  }
  /// `by_codes`: walks by codes as soon as there are a thousand nodes to train them on.
  void build(unsigned threads, bool by_codes) {
    index::GraphWriter writer = graph_.writer();
    std::vector<index::RetiredList> retired;
    for (Slot next = 0; next < rows_;) {
      const auto count = static_cast<Slot>(index::GraphWriter::batch_size(root_.nodes, rows_ - next));
      std::vector<index::NewNode> batch;
      for (Slot i = next; i < next + count; ++i) batch.push_back({i, index::level_for(mix64(i), kM)});
      if (by_codes && !codes_ && next >= 1'000) make_codes(next);
      if (codes_) {
        for (const index::NewNode& node : batch) codes_->assign(table_, node.slot);
      }
      auto root = writer.insert(root_, batch, {}, threads, retired, codes_.get());
      if (!root.ok()) {
        std::fprintf(stderr, "%s\n", root.status().to_string().c_str());
        std::exit(1);
      }
      root_ = *root;
      next += count;
      lists_ += retired.size();
      for (const index::RetiredList& list : retired) index::release_list(list.list);
      retired.clear();
    }
  }
  /// From here on searches walk by codes.
  void make_codes(Slot end) {
    std::vector<Slot> sample;
    for (Slot slot = 0; slot < std::min<Slot>(end, 10'000); ++slot) sample.push_back(slot);
    codes_ = std::make_unique<index::CodeTable>(index::Quantizer::train(table_, sample));
    if (!codes_->reserve(rows_).ok()) std::exit(1);
    for (Slot slot = 0; slot < end; ++slot) codes_->assign(table_, slot);
    std::printf("  codes: %llu rows cut, %.0f bytes per node\n", static_cast<unsigned long long>(codes_->cut_rows()),
                static_cast<double>(codes_->memory_bytes()) / rows_);
  }
  /// From here on by short codes of this kind, too.
  void make_short_codes(index::ShortCodes::Kind kind) {
    std::vector<Slot> sample;
    for (Slot slot = 0; slot < std::min<Slot>(rows_, 10'000); ++slot) sample.push_back(slot);
    short_codes_ = index::ShortCodes::make(kind, *codes_, sample);
    if (!short_codes_->reserve(rows_).ok()) std::exit(1);
    for (Slot slot = 0; slot < rows_; ++slot) short_codes_->assign(*codes_, slot);
    std::printf("  short codes: %.0f bytes per node\n", static_cast<double>(short_codes_->memory_bytes()) / rows_);
  }
  void search(const float* query, std::uint32_t ef, std::uint32_t* rows) {
    index::SearchAids aids;
    aids.codes = codes_.get();
    aids.short_codes = short_codes_.get();
    if (short_codes_) aids.rescoring = index::Rescoring::likely;
    index::search_graph(graph_, root_, index::Query(table_, query), kK, ef, {}, hits_, aids);
    for (const index::Candidate& hit : hits_) *rows++ = hit.slot;
  }
  void print_shape() const {
    const index::GraphCheck check = index::check_graph(graph_, root_, rows_);
    std::printf(
        "  %llu nodes, %.1f links each, %llu unreachable, %zu violations, %.0f bytes per node beyond the vector, "
        "%.1f lists superseded per node\n",
        static_cast<unsigned long long>(check.nodes),
        static_cast<double>(check.links) / static_cast<double>(check.nodes),
        static_cast<unsigned long long>(check.unreachable), check.violations.size(),
        static_cast<double>(graph_.memory_bytes()) / rows_, static_cast<double>(lists_) / rows_);
  }

 private:
  index::VectorTable table_;
  index::Graph graph_;
  index::GraphRoot root_;
  Slot rows_;
  std::unique_ptr<index::CodeTable> codes_;
  std::unique_ptr<index::ShortCodes> short_codes_;
  std::size_t lists_ = 0;
  std::vector<index::Candidate> hits_;
};

/// One pass over all queries; the answers go into `found`.
/// `repeat`: each query so many times in a row, so that what it needs lies in the caches.
template <class Search>
double pass(const Matrix& queries, unsigned repeat, std::vector<std::uint32_t>& found, Search search) {
  const double begin = processor_seconds(CLOCK_THREAD_CPUTIME_ID);
  for (std::uint32_t i = 0; i < queries.rows; ++i) {
    for (unsigned time = 0; time < repeat; ++time) search(queries.row(i).data(), found.data() + std::size_t{i} * kK);
  }
  return (processor_seconds(CLOCK_THREAD_CPUTIME_ID) - begin) / repeat;
}

struct Curves {
  std::vector<CurvePoint> own;
  std::vector<CurvePoint> peer;
};

Curves measure(const Dataset& set, const Matrix& peer_queries, Own& own, HnswlibPeer* peer, const Plan& plan) {
  Curves curves;
  const std::size_t places = std::size_t{set.queries.rows} * kK;
  for (const std::uint32_t ef : kEfs) {
    if (plan.ef != 0 && ef != plan.ef) continue;
    std::vector<double> own_qps;
    std::vector<double> peer_qps;
    std::vector<std::uint32_t> own_found(places, ~0U);
    std::vector<std::uint32_t> peer_found(places, ~0U);
    for (unsigned rep = 0; rep < plan.reps; ++rep) {
      const double seconds = pass(set.queries, plan.repeat, own_found,
                                  [&](const float* q, std::uint32_t* rows) { own.search(q, ef, rows); });
      own_qps.push_back(set.queries.rows / seconds);
      if (peer == nullptr) continue;
      peer->set_ef(ef);
      const double peer_seconds = pass(peer_queries, plan.repeat, peer_found,
                                       [&](const float* q, std::uint32_t* rows) { (void)peer->search(q, kK, rows); });
      peer_qps.push_back(set.queries.rows / peer_seconds);
    }
    const auto point = [&](const std::vector<double>& qps, const std::vector<std::uint32_t>& found) {
      CurvePoint made;
      made.ef = ef;
      made.recall = recall(set.nearest, found, kK);
      made.qps_best = *std::max_element(qps.begin(), qps.end());
      made.qps_median = median(qps);
      return made;
    };
    curves.own.push_back(point(own_qps, own_found));
    if (peer != nullptr) curves.peer.push_back(point(peer_qps, peer_found));
  }
  return curves;
}

void print(const Curves& curves) {
  std::printf("  %4s | %8s %9s %9s | %8s %9s %9s\n", "ef", "recall", "QPS best", "median", "hnswlib", "QPS best",
              "median");
  for (std::size_t i = 0; i < curves.own.size(); ++i) {
    const CurvePoint& own = curves.own[i];
    std::printf("  %4u | %8.4f %9.0f %9.0f |", own.ef, own.recall, own.qps_best, own.qps_median);
    if (i < curves.peer.size()) {
      const CurvePoint& peer = curves.peer[i];
      std::printf(" %8.4f %9.0f %9.0f", peer.recall, peer.qps_best, peer.qps_median);
    }
    std::printf("\n");
  }
  for (const double recall : {0.95, 0.99}) {
    const QpsAtRecall own = qps_at_recall(curves.own, recall, &CurvePoint::qps_best);
    const QpsAtRecall peer = qps_at_recall(curves.peer, recall, &CurvePoint::qps_best);
    const double own_median = qps_at_recall(curves.own, recall, &CurvePoint::qps_median).qps;
    const double peer_median = qps_at_recall(curves.peer, recall, &CurvePoint::qps_median).qps;
    std::printf("  QPS at recall %.2f: %.0f", recall, own.qps);
    if (own.reading == Reading::unreached) std::printf(" (unreached)");
    if (own.reading == Reading::above) std::printf(" (recall above at the smallest ef)");
    if (peer.qps > 0)
      std::printf(", hnswlib %.0f: %.2fx (median %.2fx)", peer.qps, own.qps / peer.qps, own_median / peer_median);
    std::printf("\n");
  }
}

int run(const std::string& name, const Plan& plan) {
  const auto root = data_root("");
  auto loaded =
      root.empty() ? Result<Dataset>(Status(StatusCode::not_found, "no data folder")) : load_dataset(root, name);
  if (!loaded.ok()) {
    std::printf("%s: skipped (%s)\n", name.c_str(), loaded.status().to_string().c_str());
    return 0;
  }
  const Dataset& set = *loaded;
  std::printf("%s: %u x %u, M %u, ef_construction %u, %u threads\n", name.c_str(), set.base.rows, set.base.dim, kM,
              kEfConstruction, plan.threads);
  Own own(set);
  const Times built = timed([&] { own.build(plan.threads, plan.by_codes); });
  std::printf("  build: %.2f s wall, %.2f s processor\n", built.wall, built.processor);
  own.print_shape();
  std::fflush(stdout);
  std::unique_ptr<HnswlibPeer> peer;
  std::vector<float> peer_queries_values = normalised(set.queries.values, set.queries.dim, set.metric);
  const Matrix peer_queries{set.queries.rows, set.queries.dim, std::move(peer_queries_values)};
  if (!plan.alone) {
    const std::vector<float> base = normalised(set.base.values, set.base.dim, set.metric);
    peer = std::make_unique<HnswlibPeer>(set.metric, set.base.dim, set.base.rows, kM, kEfConstruction);
    const Times peer_built = timed([&] { peer->add_all(base, plan.threads); });
    std::printf("  hnswlib: %.2f s wall, %.2f s processor: ratio %.2f wall, %.2f processor\n", peer_built.wall,
                peer_built.processor, built.wall / peer_built.wall, built.processor / peer_built.processor);
    std::fflush(stdout);
  }
  print(measure(set, peer_queries, own, peer.get(), plan));
  if (!plan.by_codes) {
    const Times encoded = timed([&] { own.make_codes(set.base.rows); });
    std::printf("  by codes of 8 bits, made in %.3f s:\n", encoded.wall);
    print(measure(set, peer_queries, own, peer.get(), plan));
  }
  for (const auto kind : {index::ShortCodes::Kind::principal, index::ShortCodes::Kind::nibbles}) {
    const bool principal = kind == index::ShortCodes::Kind::principal;
    if (principal && set.metric == Metric::inner_product) continue;
    const Times shortened = timed([&] { own.make_short_codes(kind); });
    std::printf("  by %s, made in %.3f s of processor time:\n", principal ? "principal components" : "codes of 4 bits",
                shortened.processor);
    print(measure(set, peer_queries, own, peer.get(), plan));
  }
  std::fflush(stdout);
  return 0;
}

/// What is no number counts as 1.
unsigned number(const char* text) {
  unsigned value = 1;
  std::from_chars(text, text + std::strlen(text), value);
  return std::max(value, 1U);
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  using holdfast::bench::number;
  holdfast::bench::Plan plan;
  holdfast::bench::ChurnPlan churn;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--reps") == 0 && i + 1 < argc) {
      plan.reps = number(argv[++i]);
    } else if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
      plan.threads = number(argv[++i]);
    } else if (std::strcmp(argv[i], "--ef") == 0 && i + 1 < argc) {
      plan.ef = number(argv[++i]);
    } else if (std::strcmp(argv[i], "--repeat") == 0 && i + 1 < argc) {
      plan.repeat = number(argv[++i]);
    } else if (std::strcmp(argv[i], "--alone") == 0) {
      plan.alone = true;
    } else if (std::strcmp(argv[i], "--by-codes") == 0) {
      plan.by_codes = true;
    } else if (std::strcmp(argv[i], "--live") == 0 && i + 1 < argc) {
      churn.live = number(argv[++i]);
    } else if (std::strcmp(argv[i], "--replace") == 0 && i + 1 < argc) {
      churn.replacements = number(argv[++i]);
    } else if (std::strcmp(argv[i], "--synthetic") == 0) {
      churn.synthetic = true;
    } else {
      names.emplace_back(argv[i]);
    }
  }
  if (names.size() == 1 && names.front() == "churn") {
    churn.threads = plan.threads;
    return holdfast::bench::run_churn(churn);
  }
  if (names.empty()) names = {"sift-100k-128-l2", "fashion-mnist-784-l2"};
  for (const std::string& name : names) {
    if (const int code = holdfast::bench::run(name, plan); code != 0) return code;
  }
  return 0;
}
