// Lists of an image that are read when somebody first needs them.
//
// An image of a large graph is read by searches, which touch little of it, in no order. So nothing is looked at when it
// is attached: the first who touches a block of level-0 rows verifies its bytes and checks them, the first who asks for
// an upper level of a chunk loads those of the whole chunk (a node in M has some; they are used from memory, since they
// stand one behind the other in the image). From then on it costs a bit that is looked at beside the pointer to the
// rows.
//
// Invariants
//  L1. A bit of GraphChunk::checked is set only after the rows were verified and checked, and never taken back.
//  L2. Who meets damage has a ReadCheck: it is told, and the caller sees no node. That must not count, so everything
//      that walks asks its ReadCheck before it believes what it saw.
//  L3. Upper levels of a chunk appear before GraphChunk::upper_waits goes to 0, all of them or, if they are damaged,
//      some: then it stays 1, whoever asks for one that is missing is told again, and nobody changes that chunk's.
// Threading: any thread; two mutexes, each held for one block or chunk at a time.
#include "index/mapped_lists.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/plant.h"
#include "base/try.h"
#include "index/graph_store.h"
#include "index/read_check.h"

namespace holdfast::index {

SlotRange rows_of_chunk(std::uint32_t chunk, Slot end) noexcept {
  const std::uint64_t begin = std::uint64_t{chunk} << kChunkBits;
  const std::uint64_t last = std::min<std::uint64_t>(begin + kChunkSlots, end);
  return begin < last ? SlotRange{static_cast<Slot>(begin), static_cast<Slot>(last)} : SlotRange{0, 0};
}

Status lists_damaged(std::uint32_t chunk, std::size_t offset, const std::string& what) {
  return {StatusCode::data_damaged,
          "graph chunk " + std::to_string(chunk) + ", byte " + std::to_string(offset) + ": " + what};
}

Status check_level0_rows(std::uint32_t chunk, ByteSpan data, std::size_t first, std::size_t rows,
                         std::size_t row_numbers, Slot slot_end) {
  const std::byte* at = data.data() + first * row_numbers * sizeof(Slot);
  for (std::size_t row = 0; row < rows; ++row, at += row_numbers * sizeof(Slot)) {
    const auto offset = static_cast<std::size_t>(at - data.data());
    const auto count = load<std::uint32_t>(at);
    if (count == kNoNode) continue;
    if (count >= row_numbers) return lists_damaged(chunk, offset, std::to_string(count) + " links are too many");
    for (std::size_t i = 1; i <= count; ++i) {
      const Slot link = load<Slot>(at + i * sizeof(Slot));
      if (link >= slot_end) {
        return lists_damaged(chunk, offset + i * sizeof(Slot),
                             "link to slot " + std::to_string(link) + " of " + std::to_string(slot_end));
      }
    }
  }
  return {};
}

namespace {

Status out_of_memory() { return {StatusCode::resource_exhausted, "no memory to load the graph: free some"}; }

/// A node that is being read: freed with all its lists unless it is released.
class UpperGuard {
 public:
  explicit UpperGuard(UpperNode* node) noexcept : node_(node) {}
  ~UpperGuard() {
    if (node_ == nullptr) return;
    for (int level = 1; level <= static_cast<int>(node_->level); ++level) {
      if (node_->head(level) != nullptr) release_list(node_->head(level));
    }
    release_upper(node_);
  }
  UpperGuard(const UpperGuard&) = delete;
  UpperGuard& operator=(const UpperGuard&) = delete;
  [[nodiscard]] UpperNode* get() const noexcept { return node_; }
  UpperNode* release() noexcept { return std::exchange(node_, nullptr); }

