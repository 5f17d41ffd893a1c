#include "engine/damage.h"

#include <new>

#include "storage/file_names.h"

namespace holdfast::engine {

void DamageLog::note_extent(std::uint64_t number, std::uint64_t offset, const Status& why) noexcept {
  MutexLock lock(mutex_);
  try {
    if (!places_.emplace(storage::extent_name(number), offset).second) return;
    if (first_.empty()) first_ = why.message();
    extents_.insert(number);
  } catch (const std::bad_alloc&) {
    // Which one it was is lost, and whoever verified the page will not say it again: no extent is trusted any more.
    forgot_ = true;
  }
  count_.fetch_add(1, std::memory_order_relaxed);
}

void DamageLog::note_file(const std::string& name, std::uint64_t offset, const Status& why) noexcept {
  MutexLock lock(mutex_);
  try {
    if (!places_.emplace(name, offset).second) return;
    if (first_.empty()) first_ = why.message();
  } catch (const std::bad_alloc&) {
    // Not remembered: whoever reads it finds it again.
  }
  count_.fetch_add(1, std::memory_order_relaxed);
}

std::string DamageLog::first() const {
  MutexLock lock(mutex_);
  return first_;
}

bool DamageLog::holds(std::uint64_t extent) const {
  MutexLock lock(mutex_);
  return forgot_ || extents_.contains(extent);
}

}  // namespace holdfast::engine
