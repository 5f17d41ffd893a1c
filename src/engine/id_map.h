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
#pragma once

#include <atomic>
#include <memory>

#include "base/ids.h"
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
  [[nodiscard]] Slot find(PointId id) const noexcept;

  // --- committer ---
  [[nodiscard]] bool must_grow(std::uint64_t more) const noexcept;
  /// Makes room for `more` new ids. Returns the outgrown table, if any. Throws bad_alloc (nothing changed).
  [[nodiscard]] std::unique_ptr<Table> reserve(std::uint64_t more);
  /// Names `slot` under its id; returns the slot that it replaces. REQUIRES room.
  Slot insert(Slot slot) noexcept;
  /// Removes the entry that names `slot`, if there is one (an update may have replaced it).
  void erase(Slot slot) noexcept;

  [[nodiscard]] std::uint64_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;

 private:
  const SlotTable& slots_;
  std::atomic<Table*> table_;
  std::atomic<std::uint64_t> size_{0};  // a meter for others: relaxed
  std::uint64_t erased_ = 0;            // committer: places that are marked
};

}  // namespace holdfast::engine
