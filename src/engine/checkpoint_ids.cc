#include "engine/checkpoint_ids.h"

#include <algorithm>

#include "base/plant.h"
#include "engine/image.h"

namespace holdfast::engine {

namespace {

/// Entries of points that died since may be as many as those of living ones, and some more.
constexpr std::uint64_t kStaleMin = 1'024;

/// The points of `view` that were born after `floor`. `by_chunk`: the last image holds everything up to `floor`, so
/// that chunks of which no row was assigned since need not be looked at; of what is older the stamps are read.
std::vector<IdEntry> entries_since(const CollectionState& state, const View& view, Lsn floor, bool by_chunk) {
  const SlotTable& slots = state.store.slots();
  std::vector<IdEntry> entries;
  for (Slot begin = 0; begin < view.slot_end; begin += kChunkSlots) {
    if (by_chunk && slots.assigned_lsn(begin >> kChunkBits) <= floor) continue;
    const Slot end = static_cast<Slot>(std::min<std::uint64_t>(std::uint64_t{begin} + kChunkSlots, view.slot_end));
    for (Slot slot = begin; slot < end; ++slot) {
      if (!slots.visible(slot, view.lsn) || slots.born(slot) <= floor || !slots.is_head(slot)) continue;
      entries.push_back({slots.id(slot), slot});
    }
  }
  return entries;
}

}  // namespace

std::vector<KnownRun> known_runs(const CheckpointState& last) {
  std::vector<KnownRun> runs(last.run_floors.size());
  for (const storage::ExtentInfo& extent : last.manifest.extents) {
    if (extent.kind != static_cast<std::uint8_t>(ExtentKind::ids_run)) continue;
    if (extent.first_slot < runs.size()) runs[extent.first_slot] = {&extent, last.run_floors[extent.first_slot]};
  }
  const bool whole = std::all_of(runs.begin(), runs.end(), [](const KnownRun& run) { return run.extent != nullptr; });
  return whole ? runs : std::vector<KnownRun>();
}

RunPlan plan_runs(const CollectionState& state, const View& view, const CheckpointState& last) {
  std::vector<KnownRun> known = known_runs(last);
  std::uint64_t stale = 0;
  for (const KnownRun& run : known) {
    stale += run.extent->slot_count;
    if (state.damage.holds(run.extent->number)) stale = ~std::uint64_t{0} / 2;  // all are written anew, from the rows
  }
  if (stale > 2 * view.live + kStaleMin) known.clear();
  RunPlan plan;
  plan.kept = known.size();
  plan.floor = known.empty() ? 0 : last.manifest.lsn;
  plan.entries = entries_since(state, view, plan.floor, !known.empty());
  if (plan.entries.empty()) return plan;
  std::uint64_t size = plan.entries.size();
  while (plan.kept > 0 && known[plan.kept - 1].extent->slot_count <= 2 * size) {
    --plan.kept;
    size += known[plan.kept].extent->slot_count;
    plan.floor = known[plan.kept].floor;
  }
  if (plan.kept < known.size()) plan.entries = entries_since(state, view, plan.floor, false);
  return plan;
}

std::vector<Slot> growing_rows(const CollectionState& state, const View& view) {
  std::vector<Slot> rows;
  state.store.arrivals().for_each_run(view.growing_begin, view.growing_end, [&](std::span<const Slot> run) {
    for (const Slot slot : run) {
      if (state.store.slots().visible(slot, view.lsn)) rows.push_back(slot);
    }
  });
  return rows;
}

}  // namespace holdfast::engine
