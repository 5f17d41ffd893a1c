// Nothing is written before it is certain that nothing acknowledged is missing: loading and replay only read; the
// verdict on the log's end comes before the first change. Replay fills the growing tier and touches no graph, so it is
// as fast as reading the log.
//
// Invariants
//  R1. Which generation: the newest whose manifest and metadata are sound. If it is not the newest there is, the log
//      must reach at least to what any readable manifest proves to have been synced.
//  R2. Files are removed only after the collection is whole in memory, and only those that no readable manifest names.
//      While a manifest is unreadable, extents are not removed: it may name them.
//  R3. The last log segment is replaced by a synced copy before anything new is acknowledged.
#include "engine/recovery.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <set>

#include "base/plant.h"
#include "base/try.h"
#include "engine/commit_writer.h"
#include "engine/disk_reserve.h"
#include "engine/image.h"
#include "engine/indexer.h"
#include "engine/load.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// The manifests that exist, newest first.
struct Generations {
  std::vector<storage::Manifest> readable;
  std::vector<storage::Manifest> skipped;  ///< readable, but their extents are damaged
  std::vector<std::string> broken;         ///< why each unreadable one is unreadable
  std::uint64_t highest = 0;
  Lsn proven = 0;  ///< highest lsn that a readable manifest holds

  void skip_newest() {
    skipped.push_back(std::move(readable.front()));
    readable.erase(readable.begin());
  }
};

Result<Generations> read_generations(const RecoveryRequest& request) {
  os::FileSystem& fs = *request.options.fs;
  Generations found;
  HF_ASSIGN(const std::vector<std::uint64_t> numbers, storage::list_manifests(fs, request.directory));
  for (const std::uint64_t number : numbers) {
    found.highest = std::max(found.highest, number);
    auto manifest = storage::read_manifest(fs, request.directory, number);
    if (manifest.ok() && manifest->collection == request.uuid) {
      found.proven = std::max(found.proven, manifest->lsn);
      found.readable.push_back(std::move(manifest).value());
      continue;
    }
    const bool unreadable = !manifest.ok() && manifest.status().code() != StatusCode::data_damaged;
    if (unreadable && !HF_PLANTED(read_error_is_taken_for_damage)) return manifest.status();
    found.broken.push_back(manifest.ok() ? storage::manifest_name(number) + " belongs to another collection"
                                         : std::string(manifest.status().message()));
  }
  if (found.readable.empty()) {
    return Status(StatusCode::data_damaged, found.broken.empty()
                                                ? request.directory + " has no manifest: its checkpoint is lost"
                                                : "no manifest is readable: " + found.broken.front());
  }
  return found;
}

/// Loads the newest generation that is sound. Its predecessors in `generations.readable` are dropped.
/// `first_damage`: what is wrong with a newer one, if anything is.
Result<std::shared_ptr<CollectionState>> load_newest(const RecoveryRequest& request, Generations& generations,
                                                     std::string& first_damage) {
  while (!generations.readable.empty()) {
    auto state = load_image(request, generations.readable.front());
    if (state.ok()) {
      if (!first_damage.empty()) {
        (*state)->report.fell_back = true;
        (*state)->report.notes.push_back(first_damage);
      }
      return state;
    }
    if (state.status().code() != StatusCode::data_damaged) return state.status();
    if (first_damage.empty()) first_damage = state.status().message();
    generations.skip_newest();
  }
  return Status(StatusCode::data_damaged, "no checkpoint is sound: " + first_damage);
}

Status replay_frame(CollectionState& state, CommitWriter& writer, const storage::FrameView& frame) {
  if (frame.type != storage::FrameType::batch) return {};
  const auto where = [&] {
    return std::string(frame.segment) + " at offset " + std::to_string(frame.offset) + ", lsn " +
           std::to_string(frame.lsn);
  };
  auto operations = decode_batch(frame.body, state.config.dimension, state.config.type);
  if (!operations.ok() && HF_PLANTED(replay_errors_are_swallowed)) return {};
  if (!operations.ok()) return operations.status().with_context(where());
  if (HF_PLANTED(payload_is_not_replayed)) operations->front().payload = nullptr;
  if (HF_PLANTED(delete_is_resolved_at_replay) && operations->front().kind == WriteBatch::Kind::erase) {
    operations->front().id = PointId(7);
  }
  if (Status status = writer.stage(*operations); !status.ok()) return status.with_context(where());
  writer.apply(frame.lsn, *operations);
  return {};
}

