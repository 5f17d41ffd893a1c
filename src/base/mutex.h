// Mutex, lock and condition variable with clang thread-safety annotations (-Wthread-safety).
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define HF_TSA(x) __attribute__((x))
#else
#define HF_TSA(x)
#endif

#define HF_CAPABILITY(x) HF_TSA(capability(x))
#define HF_SCOPED_CAPABILITY HF_TSA(scoped_lockable)
#define HF_GUARDED_BY(x) HF_TSA(guarded_by(x))
#define HF_PT_GUARDED_BY(x) HF_TSA(pt_guarded_by(x))
#define HF_REQUIRES(...) HF_TSA(requires_capability(__VA_ARGS__))
#define HF_ACQUIRE(...) HF_TSA(acquire_capability(__VA_ARGS__))
#define HF_RELEASE(...) HF_TSA(release_capability(__VA_ARGS__))
#define HF_TRY_ACQUIRE(...) HF_TSA(try_acquire_capability(__VA_ARGS__))
#define HF_EXCLUDES(...) HF_TSA(locks_excluded(__VA_ARGS__))
#define HF_NO_THREAD_SAFETY_ANALYSIS HF_TSA(no_thread_safety_analysis)

namespace holdfast {

class HF_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void lock() HF_ACQUIRE() { mutex_.lock(); }
  void unlock() HF_RELEASE() { mutex_.unlock(); }
  bool try_lock() HF_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class HF_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) HF_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() HF_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// Waits always stand in a loop that tests the condition.
class CondVar {
 public:
  void wait(Mutex& mutex) HF_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  /// False if the time ran out.
  bool wait_for(Mutex& mutex, std::chrono::milliseconds timeout) HF_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool signalled = condition_.wait_for(lock, timeout) == std::cv_status::no_timeout;
    lock.release();
    return signalled;
  }
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace holdfast
