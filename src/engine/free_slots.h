// The way of a dead row back into use.
//
//   released   nobody sees it and no list names it (the reclaimer says so), but the id map may still lead to it
//   resting    its entry is erased from the id map; who found it before may still be comparing its id
//   free       nobody can name it: the next write may take it
//
// A row is released under a mutex by the reclaimer and goes the rest of the way through the committer: entries are
// erased and rows begin to rest just before a view is published, and are free once every pinned view is that one or
// newer.
//
// The lowest free row is taken first. New rows then fill the chunks at the beginning, few chunks change between two
// checkpoints, and a collection that shrinks leaves its highest chunks alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"

namespace holdfast::engine {

class FreeSlots {
 public:
  // --- reclaimer ---
  /// Takes all of `slots` or, with bad_alloc, none.
  void release(const std::vector<Slot>& slots) HF_EXCLUDES(mutex_);

  // --- committer ---
  /// Up to `count_max` released rows, to be erased from the id map. They rest until every pinned view has lsn >= `lsn`.
  /// What does not fit into memory stays released.
  template <class Erase>
  void lay_to_rest(Lsn lsn, std::size_t count_max, Erase erase) noexcept HF_EXCLUDES(mutex_) {
    for (; count_max > 0; --count_max) {
      Slot slot = kNoSlot;
      if (!take_released(lsn, slot)) return;
      erase(slot);
    }
  }
  /// Rows that rested long enough are free from now on.
  void wake(Lsn oldest_pinned) noexcept;
  /// The lowest free row; kNoSlot if there is none.
  [[nodiscard]] Slot take() noexcept;
  /// Gives back what was taken and not used. Also while loading: a row that is free.
  void give(Slot slot);
  [[nodiscard]] std::size_t free() const noexcept { return free_.size(); }

  // --- meters ---
  [[nodiscard]] std::uint64_t free_count() const noexcept { return free_count_.load(std::memory_order_relaxed); }
  /// Released or resting.
  [[nodiscard]] std::uint64_t waiting_count() const noexcept { return waiting_count_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] bool take_released(Lsn lsn, Slot& slot) noexcept HF_EXCLUDES(mutex_);

  struct Resting {
    Slot slot;
    Lsn lsn;
  };
  Mutex mutex_;
  std::vector<Slot> released_ HF_GUARDED_BY(mutex_);
  std::deque<Resting> resting_;                  // committer; by lsn
  std::vector<Slot> free_;                       // committer; a heap, the lowest on top
  std::atomic<std::uint64_t> free_count_{0};     // a meter: relaxed
  std::atomic<std::uint64_t> waiting_count_{0};  // a meter: relaxed; read by the committer as a hint
};

}  // namespace holdfast::engine