storage::ReadLogOptions log_options(const RecoveryRequest& request, const storage::Manifest& manifest, Lsn proven) {
  storage::ReadLogOptions options;
  options.directory = os::join(request.directory, storage::kWalDirectory);
  options.collection = request.uuid;
  options.after = manifest.lsn;
  if (HF_PLANTED(replay_begins_at_the_first_frame)) options.after = 0;
  if (HF_PLANTED(replay_repeats_a_frame)) options.after -= std::min<Lsn>(options.after, 1);
  if (HF_PLANTED(replay_skips_a_frame) && options.after > 0) ++options.after;
  options.check_below = request.change_nothing;  // verify reads all that is there
  options.base = {manifest.lsn, manifest.log_checksum};
  options.proven = HF_PLANTED(manifests_prove_nothing) ? 0 : proven;
  return options;
}

Status replay(CollectionState& state, const storage::ReadLogOptions& options, storage::LogTail& tail) {
  CommitWriter writer(state.store);
  HF_ASSIGN(tail, storage::read_log(state.fs, options, [&](const storage::FrameView& frame) {
              return replay_frame(state, writer, frame);
            }));
  if (tail.verdict == storage::LogVerdict::damage) {
    return {StatusCode::data_damaged, "the log of collection '" + state.name + "' is damaged: " + tail.reason};
  }
  writer.publish();
  state.report.frames_replayed = tail.frames;
  state.report.bytes_replayed = tail.bytes;
  state.report.bytes_cut = tail.bytes_cut;
  state.report.last_lsn = tail.end.lsn;
  if (tail.verdict == storage::LogVerdict::torn_tail || tail.verdict == storage::LogVerdict::unacknowledged) {
    state.report.cut_reason = tail.reason;
  }
  if (tail.verdict == storage::LogVerdict::damage_below_checkpoint) state.report.notes.push_back(tail.reason);
  state.report.notes.insert(state.report.notes.end(), tail.notes.begin(), tail.notes.end());
  return {};
}

/// R2.
Status remove_orphans(CollectionState& state, const Generations& generations) {
  std::set<std::uint64_t> named;
  for (const auto* manifests : {&generations.readable, &generations.skipped}) {
    for (const storage::Manifest& manifest : *manifests) {
      for (const storage::ExtentInfo& extent : manifest.extents) named.insert(extent.number);
    }
  }
  const auto sweep = [&](const std::string& directory, bool extents_too) -> Status {
    HF_ASSIGN(const auto entries, state.fs.list(directory));
    for (const os::DirectoryEntry& entry : entries) {
      const storage::ParsedName parsed = storage::parse_name(entry.name);
      const bool orphan = parsed.kind == storage::FileKind::extent && extents_too && !named.contains(parsed.number);
      if (parsed.kind != storage::FileKind::temporary && !orphan) continue;
      if (HF_PLANTED(orphans_stay)) continue;
      HF_TRY(state.fs.remove(os::join(directory, entry.name)));
      state.report.files_removed.push_back(entry.name);
    }
    return {};
  };
  HF_TRY(sweep(state.directory, false));
  const bool all_known = generations.broken.empty() || HF_PLANTED(orphans_go_though_a_manifest_is_unreadable);
  return sweep(os::join(state.directory, storage::kExtentDirectory), all_known);
}

/// Extent numbers that no file uses, whatever an interrupted checkpoint left behind.
Result<std::uint64_t> free_extent_number(const CollectionState& state, std::uint64_t at_least) {
  HF_ASSIGN(const auto entries, state.fs.list(os::join(state.directory, storage::kExtentDirectory)));
  for (const os::DirectoryEntry& entry : entries) {
    const storage::ParsedName parsed = storage::parse_name(entry.name);
    if (parsed.kind == storage::FileKind::extent) at_least = std::max(at_least, parsed.number + 1);
  }
  return at_least;
}

