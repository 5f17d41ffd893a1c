// Many queries at once: one batch search on all cores, against as many independent processes as there are cores.
//
// Every process has a copy of the store to itself (a store is held by one process at a time), opens it, and asks one
// query after the other in a loop: nothing is shared but the machine, so nothing can be lost to sharing. What is
// compared with them runs in one process, on one snapshot: a batch search (Snapshot::search_batch) of all queries again
// and again, smaller batches, for each of which threads are started anew, and plain threads with a loop each. The same
// queries, the same beam, every store opened from its files and waited for; ways take turns, the order of which is
// reversed every other round. A rate is searches per second of all cores together.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

#include "bench/child.h"
#include "bench/curve.h"
#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

/// No loss, as far as it can be told: rounds differ by some per cent, their median by less than two.
constexpr double kNoLoss = 0.98;
constexpr std::uint32_t kSmallBatches[] = {16, 64, 256};

/// How many searches, and how long they took.
struct Tally {
  std::uint64_t searches = 0;
  double seconds = 0;
  [[nodiscard]] double rate() const { return static_cast<double>(searches) / seconds; }
};

/// A store opened from its files, warm.
class Searcher {
 public:
  Searcher(const std::filesystem::path& store, const Matrix& queries, std::uint32_t ef)
      : store_(open_store(store, {.checkpoint_on_close = false})), queries_(queries), options_{.k = 10, .ef = ef} {
    must(store_.collection.wait_until_indexed());  // codes are made anew after open
    snapshot_ = std::make_unique<Snapshot>(store_.collection.snapshot());
    for (std::uint32_t q = 0; q < queries_.rows; ++q) search(q);
  }

  /// One query after the other, beginning with query `first`, for at least `seconds`.
  [[nodiscard]] Tally loop(std::uint32_t first, double seconds) const {
    Tally tally;
    const Stopwatch watch;
    for (; tally.seconds < seconds; tally.seconds = watch.seconds()) {
      search(static_cast<std::uint32_t>((first + tally.searches++) % queries_.rows));
    }
    return tally;
  }

  /// Batches of `size` queries on `threads` threads.
  [[nodiscard]] Tally batches(std::uint32_t size, std::uint32_t threads, double seconds) const {
    Tally tally;
    std::uint32_t first = 0;
    const Stopwatch watch;
    for (; tally.seconds < seconds; tally.seconds = watch.seconds()) {
      if (first + size > queries_.rows) first = 0;
      const auto part =
          std::span(queries_.values).subspan(std::size_t{first} * queries_.dim, std::size_t{size} * queries_.dim);
      if (must(snapshot_->search_batch(part, options_, threads)).size() != size) fail("a batch lacks answers");
      tally.searches += size;
      first += size;
    }
    return tally;
  }

  void close() {
    snapshot_.reset();
    must(store_.database.close());
  }

 private:
  void search(std::uint32_t query) const {
    if (must(snapshot_->search(queries_.row(query), options_)).size() != 10) fail("a search found too little");
  }

  Store store_;
  const Matrix& queries_;
  SearchOptions options_;
  std::unique_ptr<Snapshot> snapshot_;
};

/// One line of the table.
struct Way {
  std::string name;
  std::function<double()> turn;
  std::vector<double> rates = {};
};

class MultiQuery {
 public:
  MultiQuery(const MultiQueryArguments& arguments, const Dataset& set, Report& report)
      : arguments_(arguments),
        set_(set),
        report_(report),
        scratch_(arguments.common.out),
        cores_(std::max(1u, std::thread::hardware_concurrency())) {}

  void run() {
    build();
    add_ways();
    for (std::uint32_t round = 0; round < arguments_.rounds; ++round) {
      std::printf("round %u:", round + 1);
      for (std::size_t i = 0; i < ways_.size(); ++i) {
        Way& way = ways_[round % 2 == 0 ? i : ways_.size() - 1 - i];
        way.rates.push_back(way.turn());
        std::printf(" | %s %.0f/s", way.name.c_str(), way.rates.back());
        std::fflush(stdout);
      }
      std::printf("\n");
    }
    judge();
    searcher_->close();
  }

 private:
  void build() {
    const auto store = scratch_.fresh("store");
    BuildTimes times;
    must(build_durably(store, set_.base, set_.metric, arguments_.build, times).database.close());
    std::printf("built in %.1f s\n", times.total_s());
    const auto queries = scratch_.fresh("queries");
    must(write_matrix(queries, set_.queries.values, set_.queries.dim));
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    for (unsigned i = 0; i < cores_; ++i) {
      const auto copy = scratch_.fresh("copy");
      std::filesystem::copy(store, copy, std::filesystem::copy_options::recursive);
      children_.push_back(std::make_unique<Child>(
          program, std::vector<std::string>{"multi-child", "--store", copy.string(), "--query-file", queries.string(),
                                            "--ef", std::to_string(arguments_.ef), "--first",
                                            std::to_string(set_.queries.rows / cores_ * i)}));
    }
    searcher_ = std::make_unique<Searcher>(store, set_.queries, arguments_.ef);
    for (const auto& child : children_) (void)answer(*child);  // it is warm
  }

