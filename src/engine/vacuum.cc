// A vacuum takes a fixed set of dead nodes, the doomed, out of the graph:
//
//   repair   rows by rows, every other node that links to a doomed one gets new lists (index/hnsw_repair.cc). Several
//            steps, each an epoch; batches of the growing tier may be indexed in between.
//   remove   when all rows are done, no list names a doomed node: they cease to be nodes, in one more epoch.
//
// Invariants
//  N1. From the beginning of a vacuum on, no list that is made names a doomed node: insertion links to living nodes
//  only,
//      and the doomed are dead in every view from then on. So a row that was repaired stays free of them.
//  N2. Readers of older epochs walk over the doomed as before; the rows are free for reuse only when no view of such an
//      epoch is pinned any more (Reclaimer::retire_slots).
//  N3. Nothing of it is on disk. Killed in between, the next process finds dead nodes in the image and begins anew.
#include "engine/vacuum.h"

#include <algorithm>

#include "base/plant.h"
#include "base/try.h"
#include "engine/indexer.h"
#include "engine/rows.h"
#include "index/read_check.h"

namespace holdfast::engine {

namespace {

constexpr std::uint64_t kDeadMin = 64;  ///< fewer dead nodes than that do not matter
constexpr Slot kPieceRowsMin = 4'096;
constexpr Slot kPieceRowsMax = 65'536;  ///< the growing tier waits for one piece
constexpr Slot kPieces = 8;

Status repair_piece(CollectionState& state, const View& view, VacuumPass& pass, PendingGraph& made)
    HF_REQUIRES(state.graph_mutex) {
  const Slot piece = std::clamp(pass.end / kPieces, kPieceRowsMin, kPieceRowsMax);
  const Slot end = static_cast<Slot>(std::min<std::uint64_t>(std::uint64_t{pass.next} + piece, pass.end));
  const ViewRows rows(state.store.slots(), view.lsn);
  index::GraphWriter writer = state.store.graph_writer();
  HF_ASSIGN(made.root, writer.repair(view.graph, pass.doomed, rows.alive(), pass.next, end, worker_count(state),
                                     made.retired.front()));
  pass.next = end;
  return {};
}

Status remove_doomed(CollectionState& state, const View& view, const VacuumPass& pass, PendingGraph& made)
    HF_REQUIRES(state.graph_mutex) {
  RetiredSlots& dead = made.dead.front();
  dead.slots.reserve(pass.doomed.size());
  pass.doomed.for_each([&](Slot slot) { dead.slots.push_back(slot); });
  index::GraphWriter writer = state.store.graph_writer();
  HF_ASSIGN(made.root, writer.remove(view.graph, pass.doomed, view.slot_end, made.retired.front()));
  dead.lsn = pass.lsn;
  dead.epoch = made.root.epoch;
  made.removed = dead.slots.size();
  return {};
}

}  // namespace

bool wants_vacuum(const CollectionState& state, const View& view) {
  if (state.mutator.vacuum) return true;
  if (state.vacuum_wanted.load(std::memory_order_relaxed) > state.vacuumed_lsn.load(std::memory_order_relaxed)) {
    return true;
  }
  const std::uint64_t nodes = view.graph.nodes;
  const std::uint64_t due = std::max(kDeadMin, nodes * state.options.open.vacuum_percent / 100);
  return view.dead_in_graph >= std::min<std::uint64_t>(due, nodes) && view.dead_in_graph > 0;
}

Status begin_vacuum(CollectionState& state, const View& view) {
  if (state.mutator.vacuum) return {};
  const index::ReadCheck check;
  VacuumPass pass;
  pass.lsn = view.lsn;
  pass.end = view.slot_end;
  for (Slot slot = 0; slot < view.slot_end; ++slot) {
    if (state.store.slots().died(slot) > view.lsn) continue;
    const auto newest = [&] { return state.store.ids().find(state.store.slots().id(slot)); };
    if (HF_PLANTED(vacuum_goes_by_id) && newest() != kNoSlot) pass.doomed.insert(newest());
    if (state.store.graph().contains(slot, view.graph.epoch)) pass.doomed.insert(slot);
  }
  if (!check.ok()) return check.status();  // who is dead, and who is a node
  state.mutator.vacuum = std::move(pass);
  return {};
}

Status vacuum_piece(CollectionState& state, const View& view) {
  VacuumPass& pass = *state.mutator.vacuum;
  PendingGraph made;
  made.root = view.graph;
  made.growing_begin = view.growing_begin;
  if (pass.doomed.size() == 0) {
    state.vacuumed_lsn.store(pass.lsn, std::memory_order_release);  // pairs with vacuum()
    state.mutator.vacuum.reset();
    return {};
  }
  if (pass.next < pass.end) {
    HF_TRY(repair_piece(state, view, pass, made));
  } else {
    if (Status status = remove_doomed(state, view, pass, made); !status.ok()) {
      // A list that still names a doomed node: never seen. If it was, another pass may do better; this one never will.
      if (status.code() == StatusCode::internal) state.mutator.vacuum.reset();
      return status;
    }
    state.vacuumed_slots.fetch_add(made.removed, std::memory_order_relaxed);
    state.mutator.changed_nodes += made.removed;
    made.vacuumed = pass.lsn;
    state.mutator.vacuum.reset();
  }
  if (made.root.epoch != view.graph.epoch) state.mutator.pending = std::move(made);
  return {};
}

}  // namespace holdfast::engine
