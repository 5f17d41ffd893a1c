// Frames behind the damage of a log, for repair. The decision table (wal_reader.h) refuses to go on behind damage; this
// goes on, and says what it passed over. It changes nothing.
#pragma once

#include <functional>
#include <string>

#include "storage/wal_reader.h"

namespace holdfast::storage {

struct LogRemains {
  std::uint64_t frames = 0;
  Lsn last_lsn = 0;      ///< of the last frame that was visited; 0: none
  Lsn missing_lsns = 0;  ///< how many lsns between the frames, and up to `proven`, have no readable frame
  Lsn proven = 0;        ///< highest lsn of which anything proves that it was synced, and that is plausible
};

/// Visits, in order of lsn, every frame behind `tail.end` that can be believed: it stands in a segment whose header is
/// sound, its checksum is right, and it continues the frame before it or follows a gap of frames that are proven to
/// have been synced. Where nothing proves that what is missing had been synced, nothing was acknowledged behind it
/// either: the scan ends there. `visit` may be empty. REQUIRES `tail` of a read_log with the same options.
[[nodiscard]] Result<LogRemains> read_behind_damage(os::FileSystem& fs, const ReadLogOptions& options,
                                                    const LogTail& tail,
                                                    const std::function<Status(const FrameView&)>& visit);

}  // namespace holdfast::storage
