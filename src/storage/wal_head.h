// wal/HEAD names the newest segment of a log, so that its removal is noticed: a log that ends with the segment before
// would otherwise look whole. (Format: docs/format/log.md.)
//
// Invariants
//  H1. HEAD names a segment only after that segment's name is durable, and before its first frame is acknowledged.
//  H2. Before the segment that HEAD names is removed (it holds no frame), HEAD names an earlier one, or is gone.
// Whoever finds no HEAD knows nothing about the newest segment: copies of a log (backups) have none.
#pragma once

#include <optional>

#include "base/ids.h"
#include "os/file_system.h"
#include "storage/wal_segment.h"

namespace holdfast::storage {

/// First lsn of the segment that HEAD names; nothing if there is no HEAD. data_damaged (file and offset; another
/// collection's HEAD, too), unsupported_format.
[[nodiscard]] Result<std::optional<Lsn>> read_log_head(os::FileSystem& fs, const std::string& directory,
                                                       const Uuid& collection);
/// Writes and syncs HEAD.tmp. All that needs space happens here; rename_log_head then only changes a name.
[[nodiscard]] StepFailure prepare_log_head(os::FileSystem& fs, const std::string& directory, const Uuid& collection,
                                           Lsn newest);
/// HEAD.tmp becomes HEAD; durable once the directory is synced.
Status rename_log_head(os::FileSystem& fs, const std::string& directory);
/// Both, and the sync of the directory; nothing: removes HEAD.
Status write_log_head(os::FileSystem& fs, const std::string& directory, const Uuid& collection,
                      std::optional<Lsn> newest);

}  // namespace holdfast::storage
