// How somebody waits for the committer's next view. The committer pays one load when nobody waits.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/mutex.h"

namespace holdfast::engine {

class PublishSignal {
 public:
  /// The committer, after each publication.
  void notify_all() HF_EXCLUDES(mutex_) {
    // seq_cst, like the publication before it and the two steps of wait_until(): either this sees the waiter, or the
    // waiter sees the view.
    if (waiting_.load(std::memory_order_seq_cst) == 0) return;
    { const MutexLock lock(mutex_); }  // who is about to wait has seen the view, or waits now
    condition_.notify_all();
  }
  /// Waits until `reached()`, which loads the current view with seq_cst, or until the deadline. Returns reached(). Asks
  /// now and then without a notification, too.
  template <class Reached>
  bool wait_until(std::chrono::steady_clock::time_point deadline, Reached reached) HF_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    waiting_.fetch_add(1, std::memory_order_seq_cst);  // pairs with notify_all()
    while (!reached()) {
      using std::chrono::milliseconds;
      const auto now = std::chrono::steady_clock::now();
      if (now >= deadline) break;  // before the difference is taken, which could overflow
      const auto left = std::chrono::ceil<milliseconds>(deadline - now);
      condition_.wait_for(mutex_, std::min(left, milliseconds(50)));
    }
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    return reached();
  }

 private:
  std::atomic<std::uint32_t> waiting_{0};
  Mutex mutex_;
  CondVar condition_;
};

}  // namespace holdfast::engine