void remember_checkpoint(CollectionState& state, const Generations& generations,
                         std::uint64_t next_extent) HF_NO_THREAD_SAFETY_ANALYSIS {  // nobody else has the state yet
  CheckpointState& checkpoint = state.checkpoint;
  checkpoint.manifest = generations.readable.front();
  checkpoint.manifest.next_extent = next_extent;
  checkpoint.epoch = state.store.pins().current()->graph.epoch;
  checkpoint.run_floors = state.loaded_run_floors;
  checkpoint.codes = state.loaded_codes;
  checkpoint.generations = {checkpoint.manifest.generation};
  checkpoint.previous_lsn = checkpoint.manifest.lsn;
  if (generations.readable.size() > 1) {
    const storage::Manifest& previous = generations.readable[1];
    checkpoint.generations.push_back(previous.generation);
    checkpoint.previous_extents = previous.extents;
    checkpoint.previous_lsn = previous.lsn;
  }
  checkpoint.next_generation = generations.highest + 1;
  state.checkpoint_lsn.store(checkpoint.manifest.lsn, std::memory_order_relaxed);
  state.checkpoint_generation.store(checkpoint.manifest.generation, std::memory_order_relaxed);
  state.checkpoint_wanted_at.store(state.options.open.checkpoint_log_bytes, std::memory_order_relaxed);
}

Status make_writable(CollectionState& state, const Generations& generations, const storage::ReadLogOptions& options,
                     const storage::LogTail& tail) {
  // The manifest may be named by the page cache only (killed between its rename and the sync). That needs no sync here:
  // should power loss undo the name, the generation before it and the log behind that one are still there (K3).
  // power fails here, or anywhere below: the next open finds the same log and decides the same
  HF_TRY(remove_orphans(state, generations));  // first: they may take the room that is needed below
  state.reserve.adopt();
  auto sealed = storage::seal_tail(state.fs, options, tail);
  if (const std::uint64_t had = state.reserve.bytes(); had > 0 && sealed.status().code() == StatusCode::disk_full) {
    // The copy replaces a file of at least its size: the room comes back.
    {
      const SegmentShare share(state, tail.valid_bytes);
      if (share.empty()) give_whole_reserve(state);
      sealed = storage::seal_tail(state.fs, options, tail);
    }
    state.reserve.hold(had).ignore();
  }
  HF_ASSIGN(const std::vector<std::string> removed, std::move(sealed));
  state.report.files_removed.insert(state.report.files_removed.end(), removed.begin(), removed.end());
  std::uint64_t next_extent = generations.readable.front().next_extent;
  for (const storage::Manifest& manifest : generations.skipped)
    next_extent = std::max(next_extent, manifest.next_extent);
  HF_ASSIGN(next_extent, free_extent_number(state, next_extent));
  remember_checkpoint(state, generations, next_extent);
  return {};
}

/// A collection with its log replayed, before anything is changed.
struct Replayed {
  std::shared_ptr<CollectionState> state;
  storage::ReadLogOptions options;
  storage::LogTail tail;
  Clock::time_point replay_start;
};

/// What an image holds is read when it is first needed: replay may be the first to meet damage, and then the generation
/// before and a longer log are used, as if it had been met while loading.
Status load_and_replay(const RecoveryRequest& request, Generations& generations, Replayed& out) {
  std::string first_damage = generations.broken.empty() ? std::string() : generations.broken.front();
  while (true) {
    const auto start = Clock::now();
    HF_ASSIGN(out.state, load_newest(request, generations, first_damage));
    const storage::Manifest& manifest = generations.readable.front();
    RecoveryReport& report = out.state->report;
    report.checkpoint_lsn = manifest.lsn;
    report.checkpoint_generation = manifest.generation;
    report.load_ms = ms_since(start);

    out.replay_start = Clock::now();
    out.options = log_options(request, manifest, generations.proven);
    Status status = replay(*out.state, out.options, out.tail);
    if (status.ok()) return {};
    const bool damaged = status.code() == StatusCode::data_damaged;
    if (damaged && out.state->damage.count() != 0 && generations.readable.size() > 1) {
      if (first_damage.empty()) first_damage = status.message();
      generations.skip_newest();
      continue;
    }
    if (!report.fell_back || !damaged) return status;
    // Power loss may have brought back a manifest whose log is gone: what matters is what is wrong with the newer ones.
    return {StatusCode::data_damaged, report.notes.front() + "; nor does generation " +
                                          std::to_string(manifest.generation) +
                                          " help: " + std::string(status.message())};
  }
}

