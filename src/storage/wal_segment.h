// Making the file of a segment: shared by the writer (new segments), seal_tail and copy_log (copies of found ones).
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

/// The frames of a segment up to `valid_bytes` (LogTail) in a fresh file of just their size, synced; its name is not.
/// The salt stays: the frames are the same. Bytes behind `valid_bytes` are never read. data_damaged if the header is
/// not what it was.
Status copy_valid_part(os::FileSystem& fs, const std::string& from, const std::string& to, std::uint64_t valid_bytes);

}  // namespace holdfast::storage