  [[nodiscard]] static nlohmann::json answer(Child& child) {
    const auto line = child.read_line();
    auto reply =
        line ? nlohmann::json::parse(*line, nullptr, false) : nlohmann::json(nlohmann::json::value_t::discarded);
    if (reply.is_discarded()) fail("a searching process failed");
    return reply;
  }

  void add_ways() {
    ways_.push_back({std::to_string(cores_) + " processes", [this] { return processes(); }});
    ways_.push_back({"batch", [this] { return searcher_->batches(set_.queries.rows, 0, arguments_.seconds).rate(); }});
    ways_.push_back({std::to_string(cores_) + " threads", [this] { return threads(); }});
    for (const std::uint32_t size : kSmallBatches) {
      if (size > set_.queries.rows) continue;
      ways_.push_back({"batch of " + std::to_string(size),
                       [this, size] { return searcher_->batches(size, 0, arguments_.seconds).rate(); }});
    }
    ways_.push_back({"1 thread", [this] { return searcher_->loop(0, arguments_.seconds).rate(); }});
  }

  double processes() {
    for (const auto& child : children_) {
      if (!child->write_line(std::to_string(arguments_.seconds))) fail("a searching process has ended");
    }
    double rate = 0;
    for (const auto& child : children_) rate += answer(*child)["rate"].get<double>();
    return rate;
  }

  double threads() {
    std::vector<double> rates(cores_);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < cores_; ++i) {
      threads.emplace_back(
          [this, i, &rates] { rates[i] = searcher_->loop(set_.queries.rows / cores_ * i, arguments_.seconds).rate(); });
    }
    double rate = 0;
    for (unsigned i = 0; i < cores_; ++i) {
      threads[i].join();
      rate += rates[i];
    }
    return rate;
  }

  void judge() {
    const Way& processes = ways_.front();
    std::printf("\n%-16s %10s %12s   (medians of %u rounds)\n", "", "queries/s", "/ processes", arguments_.rounds);
    for (const Way& way : ways_) {
      report_.details()["ways"][way.name] = way.rates;
      report_.figure("queries per second, " + way.name, median(way.rates), "1/s");
      std::vector<double> ratios;
      for (std::size_t round = 0; round < way.rates.size(); ++round) {
        ratios.push_back(way.rates[round] / processes.rates[round]);
      }
      std::printf("%-16s %10.0f %12.3f\n", way.name.c_str(), median(way.rates), median(ratios));
      if (&way == &processes) continue;
      char remark[64];
      std::snprintf(remark, sizeof remark, "(rounds: %.3f to %.3f)", quantile(ratios, 0), quantile(ratios, 1));
      report_.figure(way.name + " / " + processes.name, median(ratios), "x",
                     way.name == "batch" ? at_least(kNoLoss) : Goal{}, remark);
    }
  }

  const MultiQueryArguments& arguments_;
  const Dataset& set_;
  Report& report_;
  Scratch scratch_;
  const unsigned cores_;
  std::vector<std::unique_ptr<Child>> children_;
  std::unique_ptr<Searcher> searcher_;
  std::vector<Way> ways_;
};

}  // namespace

void run_multi_query(const MultiQueryArguments& arguments) {
  const Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "multi");
  std::printf("== many queries at once, ef %u, %s%s: %u x %u, %u queries, turns of %.1f s\n", arguments.ef,
              set.name.c_str(), set.synthetic ? " (SYNTHETIC)" : "", set.base.rows, set.base.dim, set.queries.rows,
              arguments.seconds);
  MultiQuery(arguments, set, report).run();
  report.finish();
}

void run_multi_query_child(const MultiQueryChildArguments& arguments) {
  const Matrix queries = must(parse_matrix(must(read_file(arguments.queries)), Encoding::f32));
  Searcher searcher(arguments.store, queries, arguments.ef);
  std::printf("{}\n");
  std::fflush(stdout);
  for (double seconds = 0; std::cin >> seconds;) {
    std::printf("{\"rate\":%.3f}\n", searcher.loop(arguments.first, seconds).rate());
    std::fflush(stdout);
  }
  searcher.close();
}

}  // namespace holdfast::bench
