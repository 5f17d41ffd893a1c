// Search of one graph epoch, and exact scans.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/ids.h"
#include "index/code_table.h"
#include "index/epoch_lists.h"
#include "index/graph.h"
#include "index/short_codes.h"
#include "index/stop.h"
#include "index/vector_table.h"
#include "index/visibility.h"

namespace holdfast::index {

struct Candidate {
  float distance = 0;
  Slot slot = kNoSlot;
  /// Nearest first; equal distances by slot (age).
  friend bool operator<(const Candidate& a, const Candidate& b) noexcept {
    return a.distance < b.distance || (a.distance == b.distance && a.slot < b.slot);
  }
  friend bool operator==(const Candidate&, const Candidate&) noexcept = default;
};

/// How many of the candidates that codes found are compared exactly. Distances handed out are exact in any case.
enum class Rescoring : std::uint8_t {
  bounded,  ///< all that may be among the k nearest, by the bound of the codes' error
  likely,   ///< those that are likely to be, by a bound of one standard deviation
};

/// What else the caller of a search knows and wants.
struct SearchAids {
  static constexpr std::uint32_t kUnknown = std::numeric_limits<std::uint32_t>::max();
  /// How many nodes of the root are invisible. While they are few, a plain beam that is a little wider finds the same
  /// in less time than one that looks at the visibility of every node it meets.
  std::uint32_t hidden = kUnknown;
  StopCheck stop = {};
  /// Walks by these codes instead of by the rows, and compares what was found exactly. Holds the codes of every node.
  const CodeTable* codes = nullptr;
  /// Walks by these, if there are any, and ranks what was found by `codes`, which they were made from.
  const ShortCodes* short_codes = nullptr;
  Rescoring rescoring = Rescoring::bounded;
  /// A node that the walk of level 0 does not enter: as if it were not in the graph. For asking with the vector of a
  /// node what a stranger of its kind would find. REQUIRES a node of level 0 alone that is not the entry.
  Slot left_out = kNoSlot;
  /// What readers of the root's epoch found of old lists, and the meter of its memory. Null: nothing is kept.
  const EpochLists* lists = nullptr;
  std::atomic<std::uint64_t>* lists_meter = nullptr;
};

/// Up to max(k, ef)-wide beam search; `out` receives at most k visible candidates, sorted. Allocates nothing once the
/// calling thread has searched a graph of this size before. Deterministic for a root and a set of visible nodes, unless
/// it is stopped. `k` <= `ef`.
void search_graph(const Graph& graph, const GraphRoot& root, const Query& query, std::uint32_t k, std::uint32_t ef,
                  const Visibility& visibility, std::vector<Candidate>& out, const SearchAids& aids = {});

/// Exact: compares the query with every visible slot of [begin, end) and merges the results into `out`, which holds at
/// most k sorted candidates before and after. The row of an invisible slot is not looked at.
void scan(const VectorTable& vectors, const Query& query, Slot begin, Slot end, std::uint32_t k,
          const Visibility& visibility, std::vector<Candidate>& out, const StopCheck& stop = {});

/// The same for a list of slots. REQUIRES that the rows of invisible ones may be read, too: visibility is asked only
/// for the rows that are near enough.
void scan_slots(const VectorTable& vectors, const Query& query, std::span<const Slot> slots, std::uint32_t k,
                const Visibility& visibility, const StopCheck& stop, std::vector<Candidate>& out);

}  // namespace holdfast::index
