// The heuristic: going from near to far, a candidate c becomes a link of node n unless an earlier link s is nearer to
// it than n is, d(s, c) < d(n, c): it can then be reached through s. So links point in different directions, and
// clusters stay connected. Distances that cannot be negative are given some slack, kSlack d(s, c) < d(n, c), as by the
// alpha of Vamana (Subramanya et al., "DiskANN", NeurIPS 2019): a link that is only a little longer than a detour
// stays. Hard data, of which most links were refused, gains most (docs/adr/0018-slack.md).
//
// Order of work. The plain loop compares c with one s after the other and stops at the first refusal, so that distances
// are needed one at a time. Here candidates are taken in blocks: links found earlier refuse members of the block, then
// each new link refuses members behind it. The outcome is the same, the distances come in fours from one row, and all
// that is computed in vain is what a block holds beyond the last link.
//
// Twins. For vectors identical to that of n the rule says nothing useful: all distances are equal. Without care the
// links of n would go to the same few twins whose slots come first, and of thousands of identical vectors most could
// be reached from nowhere. Twins are therefore chosen by age: the quarter of the links that they may take goes to
// those with the nearest slot numbers. Each twin keeps the one before it and the one after it, which makes a chain of
// them all; the other links lead out of the cluster. (Rejected: refusing twins altogether; they would be unreachable.)
#include "index/hnsw_select.h"

#include <algorithm>

namespace holdfast::index {
namespace {

constexpr std::size_t kBlock = 32;
constexpr float kSlack = 1.06F;  ///< of squared distances

/// Whether a link at distance `between` from the candidate makes a link to it needless.
bool refuses(const VectorTable& vectors, float between, const Candidate& candidate) noexcept {
  return (vectors.metric() == Metric::inner_product ? between : kSlack * between) < candidate.distance;
}

std::uint32_t slots_apart(Slot a, Slot b) noexcept { return a < b ? b - a : a - b; }

/// Keeps those of `twins` whose slots are nearest to `node`.
void keep_nearest_in_age(Slot node, std::size_t count_max, std::vector<Candidate>& twins) {
  std::sort(twins.begin(), twins.end(), [node](const Candidate& a, const Candidate& b) {
    const std::uint32_t da = slots_apart(a.slot, node);
    const std::uint32_t db = slots_apart(b.slot, node);
    return da != db ? da < db : a.slot < b.slot;
  });
  if (twins.size() > count_max) twins.resize(count_max);
}

/// Removes from alive[from..] what `link` refuses. Order is kept.
void refuse(const VectorTable& vectors, Slot link, std::size_t from, std::vector<Candidate>& alive) {
  const RowQuery row(vectors, link);
  const Query& query = *row;
  std::size_t kept = from;
  std::size_t i = from;
  for (; i + 4 <= alive.size(); i += 4) {
    const void* const rows[4] = {vectors.row(alive[i].slot), vectors.row(alive[i + 1].slot),
                                 vectors.row(alive[i + 2].slot), vectors.row(alive[i + 3].slot)};
    float distances[4];
    query.distance_x4(rows, distances);
    for (std::size_t j = 0; j < 4; ++j) {
      const Candidate candidate = alive[i + j];
      alive[kept] = candidate;
      kept += refuses(vectors, distances[j], candidate) ? 0 : 1;
    }
  }
  for (; i < alive.size(); ++i) {
    const Candidate candidate = alive[i];
    alive[kept] = candidate;
    kept += refuses(vectors, query.distance(vectors.row(candidate.slot)), candidate) ? 0 : 1;
  }
  alive.resize(kept);
}

}  // namespace

void select_links(const VectorTable& vectors, Slot node, std::span<const Candidate> candidates, std::uint32_t count_max,
                  SelectScratch& scratch) {
  scratch.others.clear();
  scratch.twins.clear();
  scratch.chosen.clear();
  const float self = RowQuery(vectors, node)->distance(vectors.row(node));
  for (const Candidate& candidate : candidates) {
    const bool twin = candidate.distance == self && vectors.identical(candidate.slot, node);
    (twin ? scratch.twins : scratch.others).push_back(candidate);
  }
  keep_nearest_in_age(node, std::max<std::size_t>(count_max / 4, 2), scratch.twins);
  const std::size_t room = count_max - std::min<std::size_t>(scratch.twins.size(), count_max);

  std::vector<Candidate>& alive = scratch.alive;
  std::vector<Candidate>& chosen = scratch.chosen;
  const std::vector<Candidate>& others = scratch.others;
  for (std::size_t begin = 0; begin < others.size() && chosen.size() < room; begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, others.size());
    alive.assign(others.begin() + static_cast<std::ptrdiff_t>(begin),
                 others.begin() + static_cast<std::ptrdiff_t>(end));
    for (const Candidate& link : chosen) {
      if (alive.empty()) break;
      refuse(vectors, link.slot, 0, alive);
    }
    for (std::size_t i = 0; i < alive.size() && chosen.size() < room; ++i) {
      chosen.push_back(alive[i]);
      if (chosen.size() < room) refuse(vectors, alive[i].slot, i + 1, alive);
    }
  }
  for (const Candidate& twin : scratch.twins) {
    if (chosen.size() < count_max) chosen.push_back(twin);
  }
}

namespace {

/// Whether one of `links` makes a link to the candidate needless.
bool refused(const VectorTable& vectors, const Candidate& candidate, const std::vector<Candidate>& links) {
  const RowQuery row(vectors, candidate.slot);
  const Query& query = *row;
  std::size_t i = 0;
  for (; i + 4 <= links.size(); i += 4) {
    const void* const rows[4] = {vectors.row(links[i].slot), vectors.row(links[i + 1].slot),
                                 vectors.row(links[i + 2].slot), vectors.row(links[i + 3].slot)};
    float distances[4];
    query.distance_x4(rows, distances);
    for (const float distance : distances) {
      if (refuses(vectors, distance, candidate)) return true;
    }
  }
  for (; i < links.size(); ++i) {
    if (refuses(vectors, query.distance(vectors.row(links[i].slot)), candidate)) return true;
  }
  return false;
}

}  // namespace

void fill_links(const VectorTable& vectors, Slot node, std::span<const Slot> kept,
                std::span<const Candidate> candidates, std::uint32_t places, SelectScratch& scratch) {
  scratch.others.clear();
  scratch.twins.clear();
  std::vector<Candidate>& chosen = scratch.chosen;
  chosen.clear();
  for (const Slot link : kept) chosen.push_back({0, link});
  const std::size_t count_max = kept.size() + places;
  const float self = RowQuery(vectors, node)->distance(vectors.row(node));
  for (const Candidate& candidate : candidates) {
    const bool twin = candidate.distance == self && vectors.identical(candidate.slot, node);
    (twin ? scratch.twins : scratch.others).push_back(candidate);
  }
  if (!scratch.twins.empty()) {  // as in select_links: a share of them, the nearest in age
    std::size_t share = std::max<std::size_t>(count_max / 4, 2);
    for (const Slot link : kept) share -= share > 0 && vectors.identical(link, node) ? 1 : 0;
    keep_nearest_in_age(node, share, scratch.twins);
    for (const Candidate& twin : scratch.twins) {
      if (chosen.size() < count_max) chosen.push_back(twin);
    }
  }
  for (const Candidate& candidate : scratch.others) {
    if (chosen.size() >= count_max) break;
    if (!refused(vectors, candidate, chosen)) chosen.push_back(candidate);
  }
}

}  // namespace holdfast::index
