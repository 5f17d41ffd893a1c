// The growing tier: slots in the order in which they were committed, until the graph holds them. A view names a range
// of positions [growing_begin, growing_end) in it; a position is given once and never again.
//
// Invariants
//  A1. An entry is written before the view that shows its position is published, and never again while a view shows it.
//  A2. A slot stands at one position of the growing range of any view: it is freed for reuse only once every pinned
//      view begins behind it.
//  A3. Entries are kept until no pinned view shows them (the reclaimer calls free_before).
// Threading: the committer appends, readers that hold a view read its range, the reclaimer frees.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "base/ids.h"
#include "base/pages.h"
#include "holdfast/status.h"

namespace holdfast::engine {

/// Position in the order of arrival.
using Arrival = std::uint64_t;

class Arrivals {
 public:
  Arrivals();
  ~Arrivals();
  Arrivals(const Arrivals&) = delete;
  Arrivals& operator=(const Arrivals&) = delete;

  // --- readers: REQUIRES a pinned view that shows the positions ---
  [[nodiscard]] Slot at(Arrival position) const noexcept { return block(position)->slots[position % kBlock]; }
  /// Calls visit(std::span<const Slot>) for the runs that make up [begin, end).
  template <class Visit>
  void for_each_run(Arrival begin, Arrival end, Visit visit) const {
    while (begin < end) {
      const Arrival stop = std::min<Arrival>(end, (begin / kBlock + 1) * kBlock);
      visit(std::span<const Slot>(block(begin)->slots + begin % kBlock, static_cast<std::size_t>(stop - begin)));
      begin = stop;
    }
  }

  // --- committer ---
  /// Makes room for positions below `end`, of which at most kMaxSlots are in use. resource_exhausted: nothing changed.
  Status reserve(Arrival end);
  void set(Arrival position, Slot slot) noexcept { block(position)->slots[position % kBlock] = slot; }

  /// Whether free_before(to) frees what free_before(from) does not.
  [[nodiscard]] static bool frees_more(Arrival from, Arrival to) noexcept { return from / kBlock != to / kBlock; }

  // --- reclaimer ---
  /// REQUIRES that no view shows a position below `begin`, and values that do not go back.
  void free_before(Arrival begin) noexcept;

 private:
  static constexpr std::size_t kBlock = 16'384;
  static constexpr std::size_t kBlocks = (std::size_t{kMaxSlots} / kBlock) * 2;  ///< more than can be in use at once
  struct Block {
    Slot slots[kBlock];
  };
  [[nodiscard]] std::atomic_ref<Block*> entry(Arrival position) const noexcept {
    return std::atomic_ref<Block*>(reinterpret_cast<Block**>(directory_.data())[(position / kBlock) % kBlocks]);
  }
  [[nodiscard]] Block* block(Arrival position) const noexcept {
    return entry(position).load(std::memory_order_acquire);  // pairs with reserve()
  }

  Pages directory_;    ///< ring of block pointers; only what is used of it is touched
  Arrival end_ = 0;    ///< committer: blocks exist below
  Arrival begin_ = 0;  ///< reclaimer: blocks are gone below
};

}  // namespace holdfast::engine
