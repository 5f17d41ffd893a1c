// One life of the worker: started, watched, and ended as planned.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/random.h"
#include "crash/kill_oracle.h"
#include "crash/kill_points.h"
#include "crash/kill_workload.h"

namespace holdfast::testing {

/// HOLDFAST_KILLS and the like.
[[nodiscard]] std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise);

/// How a life ends.
struct KillPlan {
  std::optional<KillPoint> point;        ///< the worker ends itself there; if it gets that far
  std::uint64_t passing = 1;             ///< when it passes the point for the n-th time
  std::optional<KillEvent::Kind> event;  ///< otherwise from outside: after events of this kind only, or of any
  std::uint64_t events = 1;              ///< this many of them are seen first
  std::chrono::microseconds delay{0};
  KillManner manner = KillManner::kill;

  /// It ends while the store opens: more is to be seen if nobody has cleaned up before.
  [[nodiscard]] bool in_recovery() const noexcept;
};
/// KillManner::cut: a power cut of one kind or the other.
[[nodiscard]] KillPlan plan_kill(SeededRandom& random, KillManner manner);

struct KillStore {
  std::string path;
  std::string backup = {};  ///< empty: none are made
  std::string mount = {};   ///< of the file system to shut down, for a power cut
};

struct LifeOutcome {
  bool killed = false;
  bool cut = false;  ///< its file system was shut down under it
  int wait_status = 0;
  std::string reached;  ///< name of the point, or of the event behind which it was killed
};
/// Starts the worker, lets the oracle follow its events and ends it as planned.
[[nodiscard]] LifeOutcome live(const KillStore& store, std::uint64_t seed, const KillPlan& plan, KillOracle& oracle);

/// How often each point was reached, for one line.
class ReachedPoints {
 public:
  void add(const std::string& name) { ++counts_[name]; }
  [[nodiscard]] std::string to_string() const;

 private:
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace holdfast::testing
