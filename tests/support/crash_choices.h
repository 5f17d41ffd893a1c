// Which crashes are tried at one call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "support/model.h"
#include "support/sim_file_system.h"

namespace holdfast::testing {

/// One way to end: kill -9, or power loss by a policy.
struct Crash {
  bool kill = false;
  CrashPolicy policy;
  std::uint64_t seed = 0;  ///< of what the policy draws

  [[nodiscard]] Loss loss() const noexcept { return kill ? Loss::process : Loss::power; }
  [[nodiscard]] std::unique_ptr<SimFileSystem> apply_to(const SimFileSystem& disk) const;
  [[nodiscard]] std::string to_string() const;
};

struct CrashChoice {
  /// Every unsynced operation and every inode lost alone and kept alone, the last write torn at every sector. Else four
  /// drawn operations.
  bool every_single = false;
  std::uint32_t drawn = 8;   ///< random subsets, torn bytes, sizes without data, directories, anything
  bool stale_blocks = true;  ///< whether what is drawn may show old blocks of other files where data was lost
};

/// kill -9, all lost, and if anything is unsynced: all kept, and what `choice` says.
[[nodiscard]] std::vector<Crash> crashes_of(const SimFileSystem& disk, const CrashChoice& choice, SeededRandom& random);

}  // namespace holdfast::testing
