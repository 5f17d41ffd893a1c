// Walking one level of the graph (Malkov, Yashunin: algorithm 2): the step that search and insertion share.
#pragma once

#include <cstdint>
#include <vector>

#include "index/candidate_pool.h"
#include "index/graph_store.h"
#include "index/score.h"
#include "index/search.h"

namespace holdfast::index {

/// Working memory of one thread. Grows to what the largest walk needed and is kept.
struct WalkScratch : FreshNeighbors {
  CandidatePool pool;
  VisitedSet visited;
  std::vector<CandidateKey> frontier;  ///< wide walks: heap of what is not expanded, nearest on top
  std::vector<CandidateKey> results;   ///< wide walks: heap of the best visible, farthest on top
  Slot left_out = kNoSlot;             ///< counts as visited from the start (SearchAids)
  std::vector<float> query;            ///< aligned copy of the query
  std::vector<std::int8_t> weights;    ///< of the query for codes
  ShortCodes::QueryRoom short_query;
  std::vector<Candidate> candidates;  ///< insertion: what links are selected from
  CandidatePool mates;                ///< insertion: nearest members of the batch
};

/// One walk: which graph, at which epoch, towards what. Distances are those of the rows.
struct Walk {
  const GraphStore& graph;
  GraphEpoch epoch;
  const Query& query;
  const EpochLists::Table* known = nullptr;  ///< lists of this epoch that were found before

  /// Distances of `slots`, in their order.
  void score(const Slot* slots, std::size_t count, float* distances) const {
    index::score(graph.vectors(), query, slots, count, [&](Slot, float distance) { *distances++ = distance; });
  }
};

/// The same with the distances of codes.
template <class Codes>
struct WalkByCodes {
  const GraphStore& graph;
  GraphEpoch epoch;
  const Codes& codes;
  const CodeQuery& query;
  const EpochLists::Table* known = nullptr;

  void score(const Slot* slots, std::size_t count, float* distances) const {
    score_codes(codes, query, slots, count, distances);
  }
};
using CodeWalk = WalkByCodes<CodeTable>;
using ShortWalk = WalkByCodes<ShortCodes>;

/// Brings what leads to the list of level 0 into the cache.
template <class AnyWalk>
void prefetch_head(const AnyWalk& walk, Slot slot) {
  if (walk.known != nullptr) return walk.known->prefetch(slot);
  walk.graph.prefetch_head(slot);
}

/// Out of the way of readers of the newest epoch.
[[nodiscard, gnu::noinline]] inline std::span<const Slot> known_links(const GraphStore& graph, Slot slot,
                                                                      GraphEpoch epoch,
                                                                      const EpochLists::Table& known) {
  return graph.level0(slot, epoch, known);
}

/// Fills found.fresh with the neighbors of `slot` that were not visited before, and now are; returns how many.
template <class AnyWalk>
[[nodiscard, gnu::always_inline]] inline std::size_t gather(const AnyWalk& walk, Slot slot, int level,
                                                            VisitedSet& visited, FreshNeighbors& found) {
  const std::span<const Slot> links = walk.known != nullptr && level == 0
                                          ? known_links(walk.graph, slot, walk.epoch, *walk.known)
                                          : walk.graph.neighbors(slot, level, walk.epoch);
  found.make_room(links.size());
  return visited.insert_new(links, found.fresh.data());
}

/// From `start` through levels `from`..`to` + 1 to the nearest node by steps to ever nearer neighbors (ef = 1).
template <class AnyWalk>
[[nodiscard]] Candidate descend(const AnyWalk& walk, Candidate start, int from, int to);

/// Beam search at one level from `start`; the best `ef` nodes end up in scratch.pool, nearest first.
template <class AnyWalk>
void beam_search(const AnyWalk& walk, Candidate start, int level, std::uint32_t ef, Ties ties, WalkScratch& scratch,
                 const StopCheck& stop = {});

/// Beam search at one level whose results are the best `ef` visible nodes, in scratch.results, nearest first. Invisible
/// nodes are walked through and take no place. For wide beams too: its cost per step does not grow with `ef`.
template <class AnyWalk>
void filtered_search(const AnyWalk& walk, Candidate start, std::uint32_t ef, const Visibility& visibility,
                     WalkScratch& scratch, const StopCheck& stop = {}, int level = 0, Ties ties = Ties::older_first);

}  // namespace holdfast::index
