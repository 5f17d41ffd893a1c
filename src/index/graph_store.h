// Where the lists are: tables of head pointers in chunks of kChunkSlots, and under them the mapped rows of a
// checkpoint.
//
// Invariants
//  S1. Chunk pointers go from null to their final value once (release; readers pair with acquire).
//  S2. Tables are zeroed pages that are touched only where there are nodes; an untouched entry is a null head.
//  S3. A removed node keeps its head, a list that says so, and its block of upper levels, whose lists belong to whoever
//      retired them, until release_node() takes the block. Who looks at arbitrary slots asks level0() first.
//  S4. Mapped rows are read only from blocks of kBlockRows that were checked: by attach_rows() before there are
//  readers,
//      or by whoever touches a block first (mapped_lists.cc). What passed holds counts and links that may be used as
//      they are. A block that does not pass has no nodes, and the thread's ReadCheck is told (read_check.h).
//  S5. The upper levels of a mapped chunk are loaded as a whole, by whoever asks for one of them first: always before
//      the mutator changes an upper level in the chunk.
// Threading: as graph.h says. Readers call the const functions of the first half only.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "base/pages.h"
#include "base/plant.h"
#include "index/epoch_lists.h"
#include "index/graph.h"
#include "index/neighbor_list.h"
#include "index/vector_table.h"
#include "index/version_chain.h"

namespace holdfast::index {

/// Count of a mapped row of a slot that is no node.
inline constexpr std::uint32_t kNoNode = 0xFFFFFFFF;

/// Mapped rows that are checked together: a bit each of GraphChunk::checked.
inline constexpr std::uint32_t kBlockRows = kChunkSlots / 64;

/// Tables of one chunk: a view of zeroed pages, never constructed.
struct GraphChunk {
  NeighborList* heads[kChunkSlots];
  UpperNode* uppers[kChunkSlots];  ///< null: top level 0, or no node, or not loaded yet
  const Slot* mapped;              ///< rows of 1 + 2M numbers: count, links; null if nothing was attached
  std::uint32_t mapped_rows;
  std::uint32_t upper_waits;  ///< 1: upper levels are to be loaded (S5). Release in load_waiting, acquire by readers
  std::uint64_t checked;     ///< by block: its mapped rows may be used (S4). Release in check_block, acquire by readers
  GraphEpoch changed;        ///< newest epoch of any list; written by the mutator (release), read by anybody (acquire)
  GraphEpoch changed_upper;  ///< the same of upper levels
  std::uint32_t rows_used;   ///< rows from here on never had a head or an upper; mutator only
  std::uint32_t rows_loaded;  ///< the same of uppers that were loaded late; under upper_mutex_
};

class GraphStore {
 public:
  GraphStore(const VectorTable& table, GraphParams parameters);
  ~GraphStore();
  GraphStore(const GraphStore&) = delete;
  GraphStore& operator=(const GraphStore&) = delete;

  // --- Readers ---
  [[nodiscard]] const VectorTable& vectors() const noexcept { return vectors_; }
  [[nodiscard]] const GraphParams& params() const noexcept { return params_; }
  /// Slots below have tables; never shrinks.
  [[nodiscard]] Slot slot_limit() const noexcept {
    return slot_limit_.load(std::memory_order_acquire);
  }  // pairs: reserve

