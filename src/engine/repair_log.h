// What a salvage of a log keeps and what it gives up.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "engine/collection_state.h"
#include "engine/record.h"
#include "holdfast/admin.h"
#include "storage/wal_salvage.h"

namespace holdfast::engine {

/// How the log behind a checkpoint is used.
enum class LogUse : std::uint8_t {
  to_damage,    ///< up to its end, or its damage (cut_log)
  past_damage,  ///< what is readable behind the damage, too (skip_frames)
  nothing,      ///< roll_back
};

/// The log as seen from one checkpoint.
struct LogView {
  storage::ReadLogOptions options;
  storage::LogTail tail;
  storage::LogRemains remains;   ///< behind the damage, if there is any
  std::set<PointId> ids_before;  ///< written by batches before the damage
  std::set<PointId> ids_behind;  ///< by readable batches behind it
  /// Added to every lsn when it is applied: where an image holds batches of the log already, and they are applied
  /// once more, they come behind everything that the image holds.
  Lsn shift = 0;
  VectorShape vectors;  ///< of the first vector in it
  [[nodiscard]] bool damaged() const noexcept { return tail.verdict == storage::LogVerdict::damage; }
  /// No batch that was ever acknowledged has a higher lsn, as far as anything tells.
  [[nodiscard]] Lsn highest() const noexcept;
};

/// Reads the whole log behind `options.after`. A directory that is missing is a log whose end nobody knows: damaged.
[[nodiscard]] Result<LogView> view_log(os::FileSystem& fs, const storage::ReadLogOptions& options);

/// By the name of the first segment; 0: there is none.
[[nodiscard]] Result<Lsn> first_lsn_of_log(os::FileSystem& fs, const std::string& directory);

/// What the use of the log gives up. Nothing, if it is not damaged (unless it is not used at all).
[[nodiscard]] RepairLoss loss_of(const LogView& log, LogUse use);

/// Applies the batches to `state`, which is as of `log.options.after`. data_damaged if one does not decode, although
/// its checksum is right.
Status apply_log(CollectionState& state, const LogView& log, LogUse use);

}  // namespace holdfast::engine
