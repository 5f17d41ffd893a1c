#include "engine/indexer.h"

#include <algorithm>
#include <functional>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "base/try.h"

namespace holdfast::engine {

namespace {

unsigned worker_count(const CollectionState& state) {
  const unsigned wanted = state.options.open.indexing_threads;
  return wanted != 0 ? wanted : std::max(1u, std::thread::hardware_concurrency());
}

/// Takes points that are visible in `view` from the head of the growing tier. Returns the slot after the last one seen.
/// Rows that are dead already stay out of the graph: older views have them in their own growing range.
Slot choose_batch(const CollectionState& state, const View& view, std::vector<index::NewNode>& nodes) {
  const std::size_t wanted =
      index::GraphWriter::batch_size(view.graph.nodes, std::size_t{view.slot_end} - view.growing_begin);
  nodes.reserve(wanted);
  Slot slot = view.growing_begin;
  for (; slot < view.slot_end && nodes.size() < wanted; ++slot) {
    if (state.store.slots().died(slot) <= view.lsn) continue;
    nodes.push_back({slot, level_of(state.store.slots().id(slot), state.config.m)});
  }
  return slot;
}

/// Makes the graph of the next batch; nothing if there is nothing to do. Whoever gets it must publish it: the lists are
/// in place, and the next batch would build on them.
Result<std::optional<PendingGraph>> make_graph(CollectionState& state) {
  const Pin view(state.store.pins());
  if (view->growing_begin == view->slot_end) return std::optional<PendingGraph>();
  std::optional<PendingGraph> made(std::in_place);
  made->growing_begin = choose_batch(state, *view, made->added);
  made->root = view->graph;
  if (!made->added.empty()) {
    index::GraphWriter writer = state.store.graph_writer();
    HF_ASSIGN(made->root, writer.insert(view->graph, made->added, worker_count(state), made->retired.front()));
  }
  return made;
}

Result<bool> index_batch(CollectionState& state) HF_REQUIRES(state.graph_mutex) {
  if (!state.pending_graph) {
    HF_ASSIGN(state.pending_graph, make_graph(state));
  }
  if (!state.pending_graph) return false;
  PendingGraph& made = *state.pending_graph;
  state.store.publish_graph(made.root, made.growing_begin, made.added);  // bad_alloc: it stays pending
  state.store.reclaimer().retire_lists(std::exchange(made.retired, {}));
  state.pending_graph.reset();
  return true;
}

}  // namespace

Result<bool> index_step(CollectionState& state) {
  Result<bool> outcome = false;
  try {
    MutexLock lock(state.graph_mutex);
    outcome = index_batch(state);
  } catch (const std::bad_alloc&) {
    outcome = Status(StatusCode::resource_exhausted, "not enough memory to index; points stay in the exact tier");
  }
  state.store.reclaimer().collect();
  {
    MutexLock lock(state.indexed_mutex);
    state.index_error = outcome.ok() ? Status() : outcome.status();
  }
  state.indexed.notify_all();
  return outcome;
}

Status wait_until_indexed(CollectionState& state) {
  const auto goal = [&] { return Pin(state.store.pins())->slot_end; }();
  const auto reached = [&] { return Pin(state.store.pins())->growing_begin >= goal; };
  if (!state.options.background) {
    while (!reached()) {
      HF_ASSIGN(const bool worked, index_step(state));
      if (!worked) break;
    }
    return {};
  }
  state.signals->index.ring();
  MutexLock lock(state.indexed_mutex);
  while (!reached()) {
    if (!state.index_error.ok()) return state.index_error;
    if (state.signals->stop.load(std::memory_order_acquire)) {  // pairs with Database::close
      return {StatusCode::closed, "the database was closed before everything was indexed"};
    }
    // Dropped: nobody indexes it any more. (One that is read-only after an error is indexed all the same.)
    if (Status error = state.write_error(); error.code() == StatusCode::closed) return error;
    // The indexer notifies after each batch; the time-out covers a close in between.
    state.indexed.wait_for(state.indexed_mutex, std::chrono::milliseconds(100));
  }
  return {};
}

}  // namespace holdfast::engine
