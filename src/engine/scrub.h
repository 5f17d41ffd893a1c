// The scrubber: reads what the kept checkpoints of a collection and its log consist of, to find damage before a reader
// does, and while there still is another copy (the older generation, the log, a backup).
//
// A pass reads the manifests, the log, and every page of every extent that a manifest names, from the files and not
// from the mappings, of which pages may have been written. (What the operating system keeps in its cache is not read
// from the disk again: a pass over a store that is larger than memory reads most of it.)
//
// Invariants
//  U1. It holds no lock that a reader, a writer or a checkpoint waits for, and changes no file.
//  U2. What was removed meanwhile is no damage: a missing file counts only if a manifest that is there names it, and
//      trouble in the log, which is being written, only if a second look finds it in the same place.
//  U3. A page that is damaged in its file is not believed from then on, even if it was verified when it was mapped
//      (Extent::condemn, VectorTable::distrust): the mapping may show the file as it is now.
// Threading: one step of a collection at a time (scrub_mutex); the background thread, or a test.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "holdfast/status.h"
#include "storage/extent.h"

namespace holdfast::engine {

class CollectionState;

/// Where a pass stands.
struct ScrubPass {
  bool begun = false;
  bool log_read = false;
  std::vector<storage::ExtentInfo> extents;  ///< not begun yet; the next one last
  storage::ExtentInfo current;
  std::optional<storage::ExtentScan> scan;  ///< of `current`
  std::uint64_t page = 0;                   ///< the next one of it
};

struct ScrubStep {
  std::uint64_t bytes = 0;
  bool pass_done = false;
};

/// Reads about `budget` bytes further (at least one page; a log in one piece), or to the end of the pass. Damage goes
/// to CollectionState::damage. Throws bad_alloc.
ScrubStep scrub_step(CollectionState& state, std::uint64_t budget);

/// Reads an extent from its file, whole. Damage goes to CollectionState::damage, and is not believed from then on (U3).
/// Errors: io_error. Any thread; REQUIRES that a manifest names it as long as this runs.
Status check_extent_file(CollectionState& state, const storage::ExtentInfo& info);

}  // namespace holdfast::engine
