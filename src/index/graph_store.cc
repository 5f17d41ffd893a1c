#include "index/graph_store.h"

#include <algorithm>
#include <new>

namespace holdfast::index {
namespace {

Status out_of_memory() { return {StatusCode::resource_exhausted, "no memory for the graph: free some or use less"}; }

void release_chain_head(NeighborList* head) noexcept {
  if (head != nullptr) release_list(head);
}

/// Release: who reads the epoch sees what was published in it.
void raise(GraphEpoch& changed, GraphEpoch epoch) noexcept {
  const std::atomic_ref<GraphEpoch> ref(changed);
  if (ref.load(std::memory_order_relaxed) < epoch) ref.store(epoch, std::memory_order_release);
}

}  // namespace

void release_list(NeighborList* list) noexcept { free_list(list); }

GraphStore::GraphStore(const VectorTable& table, GraphParams parameters)
    : vectors_(table),
      params_(parameters),
      row_numbers_(1 + std::size_t{parameters.max_links(0)}),
      directory_memory_(Pages::map(kMaxChunks * sizeof(GraphChunk*), Pages::Size::normal)),
      directory_(reinterpret_cast<GraphChunk**>(directory_memory_.data())) {}

GraphStore::~GraphStore() {
  for (const Pages& pages : chunks_) {
    auto* const chunk = reinterpret_cast<GraphChunk*>(pages.data());
    for (std::uint32_t row = 0; row < std::max(chunk->rows_used, chunk->rows_loaded); ++row) {
      NeighborList* const head = chunk->heads[row];
      if (UpperNode* const node = chunk->uppers[row]; node != nullptr) {
        const bool removed = head != nullptr && head->removed();  // S3: its lists are not ours
        for (int level = 1; level <= static_cast<int>(node->level) && !removed; ++level) {
          release_chain_head(node->head(level));
        }
        release_upper(node);
      }
      release_chain_head(head);
    }
  }
}

Status GraphStore::reserve(Slot end) {
  if (end > kMaxSlots) return {StatusCode::resource_exhausted, "a collection holds at most 2^31 rows"};
  if (directory_ == nullptr) return out_of_memory();
  const auto wanted = static_cast<std::uint32_t>((std::uint64_t{end} + kChunkSlots - 1) >> kChunkBits);
  while (chunks_.size() < wanted) {
    Pages pages = Pages::map(sizeof(GraphChunk), Pages::Size::normal);
    if (pages.empty()) return out_of_memory();
    auto* const chunk = reinterpret_cast<GraphChunk*>(pages.data());
    const std::size_t number = chunks_.size();
    try {
      chunks_.push_back(std::move(pages));
    } catch (const std::bad_alloc&) {
      return out_of_memory();
    }
    std::atomic_ref<GraphChunk*>(directory_[number]).store(chunk, std::memory_order_release);  // pairs: chunk()
  }
  const auto limit = static_cast<Slot>(std::uint64_t{chunks_.size()} << kChunkBits);
  slot_limit_.store(limit, std::memory_order_release);  // pairs: slot_limit()
  return {};
}

Status GraphStore::attach_rows(std::uint32_t chunk, const Slot* rows, std::uint32_t count,
                               std::shared_ptr<const void> owner) {
  try {
    owners_.push_back(std::move(owner));
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
  directory_[chunk]->mapped = rows;
  directory_[chunk]->mapped_rows = count;
  directory_[chunk]->checked = ~std::uint64_t{0};  // before readers exist
  return {};
}

NeighborList* GraphStore::newest(Slot slot, int level) const noexcept {
  const GraphChunk* const chunk = chunk_of(slot);
  if (level == 0) return read_head(chunk->heads[slot & (kChunkSlots - 1)]);
  const UpperNode* const node = read_head_of_upper(*chunk, slot);
  return node == nullptr || static_cast<int>(node->level) < level ? nullptr : read_head(node->head(level));
}

void GraphStore::publish_upper(Slot slot, UpperNode* node) noexcept {
  GraphChunk* const chunk = own_chunk(slot);
  const std::uint32_t row = slot & (kChunkSlots - 1);
  UpperNode*& head = chunk->uppers[row];
  chunk->rows_used = std::max(chunk->rows_used, row + 1);
  std::atomic_ref<UpperNode*>(head).store(node, std::memory_order_release);  // pairs: read_head_of_upper
  list_bytes_.fetch_add(upper_bytes(node->level), std::memory_order_relaxed);
}

void GraphStore::count_loaded(const UpperNode& node) noexcept {
  for (int level = 1; level <= static_cast<int>(node.level); ++level) {
    list_bytes_.fetch_add(list_bytes(node.head(level)->count), std::memory_order_relaxed);
  }
}

void GraphStore::publish_list(Slot slot, int level, NeighborList* list) noexcept {
  GraphChunk* const chunk = own_chunk(slot);
  const std::uint32_t row = slot & (kChunkSlots - 1);
  NeighborList*& head = level == 0 ? chunk->heads[row] : chunk->uppers[row]->head(level);
  const NeighborList* const old = head;
  chunk->rows_used = std::max(chunk->rows_used, row + 1);
  swing_head(head, list);
  list_bytes_.fetch_add(list_bytes(list->count) - (old == nullptr ? 0ULL : list_bytes(old->count)),
                        std::memory_order_relaxed);
  raise(chunk->changed, list->epoch);                                 // pairs: changed_epoch
  if (newest_epoch_.load(std::memory_order_relaxed) < list->epoch) {  // all that publish at once have the same one
    newest_epoch_.store(list->epoch, std::memory_order_relaxed);
  }
  // A node with upper levels comes and goes by its list of level 0.
  const bool was_mapped =
      row < chunk->mapped_rows && is_checked(*chunk, row) && chunk->mapped[std::size_t{row} * row_numbers_] != kNoNode;
  const bool was_node = old == nullptr ? was_mapped : !old->removed();
  const bool upper_too = chunk->uppers[row] != nullptr && (list->removed() || !was_node);
  if (level > 0 || upper_too) raise(chunk->changed_upper, list->epoch);  // pairs: changed_upper_epoch
}

void GraphStore::uncount(const NeighborList& list) noexcept {
  list_bytes_.fetch_sub(list_bytes(list.count), std::memory_order_relaxed);
}

void GraphStore::release_node(Slot slot) noexcept {
  if (slot >= slot_limit()) return;
  GraphChunk* const chunk = own_chunk(slot);
  const std::uint32_t row = slot & (kChunkSlots - 1);
  const NeighborList* const head = read_head(chunk->heads[row]);
  if (head == nullptr || !head->removed()) return;
  // Relaxed: readers of epochs in which the slot was a node are gone, the others do not come here (S3).
  UpperNode* const node = std::atomic_ref<UpperNode*>(chunk->uppers[row]).exchange(nullptr, std::memory_order_relaxed);
  if (node == nullptr) return;
  list_bytes_.fetch_sub(upper_bytes(node->level), std::memory_order_relaxed);
  release_upper(node);
}

GraphEpoch GraphStore::changed_epoch(std::uint32_t chunk_number) const noexcept {
  if (directory_ == nullptr || chunk_number >= kMaxChunks) return 0;
  const GraphChunk* const tables = chunk(chunk_number);
  if (tables == nullptr) return 0;
  auto& changed = const_cast<GraphEpoch&>(tables->changed);                     // C++20 has no atomic_ref<const>
  return std::atomic_ref<GraphEpoch>(changed).load(std::memory_order_acquire);  // pairs: publish_list
}

GraphEpoch GraphStore::changed_upper_epoch(std::uint32_t chunk_number) const noexcept {
  if (directory_ == nullptr || chunk_number >= kMaxChunks) return 0;
  const GraphChunk* const tables = chunk(chunk_number);
  if (tables == nullptr) return 0;
  auto& changed = const_cast<GraphEpoch&>(tables->changed_upper);               // C++20 has no atomic_ref<const>
  return std::atomic_ref<GraphEpoch>(changed).load(std::memory_order_acquire);  // pairs: publish_list
}

std::uint64_t GraphStore::memory_bytes() const noexcept {
  const std::uint64_t tables = std::uint64_t{slot_limit()} * (sizeof(NeighborList*) + sizeof(UpperNode*));
  return list_bytes_.load(std::memory_order_relaxed) + tables;
}

}  // namespace holdfast::index
