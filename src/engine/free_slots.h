// The way of a dead row back into use.
//
//   released   nobody sees it and no list names it (the reclaimer says so), but the id map may still lead to it
//   resting    its entry is erased from the id map; who found it before may still be comparing its id
//   free       nobody can name it: the next write may take it
//
// A row is released under a mutex by the reclaimer and goes the rest of the way through the committer: entries are
// erased, then a view is published, and the rows are free once every pinned view is that one or newer.
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

  [[nodiscard]] std::size_t released() const noexcept HF_EXCLUDES(mutex_);

  // --- committer ---
  /// Calls erase(slot) for up to `count_max` released rows, which are to be erased from the id map.
  template <class Erase>
  void unname(std::size_t count_max, Erase erase) noexcept HF_EXCLUDES(mutex_) {
    const std::size_t first = unnamed_.size();
    take_released(count_max);
    for (std::size_t i = first; i < unnamed_.size(); ++i) erase(unnamed_[i]);
  }
  /// Rows of the image that was loaded are free, and nobody has said yet which: so many of them.
  void expect(std::uint64_t count) noexcept { expected_.store(count, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t expected() const noexcept { return expected_.load(std::memory_order_relaxed); }
  /// One of those: unnamed, or free at once if nobody reads yet. Throws bad_alloc (nothing changed).
  void found(Slot slot, bool nobody_reads);
  /// The rows that were unnamed rest until every pinned view has this serial or a later one. REQUIRES serials that do
  /// not go back, of views that are published after unname() (by whoever holds the publish mutex now).
  void rest(std::uint64_t serial) noexcept;
  /// Rows that rested long enough are free from now on.
  void wake(std::uint64_t oldest_pinned) noexcept;
  /// The lowest free row; kNoSlot if there is none.
  [[nodiscard]] Slot take() noexcept;
  /// Gives back what was taken and not used. Also while loading: a row that is free.
  void give(Slot slot);
  [[nodiscard]] std::size_t free() const noexcept { return free_.size(); }

  // --- meters ---
  [[nodiscard]] std::uint64_t free_count() const noexcept {
    return free_count_.load(std::memory_order_relaxed) + expected();
  }
  /// Released or resting.
  [[nodiscard]] std::uint64_t waiting_count() const noexcept { return waiting_count_.load(std::memory_order_relaxed); }

 private:
  void take_released(std::size_t count_max) noexcept HF_EXCLUDES(mutex_);

  struct Resting {
    std::vector<Slot> slots;
    std::uint64_t serial;
  };
  mutable Mutex mutex_;
  std::vector<Slot> released_ HF_GUARDED_BY(mutex_);
  std::vector<Slot> unnamed_;                    // committer
  std::deque<Resting> resting_;                  // committer; by serial
  std::vector<Slot> free_;                       // committer; a heap, the lowest on top
  std::atomic<std::uint64_t> free_count_{0};     // a meter: relaxed
  std::atomic<std::uint64_t> waiting_count_{0};  // a meter: relaxed
  std::atomic<std::uint64_t> expected_{0};       // written by the committer, read by meters: relaxed
};

}  // namespace holdfast::engine
