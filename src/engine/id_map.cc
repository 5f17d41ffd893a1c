#include "engine/id_map.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace holdfast::engine {

namespace {

constexpr std::uint64_t kSmallest = 64;
constexpr Slot kErased = kNoSlot - 1;  ///< beyond kMaxSlots: no slot

std::unique_ptr<IdMap::Table> make_table(std::uint64_t entries) {
  auto table = std::make_unique<IdMap::Table>();
  table->mask = entries - 1;
  table->entries = std::make_unique_for_overwrite<std::atomic<Slot>[]>(entries);
  for (std::uint64_t i = 0; i < entries; ++i) table->entries[i].store(kNoSlot, std::memory_order_relaxed);
  return table;
}

std::uint64_t home(PointId id, const IdMap::Table& table) noexcept { return std::hash<PointId>{}(id)&table.mask; }

}  // namespace

IdMap::IdMap(const SlotTable& slots) : slots_(slots), table_(make_table(kSmallest).release()) {}

IdMap::~IdMap() { delete table_.load(std::memory_order_relaxed); }

Status IdMap::load(IdRuns runs, Slot slot_end) {
  if (runs.empty()) return {};
  given_up_ = Pages::map(slot_end / 8 + 1, Pages::Size::normal);
  if (given_up_.empty()) return {StatusCode::resource_exhausted, "no memory for the map of rows that are used again"};
  runs_ = std::move(runs);
  return {};
}

bool IdMap::given_up(Slot slot) const noexcept {
  auto& bits = *reinterpret_cast<std::uint8_t*>(given_up_.data() + slot / 8);
  // Relaxed: set before the view is published that readers must hold for the row to be written again (M2).
  return (std::atomic_ref<std::uint8_t>(bits).load(std::memory_order_relaxed) >> (slot % 8) & 1) != 0;
}

void IdMap::give_up(Slot slot) noexcept {
  if (slot / 8 >= given_up_.size()) return;
  auto& bits = *reinterpret_cast<std::uint8_t*>(given_up_.data() + slot / 8);
  std::atomic_ref<std::uint8_t>(bits).fetch_or(static_cast<std::uint8_t>(1U << (slot % 8)),
                                               std::memory_order_relaxed);  // as given_up() says
}

Slot IdMap::find_loaded(PointId id) const noexcept {
  if (runs_.empty()) return kNoSlot;
  return runs_.find(id, [&](Slot slot) { return !given_up(slot) && slots_.id(slot) == id && slots_.is_head(slot); });
}

Slot IdMap::find_written(PointId id) const noexcept {
  const Table& table = *table_.load(std::memory_order_acquire);  // pairs with reserve()
  for (std::uint64_t i = home(id, table);; i = (i + 1) & table.mask) {
    const Slot slot = table.entries[i].load(std::memory_order_acquire);  // pairs with insert()
    if (slot == kNoSlot) return kNoSlot;
    if (slot != kErased && slots_.id(slot) == id) return slot;
  }
}

bool IdMap::must_grow(std::uint64_t more) const noexcept {
  // Relaxed: only the committer writes either.
  const std::uint64_t used = size_.load(std::memory_order_relaxed) + erased_;
  return (used + more) * 2 > table_.load(std::memory_order_relaxed)->mask + 1;
}

std::unique_ptr<IdMap::Table> IdMap::reserve(std::uint64_t more) {
  if (!must_grow(more)) return nullptr;
  Table* old = table_.load(std::memory_order_relaxed);
  const std::uint64_t wanted = size_.load(std::memory_order_relaxed) + more;
  auto bigger = make_table(std::max(kSmallest, std::bit_ceil(wanted * 2 + wanted / 4)));  // a margin for erased places
  for (std::uint64_t i = 0; i <= old->mask; ++i) {
    const Slot slot = old->entries[i].load(std::memory_order_relaxed);
    if (slot == kNoSlot || slot == kErased) continue;
    std::uint64_t j = home(slots_.id(slot), *bigger);
    while (bigger->entries[j].load(std::memory_order_relaxed) != kNoSlot) j = (j + 1) & bigger->mask;
    bigger->entries[j].store(slot, std::memory_order_relaxed);
  }
  erased_ = 0;
  table_.store(bigger.release(), std::memory_order_release);  // pairs with find()
  return std::unique_ptr<Table>(old);
}

Slot IdMap::insert(Slot slot) noexcept {
  Table& table = *table_.load(std::memory_order_relaxed);
  const PointId id = slots_.id(slot);
  std::atomic<Slot>* place = nullptr;  // the first erased one
  for (std::uint64_t i = home(id, table);; i = (i + 1) & table.mask) {
    std::atomic<Slot>& entry = table.entries[i];
    const Slot found = entry.load(std::memory_order_relaxed);
    if (found == kErased) {
      if (place == nullptr) place = &entry;
      continue;
    }
    if (found != kNoSlot && !(slots_.id(found) == id)) continue;
    if (found != kNoSlot) {
      entry.store(slot, std::memory_order_release);  // pairs with find()
      return found;
    }
    if (place != nullptr) --erased_;
    (place == nullptr ? entry : *place).store(slot, std::memory_order_release);  // pairs with find()
    size_.fetch_add(1, std::memory_order_relaxed);
    return kNoSlot;
  }
}

void IdMap::erase(Slot slot) noexcept {
  give_up(slot);
  Table& table = *table_.load(std::memory_order_relaxed);
  const PointId id = slots_.id(slot);
  for (std::uint64_t i = home(id, table);; i = (i + 1) & table.mask) {
    const Slot found = table.entries[i].load(std::memory_order_relaxed);
    if (found == kNoSlot) return;
    if (found == kErased) continue;
    if (found == slot) {
      table.entries[i].store(kErased, std::memory_order_release);  // pairs with find()
      size_.fetch_sub(1, std::memory_order_relaxed);
      ++erased_;
      return;
    }
    if (slots_.id(found) == id) return;  // a newer version
  }
}

std::uint64_t IdMap::memory_bytes() const noexcept {
  return (table_.load(std::memory_order_acquire)->mask + 1) * sizeof(Slot);
}

}  // namespace holdfast::engine
