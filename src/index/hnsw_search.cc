// Search of one epoch (Malkov, Yashunin: algorithm 5): down the upper levels to a node near the query, then a beam of
// width ef at level 0. Allocates only while the scratch of the thread grows.
//
// Invisible (dead) nodes route, but must not fill the beam. Three ways, by how many there are:
//   none        the plain beam
//   few         the plain beam, wider by their share; what is invisible is left out at the end. If too
//               little remains, because the dead lie where the query does, the third way is gone as well.
//   many        a walk with heaps that asks for the visibility of each node and counts only visible ones
// The first two keep the beam in one sorted array, which is faster up to widths of several hundred.
#include <algorithm>
#include <cmath>

#include "index/hnsw_walk.h"
#include "index/score.h"
#include "index/search.h"

namespace holdfast::index {
namespace {

/// Above this width heaps are faster than one sorted array (candidate_pool.h).
constexpr std::uint32_t kWidePool = 768;

/// A beam that holds about `ef` visible nodes, and most likely `k`, although `hidden` of `nodes` are not visible; 0 if
/// that is not worth while.
std::uint32_t widened(std::uint32_t k, std::uint32_t ef, std::uint32_t hidden, std::uint32_t nodes) {
  if (hidden >= nodes || hidden > nodes - hidden) return 0;
  const double odds = static_cast<double>(hidden) / static_cast<double>(nodes - hidden);
  // Hidden nodes that are met before the k-th visible one: their mean and three deviations, if they lie at random.
  const double for_k = k + k * odds + 3 * std::sqrt(k * odds * (1 + odds));
  const double width = std::ceil(std::max(ef + ef * odds, for_k));
  return width <= kWidePool ? static_cast<std::uint32_t>(width) : 0;
}

void take_all(const CandidatePool& pool, std::uint32_t k, std::vector<Candidate>& out) {
  const std::size_t count = std::min<std::size_t>(k, pool.size());
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back({distance_of(pool[i]), slot_of(pool[i], Ties::older_first)});
  }
}

/// Takes the k best visible ones. False if the beam was full and yet held too few visible ones to stand for a beam of
/// width `ef` of its own.
bool take_visible(const CandidatePool& pool, std::uint32_t width, std::uint32_t k, std::uint32_t ef,
                  const Visibility& visibility, std::vector<Candidate>& out) {
  const std::size_t enough = std::max<std::size_t>(k, ef - ef / 4);
  std::size_t visible = 0;
  for (std::size_t i = 0; i < pool.size() && visible < enough; ++i) {
    const Slot slot = slot_of(pool[i], Ties::older_first);
    if (!visibility(slot)) continue;
    if (visible++ < k) out.push_back({distance_of(pool[i]), slot});
  }
  return visible >= enough || pool.size() < width;
}

}  // namespace

void search_graph(const Graph& graph, const GraphRoot& root, const Query& query, std::uint32_t k, std::uint32_t ef,
                  const Visibility& visibility, std::vector<Candidate>& out, const SearchAids& aids) {
  out.clear();
  const GraphStore& store = store_of(graph);
  if (root.levels == 0 || root.entry >= store.slot_limit() || k == 0) return;
  thread_local WalkScratch scratch;
  const Query aligned = query.moved_to(aligned_copy(query.vector(), store.vectors().dimension(), scratch.query));
  const Walk walk{store, root.epoch, aligned};
  ef = std::max(ef, k);
  const Candidate entry{aligned.distance(store.vectors().row(root.entry)), root.entry};
  const Candidate start = descend(walk, entry, static_cast<int>(root.levels) - 1, 0);
  if (visibility.visible == nullptr && ef <= kWidePool) {
    beam_search(walk, start, 0, ef, Ties::older_first, scratch, aids.stop);
    return take_all(scratch.pool, k, out);
  }
  if (const std::uint32_t width = widened(k, ef, aids.hidden, root.nodes);
      visibility.visible != nullptr && width != 0) {
    beam_search(walk, start, 0, width, Ties::older_first, scratch, aids.stop);
    if (take_visible(scratch.pool, width, k, ef, visibility, out)) return;
    out.clear();
  }
  filtered_search(walk, start, ef, visibility, scratch, aids.stop);
  const std::size_t count = std::min<std::size_t>(k, scratch.results.size());
  for (std::size_t i = 0; i < count; ++i) {
    const CandidateKey key = scratch.results[i];
    out.push_back({distance_of(key), slot_of(key, Ties::older_first)});
  }
}

}  // namespace holdfast::index
