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
#include "engine/pins.h"
#include "engine/slot_table.h"
#include "index/graph.h"

namespace holdfast::engine {

/// Lists that were superseded, a batch per epoch. A list, so that a batch whose memory was taken before the graph
/// changed is handed on without taking any more.
using RetiredBatch = std::list<std::vector<index::RetiredList>>;

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
