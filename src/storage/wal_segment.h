// Making the file of a segment: shared by the writer (new segments) and by seal_tail (the copy of a found one).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "os/file_system.h"
#include "storage/wal_format.h"

namespace holdfast::storage {

struct SegmentFile {
  std::unique_ptr<os::File> file;
  std::string path;
  std::uint64_t bytes = 0;
};

/// A step that failed, and whether the log may be trusted afterwards.
struct StepFailure {
  Status status;
  bool fatal = false;  ///< a write or sync failed, and not for lack of space
};

/// Makes `path` anew, filled with zeros to `bytes`, and synced, so that later syncs of it change no metadata.
/// On failure nothing is left of it, as far as the file system lets go.
[[nodiscard]] StepFailure make_zero_filled(os::FileSystem& fs, const std::string& path, std::uint64_t bytes,
                                           SegmentFile& out);

}  // namespace holdfast::storage