Result<std::shared_ptr<CollectionState>> recover(const RecoveryRequest& request) {
  const auto start = Clock::now();
  HF_ASSIGN(Generations generations, read_generations(request));
  Replayed replayed;
  HF_TRY(load_and_replay(request, generations, replayed));
  const std::shared_ptr<CollectionState>& state = replayed.state;
  const storage::ReadLogOptions& options = replayed.options;
  const storage::LogTail& tail = replayed.tail;
  const storage::Manifest& manifest = generations.readable.front();
  for (const auto& [number, extent] : state->mapped_extents) extent->report_read_errors(false);
  if (HF_PLANTED(replay_builds_the_graph)) HF_TRY(wait_until_indexed(*state));
  if (request.change_nothing) {
    state->close_for_writing({StatusCode::read_only, "opened for inspection"});
  } else {
    HF_TRY(make_writable(*state, generations, options, tail));
  }
  storage::WalOptions wal{options.directory, request.uuid, request.options.open.log_segment_bytes, tail.ends_with_mark};
  state->wal = std::make_unique<storage::WalWriter>(state->fs, std::move(wal), tail.end);
  state->log_bytes_at_open.store(tail.bytes, std::memory_order_relaxed);
  if (!request.change_nothing && state->reserve.whole() != 0) restore_reserve(*state);
  state->report.replay_ms = ms_since(replayed.replay_start);
  const bool at_rest = tail.ends_with_mark || tail.end.lsn == manifest.lsn;
  state->report.clean = at_rest && tail.verdict == storage::LogVerdict::complete && !state->report.fell_back;
  state->report.total_ms = ms_since(start);
  return state;
}

}  // namespace

Result<std::shared_ptr<CollectionState>> recover_collection(const RecoveryRequest& request) {
  try {
    auto state = recover(request);
    Status status = state.status();
    if (status.code() == StatusCode::not_found) {
      // The catalog names the collection, so its directories were there.
      status = Status(StatusCode::data_damaged, "a part is missing: " + std::string(status.message()));
    }
    if (status.ok()) return state;
    if (status.code() != StatusCode::data_damaged || request.change_nothing) return status;
    return Status(StatusCode::data_damaged,
                  std::string(status.message()) +
                      "; nothing was changed. Restore a backup, or see 'holdfast repair' for what can be saved");
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::resource_exhausted,
                  "not enough memory to open collection '" + request.name + "'; nothing was changed");
  }
}

Status remove_collection_files(os::FileSystem& fs, const std::string& directory) {
  for (const std::string& place :
       {os::join(directory, storage::kWalDirectory), os::join(directory, storage::kExtentDirectory), directory}) {
    auto entries = fs.list(place);
    if (!entries.ok()) {
      if (entries.status().code() == StatusCode::not_found) continue;
      return entries.status();
    }
    for (const os::DirectoryEntry& entry : *entries) {
      if (!entry.is_directory) HF_TRY(fs.remove(os::join(place, entry.name)));
    }
    HF_TRY(fs.remove_directory(place));
  }
  return {};
}

Result<bool> holds_foreign_entries(os::FileSystem& fs, const std::string& directory) {
  using storage::FileKind;
  const auto foreign_in = [&](const std::string& place, FileKind own) -> Result<bool> {
    auto entries = fs.list(place);
    if (entries.status().code() == StatusCode::not_found) return false;
    HF_TRY(entries.status());
    return std::any_of(entries->begin(), entries->end(), [&](const os::DirectoryEntry& entry) {
      const FileKind kind = storage::parse_name(entry.name).kind;
      const bool room =
          own == FileKind::manifest && (kind == FileKind::wal_directory || kind == FileKind::extent_directory);
      const bool head = own == FileKind::segment && kind == FileKind::log_head;
      const bool reserve = own == FileKind::manifest && kind == FileKind::reserve;
      return entry.is_directory ? !room : kind != own && kind != FileKind::temporary && !head && !reserve;
    });
  };
  for (const auto& [place, own] : {std::pair(directory, FileKind::manifest),
                                   std::pair(os::join(directory, storage::kWalDirectory), FileKind::segment),
                                   std::pair(os::join(directory, storage::kExtentDirectory), FileKind::extent)}) {
    HF_ASSIGN(const bool foreign, foreign_in(place, own));
    if (foreign) return true;
  }
  return false;
}

}  // namespace holdfast::engine
