#include "engine/stats.h"

#include "engine/limits.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

std::uint64_t bytes_in(os::FileSystem& fs, const std::string& directory) {
  std::uint64_t bytes = 0;
  auto entries = fs.list(directory);
  if (!entries.ok()) return 0;
  for (const os::DirectoryEntry& entry : *entries) {
    const std::string path = os::join(directory, entry.name);
    if (entry.is_directory) {
      bytes += bytes_in(fs, path);
    } else if (auto file = fs.open(path, os::FileSystem::Access::read); file.ok()) {
      if (auto size = (*file)->size(); size.ok()) bytes += *size;
    }
  }
  return bytes;
}

}  // namespace

CollectionStats collect_stats(const CollectionState& state) {
  CollectionStats stats;
  const PointStore& store = state.store;
  {
    const Pin view(store.pins());
    stats.points = view->live;
    stats.values = view->values;
    stats.slots = view->slot_end;
    stats.growing = view->growing_end - view->growing_begin;
    stats.dead_in_graph = view->dead_in_graph;
    stats.free_slots = store.free_slots().free_count();
    const std::uint64_t used = view->values + stats.free_slots;  // two instants: the meters of writers move on
    stats.dead_slots = view->slot_end > used ? view->slot_end - used : 0;
    stats.graph_nodes = view->graph.nodes;
    stats.graph_levels = view->graph.levels;
    stats.graph_epoch = view->graph.epoch;
    const SnapshotMeters snapshots = store.pins().snapshots();
    stats.pinned_snapshots = snapshots.count;
    stats.oldest_snapshot_lsn = snapshots.oldest_lsn;
    stats.oldest_snapshot_age_ms = age_ms(state, snapshots);
    stats.expired_snapshots = store.pins().expired_snapshots();
  }
  const storage::WalStats log = state.wal->stats();
  stats.last_lsn = state.wal->end().lsn;
  stats.synced_lsn = state.wal->synced_lsn();
  stats.checkpoint_lsn = state.checkpoint_lsn.load(std::memory_order_relaxed);
  stats.checkpoint_generation = state.checkpoint_generation.load(std::memory_order_relaxed);
  stats.log_bytes = state.log_bytes();
  stats.reserve_bytes = state.reserve.bytes();
  stats.reserve_wanted_bytes = state.reserve.wanted();
  stats.disk_bytes = bytes_in(state.fs, state.directory);
  stats.vector_bytes = store.vectors().private_bytes() + store.vectors().mapped_bytes();
  stats.payload_bytes = store.slots().payload_bytes();
  stats.retained_bytes = store.reclaimer().retained_bytes();
  stats.reclaim_backlog = store.reclaimer().waiting_slots() + store.free_slots().waiting_count();
  stats.writer_stalls = state.writer_stalls.load(std::memory_order_relaxed);
  stats.writer_stall_us = state.writer_stall_us.load(std::memory_order_relaxed);
  stats.vacuumed_slots = state.vacuumed_slots.load(std::memory_order_relaxed);
  stats.code_bytes =
      state.code_bytes.load(std::memory_order_relaxed) + state.short_code_bytes.load(std::memory_order_relaxed);
  stats.overhead_bytes =
      store.slots().memory_bytes() + store.ids().memory_bytes() + store.graph().memory_bytes() + stats.code_bytes;
  stats.code_trainings = state.code_trainings.load(std::memory_order_relaxed);
  stats.calibrations = state.calibrations.load(std::memory_order_relaxed);
  stats.calibration_us = state.calibration_us.load(std::memory_order_relaxed);
  stats.writes = state.acknowledged.load(std::memory_order_relaxed);
  stats.groups = log.groups;
  stats.syncs = log.syncs;
  stats.scrubbed_bytes = state.scrubbed_bytes.load(std::memory_order_relaxed);
  stats.scrub_passes = state.scrub_passes.load(std::memory_order_relaxed);
  stats.damaged_pages = state.damage.count();
  stats.damage = state.damage.first();
  {
    MutexLock lock(state.checkpoint_error_mutex);
    if (!state.checkpoint_error.ok()) stats.checkpoint_error = state.checkpoint_error.to_string();
  }
  if (Status error = state.write_error(); !error.ok()) stats.write_error = error.to_string();
  return stats;
}

}  // namespace holdfast::engine
