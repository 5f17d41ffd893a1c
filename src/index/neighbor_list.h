// The links of one node at one level, immutable once published (graph.h, G1), and the block that holds the lists of
// the upper levels of a node. One allocation each, trimmed to the number of links.
#pragma once

#include <cstdint>
#include <new>
#include <span>

#include "base/ids.h"
#include "index/graph.h"
#include "index/list_memory.h"
#include "index/version_chain.h"

namespace holdfast::index {

struct NeighborList {
  NeighborList* prev;  ///< what this list replaced; read only by readers older than `epoch`
  GraphEpoch epoch;    ///< holds from this epoch on
  std::uint32_t count;
  std::uint32_t flags;  ///< kRemovedList or 0

  [[nodiscard]] std::uint64_t since() const noexcept { return epoch; }
  [[nodiscard]] bool removed() const noexcept;
  [[nodiscard]] const Slot* ids() const noexcept { return reinterpret_cast<const Slot*>(this + 1); }
  [[nodiscard]] Slot* ids() noexcept { return reinterpret_cast<Slot*>(this + 1); }
  [[nodiscard]] std::span<const Slot> links() const noexcept { return {ids(), count}; }
};

/// A list without links that says: from this epoch on the slot is no node (graph.h, G6).
inline constexpr std::uint32_t kRemovedList = 1;
inline bool NeighborList::removed() const noexcept { return (flags & kRemovedList) != 0; }
static_assert(sizeof(NeighborList) == 24 && alignof(NeighborList) >= alignof(Slot));

/// What a list of `count` links takes.
[[nodiscard]] inline std::uint32_t list_bytes(std::uint32_t count) noexcept {
  return static_cast<std::uint32_t>(list_block_bytes(sizeof(NeighborList) + count * sizeof(Slot)));
}

/// A list with room for `count` links, which the caller fills. Null if memory is short.
[[nodiscard]] inline NeighborList* new_list(NeighborList* prev, GraphEpoch epoch, std::uint32_t count,
                                            std::uint32_t flags = 0) noexcept {
  void* const at = allocate_list(sizeof(NeighborList) + count * sizeof(Slot));
  return at == nullptr ? nullptr : new (at) NeighborList{prev, epoch, count, flags};
}

/// The upper levels of a node. Made when the node is inserted, freed when its slot is released
/// (Graph::release_node) or with the graph.
struct UpperNode {
  std::uint32_t level;  ///< top level of the node, > 0
  std::uint32_t unused;

  /// Head of the list of `at` in 1..level; the heads stand behind the header.
  [[nodiscard]] NeighborList*& head(int at) noexcept { return reinterpret_cast<NeighborList**>(this + 1)[at - 1]; }
  [[nodiscard]] NeighborList* const& head(int at) const noexcept {
    return reinterpret_cast<NeighborList* const*>(this + 1)[at - 1];
  }
};
static_assert(sizeof(UpperNode) % alignof(NeighborList*) == 0);

/// From malloc: 8 bytes of header, multiples of 16.
[[nodiscard]] inline std::uint32_t upper_bytes(std::uint32_t level) noexcept {
  return static_cast<std::uint32_t>((sizeof(UpperNode) + level * sizeof(NeighborList*) + 8 + 15) / 16 * 16);
}

/// A node with `level` empty chains. Null if memory is short.
[[nodiscard]] inline UpperNode* new_upper(std::uint32_t level) noexcept {
  void* const at = ::operator new(sizeof(UpperNode) + level * sizeof(NeighborList*), std::nothrow);
  if (at == nullptr) return nullptr;
  auto* const node = new (at) UpperNode{level, 0};
  for (std::uint32_t i = 1; i <= level; ++i) new (&node->head(static_cast<int>(i))) NeighborList*(nullptr);
  return node;
}
inline void release_upper(UpperNode* node) noexcept { ::operator delete(node); }

}  // namespace holdfast::index
