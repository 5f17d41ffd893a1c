// Top-k search: graph search over what the graph holds, exact scan over what it does not hold yet, one list of the k
// best.
//
// Cost: the beam search, and one pass over the growing rows. No lock; nothing is allocated but the result once the
// thread has warmed up.
#include "engine/search.h"

#include <algorithm>
#include <new>
#include <thread>
#include <unordered_set>

#include "base/plant.h"
#include "base/try.h"
#include "engine/calibration.h"
#include "engine/nearest.h"
#include "engine/read_stop.h"
#include "engine/rows.h"
#include "engine/short_coding.h"
#include "engine/validate.h"
#include "index/parallel_for.h"
#include "index/read_check.h"

namespace holdfast::engine {

namespace {

constexpr std::uint32_t kDefaultEf = 100;

/// Whether it costs less to compare every visible row than to walk through the dead ones. A walk expands about
/// ef * nodes / living of them; measured, one expansion costs what kRowsPerStep rows in order do, or the stamps of
/// 16 times as many.
bool better_scanned(const View& view, std::uint32_t ef) {
  constexpr std::uint64_t kRowsPerStep = 8;
  if (view.dead_in_graph == 0) return false;
  const std::uint64_t nodes = view.graph.nodes;
  const std::uint64_t living = nodes - std::min(nodes, view.dead_in_graph);
  return living <= ef || (living + view.slot_end / 16) * living <= kRowsPerStep * ef * nodes;
}

/// For views in which every point has one vector.
void find_rows(const CollectionState& state, const View& view, std::span<const float> vector,
               const SearchOptions& options, const BeamChoice& choice, const index::StopCheck& stop,
               std::vector<index::Candidate>& out) {
  const PointStore& store = state.store;
  const index::Query query(store.vectors(), vector.data());
  const ViewRows rows(store.slots(), view.lsn);
  if (choice.beam == Beam::exact) {
    index::scan(store.vectors(), query, 0, view.slot_end, options.k, rows.any(), out, stop);
    return;
  }
  // Without dead nodes the walk needs no look at the stamps at all.
  const index::Visibility shown = view.dead_in_graph == 0 ? index::Visibility{} : rows.alive();
  const auto hidden = static_cast<std::uint32_t>(std::min<std::uint64_t>(view.dead_in_graph, view.graph.nodes));
  const bool fast = options.preset == Preset::fast;
  if (fast) want_short_codes(state);
  index::search_graph(store.graph(), view.graph, query, options.k, choice.ef, shown, out,
                      {.hidden = hidden,
                       .stop = stop,
                       .codes = view.codes,
                       .short_codes = fast ? view.short_codes : nullptr,
                       .rescoring = fast ? index::Rescoring::likely : index::Rescoring::bounded,
                       .lists = &view.lists,
                       .lists_meter = &store.kept_list_bytes()});
  if (HF_PLANTED(growing_tier_is_not_searched)) return;
  store.arrivals().for_each_run(view.growing_begin, view.growing_end, [&](std::span<const Slot> run) {
    index::scan_slots(store.vectors(), query, run, options.k, rows.alive(), stop, out);
  });
  // Between two steps of the indexer a node may have lost its last link (it is mended when the indexer has caught up).
  // Who asks for more points than a walk reaches gets all the same what there is.
  if (out.size() >= std::min<std::uint64_t>(options.k, view.live) || stop()) return;
  out.clear();
  index::scan(store.vectors(), query, 0, view.slot_end, options.k, rows.any(), out, stop);
}

/// Leaves of each id only the first row, and of all at most `limit` (0: all).
void keep_first_of_each(const SlotTable& slots, std::size_t limit, std::vector<index::Candidate>& rows) {
  std::unordered_set<PointId> seen;
  std::erase_if(rows, [&](const index::Candidate& row) {
    return !is_alone(slots, row.slot) && !seen.insert(slots.id(row.slot)).second;
  });
  if (limit != 0 && rows.size() > limit) rows.resize(limit);
}

/// Draws rows until `limit` points (0: all) are among them; what is left, nearest first, is one row for each.
void find_points(const CollectionState& state, const View& view, std::span<const float> query,
                 const Nearest::Plan& plan, std::size_t limit, const index::StopCheck& stop,
                 std::vector<index::Candidate>& out) {
  const SlotTable& slots = state.store.slots();
  Nearest nearest(state, query, plan);
  std::unordered_set<PointId> several;  // ids of points with several vectors that were met
  std::size_t points = 0;
  const auto wanted = static_cast<std::uint32_t>(std::min<std::size_t>(limit, kMaxK));
  nearest.draw(view, wanted, stop, [&](const index::Candidate& row) {
    points += is_alone(slots, row.slot) || several.insert(slots.id(row.slot)).second ? 1 : 0;
    out.push_back(row);
    return limit == 0 || points < limit;
  });
  std::sort(out.begin(), out.end());  // the walk may have discovered some late
  if (!several.empty()) keep_first_of_each(slots, limit, out);
}

Result<Hits> make_hits(const CollectionState& state, const View& view, std::span<const index::Candidate> rows,
                       bool with_payload, Stopped stopped) {
  Hits hits;
  hits.stopped = stopped;
  hits.reserve(rows.size());
  for (const index::Candidate& row : rows) {
    HF_ASSIGN(Hit hit, make_hit(state, view, row, with_payload));
    hits.push_back(std::move(hit));
  }
  return hits;
}

Status no_memory() { return {StatusCode::resource_exhausted, "not enough memory for the search"}; }

Status validate_range(std::span<const float> query, const RangeOptions& options, const CollectionConfig& config) {
  if (!(options.radius >= 0) && (options.radius != options.radius || config.metric != Metric::inner_product)) {
    return {StatusCode::invalid_argument,
            "the radius must be " + std::string(config.metric == Metric::inner_product ? "a number" : "0 or more") +
                ", got " + std::to_string(options.radius)};
  }
  SearchOptions same;
  same.ef = options.ef;
  return validate_search(query, same, config);
}

}  // namespace

bool is_alone(const SlotTable& slots, Slot slot) noexcept {
  return slots.is_head(slot) && slots.next_value(slot) == kNoSlot;
}

Result<Hit> make_hit(const CollectionState& state, const View& view, const index::Candidate& row, bool with_payload) {
  const SlotTable& slots = state.store.slots();
  // A row that the view does not show is reached through a list that was forged, or rotted in memory: no ghosts.
  if (!slots.visible(row.slot, view.lsn)) {
    return Status(StatusCode::data_damaged, "collection '" + state.name + "': the graph names row " +
                                                std::to_string(row.slot) + ", which holds no point");
  }
  Hit hit;
  hit.id = slots.id(row.slot);
  hit.distance = row.distance;
  Slot head = row.slot;
  if (!slots.is_head(row.slot)) {
    head = state.store.find(hit.id, view);
    for (Slot value = head; value != row.slot && value != kNoSlot && hit.value < kMaxValues;) {
      value = slots.next_value(value);
      ++hit.value;
    }
  }
  if (with_payload && head != kNoSlot) {
    HF_ASSIGN(const std::string_view payload, slots.payload(head));
    hit.payload = payload;
  }
  return hit;
}

Result<Hits> search(const CollectionState& state, const View& view, std::span<const float> query,
                    const SearchOptions& options) {
  try {
    HF_TRY(validate_search(query, options, state.config));
    thread_local std::vector<index::Candidate> rows;
    rows.clear();
    ReadStop stop(options.limits);
    const index::ReadCheck check;
    BeamChoice choice = choose_beam(view, options);
    if (options.recall > 0 && choice.beam != Beam::exact) want_calibration(state, options.preset);
    if (better_scanned(view, choice.ef)) choice = {Beam::exact, 0};
    if (view.values == view.live) {
      find_rows(state, view, query, options, choice, stop.check(), rows);
    } else {
      const bool exact = choice.beam == Beam::exact;
      find_points(state, view, query, {.ef = choice.ef, .exact = exact}, options.k, stop.check(), rows);
    }
    if (!check.ok()) return check.status();
    HF_ASSIGN(Hits hits, make_hits(state, view, rows, options.with_payload, stop.reason()));
    hits.beam = choice.beam;
    hits.ef = choice.ef;
    if (!check.ok()) return check.status();  // the ids of what was found
    return hits;
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

Result<std::vector<Hits>> search_batch(const CollectionState& state, const View& view, std::span<const float> queries,
                                       const SearchOptions& options, std::uint32_t threads) {
  const std::size_t dimension = state.config.dimension;
  if (queries.size() % dimension != 0) {
    return Status(StatusCode::invalid_argument, "the queries have " + std::to_string(queries.size()) +
                                                    " components, which is no multiple of the dimension " +
                                                    std::to_string(dimension));
  }
  const std::size_t count = queries.size() / dimension;
  const auto query = [&](std::size_t i) { return queries.subspan(i * dimension, dimension); };
  for (std::size_t i = 0; i < count; ++i) {
    HF_TRY(validate_search(query(i), options, state.config).with_context("query " + std::to_string(i)));
  }
  std::vector<Hits> answers(count);
  std::vector<Status> errors(count);
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  const bool done = index::parallel_for(threads, count, [&](unsigned, std::size_t i) {
    Result<Hits> answer = search(state, view, query(i), options);
    if (answer.ok()) {
      answers[i] = std::move(answer).value();
    } else {
      errors[i] = answer.status();
    }
    return errors[i].ok();
  });
  for (const Status& error : errors) HF_TRY(error);
  if (!done) return no_memory();
  return answers;
}

Result<Hits> search_range(const CollectionState& state, const View& view, std::span<const float> query,
                          const RangeOptions& options) {
  try {
    HF_TRY(validate_range(query, options, state.config));
    ReadStop stop(options.limits);
    const std::uint32_t ef = options.ef == 0 ? kDefaultEf : options.ef;
    const Nearest::Plan plan{ef, options.exact || better_scanned(view, ef), options.radius};
    std::vector<index::Candidate> rows;
    const index::ReadCheck check;
    find_points(state, view, query, plan, options.limit, stop.check(), rows);
    if (!check.ok()) return check.status();
    Result<Hits> hits = make_hits(state, view, rows, options.with_payload, stop.reason());
    if (!check.ok()) return check.status();  // the ids of what was found
    return hits;
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

namespace {

/// The links between the vectors of a point are read when they are followed: an image that was forged may have put
/// anything there.
Status check_value(const CollectionState& state, Slot head, Slot slot, std::uint32_t values) {
  if (values < kMaxValues && state.store.slots().belongs_to(head, slot)) return {};
  return {StatusCode::data_damaged, "collection '" + state.name + "': the vectors of the point in row " +
                                        std::to_string(head) + " do not belong together: row " + std::to_string(slot)};
}

/// The point whose head is `head`.
Result<Point> read_point(const CollectionState& state, PointId id, Slot head) {
  const SlotTable& slots = state.store.slots();
  HF_ASSIGN(const std::string_view payload, slots.payload(head));
  Point point{id, {}, std::string(payload), 0};
  std::vector<float> room;
  for (Slot slot = head; slot != kNoSlot; slot = slots.next_value(slot)) {
    HF_TRY(check_value(state, head, slot, point.values));
    HF_TRY(state.store.vectors().verify_row(slot));
    const float* const row = state.store.vectors().floats(state.store.vectors().row(slot), room);
    point.vector.insert(point.vector.end(), row, row + state.config.dimension);
    ++point.values;
  }
  return point;
}

Status no_point(const CollectionState& state, PointId id) {
  return {StatusCode::not_found, "no point " + id.to_string() + " in collection '" + state.name + "'"};
}

/// Calls visit(slot) for the heads of the view's points in the order of rows, after position `after`, until it returns
/// false; the result is the position to go on from.
template <class Visit>
std::uint64_t for_each_head(const CollectionState& state, const View& view, std::uint64_t after, Visit visit) {
  const SlotTable& slots = state.store.slots();
  for (std::uint64_t position = after; position < view.slot_end; ++position) {
    const auto slot = static_cast<Slot>(position);
    if (slots.visible(slot, view.lsn) && slots.is_head(slot) && !visit(slot)) return position;
  }
  return std::max<std::uint64_t>(after, view.slot_end);
}

}  // namespace

Result<Point> get(const CollectionState& state, const View& view, PointId id) {
  try {
    const index::ReadCheck check;
    const Slot slot = state.store.find(id, view);
    if (!check.ok()) return check.status();
    if (slot == kNoSlot) return no_point(state, id);
    Result<Point> point = read_point(state, id, slot);
    if (!check.ok()) return check.status();
    return point;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::resource_exhausted, "not enough memory for the point");
  }
}

Result<float> distance(const CollectionState& state, const View& view, PointId id, std::span<const float> query) {
  try {
    HF_TRY(validate_vector(query, state.config).with_context("query"));
    const index::ReadCheck check;
    const Slot head = state.store.find(id, view);
    if (!check.ok()) return check.status();
    if (head == kNoSlot) return no_point(state, id);
    const index::Query prepared(state.store.vectors(), query.data());
    float best = std::numeric_limits<float>::infinity();
    std::uint32_t values = 0;
    for (Slot slot = head; slot != kNoSlot; slot = state.store.slots().next_value(slot)) {
      HF_TRY(check_value(state, head, slot, values++));
      best = std::min(best, prepared.distance(state.store.vectors().row(slot)));
    }
    if (!check.ok()) return check.status();
    return best;
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

Result<std::vector<PointId>> list_ids(const CollectionState& state, const View& view, std::uint64_t after,
                                      std::size_t limit, std::uint64_t* next) {
  std::vector<PointId> ids;
  const index::ReadCheck check;
  const std::uint64_t end = for_each_head(state, view, after, [&](Slot slot) {
    if (ids.size() == limit) return false;
    ids.push_back(state.store.slots().id(slot));
    return true;
  });
  if (!check.ok()) return check.status();
  *next = ids.empty() ? after : end;
  return ids;
}

Result<std::vector<Point>> list_points(const CollectionState& state, const View& view, std::uint64_t after,
                                       std::size_t limit, std::uint64_t* next) {
  std::vector<Point> points;
  Status error;
  const index::ReadCheck check;
  const std::uint64_t end = for_each_head(state, view, after, [&](Slot slot) {
    if (points.size() == limit) return false;
    Result<Point> point = read_point(state, state.store.slots().id(slot), slot);
    if (!point.ok()) {
      error = point.status();
      return false;
    }
    points.push_back(std::move(point).value());
    return true;
  });
  if (!check.ok()) return check.status();
  HF_TRY(error);
  *next = points.empty() ? after : end;
  return points;
}

}  // namespace holdfast::engine
