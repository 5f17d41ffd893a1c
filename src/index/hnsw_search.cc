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
#include <type_traits>

#include "index/hnsw_walk.h"
#include "index/score.h"
#include "index/search.h"

namespace holdfast::index {
namespace {

/// Above this width heaps are faster than one sorted array (candidate_pool.h).
constexpr std::uint32_t kWidePool = 768;
/// Standard deviations of the codes' errors that a bound allows for if it is not to be sure (Rescoring::likely).
constexpr float kLikelyDeviations = 1.0F;
/// What short codes found is ranked anew until so many one after the other were not among the nearest.
constexpr std::size_t kPatience = 32;

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

/// Where candidates go: by rows they are final, and k are enough; by codes all are wanted, for their exact distances.
struct Wanted {
  std::uint32_t k;
  std::uint32_t candidates;
};

/// Counts which of the nearest nodes were found through newer versions of their lists, which are in the cache now.
void count_old_lists(const GraphStore& store, const GraphRoot& root, const std::vector<Candidate>& nearest,
                     const SearchAids& aids) {
  constexpr std::size_t kAsked = 8;
  if (aids.lists == nullptr || !store.is_outdated(root.epoch) || aids.lists->table() != nullptr) return;
  std::uint32_t met = 0;
  for (std::size_t i = 0; i < std::min(kAsked, nearest.size()); ++i) {
    met += store.is_newer(nearest[i].slot, root.epoch) ? 1 : 0;
  }
  aids.lists->met_old(met, store.slot_limit(), *aids.lists_meter);
}

Candidate candidate_of(CandidateKey key) noexcept { return {distance_of(key), slot_of(key, Ties::older_first)}; }

/// Takes the best visible ones. False if the beam was full and yet held too few visible ones to stand for a beam of
/// width `ef` of its own.
bool take_visible(const CandidatePool& pool, std::uint32_t width, Wanted wanted, std::uint32_t ef,
                  const Visibility& visibility, std::vector<Candidate>& out) {
  const std::size_t enough = std::max<std::size_t>(wanted.k, ef - ef / 4);
  const std::size_t most = std::max<std::size_t>(enough, wanted.candidates);
  std::size_t visible = 0;
  for (std::size_t i = 0; i < pool.size() && visible < most; ++i) {
    const Candidate candidate = candidate_of(pool[i]);
    if (!visibility(candidate.slot)) continue;
    if (visible++ < wanted.candidates) out.push_back(candidate);
  }
  return visible >= enough || pool.size() < width;
}

/// Up to wanted.candidates visible ones, nearest first.
template <class AnyWalk>
void find(const AnyWalk& walk, const GraphRoot& root, Candidate entry, Wanted wanted, std::uint32_t ef,
          const Visibility& visibility, const SearchAids& aids, WalkScratch& scratch, std::vector<Candidate>& out) {
  const Candidate start = descend(walk, entry, static_cast<int>(root.levels) - 1, 0);
  if (visibility.visible == nullptr && ef <= kWidePool) {
    beam_search(walk, start, 0, ef, Ties::older_first, scratch, aids.stop);
    const std::size_t count = std::min<std::size_t>(wanted.candidates, scratch.pool.size());
    for (std::size_t i = 0; i < count; ++i) out.push_back(candidate_of(scratch.pool[i]));
    return;
  }
  if (const std::uint32_t width = widened(wanted.k, ef, aids.hidden, root.nodes);
      visibility.visible != nullptr && width != 0) {
    beam_search(walk, start, 0, width, Ties::older_first, scratch, aids.stop);
    if (take_visible(scratch.pool, width, wanted, ef, visibility, out)) return;
    out.clear();
  }
  filtered_search(walk, start, ef, visibility, scratch, aids.stop);
  const std::size_t count = std::min<std::size_t>(wanted.candidates, scratch.results.size());
  for (std::size_t i = 0; i < count; ++i) out.push_back(candidate_of(scratch.results[i]));
}

/// Exact distances by the rows.
void measure_rows(const VectorTable& vectors, const Query& query, Candidate* candidates, std::size_t count) {
  constexpr std::size_t kAtOnce = 16;
  Slot slots[kAtOnce];
  for (std::size_t begin = 0; begin < count; begin += kAtOnce) {
    const std::size_t part = std::min(count - begin, kAtOnce);
    for (std::size_t i = 0; i < part; ++i) slots[i] = candidates[begin + i].slot;
    Candidate* next = candidates + begin;
    score(vectors, query, slots, part, [&](Slot, float distance) { (next++)->distance = distance; });
  }
}

/// Exact distances by codes that are the components: they are in the cache already. REQUIRES codes.exact().
void measure_codes(const Query& query, const CodeTable& codes, Candidate* candidates, std::size_t count) {
  for (std::size_t begin = 0; begin < count; begin += 4) {
    const void* rows[4];
    float distances[4];
    const std::size_t part = std::min<std::size_t>(count - begin, 4);
    for (std::size_t i = 0; i < 4; ++i) rows[i] = codes.row(candidates[begin + std::min(i, part - 1)].slot);
    query.distance_of_bytes_x4(rows, distances);
    for (std::size_t i = 0; i < part; ++i) candidates[begin + i].distance = distances[i];
  }
}

/// Distances by codes of 8 bits.
void score_all(const CodeTable& codes, const CodeQuery& query, Candidate* candidates, std::size_t count) {
  constexpr std::size_t kAtOnce = 16;
  Slot slots[kAtOnce];
  float distances[kAtOnce];
  for (std::size_t begin = 0; begin < count; begin += kAtOnce) {
    const std::size_t part = std::min(count - begin, kAtOnce);
    for (std::size_t i = 0; i < part; ++i) slots[i] = candidates[begin + i].slot;
    score_codes(codes, query, slots, part, distances);
    for (std::size_t i = 0; i < part; ++i) candidates[begin + i].distance = distances[i];
  }
}

/// Gives what short codes found better distances, nearest first by theirs, and orders it by these: until none of the
/// last kPatience has come among the k nearest. `measure(candidates, count)` sets the distances.
template <class Measure>
void rank(std::uint32_t k, std::vector<Candidate>& candidates, Measure measure) {
  constexpr std::size_t kAtOnce = 16;
  const auto at = [&](std::size_t i) { return candidates.begin() + static_cast<std::ptrdiff_t>(i); };
  std::size_t done = 0;
  std::size_t in_vain = 0;
  while (done < candidates.size() && in_vain < kPatience) {
    const std::size_t count = done < k ? std::min<std::size_t>(candidates.size(), k) : kAtOnce;
    const std::size_t end = std::min(candidates.size(), done + count);
    measure(&candidates[done], end - done);
    if (done >= k) {
      const bool entered =
          std::any_of(at(done), at(end), [&](const Candidate& one) { return one < candidates[k - 1]; });
      in_vain = entered ? 0 : in_vain + (end - done);
    }
    if (end >= k) std::nth_element(at(0), at(k - 1), at(end));
    done = end;
  }
  candidates.resize(done);
  std::sort(candidates.begin(), candidates.end());
}

/// Gives the nearest of the candidates their exact distances: in the order of the approximate ones, until none that is
/// left can be among the k nearest any more.
void rescore(const VectorTable& vectors, const Query& query, const CodeTable& codes, const CodeQuery& approximate,
             Rescoring rescoring, std::uint32_t k, std::vector<Candidate>& candidates) {
  constexpr std::size_t kAtOnce = 4;
  const float deviations = rescoring == Rescoring::likely ? kLikelyDeviations : Quantizer::kSafeDeviations;
  std::size_t done = 0;
  const auto nearer = [](const Candidate& a, const Candidate& b) { return a < b; };
  while (done < candidates.size()) {
    if (done >= k) {
      std::nth_element(candidates.begin(), candidates.begin() + (k - 1),
                       candidates.begin() + static_cast<std::ptrdiff_t>(done), nearer);
      const float farthest = candidates[k - 1].distance;
      if (codes.quantizer().lower_bound(approximate, candidates[done].distance, deviations) > farthest) break;
    }
    const std::size_t count =
        std::min(candidates.size() - done, std::max<std::size_t>(done < k ? k - done : 1, kAtOnce));
    if (codes.exact()) {
      measure_codes(query, codes, &candidates[done], count);
    } else {
      measure_rows(vectors, query, &candidates[done], count);
    }
    done += count;
  }
  candidates.resize(done);
  std::sort(candidates.begin(), candidates.end());
  if (candidates.size() > k) candidates.resize(k);
}

}  // namespace

void search_graph(const Graph& graph, const GraphRoot& root, const Query& query, std::uint32_t k, std::uint32_t ef,
                  const Visibility& visibility, std::vector<Candidate>& out, const SearchAids& aids) {
  out.clear();
  const GraphStore& store = store_of(graph);
  if (root.levels == 0 || root.entry >= store.slot_limit() || k == 0) return;
  thread_local WalkScratch scratch;
  scratch.left_out = aids.left_out;
  const VectorTable& vectors = store.vectors();
  const Query aligned = query.moved_to(aligned_copy(query.vector(), vectors.dimension(), scratch.query));
  ef = std::max(ef, k);
  const EpochLists::Table* const known = aids.lists == nullptr ? nullptr : aids.lists->table();
  if (aids.codes == nullptr) {
    const Walk walk{store, root.epoch, aligned, known};
    const Candidate entry{aligned.distance(vectors.row(root.entry)), root.entry};
    find(walk, root, entry, {k, k}, ef, visibility, aids, scratch, out);
    count_old_lists(store, root, out, aids);
    return;
  }
  const CodeTable& codes = *aids.codes;
  const auto walk_by = [&](const auto& table, const CodeQuery& of_table) {
    const WalkByCodes<std::remove_cvref_t<decltype(table)>> walk{store, root.epoch, table, of_table, known};
    Candidate entry{0, root.entry};
    walk.score(&entry.slot, 1, &entry.distance);
    find(walk, root, entry, {k, ef}, ef, visibility, aids, scratch, out);
    count_old_lists(store, root, out, aids);
  };
  if (aids.short_codes != nullptr) {
    walk_by(*aids.short_codes, aids.short_codes->prepare(aligned.vector(), scratch.short_query));
  }
  const CodeQuery approximate =
      codes.quantizer().prepare(aligned.vector(), aligned_room(codes.stride(), scratch.weights), codes.stride());
  if (aids.short_codes == nullptr) {
    walk_by(codes, approximate);
  } else {
    rank(k, out, [&](Candidate* some, std::size_t count) { score_all(codes, approximate, some, count); });
  }
  rescore(vectors, aligned, codes, approximate, aids.rescoring, k, out);
}

}  // namespace holdfast::index
