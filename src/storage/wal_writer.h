// Appends groups of frames to the log (format: wal_format.h, docs/format/log.md).
//
// Invariants
//  W1. A segment is zero-filled, headed, synced, renamed into place and its directory synced, and wal/HEAD names it
//      durably (wal_head.h, H1), before its first frame.
//  W2. A segment is complete and synced before its successor's header is written.
//  W3. A group begins at a 4 KiB boundary and is padded to one; a block that holds synced bytes is never written again.
//  W4. After a failed sync, or a failed write or rename that is not disk_full, every later call fails (sticky, code
//      read_only, the first cause in the message); nothing is retried. A temporary file that could not be created, or
//      that found no space, poisons nothing: no frame depends on it.
//      A call that ends by an exception (memory was short just then) after it has begun to change what frames depend
//      on counts as failed in the same way.
//  W5. After disk_full the log stands where it stood before the call, also after power loss: what may be left of the
//      attempt is unmade, and that is synced. If there is no room even for that, the answer is outcome_unknown: the
//      attempt may come back after a crash until the next group is written over it. The log goes on in both cases.
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
#include "storage/wal_format.h"

namespace holdfast::storage {

struct WalOptions {
  std::string directory;  ///< <collection>/wal; exists
  Uuid collection{};
  std::uint64_t segment_bytes = std::uint64_t{16} << 20;  ///< a larger group gets a larger segment
  bool ends_with_mark = false;  ///< of the LogTail: mark() then writes nothing until something is appended
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
  /// (or prepare_next) makes the segment, so that opening a store stays cheap. REQUIRES that seal_tail accepted the log
  /// that was found, if any.
  WalWriter(os::FileSystem& fs, WalOptions options, LogEnd end);
  /// Syncs nothing; as close(). REQUIRES that no call is under way.
  ~WalWriter();
  WalWriter(const WalWriter&) = delete;
  WalWriter& operator=(const WalWriter&) = delete;

  /// Writes one frame per body with consecutive lsns, in one write; not yet durable. Returns the first lsn.
  /// invalid_argument without bodies, or with one longer than kMaxFrameBody.
  [[nodiscard]] Result<Lsn> append(std::span<const ByteSpan> bodies);
  /// Whether append(bodies) would do without a new segment. For the thread that appends.
  [[nodiscard]] bool has_room(std::span<const ByteSpan> bodies) const;
  /// Makes everything appended so far durable.
  Status sync();
  /// Syncs and seals the current segment; the next frame starts a new one. No effect on an empty segment.
  Status roll();
  /// sync, then a mark frame with synced_lsn = last lsn, then sync. No effect if the last frame is such a mark, or if
  /// the log holds no frame.
  Status mark();
  /// Makes the next segment ahead of need if there is none. Slow; for a background thread.
  Status prepare_next();
  /// The current segment is half full and nobody has made the next one.
  [[nodiscard]] bool wants_next() const;

  /// Lets go of the directory: removes the segment made ahead and closes the files; every later call but the getters
  /// fails with `closed`. Whoever opens the log next is not disturbed by this object any more.
  void close() noexcept;

  [[nodiscard]] LogEnd end() const;
  [[nodiscard]] Lsn synced_lsn() const;
  [[nodiscard]] WalStats stats() const;
  /// The sticky error, or ok.
  [[nodiscard]] Status error() const;
  /// Whether there is one. Takes no memory.
  [[nodiscard]] bool failed() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Removes the segments whose frames all have lsn <= `lsn` (the last segment always stays), oldest first; then syncs
/// the directory, after each: whatever a crash undoes, what is left is the log's end without a hole. Failure leaves a
/// log that starts earlier than it needs to.
Status remove_segments_through(os::FileSystem& fs, const std::string& directory, Lsn lsn);

}  // namespace holdfast::storage
