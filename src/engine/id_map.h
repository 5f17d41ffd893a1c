// From id to the slot of its newest version: open addressing over slot numbers; the keys stand in the SlotTable.
//
// 4 bytes an entry at a load of at most 1/2: 8 to 16 bytes per id. Lookups take no lock and may run while the committer
// inserts and erases: an entry is one atomic word, and the slot's id is written before the word names it. The place of
// an erased entry is marked, so that lookups go on behind it, and taken by the next new id that passes.
//
// Invariants
//  M1. An id has at most one entry. An update replaces the entry by the new slot, whose `previous` names the old one,
//      so that a reader of an older view finds its version on the chain.
//  M2. A deleted id keeps naming its dead slot, for readers of older views, until the slot is about to be used again:
//      then the entry is erased, and the slot rests until nobody can be looking at it (free_slots.h).
//  M3. A table that was outgrown is handed to the caller, who keeps it until no reader can hold it.
//  M4. Below the table lie the runs of the image that was loaded (id_runs.h): the table holds what was written since,
//      and is asked first. An entry of a run counts only while its row holds that id and was not given up: erase() and
//      give_up() mark the row for good, before it rests, as an entry of the table would be erased.
#pragma once

#include <atomic>
#include <memory>

#include "base/ids.h"
#include "base/pages.h"
#include "engine/id_runs.h"
#include "engine/slot_table.h"

namespace holdfast::engine {

class IdMap {
 public:
  struct Table {
    std::uint64_t mask = 0;
    std::unique_ptr<std::atomic<Slot>[]> entries;
  };

  explicit IdMap(const SlotTable& slots);
  ~IdMap();

  /// Newest slot of the id, dead or alive; kNoSlot if there never was one. Any thread that holds a view.
  [[nodiscard]] Slot find(PointId id) const noexcept {
    const Slot slot = find_written(id);
    return slot != kNoSlot ? slot : find_loaded(id);
  }
  /// The same of what was written since the image was loaded, and of what the image holds. Damage in the image is told
  /// to the thread's ReadCheck.
  [[nodiscard]] Slot find_written(PointId id) const noexcept;
  [[nodiscard]] Slot find_loaded(PointId id) const noexcept;

  // --- loading ---
  /// Rows below `slot_end` may be named by `runs`. resource_exhausted.
  Status load(IdRuns runs, Slot slot_end);
  [[nodiscard]] bool has_runs() const noexcept { return !runs_.empty(); }

  // --- committer ---
  /// No run leads to the row any more.
  void give_up(Slot slot) noexcept;
  [[nodiscard]] bool must_grow(std::uint64_t more) const noexcept;
  /// Makes room for `more` new ids. Returns the outgrown table, if any. Throws bad_alloc (nothing changed).
  [[nodiscard]] std::unique_ptr<Table> reserve(std::uint64_t more);
  /// Names `slot` under its id; returns the slot that it replaces. REQUIRES room.
  Slot insert(Slot slot) noexcept;
  /// Removes the entry that names `slot`, if there is one (an update may have replaced it); gives the row up.
  void erase(Slot slot) noexcept;

  [[nodiscard]] std::uint64_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;

 private:
  [[nodiscard]] bool given_up(Slot slot) const noexcept;

  const SlotTable& slots_;
  IdRuns runs_;     ///< fixed before readers exist
  Pages given_up_;  ///< a bit per row that a run may name (M4)
  std::atomic<Table*> table_;
  std::atomic<std::uint64_t> size_{0};  // a meter for others: relaxed
  std::uint64_t erased_ = 0;            // committer: places that are marked
};

}  // namespace holdfast::engine
