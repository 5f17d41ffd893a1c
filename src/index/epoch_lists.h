// Which version of each node's list at level 0 holds at one epoch, once readers of that epoch have found out.
//
// A reader of an old epoch follows the chain of a list's versions, newest first (version_chain.h): each step is a cache
// miss that waits for the one before. What it finds never changes while the epoch is pinned. So whoever reads an old
// epoch again and again keeps what it found in a table, 8 bytes for each slot, which takes the place of the heads of
// the chains: a search then costs what it costs on the newest epoch.
//
// Invariants
//  E1. An object serves one epoch, and is gone before the lists of that epoch are freed: it is part of the view that is
//      pinned. A copy is of another view and begins with nothing.
//  E2. There is no table until searches have met so many old versions that it costs less than they did.
// Threading: any number of readers; copying and destruction by whoever owns the view alone.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/ids.h"
#include "base/pages.h"
#include "index/neighbor_list.h"

namespace holdfast::index {

class EpochLists {
 public:
  class Table {
   public:
    /// What was found for the slot: true, and the list, or null for what a mapped row says. False: nobody looked yet.
    [[nodiscard]] bool find(Slot slot, const NeighborList*& list) const noexcept {
      if (slot >= end_) return false;
      const std::uintptr_t entry = at(slot).load(std::memory_order_acquire);  // pairs with keep()
      list = entry == kMappedRow ? nullptr : reinterpret_cast<const NeighborList*>(entry);
      return entry != kUnknown;
    }
    /// The list holds at this epoch (null: none does, the mapped row stands). All readers find the same.
    void keep(Slot slot, const NeighborList* list) const noexcept {
      if (slot >= end_) return;
      const auto entry = list == nullptr ? kMappedRow : reinterpret_cast<std::uintptr_t>(list);
      at(slot).store(entry, std::memory_order_release);  // who finds it finds the links as well: find()
    }
    void prefetch(Slot slot) const noexcept { __builtin_prefetch(entries_ + slot); }

   private:
    friend class EpochLists;
    static constexpr std::uintptr_t kUnknown = 0;
    static constexpr std::uintptr_t kMappedRow = 1;
    explicit Table(Pages pages, Slot end, std::atomic<std::uint64_t>& meter) noexcept;
    ~Table();
    [[nodiscard]] std::atomic_ref<std::uintptr_t> at(Slot slot) const noexcept {
      return std::atomic_ref<std::uintptr_t>(entries_[slot]);
    }

    Pages pages_;
    std::uintptr_t* entries_;
    Slot end_;
    std::atomic<std::uint64_t>& meter_;
  };

  EpochLists() noexcept = default;
  EpochLists(const EpochLists&) noexcept {}
  EpochLists& operator=(const EpochLists& other) noexcept {
    if (this != &other) forget();
    return *this;
  }
  ~EpochLists() { forget(); }

  /// Null while there is none.
  [[nodiscard]] const Table* table() const noexcept { return table_.load(std::memory_order_acquire); }  // met_old

  /// A search without a table found that `met` of the nearest nodes have newer versions. Makes the table when that has
  /// been so often enough, for slots below `end`; it counts into `meter`, which outlives this object. If memory is
  /// short there is none.
  void met_old(std::uint32_t met, Slot end, std::atomic<std::uint64_t>& meter) const noexcept;

 private:
  void forget() noexcept;

  mutable std::atomic<const Table*> table_{nullptr};
  mutable std::atomic<std::uint64_t> met_{0};  // a meter: relaxed
};

}  // namespace holdfast::index
