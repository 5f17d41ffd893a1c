#include "engine/free_slots.h"

#include <algorithm>
#include <functional>
#include <new>

namespace holdfast::engine {

void FreeSlots::release(const std::vector<Slot>& slots) {
  MutexLock lock(mutex_);
  released_.insert(released_.end(), slots.begin(), slots.end());
  waiting_count_.fetch_add(slots.size(), std::memory_order_relaxed);
}

bool FreeSlots::take_released(Lsn lsn, Slot& slot) noexcept {
  try {
    MutexLock lock(mutex_);
    if (released_.empty()) return false;
    resting_.push_back({released_.back(), lsn});
    slot = released_.back();
    released_.pop_back();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void FreeSlots::wake(Lsn oldest_pinned) noexcept {
  try {
    while (!resting_.empty() && resting_.front().lsn <= oldest_pinned) {
      give(resting_.front().slot);
      resting_.pop_front();
      waiting_count_.fetch_sub(1, std::memory_order_relaxed);
    }
  } catch (const std::bad_alloc&) {
    // The rest wakes another time.
  }
}

Slot FreeSlots::take() noexcept {
  if (free_.empty()) return kNoSlot;
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const Slot slot = free_.back();
  free_.pop_back();
  free_count_.fetch_sub(1, std::memory_order_relaxed);
  return slot;
}

void FreeSlots::give(Slot slot) {
  free_.push_back(slot);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
  free_count_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace holdfast::engine
