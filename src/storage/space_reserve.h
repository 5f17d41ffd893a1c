// A file without content that keeps room on the disk, for what must be possible on a full one.
//
// Invariants
//  V1. Nothing reads the file and nothing depends on it: missing, of any size, with any bytes in it, it is harmless. So
//      it is never synced, and no crash point needs a word.
//  V2. It gives room back from its end, by truncation: the blocks are free when give() returns.
//  V3. While a loan runs it does not grow: what it gave must not come back to it before it is used. While everything
//  but
//      a part is lent, it gives to nobody else.
// It does not know what the room is for.
//
// Threading: every member may be called from any thread. The mutex is held across calls of the file system; nothing
// that must not wait for the disk asks for more than bytes() and wanted().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "os/file_system.h"

namespace holdfast::storage {

class SpaceReserve {
 public:
  SpaceReserve(os::FileSystem& fs, std::string path);
  SpaceReserve(const SpaceReserve&) = delete;
  SpaceReserve& operator=(const SpaceReserve&) = delete;

  /// Takes over what an earlier process left; nothing if there is none, or if anything is wrong with it.
  void adopt() HF_EXCLUDES(mutex_);
  /// Sets `bytes` aside in all; gives room back if it has half as much again. disk_full if there is no room, or a loan
  /// runs: it holds what it held before. invalid_argument where the file system cannot do it. `closed`.
  Status hold(std::uint64_t bytes) HF_EXCLUDES(mutex_);
  /// For the meters: what it should have, where hold() would be in vain.
  void want(std::uint64_t bytes) noexcept { wanted_.store(bytes, std::memory_order_relaxed); }
  /// Frees everything, for good. False, and nothing is freed, if everything but a part is lent.
  bool give_all() HF_EXCLUDES(mutex_);
  /// Frees `bytes` until repay_part(). False, and there is no loan, if it has less or a loan runs.
  bool lend(std::uint64_t bytes) HF_EXCLUDES(mutex_);
  void repay_part() HF_EXCLUDES(mutex_);
  /// Frees everything but `keep` until repay(). Returns how much; 0: there is no loan.
  std::uint64_t lend_but(std::uint64_t keep) HF_EXCLUDES(mutex_);
  void repay() HF_EXCLUDES(mutex_);
  /// Lets go of the file, which stays as it is. Every later call but the getters has no effect.
  void close() HF_EXCLUDES(mutex_);

  // Meters. Numbers without data behind them: relaxed.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  /// What it had when hold() last succeeded, when it was taken over, or after the last loan: what it has less was
  /// given.
  [[nodiscard]] std::uint64_t whole() const noexcept { return whole_.load(std::memory_order_relaxed); }
  /// What hold() was last asked for; 0: nobody wanted it yet.
  [[nodiscard]] std::uint64_t wanted() const noexcept { return wanted_.load(std::memory_order_relaxed); }

 private:
  bool shrink_to(std::uint64_t bytes) HF_REQUIRES(mutex_);
  Status grow_to(std::uint64_t bytes) HF_REQUIRES(mutex_);

  os::FileSystem& fs_;
  const std::string path_;
  Mutex mutex_;
  std::unique_ptr<os::File> file_ HF_GUARDED_BY(mutex_);
  bool lent_ HF_GUARDED_BY(mutex_) = false;       ///< by lend_but()
  bool part_lent_ HF_GUARDED_BY(mutex_) = false;  ///< by lend()
  bool closed_ HF_GUARDED_BY(mutex_) = false;
  bool impossible_ HF_GUARDED_BY(mutex_) = false;  ///< this file system cannot set space aside
  std::atomic<std::uint64_t> bytes_{0};            ///< written under the mutex
  std::atomic<std::uint64_t> whole_{0};
  std::atomic<std::uint64_t> wanted_{0};
};

}  // namespace holdfast::storage
