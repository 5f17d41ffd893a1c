// Exact search: every visible row of a range, four at a time. For slots that the graph does not hold yet, and the
// reference for its recall.
#include <algorithm>

#include "index/search.h"

namespace holdfast::index {

void scan(const VectorTable& vectors, const Query& query, Slot begin, Slot end, std::uint32_t k,
          const Visibility& visibility, std::vector<Candidate>& out) {
  if (k == 0) return;
  std::make_heap(out.begin(), out.end());  // the farthest on top
  const auto consider = [&](float distance, Slot slot) {
    const Candidate candidate{distance, slot};
    const bool full = out.size() >= k;
    if (full && !(candidate < out.front())) return;
    if (!visibility(slot)) return;
    if (full) {
      std::pop_heap(out.begin(), out.end());
      out.pop_back();
    }
    out.push_back(candidate);
    std::push_heap(out.begin(), out.end());
  };
  Slot slot = begin;
  for (; slot < end && end - slot >= 4; slot += 4) {
    const float* const rows[4] = {vectors.row(slot), vectors.row(slot + 1), vectors.row(slot + 2),
                                  vectors.row(slot + 3)};
    float distances[4];
    query.distance_x4(rows, distances);
    for (Slot j = 0; j < 4; ++j) consider(distances[j], slot + j);
  }
  for (; slot < end; ++slot) consider(query.distance(vectors.row(slot)), slot);
  std::sort_heap(out.begin(), out.end());
}

}  // namespace holdfast::index
