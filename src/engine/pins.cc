#include "engine/pins.h"

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

}  // namespace holdfast::engine
