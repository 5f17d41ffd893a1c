// What is known to be damaged of one collection's checkpoint, whoever found it: a read, a checkpoint, the scrubber.
//
// It decides two things: what CollectionStats says, and which extents the next checkpoint may not name again
// (checkpoint.cc, K4).
// Threading: thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "holdfast/status.h"

namespace holdfast::engine {

class DamageLog {
 public:
  /// A page (or the header, at 0) of an extent. Counted once, however often it is found.
  void note_extent(std::uint64_t number, std::uint64_t offset, const Status& why) noexcept HF_EXCLUDES(mutex_);
  /// A place in another file of the collection: a manifest, a log segment.
  void note_file(const std::string& name, std::uint64_t offset, const Status& why) noexcept HF_EXCLUDES(mutex_);

  /// Places found damaged since the collection was opened. A meter: relaxed.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  /// The first of them, in words. Empty if there is none.
  [[nodiscard]] std::string first() const HF_EXCLUDES(mutex_);
  /// Whether anything of the extent was found damaged, or may have been: for want of memory it was not noted of which.
  [[nodiscard]] bool holds(std::uint64_t extent) const HF_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::set<std::pair<std::string, std::uint64_t>> places_ HF_GUARDED_BY(mutex_);  ///< file and offset
  std::set<std::uint64_t> extents_ HF_GUARDED_BY(mutex_);
  bool forgot_ HF_GUARDED_BY(mutex_) = false;  ///< an extent that should be in extents_ is not
  std::string first_ HF_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace holdfast::engine
