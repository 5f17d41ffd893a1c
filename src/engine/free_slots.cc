#include "engine/free_slots.h"

#include <algorithm>
#include <functional>
#include <new>

#include "base/plant.h"

namespace holdfast::engine {

void FreeSlots::release(const std::vector<Slot>& slots) {
  MutexLock lock(mutex_);
  released_.insert(released_.end(), slots.begin(), slots.end());
  waiting_count_.fetch_add(slots.size(), std::memory_order_relaxed);
}

std::size_t FreeSlots::released() const noexcept {
  MutexLock lock(mutex_);
  return released_.size();
}

void FreeSlots::take_released(std::size_t count_max) noexcept {
  try {
    MutexLock lock(mutex_);
    const std::size_t count = std::min(count_max, released_.size());
    unnamed_.insert(unnamed_.end(), released_.end() - static_cast<std::ptrdiff_t>(count), released_.end());
    released_.resize(released_.size() - count);
  } catch (const std::bad_alloc&) {
    // They stay released.
  }
}

void FreeSlots::found(Slot slot, bool nobody_reads) {
  if (nobody_reads) {
    give(slot);
  } else {
    unnamed_.push_back(slot);
    waiting_count_.fetch_add(1, std::memory_order_relaxed);
  }
  const std::uint64_t before = expected();
  expected_.store(before - std::min<std::uint64_t>(before, 1), std::memory_order_relaxed);
}

void FreeSlots::rest(std::uint64_t serial) noexcept {
  if (unnamed_.empty()) return;
  try {
    resting_.push_back({{}, serial});
    resting_.back().slots.swap(unnamed_);
  } catch (const std::bad_alloc&) {
    // They rest from the next view on.
  }
}

void FreeSlots::wake(std::uint64_t oldest_pinned) noexcept {
  try {
    if (HF_PLANTED(rows_do_not_rest)) oldest_pinned = ~std::uint64_t{0};
    while (!resting_.empty() && resting_.front().serial <= oldest_pinned) {
      std::vector<Slot>& slots = resting_.front().slots;
      free_.reserve(free_.size() + slots.size());
      for (const Slot slot : slots) give(slot);
      waiting_count_.fetch_sub(slots.size(), std::memory_order_relaxed);
      resting_.pop_front();
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
