#include "engine/slot_table.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "base/plant.h"
#include "base/try.h"
#include "index/read_check.h"
#include "storage/file_names.h"

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

/// The payloads of a chunk as the image holds them.
struct SlotTable::MappedPayloads {
  std::shared_ptr<const storage::Extent> extent;
  std::shared_ptr<const storage::Patch> patch;  ///< null: none
  [[nodiscard]] Result<std::string_view> text(std::uint32_t row) const;
};

// A view of zeroed pages, never constructed: a nearly empty chunk costs what is used of it. `born`, `died` and
// `payload` are read while the committer writes them: always through atomic_ref.
struct SlotTable::Chunk {
  std::uint64_t high[kChunkSlots];
  std::uint64_t low[kChunkSlots];
  Lsn born[kChunkSlots];
  Lsn died[kChunkSlots];
  Lsn previous_until[kChunkSlots];
  Payload* payload[kChunkSlots];
  Slot previous[kChunkSlots];       ///< complement: 0 is kNoSlot
  Slot next_value[kChunkSlots];     ///< complement
  std::uint8_t flags[kChunkSlots];  ///< kUuid, kMember, kThere; release with the id, acquire by readers
  Lsn changed;                      // atomic_ref; release by the committer, acquire by the checkpoint
  Lsn assigned;                     // atomic_ref; release by the committer, acquire by the checkpoint
  // Payloads of the first `mapped` slots stand in an extent unless `payload` says otherwise.
  const MappedPayloads* payloads;
  std::uint32_t mapped;
  // Ids, values and stamps of the first `mapped_rows` slots stand in extents (S5).
  Mapped* rows;
  std::uint32_t mapped_rows;
  std::uint64_t stamps_read;  ///< a bit per block; release by read_stamps(), acquire by readers
};

/// Where the rows of a chunk are read from.
struct SlotTable::Mapped {
  RowExtents extents;
  Lsn lsn = 0;
  Slot slot_end = 0;
};

namespace {

constexpr std::uint8_t kUuid = 1;    // the id is a UUID
constexpr std::uint8_t kMember = 2;  // not the first vector of its point
constexpr std::uint8_t kThere = 4;   // the row was written, or read from an image

/// Of a row that has no payload, though its place in a mapped extent may hold the one of an earlier version.
Payload kNoPayload{0};

void release_payload(Payload* payload) noexcept {
  if (payload != &kNoPayload) PayloadDeleter{}(payload);
}

}  // namespace

SlotTable::SlotTable() : directory_(Pages::map(kMaxChunks * sizeof(Chunk*), Pages::Size::normal)) {}

SlotTable::~SlotTable() {
  const std::uint32_t chunks = chunks_.load(std::memory_order_acquire);  // pairs with reserve()
  for (std::uint32_t c = 0; c < chunks; ++c) {
    Chunk* chunk = chunk_at(c);
    // Rows are used for the first time in order: pages behind the last one stay untouched.
    const std::uint64_t begin = std::uint64_t{c} << kChunkBits;
    const std::uint64_t used = std::min<std::uint64_t>(end_ > begin ? end_ - begin : 0, kChunkSlots);
    for (std::uint32_t i = 0; i < used; ++i) release_payload(chunk->payload[i]);
    delete chunk->payloads;
    delete chunk->rows;
  }
}

std::uint8_t SlotTable::flags(Slot slot) const noexcept {
  Chunk& chunk = chunk_of(slot);
  const std::uint32_t i = slot % kChunkSlots;
  const std::atomic_ref<std::uint8_t> flags(chunk.flags[i]);
  const std::uint8_t found = flags.load(std::memory_order_acquire);  // pairs with assign() and read_ids()
  if ((found & kThere) != 0 || i >= chunk.mapped_rows) [[likely]]
    return found;
  return read_ids(slot) ? flags.load(std::memory_order_acquire) : 0;
}

