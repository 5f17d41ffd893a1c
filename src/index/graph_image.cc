// Images of the graph for checkpoints, per chunk of slots. Numbers are little-endian u32; checksums and headers are the
// business of whoever stores them.
//
// Level 0: one row per slot of [chunk * kChunkSlots, end): count (0xFFFFFFFF: no node), then 2M links; places beyond
// count are 0. Rows are of one size, so that an image can be used where it is mapped.
//
// Upper levels: number of nodes, then for each node with a level > 0, by ascending slot:
//   row (slot within the chunk) | level | for each level 1..level: count, that many links
//
// Everything read is checked before it is used, because it may be damaged or forged: counts against the limits of the
// parameters, links against `slot_end`, order and sizes. What passed can be walked without going out of range; whether
// it is a sensible graph is for check_graph() to say.
#include <algorithm>
#include <new>
#include <string>

#include "base/try.h"
#include "index/graph_impl.h"

namespace holdfast::index {
namespace {

Status damaged(std::uint32_t chunk, std::size_t offset, const std::string& what) {
  return {StatusCode::data_damaged,
          "graph chunk " + std::to_string(chunk) + ", byte " + std::to_string(offset) + ": " + what};
}

Status out_of_memory() { return {StatusCode::resource_exhausted, "no memory to load the graph: free some"}; }

struct SlotRange {
  Slot begin;
  Slot end;
};
SlotRange range_of(std::uint32_t chunk, Slot end) noexcept {
  const std::uint64_t begin = std::uint64_t{chunk} << kChunkBits;
  const std::uint64_t last = std::min<std::uint64_t>(begin + kChunkSlots, end);
  return begin < last ? SlotRange{static_cast<Slot>(begin), static_cast<Slot>(last)} : SlotRange{0, 0};
}

/// Whether `rows` level-0 rows of `data` hold nothing but counts and links in range.
Status check_rows(std::uint32_t chunk, ByteSpan data, std::size_t rows, std::size_t row_numbers, Slot slot_end) {
  const std::byte* at = data.data();
  for (std::size_t row = 0; row < rows; ++row, at += row_numbers * sizeof(Slot)) {
    const auto offset = static_cast<std::size_t>(at - data.data());
    const auto count = load<std::uint32_t>(at);
    if (count == kNoNode) continue;
    if (count >= row_numbers) return damaged(chunk, offset, std::to_string(count) + " links are too many");
    for (std::size_t i = 1; i <= count; ++i) {
      const Slot link = load<Slot>(at + i * sizeof(Slot));
      if (link >= slot_end) {
        return damaged(chunk, offset + i * sizeof(Slot),
                       "link to slot " + std::to_string(link) + " of " + std::to_string(slot_end));
      }
    }
  }
  return {};
}

}  // namespace

std::size_t Graph::level0_row_bytes() const noexcept { return impl_->store.row_numbers() * sizeof(Slot); }

void Graph::encode_level0(std::uint32_t chunk, Slot end, GraphEpoch epoch, Bytes& out) const {
  const SlotRange range = range_of(chunk, end);
  const std::size_t stride = level0_row_bytes();
  std::size_t at = out.size();
  out.resize(at + (range.end - range.begin) * stride);  // zeroed
  for (Slot slot = range.begin; slot < range.end; ++slot, at += stride) {
    bool is_node = false;
    std::span<const Slot> links;
    if (slot < impl_->store.slot_limit()) links = impl_->store.level0(slot, epoch, is_node);
    store(out.data() + at, is_node ? static_cast<std::uint32_t>(links.size()) : kNoNode);
    if (!links.empty()) std::memcpy(out.data() + at + sizeof(Slot), links.data(), links.size_bytes());
  }
}

void Graph::encode_upper(std::uint32_t chunk, Slot end, GraphEpoch epoch, Bytes& out) const {
  const SlotRange range = range_of(chunk, std::min(end, impl_->store.slot_limit()));
  const std::size_t count_at = out.size();
  std::uint32_t count = 0;
  put(out, count);
  for (Slot slot = range.begin; slot < range.end; ++slot) {
    const int top = level(slot, epoch);
    if (top <= 0) continue;
    ++count;
    put(out, slot - range.begin);
    put(out, static_cast<std::uint32_t>(top));
    for (int at = 1; at <= top; ++at) {
      const std::span<const Slot> links = impl_->store.upper(slot, at, epoch);
      put(out, static_cast<std::uint32_t>(links.size()));
      put_bytes(out, std::as_bytes(links));
    }
  }
  store(out.data() + count_at, count);
}

Status Graph::attach_level0(std::uint32_t chunk, ByteSpan data, Slot slot_end, std::shared_ptr<const void> owner) {
  const std::size_t stride = level0_row_bytes();
  const SlotRange range = range_of(chunk, slot_end);
  const std::size_t rows = data.size() / stride;
  if (data.size() % stride != 0) return damaged(chunk, rows * stride, "an incomplete row");
  if (rows > range.end - range.begin) {
    return damaged(chunk, (range.end - range.begin) * stride, "rows beyond slot " + std::to_string(slot_end));
  }
  HF_TRY(check_rows(chunk, data, rows, impl_->store.row_numbers(), slot_end));
  HF_TRY(impl_->store.reserve(slot_end));
  if (rows == 0) return {};
  const std::byte* at = data.data();
  if (reinterpret_cast<std::uintptr_t>(at) % alignof(Slot) != 0) {
    try {
      auto copy = std::make_shared<std::vector<Slot>>(data.size() / sizeof(Slot));
      std::memcpy(copy->data(), data.data(), data.size());
      at = reinterpret_cast<const std::byte*>(copy->data());
      owner = std::move(copy);
    } catch (const std::bad_alloc&) {
      return out_of_memory();
    }
  }
  return impl_->store.attach_rows(chunk, reinterpret_cast<const Slot*>(at), static_cast<std::uint32_t>(rows),
                                  std::move(owner));
}

namespace {

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
  if (!reader.get(count)) return damaged(chunk, offset, "upper levels end too early");
  if (count > links_max) return damaged(chunk, offset, std::to_string(count) + " upper links are too many");
  if (count > reader.remaining() / sizeof(Slot)) return damaged(chunk, offset, "upper levels end too early");
  list = new_list(nullptr, 0, count);
  if (list == nullptr) return out_of_memory();
  for (std::uint32_t i = 0; i < count; ++i) {
    Slot& link = list->ids()[i];
    link = 0;
    if (!reader.get(link) || link >= slot_end) {
      return damaged(chunk, reader.position(),
                     "upper link to slot " + std::to_string(link) + " of " + std::to_string(slot_end));
    }
  }
  return {};
}

}  // namespace

