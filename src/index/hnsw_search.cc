// Search of one epoch (Malkov, Yashunin: algorithm 5): down the upper levels to a node near the query, then a beam of
// width ef at level 0. Allocates only while the scratch of the thread grows.
#include <algorithm>

#include "index/hnsw_walk.h"
#include "index/search.h"

namespace holdfast::index {
namespace {

/// Above this width heaps are faster than one sorted array (candidate_pool.h).
constexpr std::uint32_t kWidePool = 768;

/// Kernels read the query over and over: give them one that starts on a cache line.
const float* aligned_copy(const Query& query, std::uint32_t dimension, std::vector<float>& buffer) {
  constexpr std::size_t kLineFloats = 64 / sizeof(float);
  if (buffer.size() < dimension + kLineFloats) buffer.resize(dimension + kLineFloats);
  const auto address = reinterpret_cast<std::uintptr_t>(buffer.data()) / sizeof(float);
  float* const at = buffer.data() + (kLineFloats - address % kLineFloats) % kLineFloats;
  std::copy_n(query.vector(), dimension, at);
  return at;
}

}  // namespace

void search_graph(const Graph& graph, const GraphRoot& root, const Query& query, std::uint32_t k, std::uint32_t ef,
                  const Visibility& visibility, std::vector<Candidate>& out) {
  out.clear();
  const GraphStore& store = store_of(graph);
  if (root.levels == 0 || root.entry >= store.slot_limit() || k == 0) return;
  thread_local WalkScratch scratch;
  const Query aligned = query.moved_to(aligned_copy(query, store.vectors().dimension(), scratch.query));
  const Walk walk{store, root.epoch, aligned};
  ef = std::max(ef, k);
  const Candidate entry{aligned.distance(store.vectors().row(root.entry)), root.entry};
  const Candidate start = descend(walk, entry, static_cast<int>(root.levels) - 1, 0);
  if (visibility.visible == nullptr && ef <= kWidePool) {
    beam_search(walk, start, 0, ef, Ties::older_first, scratch);
    const std::size_t count = std::min<std::size_t>(k, scratch.pool.size());
    for (std::size_t i = 0; i < count; ++i) {
      const CandidateKey key = scratch.pool[i];
      out.push_back({distance_of(key), slot_of(key, Ties::older_first)});
    }
    return;
  }
  filtered_search(walk, start, ef, visibility, scratch);
  const std::size_t count = std::min<std::size_t>(k, scratch.results.size());
  for (std::size_t i = 0; i < count; ++i) {
    const CandidateKey key = scratch.results[i];
    out.push_back({distance_of(key), slot_of(key, Ties::older_first)});
  }
}

}  // namespace holdfast::index
