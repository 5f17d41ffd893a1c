#include "engine/view.h"

#include <algorithm>
#include <limits>
#include <new>

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

Reclaimer::~Reclaimer() {
  MutexLock lock(mutex_);
  for (const View* view : views_) delete view;
  for (Retired& item : items_) item.free();
  for (const auto& batch : lists_) {
    for (const index::RetiredList& retired : batch) index::release_list(retired.list);
  }
}

void Reclaimer::retire(Retired item) {
  MutexLock lock(mutex_);
  bytes_.fetch_add(item.bytes, std::memory_order_relaxed);
  items_.push_back(std::move(item));
}

void Reclaimer::retire_view(const View* view) {
  MutexLock lock(mutex_);
  views_.push_back(view);
}

void Reclaimer::retire_lists(RetiredBatch batch) noexcept {
  MutexLock lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& lists : batch) {
    for (const index::RetiredList& retired : lists) bytes += retired.bytes;
  }
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  lists_.splice(lists_.end(), batch);
}

void Reclaimer::retire_payloads(std::span<const Slot> slots, Lsn lsn) {
  MutexLock lock(mutex_);
  for (const Slot slot : slots) payloads_.push_back({slot, lsn});
}

void Reclaimer::collect() noexcept {
  if (!mutex_.try_lock()) return;
  try {
    collect_locked();
  } catch (const std::bad_alloc&) {
    // Nothing was freed; the next one will.
  }
  mutex_.unlock();
}

void Reclaimer::collect_locked() {
  if (views_.empty() && items_.empty() && lists_.empty() && payloads_.empty()) return;
  // The current view counts as pinned: whoever pins next gets it or a newer one.
  const View* current = pins_.current();
  Lsn oldest_lsn = current->lsn;
  GraphEpoch oldest_epoch = current->graph.epoch;
  std::vector<const View*> pinned;
  pins_.for_each([&](const View* view) { pinned.push_back(view); });
  pinned.push_back(current);  // publish() retires a view just before it stops being current
  std::sort(pinned.begin(), pinned.end());
  // From here on nothing takes memory.
  // A reader between its claim and its check may hold the address of a view that is already freed: such an address is
  // not among the retired ones and must not be followed.
  std::erase_if(views_, [&](const View* view) {
    if (!std::binary_search(pinned.begin(), pinned.end(), view)) {
      delete view;
      return true;
    }
    oldest_lsn = std::min(oldest_lsn, view->lsn);
    oldest_epoch = std::min(oldest_epoch, view->graph.epoch);
    return false;
  });

  std::uint64_t freed = 0;
  std::erase_if(items_, [&](Retired& item) {
    if (item.lsn > oldest_lsn || item.epoch > oldest_epoch) return false;
    freed += item.bytes;
    item.free();
    return true;
  });
  while (!lists_.empty() && (lists_.front().empty() || lists_.front().front().epoch <= oldest_epoch)) {
    for (const index::RetiredList& retired : lists_.front()) {
      freed += retired.bytes;
      index::release_list(retired.list);
    }
    lists_.pop_front();
  }
  for (; !payloads_.empty() && payloads_.front().lsn <= oldest_lsn; payloads_.pop_front()) {
    slots_.free_payload(payloads_.front().slot);
  }
  bytes_.fetch_sub(freed, std::memory_order_relaxed);
}

std::uint64_t Reclaimer::pinned() const {
  std::uint64_t count = 0;
  pins_.for_each([&](const View*) { ++count; });
  return count;
}

}  // namespace holdfast::engine
