// A walk of level 0 that can be taken up again: hands out the nodes in the order of their distance to the query, as
// many as are asked for, and goes on from there the next time. (search_graph for the first k of unknown k.)
//
// It differs from a search in that it forgets nothing: nodes that are too far for the present width stay in the
// frontier and among the candidates for later.
//
// Invariants
//  W1. A slot is met once: it is visited when it becomes a candidate, and never becomes one again.
//  W2. After look(width): the beam holds the `width` best visible candidates known (or all), and every node that is
//      nearer than the farthest of them is expanded. The first look(width) of a walk that hides nothing finds what a
//      search of that ef finds.
//  W3. When the frontier is empty, sweep() gives what the walk could not reach; with it nothing is left out.
// Threading: one thread at a time. REQUIRES the root to be pinned from begin() on.
#pragma once

#include <cstdint>
#include <vector>

#include "index/candidate_pool.h"
#include "index/search.h"

namespace holdfast::index {

class GraphWalker {
 public:
  /// Forgets everything and begins at the root's entry. Slots below `slot_end` may be met.
  void begin(const Graph& graph, const GraphRoot& root, const Query& query, Slot slot_end);

  /// Widens the beam to `width` candidates and expands what is nearer. False if it was stopped before that was done.
  bool look(const Graph& graph, const GraphRoot& root, const Query& query, std::uint32_t width,
            const Visibility& visibility, const StopCheck& stop);

  /// The nearest candidate of the beam. REQUIRES !beam_empty().
  [[nodiscard]] Candidate front() const noexcept {
    return {distance_of(beam_.back()), slot_of(beam_.back(), Ties::older_first)};
  }
  void pop() noexcept { beam_.pop_back(); }
  [[nodiscard]] bool beam_empty() const noexcept { return beam_.empty(); }
  [[nodiscard]] std::size_t beam_size() const noexcept { return beam_.size(); }
  /// Whether the walk has met all that it can reach.
  [[nodiscard]] bool walked() const noexcept { return frontier_.empty(); }

  /// The slot comes from elsewhere: the sweep leaves it out.
  void skip(Slot slot) noexcept { (void)visited_.insert(slot); }
  /// Makes candidates of all visible rows below slot_end that were neither met nor skipped. `visible` must hold for any
  /// row, not only for nodes. False if it was stopped; the next call goes on.
  bool sweep(const VectorTable& vectors, const Query& query, const Visibility& visible, const StopCheck& stop);
  [[nodiscard]] bool swept() const noexcept { return swept_ == slot_end_; }

 private:
  void refill(std::uint32_t width, const Visibility& visibility);

  VisitedSet visited_;
  FreshNeighbors found_;
  std::vector<CandidateKey> frontier_;  ///< heap, nearest on top: met, not expanded
  std::vector<CandidateKey> rest_;      ///< heap, nearest on top: met, not in the beam, visible or not
  std::vector<CandidateKey> beam_;  ///< visible; between calls sorted, the nearest last; within a heap, farthest on top
  Slot slot_end_ = 0;
  Slot swept_ = 0;
};

}  // namespace holdfast::index
