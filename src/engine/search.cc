// graph search over what the graph holds, exact scan over what it does not hold yet, one list of the k best.
//
// Cost: one pin (a store and two loads), the beam search, and one pass over the growing rows. No lock; nothing is
// allocated but the result once the thread has warmed up.
#include "engine/search.h"

#include <algorithm>
#include <new>

#include "base/try.h"
#include "engine/validate.h"
#include "index/search.h"

namespace holdfast::engine {

namespace {

constexpr std::uint32_t kDefaultEf = 100;

struct ViewContext {
  const SlotTable& slots;
  Lsn lsn;
};

/// Slots below view.slot_end are born in time, so only death decides.
bool alive_in_view(const void* context, Slot slot) noexcept {
  const auto& view = *static_cast<const ViewContext*>(context);
  return view.lsn < view.slots.died(slot);
}

void find_candidates(const CollectionState& state, const View& view, std::span<const float> vector,
                     const SearchOptions& options, std::vector<index::Candidate>& out) {
  const PointStore& store = state.store;
  const index::Query query(store.vectors(), vector.data());
  const ViewContext context{store.slots(), view.lsn};
  const index::Visibility alive{alive_in_view, &context};
  if (options.exact) {
    index::scan(store.vectors(), query, 0, view.slot_end, options.k, alive, out);
    return;
  }
  const std::uint32_t ef = std::max(options.k, options.ef == 0 ? kDefaultEf : options.ef);
  // Without dead nodes the walk needs no look at the stamps at all.
  const index::Visibility in_graph = view.dead_in_graph == 0 ? index::Visibility{} : alive;
  index::search_graph(store.graph(), view.graph, query, options.k, ef, in_graph, out);
  index::scan(store.vectors(), query, view.growing_begin, view.slot_end, options.k, alive, out);
}

}  // namespace

Result<Hits> search(const CollectionState& state, const View& view, std::span<const float> query,
                    const SearchOptions& options) {
  try {
    HF_TRY(validate_search(query, options, state.config));
    thread_local std::vector<index::Candidate> candidates;
    candidates.clear();
    find_candidates(state, view, query, options, candidates);
    Hits hits;
    hits.reserve(candidates.size());
    for (const index::Candidate& candidate : candidates) {
      Hit& hit = hits.emplace_back();
      hit.id = state.store.slots().id(candidate.slot);
      hit.distance = candidate.distance;
      if (!options.with_payload) continue;
      HF_ASSIGN(const std::string_view payload, state.store.slots().payload(candidate.slot));
      hit.payload = payload;
    }
    return hits;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::resource_exhausted, "not enough memory for the search");
  }
}

Result<Point> get(const CollectionState& state, const View& view, PointId id) {
  try {
    const Slot slot = state.store.find(id, view);
    if (slot == kNoSlot) {
      return Status(StatusCode::not_found, "no point " + id.to_string() + " in collection '" + state.name + "'");
    }
    HF_TRY(state.verify_row(slot));
    const float* row = state.store.vectors().row(slot);
    HF_ASSIGN(const std::string_view payload, state.store.slots().payload(slot));
    return Point{id, std::vector<float>(row, row + state.config.dimension), std::string(payload)};
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::resource_exhausted, "not enough memory for the point");
  }
}

std::vector<PointId> list_ids(const CollectionState& state, const View& view, std::uint64_t after, std::size_t limit,
                              std::uint64_t* next) {
  std::vector<PointId> ids;
  std::uint64_t position = after;  // slots [0, position) have been seen
  for (; position < view.slot_end && ids.size() < limit; ++position) {
    const auto slot = static_cast<Slot>(position);
    if (state.store.slots().died(slot) > view.lsn) ids.push_back(state.store.slots().id(slot));
  }
  *next = position;
  return ids;
}

}  // namespace holdfast::engine
