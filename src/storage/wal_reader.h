// Reads a log and decides where it ends: the decision table (cases E0..E5 in wal_reader.cc and docs/format/log.md).
//
// The reader changes nothing. A caller that accepts the verdict calls seal_tail() before it writes again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/ids.h"
#include "os/file_system.h"
#include "storage/wal_writer.h"

namespace holdfast::storage {

/// A valid frame. `body` is valid during the call only.
struct FrameView {
  std::string_view segment;  ///< file name
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< header + body, without padding
  FrameType type = FrameType::batch;
  Lsn lsn = 0;
  Lsn synced_lsn = 0;
  ByteSpan body;
};

enum class LogVerdict : std::uint8_t {
  complete,        ///< E0: ends with the last byte written (nothing but zeros follows)
  torn_tail,       ///< E1: in the last segment, followed by nothing valid: cut
  unacknowledged,  ///< E2: valid frames follow, none of which proves that the first invalid one was synced: cut
  damage,          ///< E3/E4: something proves that a missing frame was synced, or a gap: refuse
  damage_below_checkpoint,  ///< E5: like damage, but the checkpoint already holds what is missing: report, go on
};

/// Which row of the decision table a damage falls under.
enum class DamageCase : std::uint8_t {
  proven_synced,     ///< E3: something proves that the missing frame had been synced
  gap,               ///< E4: segments or frames do not join
  below_checkpoint,  ///< E5: the checkpoint holds what is missing
};

struct LogDamage {
  DamageCase rule = DamageCase::proven_synced;
  std::string segment;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  Lsn first_lsn = 0, last_lsn = 0;  ///< what is missing, as far as it is known (last 0: unknown)
  std::string message;
};

struct LogTail {
  LogVerdict verdict = LogVerdict::complete;
  LogEnd end;                      ///< last frame that counts
  Lsn proven = 0;                  ///< highest lsn of which anything (options, log) proves that it was synced
  std::string last_segment;        ///< the last one that holds a frame; empty: none does
  std::uint64_t valid_bytes = 0;   ///< of that segment, header included, to the end of its last frame
  bool last_is_short = false;      ///< that segment has a successor, and its file is shorter than its header says
  std::uint64_t bytes_cut = 0;     ///< garbage behind the last frame, up to the last byte that is not zero
  bool ends_with_mark = false;     ///< clean close or idle: everything up to the mark was durable
  std::vector<LogDamage> damage;   ///< for damage and damage_below_checkpoint, one entry each
  std::vector<std::string> notes;  ///< damage that costs nothing (a pointer to the newest segment that is there)
  std::string reason;              ///< in words, names file and offset; empty for complete
  std::uint64_t frames = 0;        ///< visited
  std::uint64_t bytes = 0;         ///< read, of visited frames
};

struct ReadLogOptions {
  std::string directory;
  Uuid collection{};
  Lsn after = 0;  ///< frames with lsn <= after are checked but not visited; the checkpoint's lsn
  /// Highest lsn that something outside the log (a manifest) proves to have been synced.
  Lsn proven = 0;
  /// Frame `after` as the checkpoint knows it: where an empty log goes on, and what the log is compared with.
  /// {0, 0}: unknown.
  LogEnd base;
  /// Whether segments that lie wholly at or below `after` are read (to check them). Recovery does not: opening costs as
  /// much as the log is long behind the checkpoint. REQUIRES for false that the log was rolled at `after`.
  bool check_below = true;
};

/// Visits (`visit` may be empty), in order, every frame with lsn > after up to the end of the log. `visit` returns ok
/// to go on; its error ends the reading and is returned. Verdict `damage` is not an error of this function: the tail
/// says it, and the frames visited so far are those before the damage. Errors: io_error, unsupported_format.
[[nodiscard]] Result<LogTail> read_log(os::FileSystem& fs, const ReadLogOptions& options,
                                       const std::function<Status(const FrameView&)>& visit);

/// Makes the accepted tail safe to go on from: the valid part of the last segment is copied to a fresh file, synced,
/// renamed over it, and the directory synced (the page cache may hold what the disk does not). Not copied if every
/// frame of it is proven durable, nothing follows and the file is whole. Then segments behind it that hold no frame are
/// removed (but the one that ends those which lie below the checkpoint, if the log holds nothing else), and every
/// left-over temporary file. Idempotent, and may be stopped at any call. REQUIRES verdict complete, torn_tail,
/// unacknowledged or damage_below_checkpoint of a read_log with the same options. Returns the names of removed files.
[[nodiscard]] Result<std::vector<std::string>> seal_tail(os::FileSystem& fs, const ReadLogOptions& options,
                                                         const LogTail& tail);

/// What a copy of a log took.
struct LogCopy {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

/// Copies every segment that holds a frame with lsn > `options.after` to the empty directory `to`, cut behind the last
/// frame that counts, each file and the directory synced; nothing if there is no such frame. The log may be appended to
/// meanwhile. Then reads the copy: data_damaged if it does not end with the frame that `tail` names. not_found if a
/// segment was removed meanwhile. REQUIRES `tail` of a read_log with the same options, verdict not damage.
[[nodiscard]] Result<LogCopy> copy_log(os::FileSystem& fs, const ReadLogOptions& options, const LogTail& tail,
                                       const std::string& to);

}  // namespace holdfast::storage
