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
#include <numeric>
#include <string>

#include "base/try.h"
#include "index/graph_impl.h"
#include "index/mapped_lists.h"

namespace holdfast::index {
namespace {

Status out_of_memory() { return {StatusCode::resource_exhausted, "no memory to load the graph: free some"}; }

}  // namespace

std::size_t Graph::level0_row_bytes() const noexcept { return impl_->store.row_numbers() * sizeof(Slot); }

void Graph::encode_level0(std::uint32_t chunk, Slot end, GraphEpoch epoch, Bytes& out) const {
  const SlotRange range = rows_of_chunk(chunk, end);
  std::vector<Slot> slots(range.end - range.begin);
  std::iota(slots.begin(), slots.end(), range.begin);
  encode_level0(slots, epoch, out);
}

void Graph::encode_level0(std::span<const Slot> slots, GraphEpoch epoch, Bytes& out) const {
  const std::size_t stride = level0_row_bytes();
  std::size_t at = out.size();
  out.resize(at + slots.size() * stride);  // zeroed
  for (const Slot slot : slots) {
    bool is_node = false;
    std::span<const Slot> links;
    if (slot < impl_->store.slot_limit()) links = impl_->store.level0(slot, epoch, is_node);
    store(out.data() + at, is_node ? static_cast<std::uint32_t>(links.size()) : kNoNode);
    if (!links.empty()) std::memcpy(out.data() + at + sizeof(Slot), links.data(), links.size_bytes());
    at += stride;
  }
}

void Graph::encode_upper(std::uint32_t chunk, Slot end, GraphEpoch epoch, Bytes& out) const {
  const SlotRange range = rows_of_chunk(chunk, std::min(end, impl_->store.slot_limit()));
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
  const SlotRange range = rows_of_chunk(chunk, slot_end);
  const std::size_t rows = data.size() / stride;
  if (data.size() % stride != 0) return lists_damaged(chunk, rows * stride, "an incomplete row");
  if (rows > range.end - range.begin) {
    return lists_damaged(chunk, (range.end - range.begin) * stride, "rows beyond slot " + std::to_string(slot_end));
  }
  HF_TRY(check_level0_rows(chunk, data, 0, rows, impl_->store.row_numbers(), slot_end));
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

Status Graph::attach_unchecked(std::uint32_t chunk, MappedLists lists, Slot slot_end) {
  const std::size_t stride = level0_row_bytes();
  const SlotRange range = rows_of_chunk(chunk, slot_end);
  const std::size_t rows = lists.level0.size() / stride;
  if (lists.level0.size() != rows * stride || rows > range.end - range.begin) {
    return lists_damaged(chunk, std::min(rows, std::size_t{range.end - range.begin}) * stride,
                         "an incomplete row, or rows beyond slot " + std::to_string(slot_end));
  }
  if (reinterpret_cast<std::uintptr_t>(lists.level0.data()) % alignof(Slot) != 0) {
    return {StatusCode::invalid_argument, "graph chunk " + std::to_string(chunk) + ": its lists are not aligned"};
  }
  HF_TRY(impl_->store.reserve(slot_end));
  return impl_->store.attach_unchecked(chunk, static_cast<std::uint32_t>(rows), std::move(lists), slot_end);
}

Status Graph::load_upper(std::uint32_t chunk, ByteSpan data, Slot slot_end) {
  HF_TRY(impl_->store.reserve(slot_end));
  return impl_->store.read_upper(chunk, data, slot_end);
}

}  // namespace holdfast::index
