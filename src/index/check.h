// The validator of a graph epoch: used by tests and by `holdfast verify`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "index/graph.h"
#include "index/visibility.h"

namespace holdfast::index {

struct GraphCheck {
  std::uint64_t nodes = 0;
  std::uint64_t links = 0;
  std::uint64_t unreachable = 0;        ///< linkable nodes that no walk from the hub at level 0 reaches
  std::uint64_t stranded = 0;           ///< nodes where a descent may end (the entry, and all with a level > 0) from
                                        ///< which no walk at level 0 reaches the hub
  std::vector<std::string> violations;  ///< at most 100: link out of range, to no node (never one, or removed), to a
                                        ///< free slot, to itself, twice, too many, node missing at its level, in a
                                        ///< free slot, entry or node count wrong
};

/// The entry; if that is not linkable, the linkable node of the highest level with the smallest slot, and kNoSlot if
/// there is none. What walks must reach, and what all must be reached from (hnsw_connect.cc).
[[nodiscard]] Slot hub_of(const GraphStore& store, const GraphRoot& root, Slot end,
                          const Visibility& linkable) noexcept;

/// Checks one epoch, which must be pinned. `linkable`: nodes that are expected to be reachable (dead ones are not).
/// `in_use`: slots that may be nodes (those that the engine counts as free are not). GraphWriter::connect() makes
/// `unreachable` and `stranded` 0.
[[nodiscard]] GraphCheck check_graph(const Graph& graph, const GraphRoot& root, Slot slot_end,
                                     const Visibility& linkable = {}, const Visibility& in_use = {});

}  // namespace holdfast::index
