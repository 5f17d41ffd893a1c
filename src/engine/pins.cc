#include "engine/pins.h"

#include "base/plant.h"

namespace holdfast::engine {

namespace {

// Threads begin their search for a free pin at different places.
unsigned start_hint() noexcept {
  static std::atomic<unsigned> next{0};  // relaxed: any value will do
  thread_local const unsigned mine = next.fetch_add(1, std::memory_order_relaxed) * 7;
  return mine;
}

}  // namespace

PinTable::~PinTable() {
  for (Block* block = first_.next.load(std::memory_order_acquire); block != nullptr;) {
    Block* next = block->next.load(std::memory_order_acquire);
    delete block;
    block = next;
  }
  delete current_.load(std::memory_order_relaxed);
}

PinTable::Entry* PinTable::try_claim(Block& block, const View* view, unsigned start) noexcept {
  for (unsigned i = 0; i < block.slots.size(); ++i) {
    Entry& slot = block.slots[(start + i) % block.slots.size()];
    const View* free = nullptr;
    if (slot.view.load(std::memory_order_relaxed) != nullptr) continue;
    // seq_cst: this store must come before the check of `current_` in pin(), in the one order that the publisher's
    // store of `current_` and the reclaimer's loads of the pins are part of too.
    if (slot.view.compare_exchange_strong(free, view, std::memory_order_seq_cst)) return &slot;
  }
  return nullptr;
}

PinTable::Entry* PinTable::pin(const View** view) {
  const View* candidate = current();
  Entry* slot = nullptr;
  for (Block* block = &first_; slot == nullptr;) {
    slot = try_claim(*block, candidate, start_hint());
    if (slot != nullptr) break;
    Block* next = block->next.load(std::memory_order_acquire);
    if (next == nullptr) {
      auto fresh = std::make_unique<Block>();
      if (block->next.compare_exchange_strong(next, fresh.get(), std::memory_order_acq_rel)) next = fresh.release();
    }
    block = next;
  }
  // The view may have been superseded, and freed, before the pin was seen. It was not if it still is the current one.
  for (const View* now = current(); now != candidate; now = current()) {
    candidate = now;
    slot->view.store(candidate, std::memory_order_seq_cst);
  }
  *view = candidate;
  return slot;
}

const View* PinTable::tombstone() noexcept {
  static const View expired;
  return &expired;
}

void PinTable::keep(Entry* entry, const View& view, std::uint64_t now_ns) noexcept {
  // Release, as the life may be read through them (for_each_snapshot). Nobody else writes here: no snapshot yet (U2).
  entry->captured_ns.store(now_ns, std::memory_order_release);
  entry->lsn.store(view.lsn, std::memory_order_release);
  entry->uses.store(entry->uses.load(std::memory_order_relaxed) | kSnapshot, std::memory_order_release);
}

void PinTable::release(Entry* entry) noexcept {
  std::uint64_t uses = entry->uses.load(std::memory_order_relaxed);
  for (;;) {
    const bool alone = (uses & kCount) == 0;
    const std::uint64_t next = alone ? next_life(uses) : uses | kReleased;
    if (!entry->uses.compare_exchange_weak(uses, next, std::memory_order_acq_rel, std::memory_order_relaxed)) continue;
    if (alone) unpin(entry);  // else the expirer does it when it leaves (U4)
    return;
  }
}

bool PinTable::enter(Entry* entry) noexcept {
  if (expired(entry)) return false;
  // Acquire and release: as leave(). The order against the expirer is that of the word itself.
  if ((entry->uses.fetch_add(1, std::memory_order_acq_rel) & kExpired) == 0) return true;
  leave(entry);
  return false;
}

void PinTable::leave(Entry* entry) noexcept {
  // Acquire: what the others did before they left comes before what the last one does (U3).
  std::uint64_t uses = entry->uses.load(std::memory_order_acquire);
  for (;;) {
    const bool last = (uses & kCount) == 1;
    const bool ends = last && (uses & kReleased) != 0;
    if (last && !ends && (uses & kExpired) != 0) entry->view.store(tombstone(), std::memory_order_release);
    const std::uint64_t next = ends ? next_life(uses) : uses - 1;
    if (!entry->uses.compare_exchange_weak(uses, next, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    if (ends) unpin(entry);
    return;
  }
}

/// Calls visit(Found) for every snapshot that is neither expired nor released. What it reads may be of two lives, if
/// the entry began another one meanwhile: `uses` is of the older one then, and no longer what the entry has.
template <class Visit>
void PinTable::for_each_snapshot(Visit visit) const {
  for_each_entry([&](const Entry& entry) {
    Found found;
    found.uses = entry.uses.load(std::memory_order_acquire);
    if ((found.uses & (kSnapshot | kExpired | kReleased)) != kSnapshot) return;
    found.entry = &entry;
    found.captured_ns = entry.captured_ns.load(std::memory_order_acquire);
    found.lsn = entry.lsn.load(std::memory_order_acquire);
    visit(found);
  });
}

bool PinTable::expire_oldest(std::uint64_t before_ns) noexcept {
  if (HF_PLANTED(forgotten_snapshot_never_expires)) return false;
  for (;;) {
    Found oldest;
    for_each_snapshot([&](const Found& found) {
      if (oldest.entry == nullptr || found.older_than(oldest)) oldest = found;
    });
    if (oldest.entry == nullptr || oldest.captured_ns >= before_ns) return false;
    auto* const entry = const_cast<Entry*>(oldest.entry);  // of this table, which is not const here
    const std::uint64_t same = oldest.uses & ~kCount;
    for (std::uint64_t uses = oldest.uses; (uses & ~kCount) == same;) {  // U2; reads come and go meanwhile
      if (!entry->uses.compare_exchange_weak(uses, (uses | kExpired) + 1, std::memory_order_acq_rel,
                                             std::memory_order_relaxed)) {
        continue;
      }
      expired_.fetch_add(1, std::memory_order_relaxed);
      leave(entry);
      return true;
    }
    // It was released, or somebody else expired it: look again.
  }
}

SnapshotMeters PinTable::snapshots() const noexcept {
  SnapshotMeters meters;
  Found oldest;
  for_each_snapshot([&](const Found& found) {
    ++meters.count;
    if (oldest.entry == nullptr || found.older_than(oldest)) oldest = found;
  });
  meters.oldest_lsn = oldest.lsn;
  meters.oldest_captured_ns = oldest.captured_ns;
  return meters;
}

}  // namespace holdfast::engine
