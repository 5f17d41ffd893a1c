// The root of all reads: immutable and tiny. Publishing makes a new one and swaps one pointer (pins.h).
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "engine/arrivals.h"
#include "index/epoch_lists.h"
#include "index/graph.h"

namespace holdfast::index {
class CodeTable;
class ShortCodes;
}  // namespace holdfast::index

namespace holdfast::engine {

class Calibration;

struct View {
  std::uint64_t serial = 0;         ///< counts publications
  Lsn lsn = 0;                      ///< last batch that is visible
  Slot slot_end = 0;                ///< rows from here on do not exist yet
  Arrival growing_begin = 0;        ///< arrivals before are in the graph, or died before they got there
  Arrival growing_end = 0;          ///< arrivals from growing_begin up to here are compared exactly
  std::uint64_t live = 0;           ///< visible points
  std::uint64_t values = 0;         ///< visible rows: more than `live` if a point has several vectors
  std::uint64_t dead_in_graph = 0;  ///< nodes of the graph that are not visible
  index::GraphRoot graph;
  const index::CodeTable* codes = nullptr;  ///< holds the code of every node of `graph`; null: there are none yet
  const index::ShortCodes* short_codes = nullptr;  ///< made from these, for Preset::fast
  const Calibration* calibration = nullptr;        ///< beam widths that were measured; null: none yet
  index::EpochLists lists;                         ///< of graph.epoch, once readers want them
};

}  // namespace holdfast::engine
