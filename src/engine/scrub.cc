#include "engine/scrub.h"

#include <algorithm>
#include <map>

#include "base/try.h"
#include "engine/collection_state.h"
#include "engine/image.h"
#include "storage/file_names.h"
#include "storage/wal_reader.h"

namespace holdfast::engine {

namespace {

using storage::ExtentInfo;

bool is_damage(const Status& status) { return status.code() == StatusCode::data_damaged; }

/// Closed or dropped: its files may be going.
bool is_over(const CollectionState& state) {
  return state.write_error().code() == StatusCode::closed ||
         state.signals->stop.load(std::memory_order_acquire);  // pairs with Background::stop()
}

/// What the manifests say that are there now.
struct Manifests {
  std::map<std::uint64_t, ExtentInfo> extents;
  Lsn proven = 0;          ///< the newest lsn that one of them holds
  storage::LogEnd oldest;  ///< where the log that is kept begins
  bool any = false;
};

Manifests read_manifests(CollectionState& state, std::uint64_t& bytes) {
  Manifests found;
  const auto numbers = storage::list_manifests(state.fs, state.directory);
  if (!numbers.ok()) return found;
  for (const std::uint64_t number : *numbers) {
    auto manifest = storage::read_manifest(state.fs, state.directory, number);
    if (is_damage(manifest.status())) state.damage.note_file(storage::manifest_name(number), 0, manifest.status());
    if (!manifest.ok()) continue;  // removed meanwhile, or unreadable for now
    bytes += manifest->state.size() + manifest->extents.size() * sizeof(ExtentInfo);
    for (const ExtentInfo& extent : manifest->extents) found.extents.emplace(extent.number, extent);
    found.proven = std::max(found.proven, manifest->lsn);
    if (!found.any || manifest->lsn < found.oldest.lsn) found.oldest = {manifest->lsn, manifest->log_checksum};
    found.any = true;
  }
  return found;
}

Result<storage::LogTail> read_whole_log(CollectionState& state, std::uint64_t& bytes) {
  const Manifests manifests = read_manifests(state, bytes);
  storage::ReadLogOptions options;
  options.directory = os::join(state.directory, storage::kWalDirectory);
  options.collection = state.uuid;
  options.after = manifests.oldest.lsn;
  options.base = manifests.oldest;
  options.proven = manifests.proven;
  return storage::read_log(state.fs, options, [&](const storage::FrameView& frame) -> Status {
    bytes += frame.length;
    if (is_over(state)) return {StatusCode::cancelled, "the collection is being closed"};
    return {};
  });
}

/// U2: writers append and checkpoints remove while it is read. Real damage stays where it is.
void check_log(CollectionState& state, std::uint64_t& bytes) {
  const auto is_unreadable = [](const auto& tail) { return tail.status().code() == StatusCode::io_error; };
  const auto first = read_whole_log(state, bytes);
  const bool sound = first.ok() && first->damage.empty() && first->notes.empty();
  if (sound || (!first.ok() && !is_unreadable(first))) return;
  const auto second = read_whole_log(state, bytes);
  if (is_over(state)) return;
  if (!first.ok()) {
    if (is_unreadable(second)) state.damage.note_file(std::string(storage::kWalDirectory), 0, second.status());
    return;
  }
  if (!second.ok()) return;
  if (!first->notes.empty() && !second->notes.empty()) {
    state.damage.note_file(std::string(storage::kLogHeadFile), 0, {StatusCode::data_damaged, second->notes.front()});
  }
  for (const storage::LogDamage& damage : second->damage) {
    const bool again = std::any_of(first->damage.begin(), first->damage.end(), [&](const storage::LogDamage& before) {
      return before.segment == damage.segment && before.offset == damage.offset;
    });
    if (again) state.damage.note_file(damage.segment, damage.offset, {StatusCode::data_damaged, damage.message});
  }
}

/// U2.
bool is_still_named(CollectionState& state, std::uint64_t extent) {
  std::uint64_t bytes = 0;
  return read_manifests(state, bytes).extents.contains(extent) && !is_over(state);
}

/// Opens the next extent. False: there is none.
bool open_next(CollectionState& state, ScrubPass& pass, std::uint64_t& bytes) {
  while (!pass.scan && !pass.extents.empty()) {
    pass.current = pass.extents.back();
    pass.extents.pop_back();
    pass.page = 0;
    auto scan = storage::ExtentScan::open(state.fs, os::join(state.directory, storage::kExtentDirectory), state.uuid,
                                          pass.current);
    bytes += storage::kExtentDataOffset;
    if (scan.ok()) {
      pass.scan.emplace(std::move(scan).value());
    } else if (is_still_named(state, pass.current.number)) {
      // A header, a table or a footer that cannot be read is as good as a wrong one.
      state.damage.note_extent(pass.current.number, 0, scan.status());
    }
  }
  return pass.scan.has_value();
}

void condemn_page(CollectionState& state, const ExtentInfo& info, std::uint64_t page, const Status& why) {
  state.damage.note_extent(info.number, storage::kExtentDataOffset + page * storage::kExtentPageBytes, why);
  const auto mapped = state.mapped_extents.find(info.number);
  if (mapped == state.mapped_extents.end()) return;
  mapped->second->condemn(page);  // U3
  if (kind_of(info.kind) == ExtentKind::vectors) {
    state.store.vectors().distrust(info.first_slot >> kChunkBits);
  }
}

void check_next_page(CollectionState& state, ScrubPass& pass, std::uint64_t& bytes) {
  const Status status = pass.scan->check_page(pass.page);
  bytes += pass.scan->page_bytes(pass.page);
  // A sector that cannot be read is as good as a wrong one, and of a mapping it would be a signal.
  if (is_damage(status) || status.code() == StatusCode::io_error) {
    condemn_page(state, pass.current, pass.page, status);
  }
  if (++pass.page >= pass.scan->pages()) pass.scan.reset();
}

}  // namespace

Status check_extent_file(CollectionState& state, const ExtentInfo& info) {
  auto scan =
      storage::ExtentScan::open(state.fs, os::join(state.directory, storage::kExtentDirectory), state.uuid, info);
  if (!scan.ok()) {
    if (!is_damage(scan.status()) && scan.status().code() != StatusCode::not_found) return scan.status();
    state.damage.note_extent(info.number, 0, scan.status());
    return {};
  }
  for (std::uint64_t page = 0; page < scan->pages(); ++page) {
    const Status status = scan->check_page(page);
    if (is_damage(status)) {
      condemn_page(state, info, page, status);
    } else if (!status.ok()) {
      return status;
    }
  }
  return {};
}

ScrubStep scrub_step(CollectionState& state, std::uint64_t budget) {
  MutexLock lock(state.scrub_mutex);
  ScrubPass& pass = state.scrub;
  ScrubStep step;
  if (is_over(state)) return {0, true};
  if (!pass.begun) {
    const Manifests manifests = read_manifests(state, step.bytes);
    pass = ScrubPass();
    for (const auto& [number, info] : manifests.extents) pass.extents.push_back(info);
    pass.begun = true;
  }
  if (!pass.log_read) {
    check_log(state, step.bytes);
    pass.log_read = true;
  }
  while (step.bytes < std::max<std::uint64_t>(budget, 1) && !is_over(state)) {
    if (!open_next(state, pass, step.bytes)) {
      pass.begun = false;
      step.pass_done = true;
      state.scrub_passes.fetch_add(1, std::memory_order_relaxed);
      break;
    }
    if (pass.scan->pages() == 0) {
      pass.scan.reset();
      continue;
    }
    check_next_page(state, pass, step.bytes);
  }
  state.scrubbed_bytes.fetch_add(step.bytes, std::memory_order_relaxed);
  return step;
}

}  // namespace holdfast::engine