PointId SlotTable::id(Slot slot) const noexcept {
  const auto kind = static_cast<PointId::Kind>(flags(slot) & kUuid);  // first: it reads what is not there yet
  const Chunk& chunk = chunk_of(slot);
  const std::uint32_t i = slot % kChunkSlots;
  return PointId::from_parts(kind, chunk.high[i], chunk.low[i]);
}

Lsn SlotTable::born(Slot slot) const noexcept {
  // Relaxed: ordered by `died`, which is read first (S4), or by the view that shows the slot.
  const std::atomic_ref<Lsn> born(chunk_of(slot).born[slot % kChunkSlots]);
  const Lsn found = born.load(std::memory_order_relaxed);
  if (found != 0) [[likely]]
    return found;
  return read_stamps(slot) ? born.load(std::memory_order_relaxed) : 0;
}

Lsn SlotTable::died(Slot slot) const noexcept {
  // Acquire pairs with assign(), kill() and read_stamps() (S4). Of a death that matters to a view, S2 takes care.
  const std::atomic_ref<Lsn> died(chunk_of(slot).died[slot % kChunkSlots]);
  const Lsn found = died.load(std::memory_order_acquire);
  if (found != 0) [[likely]]
    return found;
  return read_stamps(slot) ? died.load(std::memory_order_acquire) : 0;
}

SlotTable::Previous SlotTable::previous(Slot slot) const noexcept {
  const Chunk& chunk = chunk_of(slot);
  return {~chunk.previous[slot % kChunkSlots], chunk.previous_until[slot % kChunkSlots]};
}

Slot SlotTable::next_value(Slot slot) const noexcept {
  (void)flags(slot);
  return ~chunk_of(slot).next_value[slot % kChunkSlots];
}

bool SlotTable::is_head(Slot slot) const noexcept { return (flags(slot) & kMember) == 0; }

Lsn SlotTable::changed_lsn(std::uint32_t chunk) const noexcept {
  return std::atomic_ref<Lsn>(chunk_at(chunk)->changed)
      .load(std::memory_order_acquire);  // pairs with assign() and kill()
}

Lsn SlotTable::assigned_lsn(std::uint32_t chunk) const noexcept {
  return std::atomic_ref<Lsn>(chunk_at(chunk)->assigned).load(std::memory_order_acquire);  // pairs with assign()
}

Result<std::string_view> SlotTable::payload(Slot slot) const {
  Chunk& chunk = chunk_of(slot);
  const std::uint32_t i = slot % kChunkSlots;
  // Relaxed: set before the view was published; freed only after every view that shows the slot is gone (S3).
  if (const Payload* own = std::atomic_ref<Payload*>(chunk.payload[i]).load(std::memory_order_relaxed)) {
    return own->text();
  }
  return i < chunk.mapped ? chunk.payloads->text(i) : std::string_view();
}

