// Walking one level of the graph (Malkov, Yashunin: algorithm 2): the step that search and insertion share.
#pragma once

#include <cstdint>
#include <vector>

#include "index/candidate_pool.h"
#include "index/graph_store.h"
#include "index/search.h"

namespace holdfast::index {

/// Working memory of one thread. Grows to what the largest walk needed and is kept.
struct WalkScratch {
  CandidatePool pool;
  VisitedSet visited;
  std::vector<Slot> fresh;             ///< neighbors of one node that were not visited before
  std::vector<CandidateKey> frontier;  ///< wide walks: heap of what is not expanded, nearest on top
  std::vector<CandidateKey> results;   ///< wide walks: heap of the best visible, farthest on top
  std::vector<float> query;            ///< aligned copy of the query
  std::vector<Candidate> candidates;   ///< insertion: what links are selected from
  CandidatePool mates;                 ///< insertion: nearest members of the batch
};

/// One walk: which graph, at which epoch, towards what.
struct Walk {
  const GraphStore& graph;
  GraphEpoch epoch;
  const Query& query;
};

/// Fills `fresh` with the neighbors of `slot` that were not visited before, and now are; returns how many there are.
[[nodiscard]] inline std::size_t gather(const Walk& walk, Slot slot, int level, VisitedSet& visited,
                                        std::vector<Slot>& fresh) {
  const std::span<const Slot> links = walk.graph.neighbors(slot, level, walk.epoch);
  if (fresh.size() < links.size()) fresh.resize(links.size());
  Slot* const out = fresh.data();
  std::size_t count = 0;
  for (const Slot link : links) {
    out[count] = link;
    count += visited.insert(link) ? 1 : 0;
  }
  return count;
}

/// From `start` through levels `from`..`to` + 1 to the nearest node by steps to ever nearer neighbors (ef = 1).
[[nodiscard]] Candidate descend(const Walk& walk, Candidate start, int from, int to);

/// Beam search at one level from `start`; the best `ef` nodes end up in scratch.pool, nearest first.
void beam_search(const Walk& walk, Candidate start, int level, std::uint32_t ef, Ties ties, WalkScratch& scratch,
                 const StopCheck& stop = {});

/// Beam search at one level whose results are the best `ef` visible nodes, in scratch.results, nearest first. Invisible
/// nodes are walked through and take no place. For wide beams too: its cost per step does not grow with `ef`.
void filtered_search(const Walk& walk, Candidate start, std::uint32_t ef, const Visibility& visibility,
                     WalkScratch& scratch, const StopCheck& stop = {}, int level = 0, Ties ties = Ties::older_first);

}  // namespace holdfast::index
