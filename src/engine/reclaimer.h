// The one place where superseded things are freed.
//
// Invariants
//  P2. What a view shows (lists, payloads, id tables) is freed only once every pinned view is past it: `Retired` items
//      name the lsn and epoch from which nobody needs them.
// Threading: any thread; one mutex.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "engine/free_slots.h"
#include "engine/pins.h"
#include "engine/slot_table.h"
#include "index/graph.h"

namespace holdfast::engine {

/// Lists that were superseded, a batch per epoch. A list, so that a batch whose memory was taken before the graph
/// changed is handed on without taking any more.
using RetiredBatch = std::list<std::vector<index::RetiredList>>;

/// Rows that died at `lsn` or before and that no list of `epoch` or later names, nor any growing range of such a view.
struct RetiredSlots {
  std::vector<Slot> slots;
  Lsn lsn = 0;
  GraphEpoch epoch = 0;
};
using RetiredSlotsBatch = std::list<RetiredSlots>;

class Reclaimer {
 public:
  /// `view_bytes`: a meter of what views hold; `row_bytes`: what a dead row holds, for the meter.
  Reclaimer(PinTable& pins, SlotTable& slots, index::Graph& graph, FreeSlots& free_slots,
            const std::atomic<std::uint64_t>& view_bytes, std::size_t row_bytes)
      : pins_(pins),
        slots_(slots),
        graph_(graph),
        free_slots_(free_slots),
        view_bytes_(view_bytes),
        row_bytes_(row_bytes) {}
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

  /// Rows that will be free for reuse. REQUIRES epochs that do not go back. Takes the batch over; cannot fail.
  void retire_slots(RetiredSlotsBatch batch) noexcept HF_EXCLUDES(mutex_);

  /// Frees what nobody can reach any more. Cheap when there is nothing to free, however much is kept for a pinned view;
  /// skipped if another thread is at it, or if memory is too short to look at the pins.
  void collect() noexcept HF_EXCLUDES(mutex_);

  [[nodiscard]] std::uint64_t retained_bytes() const noexcept {
    return bytes_.load(std::memory_order_relaxed) + view_bytes_.load(std::memory_order_relaxed);
  }
  /// Rows that wait for views to go.
  [[nodiscard]] std::uint64_t waiting_slots() const noexcept { return waiting_slots_.load(std::memory_order_relaxed); }
  /// Every view that is or will be pinned has at least this serial. As of the last collect(): it may lag behind.
  [[nodiscard]] std::uint64_t oldest_serial() const noexcept {
    return oldest_serial_.load(std::memory_order_acquire);  // pairs with collect(): the last reader is gone for us, too
  }

 private:
  void collect_locked() HF_REQUIRES(mutex_);
  struct DeadPayload {
    Slot slot;
    Lsn lsn;
  };
  void free_payloads(Lsn oldest) HF_REQUIRES(mutex_);
  void release_slots(Lsn oldest_lsn, GraphEpoch oldest_epoch, std::uint64_t& freed) HF_REQUIRES(mutex_);

  PinTable& pins_;
  SlotTable& slots_;
  index::Graph& graph_;
  FreeSlots& free_slots_;
  const std::atomic<std::uint64_t>& view_bytes_;
  const std::size_t row_bytes_;
  Mutex mutex_;
  std::vector<const View*> views_ HF_GUARDED_BY(mutex_);
  std::vector<Retired> items_ HF_GUARDED_BY(mutex_);
  RetiredBatch lists_ HF_GUARDED_BY(mutex_);                ///< by epoch: a pinned view stops at the first batch
  std::deque<DeadPayload> payloads_ HF_GUARDED_BY(mutex_);  ///< by lsn
  RetiredSlotsBatch dead_slots_ HF_GUARDED_BY(mutex_);      ///< by epoch
  std::atomic<std::uint64_t> oldest_serial_{0};             // release in collect(), acquire in oldest_serial()
  std::atomic<std::uint64_t> bytes_{0};                     // a meter: relaxed
  std::atomic<std::uint64_t> waiting_slots_{0};             // a meter: relaxed
};

}  // namespace holdfast::engine
