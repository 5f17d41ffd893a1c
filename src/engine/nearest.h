// The rows of a view in the order of their distance to a query, one after the other: the walk of the graph merged with
// the growing tier, which is compared exactly once. What cursors, range searches, and searches of points with several
// vectors draw from.
//
// Invariants
//  N1. A visible row is handed out at most once; at the end, every visible row was.
//  N2. Without a walk (`exact`) the order is exact. With one it is that of a search with the same ef, but for rows that
//      the walk discovers after farther ones were handed out.
//  N3. Rows of the growing tier do not narrow the beam of the walk: a search finds the same nodes whatever grows.
// Threading: one thread at a time. The view is passed to each call, because nobody may keep it between two calls: its
// snapshot may expire there. It must be the same view each time.
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "engine/collection_state.h"
#include "index/hnsw_walker.h"

namespace holdfast::engine {

class Nearest {
 public:
  struct Plan {
    std::uint32_t ef = 0;  ///< how far the walk looks ahead
    bool exact = false;
    float radius = std::numeric_limits<float>::infinity();  ///< what is farther is not handed out
  };
  /// Allocates nothing but a copy of the query.
  Nearest(const CollectionState& state, std::span<const float> query, const Plan& plan);
  // The query has an address of its own.
  Nearest(const Nearest&) = delete;
  Nearest& operator=(const Nearest&) = delete;

  /// Hands rows to `take`, nearest first, until it returns false or none is left, or `stop` says so. `wanted`: how many
  /// the caller expects to take. Throws bad_alloc: a row at which `take` threw was not handed out, and the next call
  /// goes on with it.
  template <class Take>
  void draw(const View& view, std::uint32_t wanted, const index::StopCheck& stop, Take take) {
    prepare(view, std::max(wanted, plan_.ef), stop);
    index::Candidate candidate;
    for (Source from; (from = peek(view, stop, candidate)) != Source::none;) {
      const bool more = take(candidate);
      consume(from);
      if (!more) return;
    }
  }
  /// Everything was handed out (or is beyond the radius).
  [[nodiscard]] bool finished() const noexcept { return finished_; }
  void reset() noexcept;

 private:
  void prepare(const View& view, std::uint32_t width, const index::StopCheck& stop);
  enum class Source : std::uint8_t { none, list, walk };
  Source peek(const View& view, const index::StopCheck& stop, index::Candidate& out);
  void consume(Source from) noexcept;
  bool compare_listed(const View& view, const index::StopCheck& stop);
  bool compare_growing(const View& view, const index::StopCheck& stop);
  bool compare_all(const View& view, const index::StopCheck& stop);
  void compare(std::span<const Slot> part, const index::Visibility& visible);
  bool settle_walk(const View& view, const index::StopCheck& stop);
  bool within_reach(const View& view, const index::StopCheck& stop);
  bool sweep(const View& view, const index::StopCheck& stop);
  bool look(const View& view, const index::StopCheck& stop);

  const CollectionState& state_;
  const Plan plan_;
  std::vector<float> vector_;  ///< the query, aligned within
  const index::Query query_;

  bool begun_ = false;
  bool finished_ = false;
  bool interrupted_ = false;                 ///< within this call
  std::uint32_t width_ = 0;                  ///< of the beam, in this call
  std::uint64_t compared_ = 0;               ///< rows of the list (growing tier; exact: all) that were compared
  std::vector<index::CandidateKey> listed_;  ///< heap, nearest on top: of those, what was not handed out
  std::vector<Slot> shown_;                  ///< scratch
  index::GraphWalker walker_;
};

}  // namespace holdfast::engine
