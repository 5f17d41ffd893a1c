// Starts the ingesting process, watches it from outside, and kills it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "demo_record.h"
#include "demo_store.h"
#include "holdfast/status.h"

namespace demo {

/// What the process is to be doing when it dies.
enum class Moment : std::uint8_t { anything, writing_a_batch, writing_a_checkpoint };

struct Kill {
  double at = 0;  ///< fraction of all points that is acknowledged by then
  Moment moment = Moment::anything;
  std::chrono::microseconds delay{0};  ///< goes by after that moment has come
};
/// `count` kills, spread between 10 % and 90 %, in each of them another moment. The same seed gives the same plan.
[[nodiscard]] std::vector<Kill> plan_kills(unsigned count, std::uint64_t seed);

struct RunResult {
  bool killed = false;  ///< else it ended by itself, with everything written
  pid_t pid = 0;
  std::uint64_t acknowledged = 0;  ///< end of the last acknowledged batch
  bool in_batch = false;
  bool in_checkpoint = false;
  std::uint64_t growing = 0;  ///< points that waited for the graph when the last batch was acknowledged
  bool seen_event = false;
};

/// Runs `ingest` in a process of its own (this program again, with the subcommand `ingest`) and writes every event into
/// the record. With a `kill`, ends it with SIGKILL at that moment; without, waits for its end.
/// Errors: io_error; internal if the process ended by itself in some other way.
[[nodiscard]] holdfast::Result<RunResult> run_ingest(const Paths& paths, const std::filesystem::path& wordnet_directory,
                                                     Record& record, std::uint64_t start, std::uint64_t total,
                                                     const Kill* kill);

}  // namespace demo