 private:
  UpperNode* node_;
};

/// Reads the links of one level into `list`, which holds for every epoch.
Status read_links(ByteReader& reader, std::uint32_t chunk, std::uint32_t links_max, Slot slot_end,
                  NeighborList*& list) {
  const std::size_t offset = reader.position();
  std::uint32_t count = 0;
  if (!reader.get(count)) return lists_damaged(chunk, offset, "upper levels end too early");
  if (count > links_max) return lists_damaged(chunk, offset, std::to_string(count) + " upper links are too many");
  if (count > reader.remaining() / sizeof(Slot)) return lists_damaged(chunk, offset, "upper levels end too early");
  list = new_list(nullptr, 0, count);
  if (list == nullptr) return out_of_memory();
  for (std::uint32_t i = 0; i < count; ++i) {
    Slot& link = list->ids()[i];
    link = 0;
    if (!reader.get(link) || link >= slot_end) {
      return lists_damaged(chunk, reader.position(),
                           "upper link to slot " + std::to_string(link) + " of " + std::to_string(slot_end));
    }
  }
  return {};
}

/// Hands a failure to the thread's ReadCheck.
bool note(Status status) noexcept {
  if (HF_PLANTED(damaged_lists_are_taken_for_empty)) return false;
  ReadCheck::note({std::move(status)});
  return false;
}

}  // namespace

Status GraphStore::attach_unchecked(std::uint32_t chunk, std::uint32_t rows, MappedLists lists, Slot slot_end) {
  try {
    if (mapped_.size() <= chunk) mapped_.resize(chunk + 1);
    mapped_[chunk] = std::make_unique<Mapped>();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
  GraphChunk& tables = *directory_[chunk];
  tables.mapped = reinterpret_cast<const Slot*>(lists.level0.data());
  tables.mapped_rows = rows;
  tables.upper_waits = 1;  // before readers exist, as all of this
  *mapped_[chunk] = {std::move(lists), slot_end};
  return {};
}

bool GraphStore::check_block(Slot slot) const noexcept {
  const std::uint32_t number = slot >> kChunkBits;
  GraphChunk& chunk = *directory_[number];
  const std::uint32_t row = slot & (kChunkSlots - 1);
  const std::uint32_t begin = row / kBlockRows * kBlockRows;
  const std::uint32_t count = std::min(kBlockRows, chunk.mapped_rows - begin);
  const Mapped& mapped = *mapped_[number];
  const MutexLock lock(block_mutex_);
  if (is_checked(chunk, row)) return true;  // somebody else did it meanwhile
  try {
    const std::size_t stride = row_numbers_ * sizeof(Slot);
    Status status = mapped.lists.verify_level0(begin * stride, count * stride);
    if (status.ok()) {
      status = check_level0_rows(number, mapped.lists.level0, begin, count, row_numbers_, mapped.slot_end)
                   .with_context(mapped.lists.level0_name);
    }
    if (!status.ok()) return note(std::move(status));
  } catch (const std::bad_alloc&) {
    ReadCheck::note({{}, true});
    return false;
  }
  std::atomic_ref<std::uint64_t>(chunk.checked)
      .fetch_or(std::uint64_t{1} << (row / kBlockRows), std::memory_order_release);  // pairs: is_checked
  return true;
}

bool GraphStore::load_waiting(std::uint32_t number) const noexcept {
  GraphChunk& chunk = *directory_[number];
  const MutexLock lock(upper_mutex_);
  if (!waits_for_upper(chunk)) return true;  // somebody else did it meanwhile
  const Mapped& mapped = *mapped_[number];
  try {
    if (Status status = mapped.lists.verify_upper(0, mapped.lists.upper.size()); !status.ok()) {
      return note(std::move(status));
    }
    // To load what was there from the beginning is no change that a reader could see.
    if (Status status = const_cast<GraphStore*>(this)->read_upper(number, mapped.lists.upper, mapped.slot_end);
        !status.ok()) {
      return note(status.with_context(mapped.lists.upper_name));
    }
  } catch (const std::bad_alloc&) {
    ReadCheck::note({{}, true});
    return false;
  }
  std::atomic_ref<std::uint32_t>(chunk.upper_waits).store(0, std::memory_order_release);  // pairs: waits_for_upper
  return true;
}

Status GraphStore::read_upper(std::uint32_t chunk, ByteSpan data, Slot slot_end) {
  ByteReader reader(data);
  std::uint32_t nodes = 0;
  if (!reader.get(nodes)) return lists_damaged(chunk, 0, "upper levels end too early");
  std::uint64_t next_row = 0;
  for (std::uint32_t i = 0; i < nodes; ++i) HF_TRY(read_upper_node(reader, chunk, slot_end, next_row));
  if (reader.remaining() != 0) return lists_damaged(chunk, reader.position(), "bytes behind the upper levels");
  return {};
}

/// One node, of a row that is `next_row` or comes behind it. A node that a failed attempt left is as good as a new one.
Status GraphStore::read_upper_node(ByteReader& reader, std::uint32_t chunk, Slot slot_end, std::uint64_t& next_row) {
  const SlotRange range = rows_of_chunk(chunk, slot_end);
  const std::size_t offset = reader.position();
  std::uint32_t row = 0;
  std::uint32_t level = 0;
  if (!reader.get(row) || !reader.get(level)) return lists_damaged(chunk, offset, "upper levels end too early");
  if (row < next_row || row >= range.end - range.begin) {
    return lists_damaged(chunk, offset, "row " + std::to_string(row) + " is out of order or beyond the end");
  }
  if (level == 0 || level >= kMaxLevels) {
    return lists_damaged(chunk, offset + sizeof row,
                         "level " + std::to_string(level) + " of " + std::to_string(kMaxLevels));
  }
  const Slot slot = range.begin + row;
  GraphChunk& tables = *directory_[chunk];
  // Rows of level 0 that nobody touched yet are not touched for this. A row without lists there that has some above
  // keeps its place, and nothing can be inserted there: that takes a forged image, and verify names it.
  const bool mapped = row < tables.mapped_rows;
  const bool unknown = mapped && !is_checked(tables, row);
  if (!unknown && !(mapped && tables.mapped[std::size_t{row} * row_numbers_] != kNoNode)) {
    return lists_damaged(chunk, offset, "upper levels of row " + std::to_string(row) + ", no node");
  }
  UpperGuard node(new_upper(level));
  if (node.get() == nullptr) return out_of_memory();
  for (int at = 1; at <= static_cast<int>(level); ++at) {
    HF_TRY(read_links(reader, chunk, params_.max_links(at), slot_end, node.get()->head(at)));
  }
  next_row = std::uint64_t{row} + 1;
  if (read_head_of_upper(tables, slot) != nullptr) return {};  // of an attempt that was short of memory
  UpperNode* const read = node.release();
  tables.rows_loaded = std::max(tables.rows_loaded, row + 1);
  std::atomic_ref<UpperNode*>(tables.uppers[row]).store(read, std::memory_order_release);  // pairs: read_head_of_upper
  list_bytes_.fetch_add(upper_bytes(level), std::memory_order_relaxed);
  count_loaded(*read);
  return {};
}

}  // namespace holdfast::index
