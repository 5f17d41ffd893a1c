// Appends groups of frames to the log (format: wal_format.h, docs/format/log.md).
//
// Invariants
//  W1. A segment is zero-filled, headed, synced, renamed into place and its directory synced before its first frame.
//  W2. A segment is complete and synced before its successor's header is written.
//  W3. A group begins at a 4 KiB boundary and is padded to one; a block that holds synced bytes is never written again.
//  W4. After a failed sync, or a failed write that is not disk_full, every later call fails (sticky); nothing is
//  retried. W5. After disk_full the log stands where it stood before the call: the next group is written over the
//  attempt.
// It does not know what a frame body means, nor who waits for it.
//
// Threading: append, sync, roll, mark, close are called by one thread at a time (the commit leader).
// prepare_next, last/synced getters and stats may be called from any thread at any time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/ids.h"
#include "os/file_system.h"

namespace holdfast::storage {

struct WalOptions {
  std::string directory;  ///< <collection>/wal; exists
  Uuid collection{};
  std::uint64_t segment_bytes = std::uint64_t{16} << 20;  ///< a larger group gets a larger segment
};

/// The last frame of a log; {0, 0} for a log without one.
struct LogEnd {
  Lsn lsn = 0;
  std::uint64_t checksum = 0;
};

struct WalStats {
  std::uint64_t groups = 0;
  std::uint64_t frames = 0;
  std::uint64_t syncs = 0;
  std::uint64_t bytes = 0;  ///< padded bytes written since construction
};

class WalWriter {
 public:
  /// A writer that will go on after `end`; everything up to `end` is durable. Touches no file yet: the first append
  /// (or prepare_next) makes the segment, so that opening a store stays cheap.
  WalWriter(os::FileSystem& fs, WalOptions options, LogEnd end);
  ~WalWriter();

  /// Writes one frame per body with consecutive lsns, in one write; not yet durable. Returns the first lsn.
  [[nodiscard]] Result<Lsn> append(std::span<const ByteSpan> bodies);
  /// Makes everything appended so far durable.
  Status sync();
  /// Syncs and seals the current segment; the next frame starts a new one. No effect on an empty segment.
  Status roll();
  /// sync, then a mark frame with synced_lsn = last lsn, then sync. No effect if the last frame is such a mark.
  Status mark();
  /// Makes the next segment ahead of need if there is none. Slow; for a background thread.
  Status prepare_next();
  [[nodiscard]] bool wants_next() const;

  [[nodiscard]] LogEnd end() const;
  [[nodiscard]] Lsn synced_lsn() const;
  [[nodiscard]] WalStats stats() const;
  /// The sticky error, or ok.
  [[nodiscard]] Status error() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Removes the segments whose frames all have lsn <= `lsn` (the last segment always stays), oldest first; then syncs
/// the directory. Failure leaves a log that starts earlier than it needs to.
Status remove_segments_through(os::FileSystem& fs, const std::string& directory, Lsn lsn);

}  // namespace holdfast::storage
