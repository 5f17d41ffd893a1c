// The root of all reads: immutable and tiny. Publishing makes a new one and swaps one pointer (pins.h).
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "index/graph.h"

namespace holdfast::engine {

struct View {
  Lsn lsn = 0;                      ///< last batch that is visible
  Slot slot_end = 0;                ///< slots below are born at lsn or before
  Slot growing_begin = 0;           ///< slots from here on are not in the graph: searched exactly
  std::uint64_t live = 0;           ///< visible points
  std::uint64_t dead_in_graph = 0;  ///< nodes of the graph that are not visible
  index::GraphRoot graph;
};

}  // namespace holdfast::engine
