#include "engine/indexer.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "base/plant.h"
#include "base/try.h"
#include "engine/calibration.h"
#include "engine/coding.h"
#include "engine/commit.h"
#include "engine/rows.h"
#include "engine/short_coding.h"
#include "engine/vacuum.h"
#include "index/read_check.h"

namespace holdfast::engine {

namespace {

using Clock = std::chrono::steady_clock;

/// Takes points that are visible in `view` from the begin of the growing range. Rows that are dead already stay out of
/// the graph: older views have them in their own growing range.
void choose_batch(const CollectionState& state, const View& view, PendingGraph& made) {
  const std::size_t waiting = view.growing_end - view.growing_begin;
  const std::size_t wanted = index::GraphWriter::batch_size(view.graph.nodes, waiting);
  made.added.reserve(wanted);
  RetiredSlots& dead = made.dead.front();
  const SlotTable& slots = state.store.slots();
  Arrival position = view.growing_begin;
  for (; position < view.growing_end && made.added.size() < wanted; ++position) {
    const Slot slot = state.store.arrivals().at(position);
    if (slots.died(slot) <= view.lsn) {
      dead.slots.push_back(slot);
    } else {
      made.added.push_back({slot, level_of(slots, slot, state.config.m)});
    }
  }
  made.growing_begin = position;
  made.frees_arrivals = Arrivals::frees_more(view.growing_begin, position);
}

bool is_connected(const CollectionState& state, const View& view) {
  return state.connected_epoch.load(std::memory_order_relaxed) == view.graph.epoch;
}

/// The graph with the next batch of the growing tier.
Status index_batch(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  PendingGraph made;
  const index::ReadCheck check;
  choose_batch(state, view, made);
  if (!check.ok()) return check.status();  // their ids say their levels
  made.root = view.graph;
  if (made.added.empty()) {
    ++made.root.epoch;  // rows that died before they got into the graph wait for older views by it
    if (is_connected(state, view))
      state.connected_epoch.store(made.root.epoch, std::memory_order_relaxed);  // as before
  } else {
    const ViewRows rows(state.store.slots(), view.lsn);
    HF_TRY(encode_nodes(state, made.added));
    HF_TRY(shorten_nodes(state, made.added));
    index::GraphWriter writer = state.store.graph_writer();
    HF_ASSIGN(made.root, writer.insert(view.graph, made.added, rows.alive(), worker_count(state), made.retired.front(),
                                       state.mutator.coding.published.get()));
  }
  made.dead.front().lsn = HF_PLANTED(deaths_before_indexing_ask_for_no_snapshot) ? 0 : view.lsn;
  made.dead.front().epoch = HF_PLANTED(deaths_before_indexing_ask_for_no_snapshot) ? 0 : made.root.epoch;
  state.mutator.changed_nodes += made.added.size();
  state.mutator.pending = std::move(made);
  return {};
}

/// Links in what the last steps left out of reach.
Status connect(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  PendingGraph made;
  made.growing_begin = view.growing_begin;
  const ViewRows rows(state.store.slots(), view.lsn);
  index::GraphWriter writer = state.store.graph_writer();
  HF_ASSIGN(made.root, writer.connect(view.graph, view.slot_end, rows.alive(), made.retired.front()));
  state.mutator.changed_nodes = 0;
  state.connected_epoch.store(made.root.epoch, std::memory_order_relaxed);
  if (made.root.epoch != view.graph.epoch) state.mutator.pending = std::move(made);
  return {};
}

/// In the background the search for unreachable nodes, which looks at all of them, comes when the growing tier is empty
/// and one node of a hundred is new or gone; wait_until_indexed() asks for it at once.
bool wants_connect(const CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  return !is_connected(state, view) && state.mutator.changed_nodes >= view.graph.nodes / 100;
}

/// Makes codes for the nodes that are there, a piece of them.
void encode(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  PendingGraph made;
  if (!codes_piece(state, view, made)) return;
  if (is_connected(state, view)) state.connected_epoch.store(made.root.epoch, std::memory_order_relaxed);  // as before
  state.mutator.pending = std::move(made);
}

/// The same for short codes.
void shorten(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  PendingGraph made;
  if (!short_codes_piece(state, view, made)) return;
  if (is_connected(state, view)) state.connected_epoch.store(made.root.epoch, std::memory_order_relaxed);  // as before
  state.mutator.pending = std::move(made);
}

/// Measures a piece of what recalls need.
Status calibrate_piece(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  PendingGraph made;
  HF_ASSIGN(const bool finished, calibration_piece(state, view, made));
  if (!finished) return {};
  if (is_connected(state, view)) state.connected_epoch.store(made.root.epoch, std::memory_order_relaxed);  // as before
  state.mutator.pending = std::move(made);
  return {};
}

enum class Job { none, codes, short_codes, index, vacuum, connect, calibrate };

Job next_job(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  if (wants_codes(state, view)) return Job::codes;  // a few milliseconds for each piece
  if (wants_short_codes(state, view)) return Job::short_codes;
  // Its pieces and everything else take turns.
  CalibrationState& calibration = state.mutator.calibration;
  if (wants_calibration(state, view) && (calibration.next = !calibration.next)) return Job::calibrate;
  const bool growing = view.growing_begin != view.growing_end;
  const bool dead = wants_vacuum(state, view);
  if (growing && dead) {
    // Vacuum may take out what keeps the growing tier from being indexed.
    const bool heals = state.index_pace.damaged.load(std::memory_order_relaxed) && !state.mutator.vacuum_failed;
    state.mutator.vacuum_next = heals || !state.mutator.vacuum_next;
    return state.mutator.vacuum_next ? Job::vacuum : Job::index;
  }
  if (growing) return Job::index;
  if (dead) return Job::vacuum;
  if (wants_connect(state, view)) return Job::connect;
  return wants_calibration(state, view) ? Job::calibrate : Job::none;
}

Status do_job(CollectionState& state, const View& view, Job job) HF_REQUIRES(state.graph_mutex) {
  switch (job) {
    case Job::codes: encode(state, view); return {};
    case Job::short_codes: shorten(state, view); return {};
    case Job::index: return index_batch(state, view);
    case Job::vacuum: HF_TRY(begin_vacuum(state, view)); return vacuum_piece(state, view);
    case Job::connect: return connect(state, view);
    case Job::calibrate: return calibrate_piece(state, view);
    case Job::none: return {};
  }
  return {};
}

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

/// Whatever else the graph mutator does in between counts as well. A slower pace is believed at once, a faster one in
/// the course of some batches. A batch that takes all there is tells how fast points come, not how fast the graph is.
void measure_pace(CollectionState& state, std::uint64_t rows, bool more) HF_REQUIRES(state.graph_mutex) {
  CollectionState::IndexPace& pace = state.index_pace;
  const std::int64_t now = now_us();
  const std::int64_t since = pace.busy_since_us.load(std::memory_order_relaxed);
  if (rows > 0 && since != 0 && more) {
    const double measured =
        static_cast<double>(rows) * 1e6 / static_cast<double>(std::max<std::int64_t>(now - since, 1));
    const auto old = static_cast<double>(pace.rate.load(std::memory_order_relaxed));
    const double smooth = old == 0 || measured < old ? measured : old + (measured - old) / 8;
    pace.rate.store(static_cast<std::uint64_t>(smooth) + 1, std::memory_order_relaxed);
    pace.batch_rows.store(rows, std::memory_order_relaxed);
  }
  if (rows > 0 || !more) pace.busy_since_us.store(more ? now : 0, std::memory_order_relaxed);
}

/// What a step set out to do.
struct Attempt {
  Job job = Job::none;  ///< none: it published what was made before, or found nothing to do
  Lsn lsn = 0;
  GraphEpoch epoch = 0;
};

/// What later steps go by.
void note_end(CollectionState& state, Attempt& attempt, const Status& status) HF_REQUIRES(state.graph_mutex) {
  const bool damaged = status.code() == StatusCode::data_damaged;
  if (attempt.job == Job::index) state.index_pace.damaged.store(damaged, std::memory_order_relaxed);
  if (attempt.job != Job::vacuum) return;
  state.mutator.vacuum_failed = !status.ok();
  // It mends nodes that died since it began as well. One that somebody waits for takes those out.
  std::optional<VacuumPass>& pass = state.mutator.vacuum;
  if (!damaged || !pass || pass->lsn >= state.vacuum_wanted.load(std::memory_order_relaxed)) return;
  attempt.lsn = pass->lsn;
  pass.reset();
}

Result<bool> step(CollectionState& state, Job forced, Attempt& attempt) HF_EXCLUDES(state.graph_mutex) {
  MutexLock lock(state.graph_mutex);
  if (state.mutator.pending) {
    publish_pending(state);
    return true;
  }
  const Pin view(state.store.pins());
  const Job job = forced == Job::none ? next_job(state, *view) : forced;
  attempt = {job, view->lsn, view->graph.epoch};
  if (job == Job::none) {
    measure_pace(state, 0, false);
    return false;
  }
  if (job == Job::index && state.index_pace.busy_since_us.load(std::memory_order_relaxed) == 0) {
    state.index_pace.busy_since_us.store(now_us(), std::memory_order_relaxed);
  }
  const Status done = do_job(state, *view, job);
  note_end(state, attempt, done);
  HF_TRY(done);
  const bool indexed = job == Job::index && state.mutator.pending;
  const Arrival begin = indexed ? state.mutator.pending->growing_begin : view->growing_begin;
  if (state.mutator.pending) publish_pending(state);
  measure_pace(state, begin - view->growing_begin, begin < view->growing_end);
  return true;
}

/// Each kind of step has its own outcome: whoever waits for one is not told what is wrong with the other.
void remember_outcome(CollectionState& state, const Attempt& attempt, const Status& status) {
  {
    MutexLock lock(state.indexed_mutex);
    if (attempt.job == Job::index || attempt.job == Job::none) state.last_index = {status, attempt.lsn, attempt.epoch};
    if (attempt.job == Job::vacuum || attempt.job == Job::none)
      state.last_vacuum = {status, attempt.lsn, attempt.epoch};
  }
  state.indexed.notify_all();
}

Result<bool> guarded_step(CollectionState& state, Job forced = Job::none) {
  Result<bool> outcome = false;
  Attempt attempt;
  {
    const Pin view(state.store.pins());
    attempt = {Job::none, view->lsn, view->graph.epoch};
  }
  try {
    outcome = step(state, forced, attempt);
  } catch (const std::bad_alloc&) {
    outcome = Status(StatusCode::resource_exhausted, "not enough memory to index; points stay in the exact tier");
  }
  // Time that brings no rows is no pace: it would tend to 0 for as long as the error stands.
  if (!outcome.ok()) state.index_pace.busy_since_us.store(0, std::memory_order_relaxed);
  state.store.reclaimer().collect();
  // The thread of the background has a low priority: writers must not wait behind it. They recycle themselves.
  if (!state.options.background) recycle_rows(state);
  remember_outcome(state, attempt, outcome.ok() ? Status() : outcome.status());
  return outcome;
}

/// Steps on this thread until every node of the graph at the time of the call can be reached, and has its codes.
Status connect_now(CollectionState& state) {
  const GraphEpoch goal = [&] { return Pin(state.store.pins())->graph.epoch; }();
  const auto pending = [&] {
    MutexLock lock(state.graph_mutex);
    return state.mutator.pending.has_value();
  };
  while (state.connected_epoch.load(std::memory_order_relaxed) < goal || pending()) {
    HF_TRY(guarded_step(state, Job::connect).status());
  }
  const auto uncoded = [&] {
    MutexLock lock(state.graph_mutex);
    return wants_codes(state, *Pin(state.store.pins()));
  };
  while (uncoded()) HF_TRY(guarded_step(state, Job::codes).status());
  const auto unshortened = [&] {
    MutexLock lock(state.graph_mutex);
    return wants_short_codes(state, *Pin(state.store.pins()));
  };
  while (unshortened()) HF_TRY(guarded_step(state, Job::short_codes).status());
  return {};
}

}  // namespace

unsigned worker_count(const CollectionState& state) {
  const unsigned wanted = state.options.open.indexing_threads;
  return wanted != 0 ? wanted : std::max(1u, std::thread::hardware_concurrency());
}

void publish_pending(CollectionState& state) {
  PendingGraph& made = *state.mutator.pending;
  if (made.frees_arrivals) {
    // Once no view of an older epoch is left, nobody reads the arrivals before. (Not at every step: while a view is
    // pinned for long such items pile up, and every commit looks at them.)
    PointStore& store = state.store;
    store.reclaimer().retire(
        {0, made.root.epoch, 0, [&store, begin = made.growing_begin] { store.free_arrivals_before(begin); }});
    made.frees_arrivals = false;
  }
  if (made.codes && !made.codes_retired) {
    retire_codes(state, made.root.epoch);
    made.codes_retired = true;
  }
  if ((made.codes || made.short_codes) && !made.short_codes_retired) {
    retire_short_codes(state, made.root.epoch);
    made.short_codes_retired = true;
  }
  if (made.calibration && !made.calibration_retired) {
    retire_calibration(state, made.root.epoch);
    made.calibration_retired = true;
  }
  state.store.publish_graph({made.root, made.growing_begin, made.added, made.removed, made.codes.get(),
                             made.short_codes.get(), made.calibration.get()});
  state.mutator.calibration.changes += made.added.size() + made.removed;
  if (made.calibration) calibration_was_published(state, std::exchange(made.calibration, {}));
  if (made.codes || made.short_codes) short_codes_were_published(state, std::exchange(made.short_codes, {}));
  if (made.codes) codes_were_published(state, std::exchange(made.codes, {}));
  state.store.reclaimer().retire_lists(std::exchange(made.retired, {}));
  state.store.reclaimer().retire_slots(std::exchange(made.dead, {}));
  if (made.vacuumed != 0) state.vacuumed_lsn.store(made.vacuumed, std::memory_order_release);  // pairs with vacuum()
  state.mutator.pending.reset();
}

Result<bool> index_step(CollectionState& state) { return guarded_step(state); }

namespace {

/// Lets the background work until `reached()`, or until a step of this kind fails that saw all that is there at `since`
/// and the graph of `epoch` (an older error may have been cured).
template <class Reached>
Status wait_for_mutator(CollectionState& state, Job job, Lsn since, GraphEpoch epoch, Reached reached) {
  state.signals->index.ring();
  MutexLock lock(state.indexed_mutex);
  while (!reached()) {
    const StepOutcome& last = job == Job::vacuum ? state.last_vacuum : state.last_index;
    if (!last.status.ok() && last.lsn >= since && last.epoch >= epoch) return last.status;
    if (state.signals->stop.load(std::memory_order_acquire)) {  // pairs with Database::close
      return {StatusCode::closed, "the database was closed before the graph was ready"};
    }
    // Dropped: nobody indexes it any more. (One that is read-only after an error is indexed all the same.)
    if (Status error = state.write_error(); error.code() == StatusCode::closed) return error;
    // The indexer notifies after each step; the time-out covers a close in between.
    state.indexed.wait_for(state.indexed_mutex, std::chrono::milliseconds(100));
  }
  return {};
}

}  // namespace

Status wait_until_indexed(CollectionState& state) {
  const View now = *Pin(state.store.pins());
  const auto reached = [&state, end = now.growing_end] { return Pin(state.store.pins())->growing_begin >= end; };
  if (state.options.background) {
    HF_TRY(wait_for_mutator(state, Job::index, now.lsn, now.graph.epoch, reached));
    return connect_now(state);
  }
  while (!reached()) {
    HF_ASSIGN(const bool worked, index_step(state));
    if (!worked) break;
  }
  return connect_now(state);
}

Status calibrate(CollectionState& state, Preset preset) {
  if (preset > Preset::fast) return {};  // whoever compares every point has nothing to choose
  want_calibration(state, preset);
  // Codes first: which there are decides what is measured.
  const auto wanted = [&] {
    MutexLock lock(state.graph_mutex);
    const Pin view(state.store.pins());
    if (wants_codes(state, *view)) return Job::codes;
    if (wants_short_codes(state, *view)) return Job::short_codes;
    return state.mutator.pending || wants_calibration(state, *view) ? Job::calibrate : Job::none;
  };
  for (Job job = Job::none; (job = wanted()) != Job::none;) {
    if (Status error = state.write_error(); error.code() == StatusCode::closed) return error;
    HF_TRY(guarded_step(state, job).status());
  }
  return {};
}

Status vacuum(CollectionState& state) {
  const Lsn goal = [&] { return Pin(state.store.pins())->lsn; }();
  // A vacuum that is under way may have begun before the last deaths: then it takes another one.
  const auto reached = [&] {
    return state.vacuumed_lsn.load(std::memory_order_acquire) >= goal;  // pairs with publish_pending()
  };
  if (state.options.background) {  // behind readers and writers, as when it begins by itself
    Lsn wanted = state.vacuum_wanted.load(std::memory_order_relaxed);
    while (wanted < goal && !state.vacuum_wanted.compare_exchange_weak(wanted, goal, std::memory_order_relaxed)) {
    }
    HF_TRY(wait_for_mutator(state, Job::vacuum, goal, 0, reached));
    recycle_rows(state);  // the caller may go on with a batch that wants them all
    return connect_now(state);
  }
  {
    MutexLock lock(state.graph_mutex);
    if (state.mutator.vacuum_failed && state.mutator.vacuum && state.mutator.vacuum->lsn < goal) {
      state.mutator.vacuum.reset();  // what died since may be what it failed at
    }
  }
  while (!reached()) HF_TRY(guarded_step(state, Job::vacuum).status());
  return connect_now(state);
}

}  // namespace holdfast::engine
