// How a reader keeps a view alive: it pins the current one by writing its address into a pin of its own (hazard
// pointers: Michael, TPDS 2004). Capture and release are O(1), wait for nobody and take no lock.
//
// Invariants
//  P1. A view is freed only when it is not the current one and no pin holds it.
//  P3. lsn and graph epoch of successive views never go back.
// Threading: pin and unpin from any thread; publish() is serialised by the caller; views are freed by the Reclaimer.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "engine/view.h"

namespace holdfast::engine {

/// One cache line per pin, so that readers on different cores do not disturb each other.
class PinTable {
 public:
  struct alignas(64) Entry {
    std::atomic<const View*> view{nullptr};
  };

  explicit PinTable(const View* first) : current_(first) {}
  ~PinTable();
  PinTable(const PinTable&) = delete;
  PinTable& operator=(const PinTable&) = delete;

  /// Pins the current view. Throws bad_alloc if all pins are taken and no block can be added.
  [[nodiscard]] Entry* pin(const View** view);
  static void unpin(Entry* slot) noexcept { slot->view.store(nullptr, std::memory_order_release); }  // pairs: for_each

  [[nodiscard]] const View* current() const noexcept { return current_.load(std::memory_order_seq_cst); }
  void publish(const View* next) noexcept { current_.store(next, std::memory_order_seq_cst); }

  /// Calls `visit` for every pinned view. The caller must be the only one that frees views.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Block* block = &first_; block != nullptr; block = block->next.load(std::memory_order_acquire)) {
      for (const Entry& slot : block->slots) {
        if (const View* view = slot.view.load(std::memory_order_seq_cst)) visit(view);
      }
    }
  }

 private:
  struct Block {
    std::array<Entry, 64> slots;
    std::atomic<Block*> next{nullptr};  // appended by CAS (release), read with acquire
  };
  Entry* try_claim(Block& block, const View* view, unsigned start) noexcept;

  std::atomic<const View*> current_;
  Block first_;
};

/// Holds a view for a scope.
class Pin {
 public:
  explicit Pin(PinTable& table) : slot_(table.pin(&view_)) {}
  ~Pin() {
    if (slot_ != nullptr) PinTable::unpin(slot_);
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  [[nodiscard]] const View& operator*() const noexcept { return *view_; }
  [[nodiscard]] const View* operator->() const noexcept { return view_; }

 private:
  const View* view_ = nullptr;
  PinTable::Entry* slot_;
};

}  // namespace holdfast::engine
