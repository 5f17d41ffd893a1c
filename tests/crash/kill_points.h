// The named points at which the worker dies: exact places in the order of file-system calls of the protocol, where a
// kill at a random moment would seldom hit.
//
// They are found by a file system that stands between the store and the real one and looks at names and calls, in the
// worker only. The product knows nothing of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "os/file_system.h"

namespace holdfast::testing {

enum class KillPoint : std::uint32_t {
  log_filling,       ///< half of the zeros of the next segment are written
  log_headed,        ///< its header is synced, it has no name yet
  log_named,         ///< it has its name, the directory is not synced
  head_named,        ///< HEAD names it, the directory is not synced
  log_torn,          ///< a part of a group is written
  log_written,       ///< the group is written, not synced
  log_synced,        ///< synced, not published or acknowledged
  log_removed,       ///< a segment is removed, the directory not synced
  seal_copied,       ///< the tail that was found is copied and synced, without a name
  seal_named,        ///< and named, without a sync of the directory
  extent_torn,       ///< half of an extent
  extent_synced,     ///< an extent, but not the image
  extents_named,     ///< the image is whole, but for its manifest
  extent_removed,    ///< what an older image needed is being removed
  manifest_written,  ///< synced under its temporary name
  manifest_named,    ///< renamed, the directory not synced
  manifest_synced,   ///< durable; nothing is removed yet
  manifest_removed,  ///< an older one
  catalog_written,
  catalog_named,
  collection_made,     ///< the directory of a new one
  collection_removed,  ///< the directory of a dropped one
  backup_copied,       ///< some files of a backup
  backup_swapped,      ///< a collection in the backup has been exchanged
  open_call,           ///< the n-th call of the file system in open
  close_call,          ///< and in close
  count,
};
inline constexpr std::uint32_t kKillPoints = static_cast<std::uint32_t>(KillPoint::count);

[[nodiscard]] std::string_view to_string(KillPoint point) noexcept;
/// Which of its passings to draw from: 1 to this.
[[nodiscard]] std::uint64_t passings(KillPoint point) noexcept;

/// How the worker ends at its point.
enum class KillManner : std::uint32_t {
  kill,       ///< SIGKILL
  cut,        ///< its file system is shut down first, the journal not flushed: what is not synced is gone
  cut_flush,  ///< the same with the journal flushed: metadata is there, unsynced data is gone
};
/// The device under `path` loses what it has not been made to keep (FS_IOC_SHUTDOWN). False: with errno.
[[nodiscard]] bool cut_power(const char* path, KillManner manner) noexcept;

/// Ends the process when it passes its point for the n-th time.
class KillSwitch {
 public:
  /// No point: never.
  KillSwitch(std::optional<KillPoint> point, std::uint64_t passing, KillManner manner, const char* path,
             int pipe) noexcept
      : point_(point), manner_(manner), path_(path), pipe_(pipe), left_(passing) {}

  [[nodiscard]] bool wants(KillPoint point) const noexcept { return point_ == point; }
  /// True if this is the passing; die() must follow.
  [[nodiscard]] bool due(KillPoint point) noexcept {
    return wants(point) && left_.fetch_sub(1, std::memory_order_relaxed) == 1;  // a counter, nothing hangs on it
  }
  void pass(KillPoint point) noexcept {
    if (due(point)) die();
  }
  [[noreturn]] void die() noexcept;

  /// Counts the calls of open and of close.
  enum class Phase : std::uint8_t { open, work, close };
  void enter(Phase phase) noexcept { phase_.store(phase, std::memory_order_relaxed); }  // each thread learns in time
  void call() noexcept {
    const Phase phase = phase_.load(std::memory_order_relaxed);
    if (phase == Phase::open) pass(KillPoint::open_call);
    if (phase == Phase::close) pass(KillPoint::close_call);
  }

 private:
  const std::optional<KillPoint> point_;
  const KillManner manner_;
  const char* const path_;
  const int pipe_;
  std::atomic<std::uint64_t> left_;
  std::atomic<Phase> phase_{Phase::open};
};

/// The real file system, with the points of a store, or those of a backup, in it.
enum class KillRole : std::uint8_t { store, backup };
[[nodiscard]] std::unique_ptr<os::FileSystem> make_kill_file_system(KillSwitch& kill, KillRole role);

}  // namespace holdfast::testing
