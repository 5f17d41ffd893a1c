// The protocol:
//   1. as leader of the commit queue: seal the log segment, pin the view. The checkpoint stands for exactly this lsn.
//   2. write what changed since the last checkpoint as new extents, each synced; sync their directory.
//   3. write the manifest by rename: the only commit point.
//   4. remove what neither of the two newest generations needs.
//
// Invariants
//  K1. Ids, stamps, vectors, payloads and graph of an image belong to one view: slots below view.slot_end, deaths up to
//      view.lsn, lists up to view.graph.epoch. There is nothing to reconcile between them. Rows that are neither
//      visible in the view, nor nodes of its graph, nor in its growing range may be in use again already: they are not
//      looked at, and stand as free. (A dead row of the growing range may be on its way into the graph, chosen before
//      it died: the next image names this extent again, and needs its vector.)
//  K2. What did not change since the last image is not written again: image_writer.h.
//  K3. Nothing is removed before the manifest that does without it is durable; log removal goes by the older of the two
//      kept generations, so that a damaged newest image costs a longer replay, not data.
//  K4. Damage neither gets a new, right checksum nor outlives what could make it good. A row whose page is damaged is
//      never copied into an image; and an extent that is known to be damaged is never named again, since with the next
//      image the older generation and its log would go, which may hold the same rows soundly. It is written anew, from
//      memory or from its sound pages. If a row that the image needs stands in a damaged page, there is no image: the
//      checkpoint fails, the log stays, until those points were erased or written again and vacuum is through with
//      them, or the store is opened with VerifyOnOpen::everything, which finds out whether the older generation is
//      sound (docs/adr/0012-damaged-rows.md).
//  K5. What was read on the way counts only if nothing of it was damaged: the one who writes an image asks a ReadCheck
//      (index/read_check.h) before the manifest names anything.
#include "engine/checkpoint.h"

#include <algorithm>
#include <new>
#include <set>

#include "base/plant.h"
#include "base/try.h"
#include "engine/commit.h"
#include "engine/disk_reserve.h"
#include "engine/image.h"
#include "engine/image_writer.h"
#include "engine/scrub.h"
#include "index/read_check.h"
#include "storage/file_names.h"
#include "storage/wal_reader.h"