  /// Links at level 0. `is_node` tells an empty list from no node.
  [[nodiscard]] std::span<const Slot> level0(Slot slot, GraphEpoch epoch, bool& is_node) const noexcept {
    const GraphChunk* const chunk = chunk_of(slot);
    if (chunk == nullptr) [[unlikely]] {
      is_node = false;
      return {};
    }
    return links_of(*chunk, slot, version_in(*chunk, slot, epoch), is_node);
  }
  /// The same by what readers of the epoch found before.
  [[nodiscard]] std::span<const Slot> level0(Slot slot, GraphEpoch epoch,
                                             const EpochLists::Table& known) const noexcept {
    const GraphChunk* const chunk = chunk_of(slot);
    if (chunk == nullptr) return {};
    const NeighborList* list = nullptr;
    if (!known.find(slot, list)) {
      list = HF_PLANTED(newest_list_is_kept) ? read_head(chunk->heads[slot & (kChunkSlots - 1)])
                                             : version_in(*chunk, slot, epoch);
      known.keep(slot, list);
    }
    bool is_node = false;
    return links_of(*chunk, slot, list, is_node);
  }
  /// REQUIRES that the slot is a node of `epoch`, as all are that a link of `epoch` names: the block of a removed node
  /// may be freed by release_node() while readers of newer epochs look on.
  [[nodiscard]] std::span<const Slot> upper(Slot slot, int level, GraphEpoch epoch) const noexcept {
    const UpperNode* const node = upper_node(slot);
    if (node == nullptr || static_cast<int>(node->level) < level) return {};
    const NeighborList* const list = version_at<NeighborList>(read_head(node->head(level)), epoch);
    if (list == nullptr) return {};
    return list->links();
  }
  [[nodiscard]] std::span<const Slot> level0(Slot slot, GraphEpoch epoch) const noexcept {
    bool is_node = false;
    return level0(slot, epoch, is_node);
  }
  [[nodiscard]] std::span<const Slot> neighbors(Slot slot, int level, GraphEpoch epoch) const noexcept {
    bool is_node = false;
    return level == 0 ? level0(slot, epoch, is_node) : upper(slot, level, epoch);
  }
  /// Null: top level 0, or no node. May be followed only under the condition of upper().
  [[nodiscard]] const UpperNode* upper_node(Slot slot) const noexcept {
    const GraphChunk* const chunk = chunk_of(slot);
    if (chunk == nullptr) return nullptr;
    const UpperNode* const node = read_head_of_upper(*chunk, slot);
    if (node != nullptr || !waits_for_upper(*chunk)) [[likely]]
      return node;
    return load_waiting(slot >> kChunkBits) ? read_head_of_upper(*chunk, slot) : nullptr;
  }
  /// Whether the slot was a node in the image that is mapped below its chunk.
  [[nodiscard]] bool mapped_as_node(Slot slot) const noexcept {
    const GraphChunk* const chunk = chunk_of(slot);
    const std::uint32_t row = slot & (kChunkSlots - 1);
    if (chunk == nullptr || row >= chunk->mapped_rows) return false;
    if (!is_checked(*chunk, row) && !check_block(slot)) return false;
    return chunk->mapped[std::size_t{row} * row_numbers_] != kNoNode;
  }
  /// Brings the head pointer into the cache.
  void prefetch_head(Slot slot) const noexcept {
    const GraphChunk* const chunk = chunk_of(slot);
    if (chunk != nullptr) __builtin_prefetch(&chunk->heads[slot & (kChunkSlots - 1)]);
  }
  /// Brings the newest list, or the one that `known` (may be null) holds, into the cache. Reads the head: worth its
  /// while shortly before the list is needed.
  void prefetch_list(Slot slot, const EpochLists::Table* known) const noexcept {
    const GraphChunk* const chunk = chunk_of(slot);
    if (chunk == nullptr) return;
    const std::uint32_t row = slot & (kChunkSlots - 1);
    const NeighborList* list = nullptr;
    if (known == nullptr || !known->find(slot, list)) list = read_head(chunk->heads[row]);
    const void* at = list;
    if (list == nullptr) {
      if (row >= chunk->mapped_rows) return;
      at = chunk->mapped + std::size_t{row} * row_numbers_;
    }
    const char* const line = static_cast<const char*>(at);
    for (std::size_t i = 0; i < row_numbers_ * sizeof(Slot); i += 64) __builtin_prefetch(line + i);
  }
  [[nodiscard]] std::size_t row_numbers() const noexcept { return row_numbers_; }
  [[nodiscard]] const GraphChunk* chunk(std::uint32_t number) const noexcept {
    return std::atomic_ref<GraphChunk*>(directory_[number]).load(std::memory_order_acquire);  // pairs: make_chunk
  }
  /// Whether any list may be newer than the epoch. What is published just now may be missed.
  [[nodiscard]] bool is_outdated(GraphEpoch epoch) const noexcept {
    return newest_epoch_.load(std::memory_order_relaxed) > epoch;
  }
  /// Whether the slot has a list that is newer than the epoch.
  [[nodiscard]] bool is_newer(Slot slot, GraphEpoch epoch) const noexcept {
    const GraphChunk* const chunk = chunk_of(slot);
    const NeighborList* const list = chunk == nullptr ? nullptr : read_head(chunk->heads[slot & (kChunkSlots - 1)]);
    return list != nullptr && list->epoch > epoch;
  }
  [[nodiscard]] GraphEpoch changed_epoch(std::uint32_t chunk) const noexcept;
  [[nodiscard]] GraphEpoch changed_upper_epoch(std::uint32_t chunk) const noexcept;
  /// See Graph::changed_since.
  [[nodiscard]] bool changed_since(Slot slot, GraphEpoch since, GraphEpoch epoch) const noexcept {
    const GraphChunk* const chunk = chunk_of(slot);
    if (chunk == nullptr) return false;
    const NeighborList* const list = version_in(*chunk, slot, epoch);
    return list != nullptr && list->epoch > since;
  }
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;

  // --- Committer, or open ---
  Status reserve(Slot end);
  /// Keeps what attached rows live in. They were checked.
  Status attach_rows(std::uint32_t chunk, const Slot* rows, std::uint32_t count, std::shared_ptr<const void> owner);
  /// The same, to be checked (and upper levels to be loaded) when they are first needed. REQUIRES aligned rows.
  Status attach_unchecked(std::uint32_t chunk, std::uint32_t rows, MappedLists lists, Slot slot_end);
  /// The upper levels of a chunk as encode_upper() wrote them. data_damaged, resource_exhausted: some of them are not
  /// there.
  Status read_upper(std::uint32_t chunk, ByteSpan data, Slot slot_end);