Result<std::string_view> SlotTable::MappedPayloads::text(std::uint32_t row) const {
  if (patch != nullptr) {
    if (Status status = patch->load(); !status.ok()) return status;
    auto patched = patch->text(row);
    if (!patched.ok()) return patched.status();
    if (patched->has_value()) return **patched;
  }
  const std::uint64_t rows = extent->info().slot_count;
  if (row >= rows) return damaged("a payload that neither the extent nor its patch has", row);
  if (Status status = extent->verify(row * sizeof(std::uint64_t), 2 * sizeof(std::uint64_t)); !status.ok()) {
    return status;
  }
  const std::byte* data = extent->data().data();
  const auto begin = load<std::uint64_t>(data + row * sizeof(std::uint64_t));
  const auto end = load<std::uint64_t>(data + (row + 1) * sizeof(std::uint64_t));
  if (begin < (rows + 1) * sizeof(std::uint64_t) || begin > end || end > extent->info().data_bytes) {
    return damaged("payload offsets out of order", row * sizeof(std::uint64_t));
  }
  if (begin == end) return std::string_view();
  if (Status status = extent->verify(begin, end - begin); !status.ok()) return status;
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

void SlotTable::assign(Slot slot, Row row) noexcept {
  Chunk& chunk = chunk_of(slot);
  const std::uint32_t i = slot % kChunkSlots;
  chunk.high[i] = row.id.high();
  chunk.low[i] = row.id.low();
  chunk.previous[i] = ~row.previous.slot;
  chunk.previous_until[i] = row.previous.until;
  chunk.next_value[i] = ~kNoSlot;
  const auto kind = static_cast<std::uint8_t>(kThere | (row.id.is_uuid() ? kUuid : 0) | (row.head ? 0 : kMember));
  std::atomic_ref<std::uint8_t>(chunk.flags[i]).store(kind, std::memory_order_release);  // pairs with flags()
  if (row.payload) payload_bytes_.fetch_add(row.payload->size, std::memory_order_relaxed);
  Payload* const payload = row.payload ? row.payload.release() : (i < chunk.mapped ? &kNoPayload : nullptr);
  // A payload that is still there belongs to a version whose death could not be queued for lack of memory.
  if (Payload* old = std::atomic_ref<Payload*>(chunk.payload[i]).exchange(payload, std::memory_order_relaxed)) {
    payload_bytes_.fetch_sub(old->size, std::memory_order_relaxed);
    release_payload(old);
  }
  std::atomic_ref<Lsn>(chunk.born[i]).store(row.born, std::memory_order_relaxed);
  std::atomic_ref<Lsn>(chunk.died[i]).store(kNeverDied, std::memory_order_release);  // pairs with died() (S4)
  std::atomic_ref<Lsn>(chunk.assigned).store(row.born, std::memory_order_release);   // pairs with assigned_lsn()
  std::atomic_ref<Lsn>(chunk.changed).store(row.born, std::memory_order_release);    // pairs with changed_lsn()
  end_ = std::max(end_, slot + 1);
}

void SlotTable::append_value(Slot slot, Slot next) noexcept { chunk_of(slot).next_value[slot % kChunkSlots] = ~next; }

void SlotTable::kill(Slot slot, Lsn lsn) noexcept {
  Chunk& chunk = chunk_of(slot);
  // Release, as in assign(): who meets this value instead of kNeverDied must see the new `born` as well (S4).
  std::atomic_ref<Lsn>(chunk.died[slot % kChunkSlots]).store(lsn, std::memory_order_release);  // pairs with died()
  std::atomic_ref<Lsn>(chunk.changed).store(lsn, std::memory_order_release);  // pairs with changed_lsn()
}

void SlotTable::free_payload(Slot slot) noexcept {
  Chunk& chunk = chunk_of(slot);
  // Relaxed: no view that shows this slot is left, so nobody else looks (S3).
  Payload* payload =
      std::atomic_ref<Payload*>(chunk.payload[slot % kChunkSlots]).exchange(nullptr, std::memory_order_relaxed);
  if (payload == nullptr) return;
  payload_bytes_.fetch_sub(payload->size, std::memory_order_relaxed);
  release_payload(payload);
}

void SlotTable::encode_ids(Slot begin, Rows rows, const Kept& kept, Bytes& out) const {
  for (const std::uint32_t i : rows) {
    const PointId known = kept[i] ? id(begin + i) : PointId(0);
    put(out, known.high());
    put(out, known.low());
  }
  for (const std::uint32_t i : rows) put(out, static_cast<std::uint8_t>(kept[i] ? flags(begin + i) & kUuid : 0));
}

void SlotTable::encode_stamps(Slot begin, Rows rows, const Kept& kept, Lsn lsn, Bytes& out) const {
  for (const std::uint32_t i : rows) {
    const Lsn died_at = kept[i] ? died(begin + i) : 0;
    put(out, kept[i] ? born(begin + i) : Lsn{0});
    put(out, died_at > lsn && !HF_PLANTED(image_holds_later_deaths) ? kNeverDied : died_at);
  }
}

void SlotTable::encode_values(Slot begin, Rows rows, const Kept& kept, Bytes& out) const {
  for (const std::uint32_t i : rows) put(out, kept[i] ? next_value(begin + i) : kNoSlot);
  for (const std::uint32_t i : rows) put(out, static_cast<std::uint8_t>(kept[i] && !is_head(begin + i) ? 1 : 0));
}

bool SlotTable::has_values(Slot begin, Slot end, const Kept& kept) const noexcept {
  for (Slot slot = begin; slot < end; ++slot) {
    if (kept[slot % kChunkSlots] && (next_value(slot) != kNoSlot || !is_head(slot))) return true;
  }
  return false;
}

Result<std::string_view> SlotTable::payload_at(Slot slot, const Kept& kept, Lsn lsn) const {
  if (!kept[slot % kChunkSlots] || died(slot) <= lsn) return std::string_view();
  return payload(slot);
}

Status SlotTable::encode_payload_offsets(Slot begin, Rows rows, const Kept& kept, Lsn lsn, std::uint64_t offsets_at,
                                         Bytes& out) const {
  std::uint64_t offset = offsets_at + (rows.size() + 1) * sizeof(std::uint64_t);
  for (const std::uint32_t i : rows) {
    put(out, offset);
    const auto text = payload_at(begin + i, kept, lsn);
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
    const auto kind = load<std::uint8_t>(data.data() + slots * kIdRowBytes + i);
    if (kind > 1) return damaged("unknown kind of id", slots * kIdRowBytes + i);
    if (kind == 0 && chunk.high[row] != 0) return damaged("an id that is no number", i * kIdRowBytes);
    chunk.flags[row] = kind | kThere;
  }
  end_ = std::max(end_, begin + slots);
  return {};
}

Status SlotTable::load_stamps(Slot begin, std::uint32_t slots, ByteSpan data, Lsn lsn) {
  if (data.size() != slots * kStampRowBytes) return damaged("stamps of the wrong size", data.size());
  Chunk& chunk = chunk_of(begin);
  for (std::uint32_t i = 0; i < slots; ++i) {
    const std::uint32_t row = (begin + i) % kChunkSlots;
    chunk.born[row] = load<Lsn>(data.data() + i * kStampRowBytes);
    chunk.died[row] = load<Lsn>(data.data() + i * kStampRowBytes + 8);
    if (chunk.born[row] == 0 && chunk.died[row] == 0) continue;  // free
    const bool died_in_time =
        chunk.died[row] == kNeverDied || (chunk.died[row] > chunk.born[row] && chunk.died[row] <= lsn);
    if (chunk.born[row] == 0 || chunk.born[row] > lsn || !died_in_time) {
      return damaged("impossible stamps", i * kStampRowBytes);
    }
  }
  return {};
}

Status SlotTable::load_values(Slot begin, std::uint32_t slots, ByteSpan data, Slot slot_end) {
  if (data.size() != slots * (sizeof(Slot) + 1)) return damaged("values of the wrong size", data.size());
  Chunk& chunk = chunk_of(begin);
  for (std::uint32_t i = 0; i < slots; ++i) {
    const std::uint32_t row = (begin + i) % kChunkSlots;
    const auto next = load<Slot>(data.data() + i * sizeof(Slot));
    const auto member = load<std::uint8_t>(data.data() + slots * sizeof(Slot) + i);
    if (next != kNoSlot && next >= slot_end) return damaged("impossible next value", i * sizeof(Slot));
    if (member > 1) return damaged("unknown flags of a value", slots * sizeof(Slot) + i);
    chunk.next_value[row] = ~next;
    chunk.flags[row] = static_cast<std::uint8_t>((chunk.flags[row] & ~kMember) | (member != 0 ? kMember : 0));
  }
  return {};
}

void SlotTable::load_free(Slot slot) noexcept {
  Chunk& chunk = chunk_of(slot);
  chunk.born[slot % kChunkSlots] = 0;
  chunk.died[slot % kChunkSlots] = 0;
}

Status SlotTable::attach_rows(Slot begin, std::uint32_t slots, RowExtents rows, Lsn lsn, Slot slot_end) {
  const auto size = [](const auto& extent) { return extent->info().data_bytes; };
  if (size(rows.ids) != slots * (kIdRowBytes + 1)) return damaged("ids of the wrong size", size(rows.ids));
  if (size(rows.stamps) != slots * kStampRowBytes) return damaged("stamps of the wrong size", size(rows.stamps));
  if (rows.values && size(rows.values) != slots * (sizeof(Slot) + 1)) {
    return damaged("values of the wrong size", size(rows.values));
  }
  Chunk& chunk = chunk_of(begin);
  chunk.rows = new Mapped{std::move(rows), lsn, slot_end};
  chunk.mapped_rows = slots;
  end_ = std::max(end_, begin + slots);
  return {};
}

namespace {

/// Of a block of a chunk's rows.
struct Block {
  std::uint32_t first;
  std::uint32_t end;
};
Block block_of(Slot slot, std::uint32_t rows) noexcept {
  const std::uint32_t first = slot % kChunkSlots / kRowBlock * kRowBlock;
  return {first, std::min(first + kRowBlock, rows)};
}

/// Whether `read` worked. If not, the thread's ReadCheck is told.
template <class Read>
bool worked(const storage::Extent& extent, Read read) noexcept {
  try {
    Status status = read();
    if (status.ok()) return true;
    if (status.message().find(".ext") == std::string_view::npos) {
      status = status.with_context(storage::extent_name(extent.info().number));
    }
    index::ReadCheck::note({std::move(status)});
  } catch (const std::bad_alloc&) {
    index::ReadCheck::note({{}, true});
  }
  return false;
}

}  // namespace

bool SlotTable::read_stamps(Slot slot) const noexcept {
  Chunk& chunk = chunk_of(slot);
  if (slot % kChunkSlots >= chunk.mapped_rows) return true;  // there is nothing to read
  const Block block = block_of(slot, chunk.mapped_rows);
  const std::uint64_t bit = std::uint64_t{1} << (block.first / kRowBlock);
  const std::atomic_ref<std::uint64_t> done(chunk.stamps_read);
  if ((done.load(std::memory_order_acquire) & bit) != 0) return true;  // pairs with the release below
  const MutexLock lock(reading_);
  if ((done.load(std::memory_order_relaxed) & bit) != 0) return true;
  const auto read = [&] { return read_stamp_block(chunk, block.first, block.end); };
  if (!worked(*chunk.rows->extents.stamps, read)) return false;
  done.fetch_or(bit, std::memory_order_release);  // pairs with the acquire above
  return true;
}

/// Checks all rows before it shows any.
Status SlotTable::read_stamp_block(Chunk& chunk, std::uint32_t first, std::uint32_t end) const {
  const storage::Extent& extent = *chunk.rows->extents.stamps;
  HF_TRY(extent.verify(first * kStampRowBytes, (end - first) * kStampRowBytes));
  const std::byte* const data = extent.data().data();
  const Lsn lsn = chunk.rows->lsn;
  for (std::uint32_t i = first; i < end; ++i) {
    const auto born = load<Lsn>(data + i * kStampRowBytes), died = load<Lsn>(data + i * kStampRowBytes + 8);
    if (born == 0 && died == 0) continue;  // free
    const bool died_in_time = died == kNeverDied || (died > born && died <= lsn);
    if (born == 0 || born > lsn || !died_in_time) return damaged("impossible stamps", i * kStampRowBytes);
  }
  for (std::uint32_t i = first; i < end; ++i) {
    const auto born = load<Lsn>(data + i * kStampRowBytes), died = load<Lsn>(data + i * kStampRowBytes + 8);
    std::atomic_ref<Lsn>(chunk.born[i]).store(born, std::memory_order_relaxed);
    std::atomic_ref<Lsn>(chunk.died[i]).store(died, std::memory_order_release);  // pairs with died()
  }
  return {};
}

bool SlotTable::read_ids(Slot slot) const noexcept {
  Chunk& chunk = chunk_of(slot);
  const Block block = block_of(slot, chunk.mapped_rows);
  const MutexLock lock(reading_);
  const std::atomic_ref<std::uint8_t> flags(chunk.flags[slot % kChunkSlots]);
  if ((flags.load(std::memory_order_acquire) & kThere) != 0) return true;  // somebody else did it meanwhile
  return worked(*chunk.rows->extents.ids, [&] { return read_id_block(chunk, block.first, block.end); });
}

/// The same. The committer writes to none of these rows before they are there.
Status SlotTable::read_id_block(Chunk& chunk, std::uint32_t first, std::uint32_t end) const {
  const Mapped& from = *chunk.rows;
  const std::uint32_t count = end - first;
  const std::size_t kinds = chunk.mapped_rows * kIdRowBytes, members = chunk.mapped_rows * sizeof(Slot);
  HF_TRY(from.extents.ids->verify(first * kIdRowBytes, count * kIdRowBytes));
  HF_TRY(from.extents.ids->verify(kinds + first, count));
  const std::byte* const ids = from.extents.ids->data().data();
  const std::byte* values = nullptr;
  if (from.extents.values) {
    HF_TRY(from.extents.values->verify(first * sizeof(Slot), count * sizeof(Slot)));
    HF_TRY(from.extents.values->verify(members + first, count));
    values = from.extents.values->data().data();
  }
  for (std::uint32_t i = first; i < end; ++i) {
    const auto kind = load<std::uint8_t>(ids + kinds + i);
    if (kind > 1) return damaged("unknown kind of id", kinds + i);
    if (kind == 0 && load<std::uint64_t>(ids + i * kIdRowBytes) != 0) {
      return damaged("an id that is no number", i * kIdRowBytes);
    }
    if (values == nullptr) continue;
    const auto next = load<Slot>(values + i * sizeof(Slot));
    if (next != kNoSlot && next >= from.slot_end) return damaged("impossible next value", i * sizeof(Slot));
    if (load<std::uint8_t>(values + members + i) > 1) return damaged("unknown flags of a value", members + i);
  }
  for (std::uint32_t i = first; i < end; ++i) {
    chunk.high[i] = load<std::uint64_t>(ids + i * kIdRowBytes);
    chunk.low[i] = load<std::uint64_t>(ids + i * kIdRowBytes + 8);
    bool member = false;
    if (values != nullptr) {
      chunk.next_value[i] = ~load<Slot>(values + i * sizeof(Slot));
      member = load<std::uint8_t>(values + members + i) != 0;
    }
    const auto there = static_cast<std::uint8_t>(kThere | load<std::uint8_t>(ids + kinds + i) | (member ? kMember : 0));
    std::atomic_ref<std::uint8_t>(chunk.flags[i]).store(there, std::memory_order_release);  // pairs with flags()
  }
  return {};
}

Status SlotTable::attach_payloads(Slot begin, std::uint32_t slots, std::shared_ptr<const storage::Extent> extent,
                                  std::shared_ptr<const storage::Patch> patch) {
  const std::uint64_t rows = extent->info().slot_count;
  if (extent->info().data_bytes < (rows + 1) * sizeof(std::uint64_t)) {
    return damaged("payload table cut short", extent->info().data_bytes);
  }
  Chunk& chunk = chunk_of(begin);
  std::uint64_t texts = extent->info().data_bytes - (rows + 1) * sizeof(std::uint64_t);
  if (patch != nullptr) texts += patch->extent().info().data_bytes;  // about: a meter
  chunk.payloads = new MappedPayloads{std::move(extent), std::move(patch)};
  chunk.mapped = slots;
  payload_bytes_.fetch_add(texts, std::memory_order_relaxed);
  return {};
}

std::uint64_t SlotTable::memory_bytes() const noexcept {
  return std::uint64_t{chunks_.load(std::memory_order_acquire)} * sizeof(Chunk);  // pairs with reserve()
}

std::uint64_t SlotTable::payload_bytes() const noexcept { return payload_bytes_.load(std::memory_order_relaxed); }

}  // namespace holdfast::engine
