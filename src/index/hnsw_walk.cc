#include "index/hnsw_walk.h"

#include <algorithm>
#include <functional>

namespace holdfast::index {

template <class AnyWalk>
Candidate descend(const AnyWalk& walk, Candidate start, int from, int to) {
  constexpr std::size_t kAtOnce = 64;
  float distances[kAtOnce];
  Candidate best = start;
  for (int level = from; level > to; --level) {
    for (bool moved = true; moved;) {
      const std::span<const Slot> links = walk.graph.upper(best.slot, level, walk.epoch);
      moved = false;
      for (std::size_t begin = 0; begin < links.size(); begin += kAtOnce) {
        const std::span<const Slot> part = links.subspan(begin, std::min(links.size() - begin, kAtOnce));
        walk.score(part.data(), part.size(), distances);
        for (std::size_t i = 0; i < part.size(); ++i) {
          const Candidate candidate{distances[i], part[i]};
          if (!(candidate < best)) continue;
          best = candidate;
          moved = true;
        }
      }
    }
  }
  return best;
}

template <class AnyWalk>
void beam_search(const AnyWalk& walk, Candidate start, int level, std::uint32_t ef, Ties ties, WalkScratch& scratch,
                 const StopCheck& stop) {
  CandidatePool& pool = scratch.pool;
  pool.reset(ef);
  scratch.visited.reset(walk.graph.slot_limit());
  if (scratch.left_out != kNoSlot) (void)scratch.visited.insert(scratch.left_out);
  (void)scratch.visited.insert(start.slot);
  pool.offer(start.distance, start.slot, ties);
  CandidateKey key = 0;
  for (std::uint32_t step = 0; pool.take(key); ++step) {
    if (step % kStepsPerStopCheck == 0 && stop()) return;
    const std::size_t count = gather(walk, slot_of(key, ties), level, scratch.visited, scratch);
    if (CandidateKey next = 0; level == 0 && pool.peek(next)) walk.graph.prefetch_list(slot_of(next, ties), walk.known);
    walk.score(scratch.fresh.data(), count, scratch.distances.data());
    const std::size_t entered =
        pool.offer(scratch.distances.data(), scratch.fresh.data(), count, ties, scratch.entered.data());
    if (level != 0) continue;
    for (std::size_t i = 0; i < entered; ++i) prefetch_head(walk, scratch.entered[i]);
  }
}

template <class AnyWalk>
void filtered_search(const AnyWalk& walk, Candidate start, std::uint32_t ef, const Visibility& visibility,
                     WalkScratch& scratch, const StopCheck& stop, int level, Ties ties) {
  std::vector<CandidateKey>& frontier = scratch.frontier;
  std::vector<CandidateKey>& results = scratch.results;
  frontier.clear();
  results.clear();
  scratch.visited.reset(walk.graph.slot_limit());
  if (scratch.left_out != kNoSlot) (void)scratch.visited.insert(scratch.left_out);
  // A node is of interest while fewer than `ef` visible ones are known, or it is nearer than the farthest of them.
  CandidateKey limit = ~CandidateKey{0};
  const auto consider = [&](Slot slot, float distance) {
    const CandidateKey key = make_key(distance, slot, ties);
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
  for (std::uint32_t step = 0; !frontier.empty() && frontier.front() <= limit; ++step) {
    if (step % kStepsPerStopCheck == 0 && stop()) break;
    const Slot slot = slot_of(frontier.front(), ties);
    std::pop_heap(frontier.begin(), frontier.end(), std::greater<>());
    frontier.pop_back();
    if (level == 0 && !frontier.empty()) walk.graph.prefetch_list(slot_of(frontier.front(), ties), walk.known);
    const std::size_t count = gather(walk, slot, level, scratch.visited, scratch);
    walk.score(scratch.fresh.data(), count, scratch.distances.data());
    for (std::size_t i = 0; i < count; ++i) consider(scratch.fresh[i], scratch.distances[i]);
  }
  std::sort_heap(results.begin(), results.end());
}

template Candidate descend(const Walk&, Candidate, int, int);
template Candidate descend(const CodeWalk&, Candidate, int, int);
template Candidate descend(const ShortWalk&, Candidate, int, int);
template void beam_search(const Walk&, Candidate, int, std::uint32_t, Ties, WalkScratch&, const StopCheck&);
template void beam_search(const CodeWalk&, Candidate, int, std::uint32_t, Ties, WalkScratch&, const StopCheck&);
template void beam_search(const ShortWalk&, Candidate, int, std::uint32_t, Ties, WalkScratch&, const StopCheck&);
template void filtered_search(const Walk&, Candidate, std::uint32_t, const Visibility&, WalkScratch&, const StopCheck&,
                              int, Ties);
template void filtered_search(const CodeWalk&, Candidate, std::uint32_t, const Visibility&, WalkScratch&,
                              const StopCheck&, int, Ties);
template void filtered_search(const ShortWalk&, Candidate, std::uint32_t, const Visibility&, WalkScratch&,
                              const StopCheck&, int, Ties);

}  // namespace holdfast::index
