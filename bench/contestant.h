// What takes part in `compare`: something that is built from vectors and then takes turns at being searched.
//
// Every contestant gets the same vectors, M, ef_construction and number of building threads, and is searched by one
// thread. A contestant that cannot go on says why and leaves; the comparison continues without it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/counters.h"
#include "bench/datasets.h"
#include "bench/durable_build.h"
#include "bench/machine.h"
#include "holdfast/status.h"

namespace holdfast::bench {

inline constexpr std::uint32_t kNearest = 10;

/// One turn: all queries at least once, one after the other.
struct Turn {
  std::vector<std::uint32_t> found;  ///< kNearest row numbers per query, nothing: ~0
  std::vector<double> latency_us;    ///< of every single call
  double seconds = 0;
  double processor_s = 0;
  double batch_qps = 0;  ///< all queries in one call, where the library can; else 0
  Counts counts;         ///< of the single calls, where the machine counts
};

struct BuildCost {
  double seconds = 0;
  double processor_s = 0;
  std::string parts;  ///< what it consists of, for the reader
};

/// Where the vectors come from and how to build. `base` and `queries` have length 1 under cosine.
struct Setting {
  const Dataset& set;
  const BuildSettings& build;
  std::span<const float> base;
  std::span<const float> queries;
  Scratch& scratch;
  double turn_seconds;               ///< that a turn lasts at least: small sets are searched several times
  std::filesystem::path node_peers;  ///< folder of the Node driver and its packages; empty: there is none
};

class Contestant {
 public:
  explicit Contestant(std::string name) : name_(std::move(name)) {}
  virtual ~Contestant() = default;
  Contestant(const Contestant&) = delete;
  Contestant& operator=(const Contestant&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Ways to search it, each with a curve of its own, called `name()` + mode; at least one.
  [[nodiscard]] virtual std::vector<std::string> modes() const { return {""}; }
  /// Built anew; what was built before is gone.
  [[nodiscard]] virtual Result<BuildCost> build() = 0;
  [[nodiscard]] virtual Result<Turn> turn(std::size_t mode, std::uint32_t ef) = 0;
  /// Of the process that holds it, after its allocator gave back what it could.
  [[nodiscard]] virtual Result<Memory> memory() { return trimmed_memory(); }
  /// Bytes that it keeps on disk; 0: none.
  [[nodiscard]] virtual std::uint64_t disk_bytes() const { return 0; }
  /// What a call costs that has nothing to do, where the library is called through another language; else 0.
  [[nodiscard]] virtual Result<double> call_overhead_us() { return 0.0; }

 private:
  std::string name_;
};

/// `search(query number, rows out)` for all queries, until the turn is over.
template <class Search>
[[nodiscard]] Turn timed_turn(const Setting& setting, Search&& search) {
  const std::uint32_t queries = setting.set.queries.rows;
  Turn turn;
  turn.found.assign(std::size_t{queries} * kNearest, ~std::uint32_t{0});
  Counters& counters = thread_counters();
  counters.start();
  const double processor = thread_processor_seconds();
  const Stopwatch total;
  while (turn.latency_us.empty() || turn.seconds < setting.turn_seconds) {
    for (std::uint32_t q = 0; q < queries; ++q) {
      search(q, turn.found.data() + std::size_t{q} * kNearest);
      const double now = total.seconds();
      turn.latency_us.push_back((now - turn.seconds) * 1e6);
      turn.seconds = now;
    }
  }
  turn.processor_s = thread_processor_seconds() - processor;
  turn.counts = counters.stop();
  return turn;
}

/// Everybody but Holdfast that is there and that `wanted` names: beginnings of names, separated by commas; empty: all.
/// hnswlib is always first. Who is not there is announced with SKIPPED and the reason.
[[nodiscard]] std::vector<std::unique_ptr<Contestant>> make_peers(const Setting& setting, const std::string& wanted);

}  // namespace holdfast::bench