Status Graph::load_upper(std::uint32_t chunk, ByteSpan data, Slot slot_end) {
  GraphStore& graph = impl_->store;
  HF_TRY(graph.reserve(slot_end));
  const SlotRange range = range_of(chunk, slot_end);
  ByteReader reader(data);
  std::uint32_t nodes = 0;
  if (!reader.get(nodes)) return damaged(chunk, 0, "upper levels end too early");
  std::uint64_t next_row = 0;
  for (std::uint32_t i = 0; i < nodes; ++i) {
    const std::size_t offset = reader.position();
    std::uint32_t row = 0;
    std::uint32_t level = 0;
    if (!reader.get(row) || !reader.get(level)) return damaged(chunk, offset, "upper levels end too early");
    if (row < next_row || row >= range.end - range.begin) {
      return damaged(chunk, offset, "row " + std::to_string(row) + " is out of order or beyond the end");
    }
    if (level == 0 || level >= kMaxLevels) {
      return damaged(chunk, offset + sizeof row,
                     "level " + std::to_string(level) + " of " + std::to_string(kMaxLevels));
    }
    const Slot slot = range.begin + row;
    if (!contains(slot, 0)) return damaged(chunk, offset, "upper levels of row " + std::to_string(row) + ", no node");
    if (graph.upper_node(slot) != nullptr) return damaged(chunk, offset, "a node that is loaded already");
    const UpperNode* published = nullptr;
    {
      UpperGuard node(new_upper(level));
      if (node.get() == nullptr) return out_of_memory();
      for (int at = 1; at <= static_cast<int>(level); ++at) {
        HF_TRY(read_links(reader, chunk, params().max_links(at), slot_end, node.get()->head(at)));
      }
      published = node.get();
      graph.publish_upper(slot, node.release());
    }
    graph.count_loaded(*published);
    next_row = std::uint64_t{row} + 1;
  }
  if (reader.remaining() != 0) return damaged(chunk, reader.position(), "bytes behind the upper levels");
  return {};
}

}  // namespace holdfast::index