  // --- Mutator, or open ---
  [[nodiscard]] NeighborList* newest(Slot slot, int level) const noexcept;
  void publish_upper(Slot slot, UpperNode* node) noexcept;
  /// Meters lists that were read into an upper node before it was published.
  void count_loaded(const UpperNode& node) noexcept;
  /// Makes `list` the newest at that level. REQUIRES that the node exists at that level.
  void publish_list(Slot slot, int level, NeighborList* list) noexcept;
  /// A list of an upper level of a node that was removed: no longer metered here, it belongs to whoever retired it.
  void uncount(const NeighborList& list) noexcept;

  // --- Reclaimer ---
  /// See Graph::release_node.
  void release_node(Slot slot) noexcept;

 private:
  [[nodiscard]] const GraphChunk* chunk_of(Slot slot) const noexcept { return chunk(slot >> kChunkBits); }
  [[nodiscard]] static const NeighborList* version_in(const GraphChunk& chunk, Slot slot, GraphEpoch epoch) noexcept {
    return version_at<NeighborList>(read_head(chunk.heads[slot & (kChunkSlots - 1)]), epoch);
  }
  /// Links of the slot of which `list` (null: none) is the version that holds.
  [[nodiscard]] std::span<const Slot> links_of(const GraphChunk& chunk, Slot slot, const NeighborList* list,
                                               bool& is_node) const noexcept {
    if (list != nullptr) [[likely]] {
      is_node = !list->removed();
      return list->links();
    }
    const std::uint32_t row = slot & (kChunkSlots - 1);
    if (row < chunk.mapped_rows && (is_checked(chunk, row) || check_block(slot))) {
      const Slot* const mapped = chunk.mapped + std::size_t{row} * row_numbers_;
      is_node = mapped[0] != kNoNode;
      // A list that rots after it was checked leads nowhere beyond its row.
      if (is_node) return {mapped + 1, std::min<std::size_t>(mapped[0], row_numbers_ - 1)};
    }
    is_node = false;
    return {};
  }
  [[nodiscard]] static const UpperNode* read_head_of_upper(const GraphChunk& chunk, Slot slot) noexcept {
    UpperNode* const& head = chunk.uppers[slot & (kChunkSlots - 1)];
    return std::atomic_ref<UpperNode*>(const_cast<UpperNode*&>(head)).load(std::memory_order_acquire);  // publish_upper
  }
  [[nodiscard]] GraphChunk* own_chunk(Slot slot) noexcept { return directory_[slot >> kChunkBits]; }
  [[nodiscard]] static bool is_checked(const GraphChunk& chunk, std::uint32_t row) noexcept {
    auto& checked = const_cast<std::uint64_t&>(chunk.checked);  // C++20 has no atomic_ref<const>
    return (std::atomic_ref<std::uint64_t>(checked).load(std::memory_order_acquire) >> (row / kBlockRows) & 1) != 0;
  }
  [[nodiscard]] static bool waits_for_upper(const GraphChunk& chunk) noexcept {
    auto& waits = const_cast<std::uint32_t&>(chunk.upper_waits);
    return std::atomic_ref<std::uint32_t>(waits).load(std::memory_order_acquire) != 0;  // pairs: load_waiting
  }
  /// Checks the slot's block of mapped rows. False if it is damaged; the thread's ReadCheck is told.
  bool check_block(Slot slot) const noexcept;
  /// Loads the upper levels of the chunk. False if that cannot be; the thread's ReadCheck is told.
  bool load_waiting(std::uint32_t chunk) const noexcept;
  Status read_upper_node(ByteReader& reader, std::uint32_t chunk, Slot slot_end, std::uint64_t& next_row);

  /// What is mapped below a chunk.
  struct Mapped {
    MappedLists lists;
    Slot slot_end = 0;  ///< of the image: links are below
  };

  const VectorTable& vectors_;
  GraphParams params_;
  std::size_t row_numbers_;  ///< numbers of a level-0 row: 1 + 2M
  Pages directory_memory_;
  GraphChunk** directory_;     ///< kMaxChunks pointers
  std::vector<Pages> chunks_;  ///< committer only
  std::vector<std::shared_ptr<const void>> owners_;
  std::vector<std::unique_ptr<Mapped>> mapped_;           ///< by chunk; fixed before readers exist
  mutable Mutex block_mutex_;                             ///< held while a block is checked
  mutable Mutex upper_mutex_;                             ///< held while upper levels are loaded; before block_mutex_
  std::atomic<Slot> slot_limit_{0};                       // release in reserve, acquire in slot_limit
  std::atomic<GraphEpoch> newest_epoch_{0};               // a hint: relaxed
  alignas(64) std::atomic<std::uint64_t> list_bytes_{0};  // a meter: relaxed; on a line that no search reads
};

[[nodiscard]] const GraphStore& store_of(const Graph& graph) noexcept;

}  // namespace holdfast::index