namespace holdfast::engine {

namespace {

using storage::ExtentInfo;

/// The instant that the image stands for.
struct Instant {
  std::unique_ptr<Pin> view;
  storage::LogEnd log_end;
  std::shared_ptr<const Markers> markers;
  std::uint64_t log_bytes = 0;
};

Status take_instant(CollectionState& state, Instant& instant) {
  return run_exclusive(state, [&]() -> Status {
    HF_TRY(state.write_error());
    Status status = state.wal->roll();
    if (!status.ok()) {
      if (status.code() != StatusCode::disk_full) state.poison(status);
      return status;
    }
    instant.view = std::make_unique<Pin>(state.store.pins());
    instant.log_end = state.wal->end();
    instant.markers = state.store.markers();
    instant.log_bytes = state.log_bytes_at_open.load(std::memory_order_relaxed) + state.wal->stats().bytes;
    return {};
  });
}

/// Frees the space of an image that came to nothing. What cannot be removed now goes at the next open.
void remove_attempt(CollectionState& state, std::uint64_t first, std::uint64_t end) {
  const std::string extents = os::join(state.directory, storage::kExtentDirectory);
  for (std::uint64_t number = first; number < end; ++number) {
    state.fs.remove(os::join(extents, storage::extent_name(number))).ignore();  // garbage either way
  }
}

/// K3. Failures leave garbage, never less than is needed; it goes at the next checkpoint or open.
void remove_unneeded(CollectionState& state, const CheckpointState& kept) {
  std::set<std::uint64_t> named;
  for (const ExtentInfo& extent : kept.manifest.extents) named.insert(extent.number);
  for (const ExtentInfo& extent : kept.previous_extents) named.insert(extent.number);
  if (auto generations = storage::list_manifests(state.fs, state.directory); generations.ok()) {
    for (const std::uint64_t generation : *generations) {
      const auto& keep = kept.generations;
      if (std::find(keep.begin(), keep.end(), generation) != keep.end()) continue;
      state.fs.remove(os::join(state.directory, storage::manifest_name(generation))).ignore();
    }
  }
  const std::string extents = os::join(state.directory, storage::kExtentDirectory);
  if (auto entries = state.fs.list(extents); entries.ok()) {
    for (const os::DirectoryEntry& entry : *entries) {
      const storage::ParsedName parsed = storage::parse_name(entry.name);
      if (parsed.kind != storage::FileKind::extent || named.contains(parsed.number)) continue;
      state.fs.remove(os::join(extents, entry.name)).ignore();
    }
  }
  const Lsn cut = HF_PLANTED(log_is_cut_at_the_newest_image) ? kept.manifest.lsn : kept.previous_lsn;
  storage::remove_segments_through(state.fs, os::join(state.directory, storage::kWalDirectory), cut).ignore();
}

Status no_memory() {
  return {StatusCode::resource_exhausted, "not enough memory for a checkpoint; the log keeps everything"};
}

/// Extents, then the manifest. `named`: from here on a manifest may name them. A failure for lack of memory is a
/// failure like any other: what was used of `next` counts.
Status write_generation(CollectionState& state, const Instant& instant, const CheckpointState& last,
                        storage::Manifest& next, ImageParts& parts, bool& named) {
  try {
    const View& view = **instant.view;
    const index::ReadCheck check;
    const Slot graph_end = find_graph_end(state, view, last.manifest);
    if (!check.ok()) return check.status();
    HF_TRY(write_image(state, view, graph_end, last, next, parts));
    const bool connected = state.connected_epoch.load(std::memory_order_relaxed) == view.graph.epoch;
    ImageState image{state.name,       state.config, view,         graph_end,  connected,
                     *instant.markers, kRunsSince,   parts.floors, parts.codes};
    if (HF_PLANTED(image_claims_what_came_after_it)) {
      next.lsn = state.wal->end().lsn;
      next.log_checksum = state.wal->end().checksum;
    }
    image.view.lsn = next.lsn;  // marks after the last batch change nothing
    next.state = encode_image_state(image);
    named = true;
    return storage::write_manifest(state.fs, state.directory, next);
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

/// Whether the older generation keeps files that the newest does without.
bool older_keeps_files(const CheckpointState& last) {
  std::set<std::uint64_t> named;
  for (const ExtentInfo& extent : last.manifest.extents) named.insert(extent.number);
  return std::any_of(last.previous_extents.begin(), last.previous_extents.end(),
                     [&](const ExtentInfo& extent) { return !named.contains(extent.number); });
}

bool names_damage(const CollectionState& state, const CheckpointState& last) {
  return std::any_of(last.manifest.extents.begin(), last.manifest.extents.end(),
                     [&](const ExtentInfo& extent) { return state.damage.holds(extent.number); });
}

/// K4: the next image makes the older kept generation go. What only that one and the log can make good must be known
/// before: the extents of the newest image are read from their files, also those that nobody has looked at since they
/// were written. What the older generation names, too, stays whatever it is like, and is read only if `shared_too`.
Status read_back(CollectionState& state, const CheckpointState& last, bool shared_too) {
  std::set<std::uint64_t> shared;
  if (!shared_too) {
    for (const ExtentInfo& extent : last.previous_extents) shared.insert(extent.number);
  }
  for (const ExtentInfo& extent : last.manifest.extents) {
    if (!shared.contains(extent.number)) HF_TRY(check_extent_file(state, extent));
  }
  return {};
}

Status checkpoint_locked(CollectionState& state, IfUnchanged if_unchanged) HF_REQUIRES(state.checkpoint_mutex) {
  CheckpointState& last = state.checkpoint;
  Instant instant;
  HF_TRY(take_instant(state, instant));
  const View& view = **instant.view;
  bool only_lets_go = false;  // of the older generation, and of the log
  if (instant.log_end.lsn == last.manifest.lsn && view.graph.epoch == last.epoch) {
    const bool heal = if_unchanged != IfUnchanged::nothing && names_damage(state, last);
    const bool log_too = if_unchanged == IfUnchanged::let_go_of_log_too && last.previous_lsn < last.manifest.lsn;
    if (!heal && (if_unchanged == IfUnchanged::nothing || (!log_too && !older_keeps_files(last)))) return {};
    only_lets_go = !heal;
  }
  if (only_lets_go || last.generations.size() > 1) HF_TRY(read_back(state, last, only_lets_go));
  if (only_lets_go && names_damage(state, last)) return {StatusCode::data_damaged, state.damage.first()};

  storage::Manifest next;
  next.generation = last.next_generation;
  next.collection = state.uuid;
  next.lsn = instant.log_end.lsn;
  next.log_checksum = instant.log_end.checksum;
  next.next_extent = last.manifest.next_extent;
  const std::uint64_t first_new = next.next_extent;
  last.generations.reserve(last.generations.size() + 1);  // nothing may fail behind the manifest
  bool named = false;                                     // a manifest may name the new extents
  ImageParts parts;
  const Status status = write_generation(state, instant, last, next, parts, named);
  // Numbers of a failed attempt are not used again: a file that could not be removed must not stand in the way.
  last.manifest.next_extent = next.next_extent;
  if (!status.ok() && HF_PLANTED(failed_checkpoint_counts_for_the_cut)) last.manifest.lsn = next.lsn;
  if (!status.ok() && !HF_PLANTED(failed_checkpoint_is_taken_for_done)) {
    ++last.next_generation;  // a manifest whose rename was not synced may or may not be there
    if (!named) remove_attempt(state, first_new, next.next_extent);
    return status;
  }
  // power fails here: the new image counts; what it replaces is removed at the next checkpoint or open
  last.previous_extents = std::move(last.manifest.extents);
  last.previous_lsn = last.manifest.lsn;
  last.generations.insert(last.generations.begin(), next.generation);
  if (last.generations.size() > 2) last.generations.resize(2);
  if (HF_PLANTED(only_the_newest_image_is_kept)) last.generations.resize(1);
  last.next_generation = next.generation + 1;
  last.epoch = view.graph.epoch;
  last.run_floors = std::move(parts.floors);
  last.codes = parts.codes;
  last.manifest = std::move(next);
  state.log_bytes_at_checkpoint.store(instant.log_bytes, std::memory_order_relaxed);
  state.checkpoint_lsn.store(last.manifest.lsn, std::memory_order_relaxed);
  state.checkpoint_generation.store(last.manifest.generation, std::memory_order_relaxed);
  remove_unneeded(state, last);
  return {};
}

/// The disk is full: again with the reserve. Then what only the older generation needs must go, log included: that may
/// be all the room there is. (Only after the newest image was read back; docs/adr/0011.)
Status checkpoint_in_reserve(CollectionState& state, IfUnchanged if_unchanged, Status full)
    HF_REQUIRES(state.checkpoint_mutex) {
  const CheckpointShare share(state);
  if (share.empty()) return full;
  HF_TRY(checkpoint_locked(state, if_unchanged));
  checkpoint_locked(state, IfUnchanged::let_go_of_log_too).ignore();  // the older generation stays if it cannot be
  return {};
}

Status checkpoint_and_reserve(CollectionState& state, IfUnchanged if_unchanged) HF_REQUIRES(state.checkpoint_mutex) {
  Status status = checkpoint_locked(state, if_unchanged);
  if (status.code() == StatusCode::disk_full) {
    note_full_disk(state);
    status = checkpoint_in_reserve(state, if_unchanged, std::move(status));
  }
  if (!status.ok() && status.code() != StatusCode::disk_full) return status;      // no more calls of a disk that fails
  const bool in_use = state.reserve.wanted() != 0 || state.reserve.whole() != 0;  // a store that is only read has none
  if (in_use && !restore_reserve(state, IfShort::what_there_is) && status.ok()) {
    checkpoint_locked(state, IfUnchanged::let_go_of_log_too).ignore();
    restore_reserve(state, IfShort::what_there_is);
  }
  return status;
}

}  // namespace

bool wants_checkpoint(const CollectionState& state) {
  return state.log_bytes() >= state.checkpoint_wanted_at.load(std::memory_order_relaxed);
}

Status checkpoint(CollectionState& state, IfUnchanged if_unchanged) {
  MutexLock lock(state.checkpoint_mutex);
  const std::uint64_t interval = state.options.open.checkpoint_log_bytes;
  Status status;
  try {
    status = checkpoint_and_reserve(state, if_unchanged);
  } catch (const std::bad_alloc&) {
    status = no_memory();
  }
  {
    MutexLock error_lock(state.checkpoint_error_mutex);
    state.checkpoint_error = status;
  }
  // After a failure the background waits for the log to grow by another quarter before it tries again.
  state.checkpoint_wanted_at.store(status.ok() ? interval : state.log_bytes() + interval / 4,
                                   std::memory_order_relaxed);
  return status;
}

Status create_collection_files(os::FileSystem& fs, const std::string& directory, const Uuid& uuid,
                               const std::string& name, const CollectionConfig& config) {
  HF_TRY(fs.create_directory(directory));
  HF_TRY(fs.create_directory(os::join(directory, storage::kWalDirectory)));
  HF_TRY(fs.create_directory(os::join(directory, storage::kExtentDirectory)));
  HF_TRY(fs.sync_directory(directory));
  storage::Manifest manifest;
  manifest.generation = 1;
  manifest.collection = uuid;
  manifest.state = encode_image_state({name, config, View{}, 0, true, {}, kRunsSince, {}, {}});
  HF_TRY(storage::write_manifest(fs, directory, manifest));
  return fs.sync_directory(os::parent(directory));
}

}  // namespace holdfast::engine
