#include "engine/reclaimer.h"

#include <algorithm>
#include <new>

#include "base/plant.h"

namespace holdfast::engine {

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

void Reclaimer::retire_slots(RetiredSlotsBatch batch) noexcept {
  batch.remove_if([](const RetiredSlots& dead) { return dead.slots.empty(); });
  MutexLock lock(mutex_);
  std::uint64_t count = 0;
  for (const RetiredSlots& dead : batch) count += dead.slots.size();
  waiting_slots_.fetch_add(count, std::memory_order_relaxed);
  bytes_.fetch_add(count * row_bytes_, std::memory_order_relaxed);
  dead_slots_.splice(dead_slots_.end(), batch);
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
  if (views_.empty() && items_.empty() && lists_.empty() && payloads_.empty() && dead_slots_.empty()) return;
  // The current view counts as pinned: whoever pins next gets it or a newer one.
  const View* current = pins_.current();
  Lsn oldest_lsn = current->lsn;
  std::uint64_t oldest_serial = current->serial;
  GraphEpoch oldest_epoch = current->graph.epoch;
  std::vector<const View*> pinned;
  if (!HF_PLANTED(reclaimer_forgets_pins)) pins_.for_each([&](const View* view) { pinned.push_back(view); });
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
    oldest_serial = std::min(oldest_serial, view->serial);
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
  free_payloads(oldest_lsn);
  oldest_serial_.store(oldest_serial, std::memory_order_release);  // pairs with oldest_serial()
  release_slots(oldest_lsn, oldest_epoch, freed);
  bytes_.fetch_sub(freed, std::memory_order_relaxed);
}

void Reclaimer::free_payloads(Lsn oldest) {
  if (HF_PLANTED(payload_is_freed_under_a_snapshot)) oldest = ~Lsn{0};
  for (; !payloads_.empty() && payloads_.front().lsn <= oldest; payloads_.pop_front()) {
    slots_.free_payload(payloads_.front().slot);
  }
}

/// Payloads went before: what is queued for a row by its death is not there any more when the row is used again.
void Reclaimer::release_slots(Lsn oldest_lsn, GraphEpoch oldest_epoch, std::uint64_t& freed) {
  while (!dead_slots_.empty()) {
    const RetiredSlots& dead = dead_slots_.front();
    const bool early = HF_PLANTED(row_is_used_again_under_a_snapshot);
    if ((dead.lsn > oldest_lsn || dead.epoch > oldest_epoch) && !early) return;
    for (const Slot slot : dead.slots) {
      graph_.release_node(slot);
      slots_.free_payload(slot);
    }
    try {
      free_slots_.release(dead.slots);
    } catch (const std::bad_alloc&) {
      return;  // the next one will
    }
    freed += dead.slots.size() * row_bytes_;
    waiting_slots_.fetch_sub(dead.slots.size(), std::memory_order_relaxed);
    dead_slots_.pop_front();
  }
}

}  // namespace holdfast::engine
