// What SimFileSystem keeps behind its mutex, and how a planned fault turns into a verdict on one call.
// Only sim_file_system.cc and sim_core.cc include this.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "support/sim_file_system.h"

namespace holdfast::testing {

/// What becomes of a call.
struct Verdict {
  Status status;                             ///< ok, or what the caller is told
  bool happens = true;                       ///< whether anything of the call takes effect
  std::uint64_t bytes = ~std::uint64_t{0};   ///< of a write: how many arrive at most
  std::optional<UnsyncedPages> failed_sync;  ///< of a sync: what it leaves behind
};

struct Fault {
  enum class Kind : std::uint8_t { fail, short_write, fail_sync, power_off };
  Kind kind = Kind::fail;
  std::uint64_t index = 0;
  bool for_ever = false;
  StatusCode code = StatusCode::io_error;
  std::uint64_t bytes = 0;
  UnsyncedPages outcome = UnsyncedPages::kept_dirty;
};

using CallHook = std::function<void(const CallInfo&)>;

class SimFileSystem::Core {
 public:
  explicit Core(std::uint64_t seed) : random(seed) {}
  /// The same moment: without handles, locks, hook and faults. For the cheap copies of SimFileSystem.
  [[nodiscard]] std::shared_ptr<Core> copy() const HF_EXCLUDES(mutex);

  /// Gives the call its index and runs the hook. Every call of FileSystem begins with this, then locks, then judges.
  CallInfo announce(CallInfo info) HF_EXCLUDES(mutex);
  /// What the plan says. Turns the power off if so planned.
  Verdict judge(const CallInfo& info) HF_REQUIRES(mutex);
  /// The outcome for the caller: the verdict's, else that of the disk with the words of the call before it.
  static Status outcome(const CallInfo& info, const Verdict& verdict, const Status& done);

  /// How many of `bytes` at `offset` fit under the capacity.
  [[nodiscard]] std::uint64_t fitting(InodeId id, std::uint64_t offset, std::uint64_t bytes) const HF_REQUIRES(mutex);
  [[nodiscard]] std::uint64_t free_space() const HF_REQUIRES(mutex);

  mutable Mutex mutex;
  SimDisk disk HF_GUARDED_BY(mutex);
  bool powered HF_GUARDED_BY(mutex) = true;
  bool count_reads HF_GUARDED_BY(mutex) = false;
  std::uint64_t next_call HF_GUARDED_BY(mutex) = 0;
  std::uint64_t capacity HF_GUARDED_BY(mutex) = 0;
  SeededRandom random HF_GUARDED_BY(mutex);
  std::vector<Fault> faults HF_GUARDED_BY(mutex);
  std::shared_ptr<const CallHook> hook HF_GUARDED_BY(mutex);
  std::map<InodeId, std::uint32_t> open HF_GUARDED_BY(mutex);  // inode -> open handles
  std::set<InodeId> locked HF_GUARDED_BY(mutex);
};

}  // namespace holdfast::testing
