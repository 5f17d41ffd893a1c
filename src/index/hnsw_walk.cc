#include "index/hnsw_walk.h"

#include <algorithm>
#include <functional>

namespace holdfast::index {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kLinesAhead = 16;  ///< of a row; the rest is left to the processor's own prefetcher
constexpr int kIntoSecondLevel = 2;      ///< cache for rows: a few of them would fill the first

void prefetch_row(const float* row, std::size_t stride) noexcept {
  const auto* const line = reinterpret_cast<const char*>(row);
  const std::size_t bytes = std::min(stride, kLinesAhead * kLine);
  for (std::size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(line + at, 0, kIntoSecondLevel);
}

/// Distances of `slots`, four at a time, the rows of the next four on their way from memory; `use(slot, distance)` in
/// the order of `slots`.
template <class Use>
void score(const Walk& walk, const Slot* slots, std::size_t count, Use use) {
  const VectorTable& vectors = walk.graph.vectors();
  const std::size_t stride = vectors.stride();
  const std::size_t ahead = std::min<std::size_t>(count, 4);
  for (std::size_t i = 0; i < ahead; ++i) prefetch_row(vectors.row(slots[i]), stride);
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const float* const rows[4] = {vectors.row(slots[i]), vectors.row(slots[i + 1]), vectors.row(slots[i + 2]),
                                  vectors.row(slots[i + 3])};
    for (std::size_t next = i + 4; next < std::min(i + 8, count); ++next)
      prefetch_row(vectors.row(slots[next]), stride);
    float distances[4];
    walk.query.distance_x4(rows, distances);
    for (std::size_t j = 0; j < 4; ++j) use(slots[i + j], distances[j]);
  }
  if (count - i == 1) {
    use(slots[i], walk.query.distance(vectors.row(slots[i])));
  } else if (i < count) {  // two or three: four with the last one repeated are faster than one by one
    const float* const last = vectors.row(slots[count - 1]);
    const float* const rows[4] = {vectors.row(slots[i]), vectors.row(slots[i + 1]), last, last};
    float distances[4];
    walk.query.distance_x4(rows, distances);
    for (std::size_t j = 0; i + j < count; ++j) use(slots[i + j], distances[j]);
  }
}

/// Neighbors of `slot` that were not visited before, now visited.
std::size_t gather(const Walk& walk, Slot slot, int level, WalkScratch& scratch) {
  const std::span<const Slot> links = walk.graph.neighbors(slot, level, walk.epoch);
  if (scratch.fresh.size() < links.size()) scratch.fresh.resize(links.size());
  Slot* const fresh = scratch.fresh.data();
  std::size_t count = 0;
  for (const Slot link : links) {
    fresh[count] = link;
    count += scratch.visited.insert(link) ? 1 : 0;
  }
  return count;
}

}  // namespace

Candidate descend(const Walk& walk, Candidate start, int from, int to) {
  Candidate best = start;
  for (int level = from; level > to; --level) {
    for (bool moved = true; moved;) {
      const std::span<const Slot> links = walk.graph.upper(best.slot, level, walk.epoch);
      moved = false;
      score(walk, links.data(), links.size(), [&](Slot slot, float distance) {
        const Candidate candidate{distance, slot};
        if (candidate < best) {
          best = candidate;
          moved = true;
        }
      });
    }
  }
  return best;
}

void beam_search(const Walk& walk, Candidate start, int level, std::uint32_t ef, Ties ties, WalkScratch& scratch) {
  CandidatePool& pool = scratch.pool;
  pool.reset(ef);
  scratch.visited.reset(walk.graph.slot_limit());
  (void)scratch.visited.insert(start.slot);
  pool.insert(make_key(start.distance, start.slot, ties));
  CandidateKey key = 0;
  while (pool.take(key)) {
    const std::size_t count = gather(walk, slot_of(key, ties), level, scratch);
    if (CandidateKey next = 0; level == 0 && pool.peek(next)) walk.graph.prefetch_list(slot_of(next, ties));
    score(walk, scratch.fresh.data(), count, [&](Slot slot, float distance) {
      const CandidateKey candidate = make_key(distance, slot, ties);
      if (candidate >= pool.limit()) return;
      pool.insert(candidate);
      if (level == 0) walk.graph.prefetch_head(slot);
    });
  }
}

void filtered_search(const Walk& walk, Candidate start, std::uint32_t ef, const Visibility& visibility,
                     WalkScratch& scratch) {
  constexpr Ties kTies = Ties::older_first;
  std::vector<CandidateKey>& frontier = scratch.frontier;
  std::vector<CandidateKey>& results = scratch.results;
  frontier.clear();
  results.clear();
  scratch.visited.reset(walk.graph.slot_limit());
  // A node is of interest while fewer than `ef` visible ones are known, or it is nearer than the farthest of them.
  CandidateKey limit = ~CandidateKey{0};
  const auto consider = [&](Slot slot, float distance) {
    const CandidateKey key = make_key(distance, slot, kTies);
    if (key >= limit) return;
    frontier.push_back(key);
    std::push_heap(frontier.begin(), frontier.end(), std::greater<>());
    if (!visibility(slot)) return;
    results.push_back(key);
    std::push_heap(results.begin(), results.end());
    if (results.size() > ef) {
      std::pop_heap(results.begin(), results.end());
      results.pop_back();
    }
    if (results.size() == ef) limit = results.front();
  };
  (void)scratch.visited.insert(start.slot);
  consider(start.slot, start.distance);
  while (!frontier.empty() && frontier.front() <= limit) {
    const Slot slot = slot_of(frontier.front(), kTies);
    std::pop_heap(frontier.begin(), frontier.end(), std::greater<>());
    frontier.pop_back();
    if (!frontier.empty()) walk.graph.prefetch_list(slot_of(frontier.front(), kTies));
    const std::size_t count = gather(walk, slot, 0, scratch);
    score(walk, scratch.fresh.data(), count, consider);
  }
  std::sort_heap(results.begin(), results.end());
}

}  // namespace holdfast::index
