// How writers wake the background threads. Shared, so that a handle may outlive the database.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/mutex.h"

namespace holdfast::engine {

/// A bell that remembers: a ring before the wait is not lost.
class Bell {
 public:
  void ring() HF_EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      rung_ = true;
    }
    condition_.notify_all();
  }
  /// Returns when rung (and forgets it), or after `timeout`.
  void wait_for(std::chrono::milliseconds timeout) HF_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!rung_) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0 || !condition_.wait_for(mutex_, left)) break;
    }
    rung_ = false;
  }

 private:
  Mutex mutex_;
  CondVar condition_;
  bool rung_ HF_GUARDED_BY(mutex_) = false;
};

struct Signals {
  Bell index;
  Bell checkpoint;
  Bell log;
  Bell scrub;                     ///< rung by close() only
  std::atomic<bool> stop{false};  ///< release by close(), acquire by the threads
};

}  // namespace holdfast::engine
