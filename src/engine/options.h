// What the engine can be told beyond the public options: the file system behind it, and who does background work.
#pragma once

#include <cstdint>
#include <functional>

#include "holdfast/types.h"
#include "os/file_system.h"

namespace holdfast::engine {

struct EngineOptions {
  OpenOptions open;
  os::FileSystem* fs = nullptr;  ///< null: the real one
  /// False: no thread is started. Indexing, checkpoints and log upkeep happen only when asked for
  /// (Collection::wait_until_indexed and checkpoint), on the caller's thread, so that a run is deterministic.
  bool background = true;
  /// Age of snapshots is measured by this clock, in nanoseconds from any origin. Null: the real one.
  std::function<std::uint64_t()> clock_ns = nullptr;
};

}  // namespace holdfast::engine
