#include "engine/slot_table.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

namespace holdfast::engine {

namespace {

constexpr std::size_t kIdRowBytes = 16;     // high, low
constexpr std::size_t kStampRowBytes = 16;  // born, died

Status damaged(const char* what, std::uint64_t offset) {
  return {StatusCode::data_damaged, std::string(what) + " at data offset " + std::to_string(offset)};
}

}  // namespace

void PayloadDeleter::operator()(Payload* payload) const noexcept { ::operator delete(payload); }

PayloadPtr make_payload(std::string_view text) {
  if (text.empty()) return nullptr;
  auto* payload = new (::operator new(sizeof(Payload) + text.size())) Payload{static_cast<std::uint32_t>(text.size())};
  std::memcpy(payload + 1, text.data(), text.size());
  return PayloadPtr(payload);
}

// A view of zeroed pages, never constructed: a nearly empty chunk costs what is used of it. `died` and `payload` are
// read while the committer writes them: always through atomic_ref.
struct SlotTable::Chunk {
  std::uint64_t high[kChunkSlots];
  std::uint64_t low[kChunkSlots];
  Lsn born[kChunkSlots];
  Lsn died[kChunkSlots];
  Payload* payload[kChunkSlots];
  Slot previous[kChunkSlots];
  std::uint8_t kind[kChunkSlots];
  Lsn changed;  // atomic_ref; release by the committer, acquire by the checkpoint
  // Payloads of the first `mapped` slots stand in an extent unless `payload` says otherwise.
  const storage::Extent* mapped_payloads;
  std::uint32_t mapped;
  std::shared_ptr<const storage::Extent>* owner;
};

SlotTable::SlotTable() : directory_(Pages::map(kMaxChunks * sizeof(Chunk*), Pages::Size::normal)) {}

SlotTable::~SlotTable() {
  const std::uint32_t chunks = chunks_.load(std::memory_order_acquire);  // pairs with reserve()
  for (std::uint32_t c = 0; c < chunks; ++c) {
    Chunk* chunk = chunk_at(c);
    // Rows are used in order, and nobody is born at lsn 0: pages behind the last row stay untouched.
    for (std::uint32_t i = 0; i < kChunkSlots && chunk->born[i] != 0; ++i) PayloadDeleter{}(chunk->payload[i]);
    delete chunk->owner;
  }
}

PointId SlotTable::id(Slot slot) const noexcept {
  const Chunk& chunk = chunk_of(slot);
  const std::uint32_t i = slot % kChunkSlots;
  return PointId::from_parts(static_cast<PointId::Kind>(chunk.kind[i]), chunk.high[i], chunk.low[i]);
}

Lsn SlotTable::born(Slot slot) const noexcept { return chunk_of(slot).born[slot % kChunkSlots]; }

Lsn SlotTable::died(Slot slot) const noexcept {
  // Relaxed: the value that matters to a view was written before the view was published (S2).
  return std::atomic_ref<Lsn>(chunk_of(slot).died[slot % kChunkSlots]).load(std::memory_order_relaxed);
}

Slot SlotTable::previous(Slot slot) const noexcept { return chunk_of(slot).previous[slot % kChunkSlots]; }

Lsn SlotTable::changed_lsn(std::uint32_t chunk) const noexcept {
  return std::atomic_ref<Lsn>(chunk_at(chunk)->changed)
      .load(std::memory_order_acquire);  // pairs with assign() and kill()
}

Result<std::string_view> SlotTable::payload(Slot slot) const {
  Chunk& chunk = chunk_of(slot);
  const std::uint32_t i = slot % kChunkSlots;
  // Relaxed: set before the view was published; freed only after every view that shows the slot is gone (S3).
  if (const Payload* own = std::atomic_ref<Payload*>(chunk.payload[i]).load(std::memory_order_relaxed)) {
    return own->text();
  }
  if (i >= chunk.mapped) return std::string_view();
  const storage::Extent& extent = *chunk.mapped_payloads;
  if (Status status = extent.verify(i * sizeof(std::uint64_t), 2 * sizeof(std::uint64_t)); !status.ok()) return status;
  const std::byte* data = extent.data().data();
  const auto begin = load<std::uint64_t>(data + i * sizeof(std::uint64_t));
  const auto end = load<std::uint64_t>(data + (i + 1) * sizeof(std::uint64_t));
  if (begin > end || end > extent.info().data_bytes) return damaged("payload offsets out of order", i * 8);
  if (begin == end) return std::string_view();
  if (Status status = extent.verify(begin, end - begin); !status.ok()) return status;
  return std::string_view(reinterpret_cast<const char*>(data + begin), end - begin);
}

Status SlotTable::reserve(Slot end) {
  std::uint32_t chunks = chunks_.load(std::memory_order_relaxed);  // only the committer writes it
  const std::uint32_t wanted = (end + kChunkSlots - 1) >> kChunkBits;
  if (end > kMaxSlots) return {StatusCode::resource_exhausted, "the collection is full: 2^31 rows"};
  if (directory_.empty()) return {StatusCode::resource_exhausted, "no memory for the directory of rows"};
  for (; chunks < wanted; ++chunks) {
    Pages pages = Pages::map(sizeof(Chunk), Pages::Size::normal);
    if (pages.empty()) return {StatusCode::resource_exhausted, "no memory for another chunk of rows"};
    auto* chunk = reinterpret_cast<Chunk*>(pages.data());
    pages_.push_back(std::move(pages));  // throws bad_alloc before anything is changed
    std::atomic_ref<Chunk*>(directory()[chunks]).store(chunk, std::memory_order_release);  // pairs with chunk_at()
    chunks_.store(chunks + 1, std::memory_order_release);  // pairs with the destructor and meters
  }
  return {};
}

void SlotTable::assign(Slot slot, PointId id, Lsn born, Slot previous, PayloadPtr payload) noexcept {
  Chunk& chunk = chunk_of(slot);
  const std::uint32_t i = slot % kChunkSlots;
  chunk.high[i] = id.high();
  chunk.low[i] = id.low();
  chunk.kind[i] = static_cast<std::uint8_t>(id.kind());
  chunk.born[i] = born;
  std::atomic_ref<Lsn>(chunk.died[i]).store(kNeverDied, std::memory_order_relaxed);
  chunk.previous[i] = previous;
  if (payload) payload_bytes_.fetch_add(payload->size, std::memory_order_relaxed);
  std::atomic_ref<Payload*>(chunk.payload[i]).store(payload.release(), std::memory_order_relaxed);
  std::atomic_ref<Lsn>(chunk.changed).store(born, std::memory_order_release);  // pairs with changed_lsn()
}

void SlotTable::kill(Slot slot, Lsn lsn) noexcept {
  Chunk& chunk = chunk_of(slot);
  std::atomic_ref<Lsn>(chunk.died[slot % kChunkSlots]).store(lsn, std::memory_order_relaxed);
  std::atomic_ref<Lsn>(chunk.changed).store(lsn, std::memory_order_release);  // pairs with changed_lsn()
}

void SlotTable::free_payload(Slot slot) noexcept {
  Chunk& chunk = chunk_of(slot);
  // Relaxed: no view that shows this slot is left, so nobody else looks (S3).
  Payload* payload =
      std::atomic_ref<Payload*>(chunk.payload[slot % kChunkSlots]).exchange(nullptr, std::memory_order_relaxed);
  if (payload == nullptr) return;
  payload_bytes_.fetch_sub(payload->size, std::memory_order_relaxed);
  PayloadDeleter{}(payload);
}

void SlotTable::encode_ids(Slot begin, Slot end, Bytes& out) const {
  const Chunk& chunk = chunk_of(begin);
  for (Slot slot = begin; slot < end; ++slot) {
    put(out, chunk.high[slot % kChunkSlots]);
    put(out, chunk.low[slot % kChunkSlots]);
  }
  for (Slot slot = begin; slot < end; ++slot) put(out, chunk.kind[slot % kChunkSlots]);
}

void SlotTable::encode_stamps(Slot begin, Slot end, Lsn lsn, Bytes& out) const {
  for (Slot slot = begin; slot < end; ++slot) {
    const Lsn died_at = died(slot);
    put(out, born(slot));
    put(out, died_at > lsn ? kNeverDied : died_at);
  }
}

Status SlotTable::encode_payload_offsets(Slot begin, Slot end, Lsn lsn, Bytes& out) const {
  std::uint64_t offset = (std::uint64_t{end} - begin + 1) * sizeof(std::uint64_t);
  for (Slot slot = begin; slot < end; ++slot) {
    put(out, offset);
    if (died(slot) <= lsn) continue;
    const auto text = payload(slot);
    if (!text.ok()) return text.status();
    offset += text->size();
  }
  put(out, offset);
  return {};
}

Status SlotTable::load_ids(Slot begin, std::uint32_t slots, ByteSpan data) {
  if (data.size() != slots * (kIdRowBytes + 1)) return damaged("ids of the wrong size", data.size());
  Chunk& chunk = chunk_of(begin);
  for (std::uint32_t i = 0; i < slots; ++i) {
    const std::uint32_t row = (begin + i) % kChunkSlots;
    chunk.high[row] = load<std::uint64_t>(data.data() + i * kIdRowBytes);
    chunk.low[row] = load<std::uint64_t>(data.data() + i * kIdRowBytes + 8);
    chunk.kind[row] = load<std::uint8_t>(data.data() + slots * kIdRowBytes + i);
    if (chunk.kind[row] > 1) return damaged("unknown kind of id", slots * kIdRowBytes + i);
    chunk.previous[row] = kNoSlot;
  }
  return {};
}

Status SlotTable::load_stamps(Slot begin, std::uint32_t slots, ByteSpan data, Lsn lsn) {
  if (data.size() != slots * kStampRowBytes) return damaged("stamps of the wrong size", data.size());
  Chunk& chunk = chunk_of(begin);
  for (std::uint32_t i = 0; i < slots; ++i) {
    const std::uint32_t row = (begin + i) % kChunkSlots;
    chunk.born[row] = load<Lsn>(data.data() + i * kStampRowBytes);
    chunk.died[row] = load<Lsn>(data.data() + i * kStampRowBytes + 8);
    const bool died_in_time =
        chunk.died[row] == kNeverDied || (chunk.died[row] > chunk.born[row] && chunk.died[row] <= lsn);
    if (chunk.born[row] == 0 || chunk.born[row] > lsn || !died_in_time) {
      return damaged("impossible stamps", i * kStampRowBytes);
    }
  }
  return {};
}

Status SlotTable::attach_payloads(Slot begin, std::uint32_t slots, std::shared_ptr<const storage::Extent> extent) {
  if (extent->info().data_bytes < (slots + std::uint64_t{1}) * sizeof(std::uint64_t)) {
    return damaged("payload table cut short", extent->info().data_bytes);
  }
  Chunk& chunk = chunk_of(begin);
  chunk.mapped_payloads = extent.get();
  chunk.mapped = slots;
  payload_bytes_.fetch_add(extent->info().data_bytes - (slots + std::uint64_t{1}) * sizeof(std::uint64_t),
                           std::memory_order_relaxed);
  chunk.owner = new std::shared_ptr<const storage::Extent>(std::move(extent));
  return {};
}

std::uint64_t SlotTable::memory_bytes() const noexcept {
  return std::uint64_t{chunks_.load(std::memory_order_acquire)} * sizeof(Chunk);  // pairs with reserve()
}

std::uint64_t SlotTable::payload_bytes() const noexcept { return payload_bytes_.load(std::memory_order_relaxed); }

}  // namespace holdfast::engine
