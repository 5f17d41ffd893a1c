// The validator of a graph epoch: used by tests and by `holdfast verify`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "index/graph.h"

namespace holdfast::index {

struct GraphCheck {
  std::uint64_t nodes = 0;
  std::uint64_t links = 0;
  std::uint64_t unreachable = 0;        ///< nodes that no walk from the entry at level 0 reaches
  std::vector<std::string> violations;  ///< at most 100: link out of range or to no node, to itself, twice, too
                                        ///< many, node missing at its level, entry or node count wrong
};

[[nodiscard]] GraphCheck check_graph(const Graph& graph, const GraphRoot& root, Slot slot_end);

}  // namespace holdfast::index
