// The root of all reads, and how a reader keeps it alive.
//
// A View is immutable and tiny. Publishing makes a new one and swaps one pointer; a reader pins the current one by
// writing its address into a pin of its own (hazard pointers: Michael, TPDS 2004). Capture and release are O(1), wait
// for nobody and take no lock.
//
// Invariants
//  P1. A view is freed only when it is not the current one and no pin holds it.
//  P2. What a view shows (lists, payloads, id tables) is freed only once every pinned view is past it: `Retired` items
//      name the lsn and epoch from which nobody needs them.
//  P3. lsn and graph epoch of successive views never go back.
// Threading: pin and unpin from any thread; publish() is serialised by the caller; collect() by the Reclaimer's mutex.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "engine/slot_table.h"
#include "index/graph.h"

namespace holdfast::engine {

struct View {
  Lsn lsn = 0;                      ///< last batch that is visible
  Slot slot_end = 0;                ///< slots below are born at lsn or before
  Slot growing_begin = 0;           ///< slots from here on are not in the graph: searched exactly
  std::uint64_t live = 0;           ///< visible points
  std::uint64_t dead_in_graph = 0;  ///< nodes of the graph that are not visible
  index::GraphRoot graph;
};

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

/// Lists that were superseded, a batch per epoch. A list, so that a batch whose memory was taken before the graph
/// changed is handed on without taking any more.
using RetiredBatch = std::list<std::vector<index::RetiredList>>;

/// The one place where superseded things are freed.
class Reclaimer {
 public:
  Reclaimer(PinTable& pins, SlotTable& slots) : pins_(pins), slots_(slots) {}
  ~Reclaimer();  ///< frees everything; REQUIRES that no reader is left

  /// Frees `free()` once every pinned view has lsn >= `lsn` and epoch >= `epoch`. `bytes` is metered until then.
  struct Retired {
    Lsn lsn = 0;
    GraphEpoch epoch = 0;
    std::uint64_t bytes = 0;
    std::function<void()> free;
  };
  void retire(Retired item) HF_EXCLUDES(mutex_);
  void retire_view(const View* view) HF_EXCLUDES(mutex_);
  /// REQUIRES epochs that do not go back from call to call; empties `lists`.
  /// Takes the batch over; cannot fail.
  void retire_lists(RetiredBatch batch) noexcept HF_EXCLUDES(mutex_);
  /// The payloads of slots that died at `lsn`. REQUIRES that lsn does not go back from call to call.
  void retire_payloads(std::span<const Slot> slots, Lsn lsn) HF_EXCLUDES(mutex_);

  /// Frees what nobody can reach any more. Cheap when there is nothing to free, however much is kept for a pinned view;
  /// skipped if another thread is at it, or if memory is too short to look at the pins.
  void collect() noexcept HF_EXCLUDES(mutex_);

  [[nodiscard]] std::uint64_t retained_bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t pinned() const;

 private:
  void collect_locked() HF_REQUIRES(mutex_);
  struct DeadPayload {
    Slot slot;
    Lsn lsn;
  };
  PinTable& pins_;
  SlotTable& slots_;
  Mutex mutex_;
  std::vector<const View*> views_ HF_GUARDED_BY(mutex_);
  std::vector<Retired> items_ HF_GUARDED_BY(mutex_);
  RetiredBatch lists_ HF_GUARDED_BY(mutex_);                ///< by epoch: a pinned view stops at the first batch
  std::deque<DeadPayload> payloads_ HF_GUARDED_BY(mutex_);  ///< by lsn
  std::atomic<std::uint64_t> bytes_{0};                     // a meter: relaxed
};

}  // namespace holdfast::engine
