// Verify reads every byte that the store's manifests and log name, and then loads the store as recovery would, without
// changing it, to check what checksums cannot: that ids, stamps, lists and counts fit together.
//
// Damage is a finding, not an error: verify goes on after it, so that the report shows the whole extent.
#include "engine/verify.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <new>
#include <set>

#include "base/try.h"
#include "engine/code_loading.h"
#include "engine/image.h"
#include "engine/record.h"
#include "engine/recovery.h"
#include "engine/repair_log.h"
#include "engine/repair_text.h"
#include "engine/rows.h"
#include "index/check.h"
#include "index/read_check.h"
#include "storage/file_names.h"
#include "storage/wal_reader.h"

namespace holdfast::engine {

namespace {

constexpr std::size_t kKeptGenerations = 2;  ///< checkpoint.cc, K3
constexpr std::uint64_t kShownPoints = 10;   ///< findings about single points, of one collection

using Severity = VerifyFinding::Severity;
using storage::ExtentInfo;
using storage::FileKind;

/// One collection, step by step: files, manifests, extents, log, then the whole as it would be served.
class CollectionVerifier {
 public:
  CollectionVerifier(os::FileSystem& fs, const std::string& store, const storage::CatalogEntry& entry,
                     std::string folder, const VerifyOptions& options, VerifyReport& report)
      : fs_(fs),
        entry_(entry),
        folder_(std::move(folder)),
        directory_(os::join(store, folder_)),
        options_(options),
        report_(report) {}

  Status run() {
    auto exists = fs_.exists(directory_);
    if (!exists.ok()) return exists.status();
    if (!*exists) {
      add(Severity::damage, folder_, 0, 0, "the collection's directory is missing");
      return {};
    }
    HF_TRY(check_manifests());
    HF_TRY(check_files());
    for (const auto& [number, info] : extents_) HF_TRY(check_extent(info));
    HF_TRY(check_log());
    return check_whole();
  }

 private:
  void add(Severity severity, const std::string& file, std::uint64_t offset, std::uint64_t length,
           std::string message) {
    report_.findings.push_back({severity, entry_.name, file, offset, length, std::move(message)});
  }
  /// Where the message itself says at which byte of `file` the damage begins.
  void add_damage(const std::string& file, const std::string& message) {
    add(Severity::damage, file, offset_in(message, file), 0, message);
  }
  [[nodiscard]] std::string inside(std::string_view name) const { return os::join(folder_, name); }
  [[nodiscard]] std::string extent_file(std::uint64_t number) const {
    return inside(os::join(storage::kExtentDirectory, storage::extent_name(number)));
  }

  Status check_manifests() {
    HF_ASSIGN(const auto generations, storage::list_manifests(fs_, directory_));
    if (generations.empty()) add(Severity::damage, folder_, 0, 0, "there is no manifest: the checkpoint is lost");
    std::size_t readable = 0;
    for (const std::uint64_t generation : generations) {  // newest first
      const std::string name = storage::manifest_name(generation);
      auto manifest = storage::read_manifest(fs_, directory_, generation);
      ++report_.files_checked;
      if (manifest.ok() && manifest->collection == entry_.uuid && ++readable > kKeptGenerations) {
        // Power loss can undo the removal of a manifest and keep that of the log behind it.
        add(Severity::note, inside(name), 0, 0, "an older checkpoint than those that are kept; nothing needs it");
      } else if (manifest.ok() && manifest->collection == entry_.uuid) {
        if (auto image = decode_image_state(manifest->state, manifest->lsn); !image.ok()) {
          if (image.status().code() != StatusCode::data_damaged) return image.status();
          add(Severity::damage, inside(name), storage::kManifestStateAt, manifest->state.size(),
              std::string(image.status().message()));
        }
        for (const ExtentInfo& extent : manifest->extents) extents_.emplace(extent.number, extent);
        if (newest_end_.lsn == 0) newest_end_ = {manifest->lsn, manifest->log_checksum};
        proven_ = std::max(proven_, manifest->lsn);
        oldest_ = std::min(oldest_, manifest->lsn);
        if (manifest->lsn == oldest_) oldest_end_ = {manifest->lsn, manifest->log_checksum};
      } else if (!manifest.ok() && manifest.status().code() != StatusCode::data_damaged) {
        return manifest.status();
      } else {
        all_manifests_readable_ = false;
        add_damage(inside(name),
                   manifest.ok() ? "belongs to another collection" : std::string(manifest.status().message()));
      }
    }
    return {};
  }

  /// What no manifest names costs nothing, but is worth knowing.
  Status check_files() {
    for (const std::string& place :
         {std::string(), std::string(storage::kExtentDirectory), std::string(storage::kWalDirectory)}) {
      auto entries = fs_.list(place.empty() ? directory_ : os::join(directory_, place));
      if (!entries.ok()) {
        add(Severity::damage, place.empty() ? folder_ : inside(place), 0, 0, entries.status().to_string());
        continue;
      }
      for (const os::DirectoryEntry& entry : *entries) {
        const storage::ParsedName parsed = storage::parse_name(entry.name);
        const std::string file = inside(place.empty() ? entry.name : os::join(place, entry.name));
        if (parsed.kind == FileKind::temporary) {
          add(Severity::note, file, 0, 0, "left over from interrupted work; the next open removes it");
        } else if (parsed.kind == FileKind::extent && !extents_.contains(parsed.number)) {
          add(Severity::note, file, 0, 0,
              all_manifests_readable_
                  ? "no manifest names this extent; the next open removes it"
                  : "no readable manifest names this extent; it is left alone while one is damaged");
        } else if (parsed.kind == FileKind::unknown) {
          add(Severity::note, file, 0, 0, "not a file of Holdfast; it is left alone");
        }
      }
    }
    return {};
  }

  Status check_extent(const ExtentInfo& info) {
    const std::string file = extent_file(info.number);
    auto extent = storage::Extent::open(fs_, os::join(directory_, storage::kExtentDirectory), entry_.uuid, info);
    ++report_.files_checked;
    if (!extent.ok()) {
      const StatusCode code = extent.status().code();
      if (code != StatusCode::data_damaged && code != StatusCode::not_found) return extent.status();
      add_damage(file, std::string(extent.status().message()));
      return {};
    }
    if (options_.level == VerifyLevel::fast && is_lazy(info)) return {};
    for (std::uint64_t page = 0; page < (*extent)->pages(); ++page) {
      const std::uint64_t begin = page * storage::kExtentPageBytes;
      const std::uint64_t length = std::min<std::uint64_t>(storage::kExtentPageBytes, info.data_bytes - begin);
      if (Status status = (*extent)->verify_page(page); !status.ok()) {
        add(Severity::damage, file, storage::kExtentDataOffset + begin, length, std::string(status.message()));
        damaged_extents_.insert(storage::extent_name(info.number));
      }
      ++report_.pages_checked;
      report_.bytes_checked += length;
      progress(length);
    }
    return {};
  }

  /// What no fast check needs.
  static bool is_lazy(const ExtentInfo& info) {
    const ExtentKind kind = kind_of(info.kind);
    return kind == ExtentKind::vectors || kind == ExtentKind::payloads || kind == ExtentKind::codes;
  }

  Status check_log() {
    HF_ASSIGN(const bool there, fs_.exists(os::join(directory_, storage::kWalDirectory)));
    if (!there) return {};  // was said by check_files
    storage::ReadLogOptions options;
    options.check_below = options_.level == VerifyLevel::full;
    options.directory = os::join(directory_, storage::kWalDirectory);
    options.collection = entry_.uuid;
    options.after = options_.level == VerifyLevel::full ? oldest_end_.lsn : newest_end_.lsn;
    options.base = options_.level == VerifyLevel::full ? oldest_end_ : newest_end_;
    options.proven = proven_;
    if (oldest_ == kNeverDied) {  // no manifest can be read: from where on the log counts, nobody knows
      HF_ASSIGN(const Lsn first, first_lsn_of_log(fs_, os::join(directory_, storage::kWalDirectory)));
      options.after = first == 0 ? 0 : first - 1;
      options.base = {};
    }
    HF_ASSIGN(const storage::LogTail tail, storage::read_log(fs_, options, [&](const storage::FrameView& frame) {
                ++report_.frames_checked;
                report_.bytes_checked += frame.length;
                progress(frame.length);
                return Status();
              }));
    for (const std::string& note : tail.notes) {
      add(Severity::damage, inside(os::join(storage::kWalDirectory, storage::kLogHeadFile)), 0, 0, note);
    }
    for (const storage::LogDamage& damage : tail.damage) {
      add(Severity::damage, inside(os::join(storage::kWalDirectory, damage.segment)), damage.offset, damage.length,
          damage.message);
    }
    if (tail.verdict == storage::LogVerdict::torn_tail || tail.verdict == storage::LogVerdict::unacknowledged) {
      add(Severity::note, inside(os::join(storage::kWalDirectory, tail.last_segment)), tail.valid_bytes, tail.bytes_cut,
          "never acknowledged, the next open cuts it: " + tail.reason);
    }
    return {};
  }

  Status check_whole() {
    RecoveryRequest request;
    request.name = entry_.name;
    request.directory = directory_;
    request.uuid = entry_.uuid;
    request.options.fs = &fs_;
    request.options.background = false;
    request.signals = std::make_shared<Signals>();
    request.change_nothing = true;
    auto state = recover_collection(request);
    if (!state.ok()) {
      const StatusCode code = state.status().code();
      if (code != StatusCode::data_damaged && code != StatusCode::not_found) return state.status();
      if (!is_named()) add_load_damage(std::string(state.status().message()));
      return {};
    }
    const RecoveryReport& report = (*state)->report;
    if (options_.level == VerifyLevel::full && report.fell_back && !is_named()) {
      add_load_damage(report.notes.empty() ? "the newest image is of no use" : report.notes.front());
    }
    check_points(**state);
    if (options_.level == VerifyLevel::full) check_codes(**state);
    return {};
  }

  /// What is broken may have been named when its file was read; it is said again only if it was not.
  [[nodiscard]] bool is_named() const {
    return std::any_of(report_.findings.begin(), report_.findings.end(), [&](const VerifyFinding& f) {
      return f.collection == entry_.name && f.severity == Severity::damage;
    });
  }

  /// "<number>.ext (level0): graph chunk 0, byte 132: ...": the place within the data of that extent.
  void add_load_damage(const std::string& message) {
    const std::size_t name = message.find(".ext (");
    constexpr std::size_t kDigits = 16;
    if (name == std::string::npos || name < kDigits) return add_damage(folder_, message);
    const std::string file = os::join(storage::kExtentDirectory, message.substr(name - kDigits, kDigits + 4));
    std::uint64_t offset = 0;
    const bool placed = offset_behind(message, "byte ", offset);
    add(Severity::damage, inside(file), placed ? storage::kExtentDataOffset + offset : 0, 0, message);
  }

  void check_points(const CollectionState& state) {
    const PointStore& store = state.store;
    const Pin view(store.pins());
    const index::ReadCheck check;  // damaged pages were named when the extents were read
    for (Slot slot = 0; slot < view->slot_end; ++slot) {
      if (!store.slots().visible(slot, view->lsn)) continue;
      check_row(state, *view, slot);
    }
    if (broken_points_ > kShownPoints) {
      add(Severity::damage, folder_, 0, 0,
          "and " + std::to_string(broken_points_ - kShownPoints) + " more findings about its points");
    }
    check_nodes(state, *view);
  }

  /// Whether the message is about an extent of which a damaged page was reported: nothing new for each of its points.
  [[nodiscard]] bool is_reported(const Status& status) const {
    return std::any_of(damaged_extents_.begin(), damaged_extents_.end(),
                       [&](const std::string& name) { return status.message().find(name) != std::string_view::npos; });
  }

  [[nodiscard]] bool is_finite(const index::VectorTable& vectors, Slot slot) {
    const float* const row = vectors.floats(vectors.row(slot), room_);  // row() reads the page to verify it
    return std::all_of(row, row + vectors.dimension(), [](float x) { return std::isfinite(x); });
  }

  void check_row(const CollectionState& state, const View& view, Slot slot) {
    const PointStore& store = state.store;
    const auto broken = [&](const std::string& what) {
      if (++broken_points_ > kShownPoints) return;
      add(Severity::damage, folder_, 0, 0, "point " + store.slots().id(slot).to_string() + ": " + what);
    };
    const bool full = options_.level == VerifyLevel::full;
    if (full && !is_finite(store.vectors(), slot)) broken("its vector holds NaN or infinity");
    if (!store.slots().is_head(slot)) return;
    ++report_.points_checked;
    if (store.find(store.slots().id(slot), view) != slot) broken("its id does not lead to its row");
    if (!full) return;
    const auto payload = store.slots().payload(slot);
    if (!payload.ok() && !is_reported(payload.status())) broken(payload.status().to_string());
  }

  void check_nodes(const CollectionState& state, const View& view) {
    const ViewRows rows(state.store.slots(), view.lsn);
    const index::GraphCheck graph = index::check_graph(state.store.graph(), view.graph, view.slot_end, rows.alive());
    report_.links_checked += graph.links;
    for (const std::string& violation : graph.violations) add(Severity::damage, folder_, 0, 0, "graph: " + violation);
    if (graph.unreachable > 0) {
      add(Severity::note, folder_, 0, 0,
          "graph: " + std::to_string(graph.unreachable) + " of " + std::to_string(graph.nodes) +
              " nodes are not reached from the entry point; the indexer links them in when the store is open");
    }
  }

  void check_codes(CollectionState& state) {
    const Pin view(state.store.pins());
    for (const auto& [info, what] : check_image_codes(state, *view)) {
      add(Severity::damage, extent_file(info.number), storage::kExtentDataOffset, info.data_bytes, what);
    }
  }

  void progress(std::uint64_t bytes) {
    done_ += bytes;
    if (!options_.progress || done_ - reported_ < (std::uint64_t{16} << 20)) return;
    reported_ = done_;
    std::uint64_t total = 0;
    for (const auto& [number, info] : extents_) total += info.data_bytes;
    options_.progress(done_, std::max(total, done_));
  }

  os::FileSystem& fs_;
  const storage::CatalogEntry& entry_;
  const std::string folder_;  ///< relative to the store
  const std::string directory_;
  const VerifyOptions& options_;
  VerifyReport& report_;
  std::map<std::uint64_t, ExtentInfo> extents_;
  bool all_manifests_readable_ = true;
  Lsn proven_ = 0;
  Lsn oldest_ = kNeverDied;
  storage::LogEnd oldest_end_, newest_end_;
  std::set<std::string> damaged_extents_;  ///< those with a damaged page
  std::uint64_t broken_points_ = 0;
  std::vector<float> room_;  ///< for a decoded row
  std::uint64_t done_ = 0, reported_ = 0;
};

/// Takes the store's lock, so that nobody changes what is being read.
struct LockedStore {
  std::unique_ptr<os::FileLock> lock;
  storage::Catalog catalog;
  Status catalog_damage;  ///< then the catalog is what the directories say
};

Result<LockedStore> lock_store(os::FileSystem& fs, const std::string& path) {
  LockedStore locked;
  HF_ASSIGN(const bool store, fs.exists(os::join(path, storage::kCatalogFile)));
  if (!store) {
    HF_ASSIGN(const bool there, fs.exists(path));
    if (there) {
      HF_ASSIGN(locked.catalog, catalog_of_directories(fs, path));
    }
    if (locked.catalog.collections.empty()) {
      return Status(StatusCode::not_a_store, path + " holds no CATALOG: it is no Holdfast store");
    }
  }
  HF_ASSIGN(locked.lock, fs.lock(os::join(path, storage::kLockFile)));
  auto catalog = storage::read_catalog(fs, path);
  if (catalog.ok()) {
    locked.catalog = std::move(catalog).value();
    return locked;
  }
  const StatusCode code = catalog.status().code();
  if (code != StatusCode::data_damaged && code != StatusCode::not_found) return catalog.status();
  locked.catalog_damage = code == StatusCode::data_damaged
                              ? catalog.status()
                              : Status(StatusCode::data_damaged, "the file is missing: no collection can be opened");
  HF_ASSIGN(locked.catalog, catalog_of_directories(fs, path));
  return locked;
}

/// D1 of database_state.cc.
Status note_orphans(os::FileSystem& fs, const std::string& path, const storage::Catalog& catalog,
                    VerifyReport& report) {
  HF_ASSIGN(const auto entries, fs.list(path));
  for (const os::DirectoryEntry& entry : entries) {
    if (entry.is_directory && storage::parse_name(entry.name).kind == FileKind::repair_directory) {
      report.findings.push_back({Severity::note, "", entry.name, 0, 0,
                                 "what a repair has set aside; remove it when it is not needed any more"});
    }
    if (!entry.is_directory || storage::parse_name(entry.name).kind != FileKind::collection_directory) continue;
    const auto names_it = [&](const storage::CatalogEntry& known) {
      return storage::collection_directory_name(known.uuid) == entry.name;
    };
    if (std::any_of(catalog.collections.begin(), catalog.collections.end(), names_it)) continue;
    HF_ASSIGN(const bool foreign, holds_foreign_entries(fs, os::join(path, entry.name)));
    report.findings.push_back({Severity::note, "", entry.name, 0, 0,
                               foreign ? "no collection of this store, and it holds other files; it is left alone"
                                       : "left over from a collection that was dropped; the next open removes it"});
  }
  return {};
}

Status no_such_collection(std::string_view name) {
  return {StatusCode::not_found, "no collection '" + std::string(name) + "' in this store"};
}

}  // namespace

Result<VerifyReport> verify_store(os::FileSystem& fs, const std::string& path, const VerifyOptions& options) {
  VerifyReport report;
  report.level = options.level;
  HF_ASSIGN(const LockedStore locked, lock_store(fs, path));
  ++report.files_checked;
  const std::string catalog(storage::kCatalogFile);
  if (const Status& damage = locked.catalog_damage; !damage.ok()) {
    const std::string what(damage.message());
    report.findings.push_back({Severity::damage, "", catalog, offset_in(what, catalog), 0, what});
  } else if (options.collection.empty()) {
    HF_TRY(note_orphans(fs, path, locked.catalog, report));
  }
  bool found = options.collection.empty();
  for (const storage::CatalogEntry& entry : locked.catalog.collections) {
    if (!options.collection.empty() && entry.name != options.collection) continue;
    found = true;
    HF_TRY(verify_collection(fs, path, entry, storage::collection_directory_name(entry.uuid), options, report));
  }
  if (!found) return no_such_collection(options.collection);
  return report;
}

Status verify_collection(os::FileSystem& fs, const std::string& store, const storage::CatalogEntry& entry,
                         const std::string& folder, const VerifyOptions& options, VerifyReport& report) {
  return CollectionVerifier(fs, store, entry, folder, options, report).run();
}

namespace {

LogEntry frame_entry(const storage::FrameView& frame) {
  LogEntry entry;
  entry.segment = frame.segment;
  entry.offset = frame.offset;
  entry.length = frame.length;
  entry.lsn = frame.lsn;
  entry.synced_lsn = frame.synced_lsn;
  const bool batch = frame.type == storage::FrameType::batch;
  entry.kind = batch ? "batch" : "mark";
  entry.summary =
      batch ? describe_batch(frame.body) : "everything up to lsn " + std::to_string(frame.synced_lsn) + " is durable";
  return entry;
}

/// What stands after the last frame that counts.
void visit_tail(const storage::LogTail& tail, const std::function<bool(const LogEntry&)>& visit) {
  for (const storage::LogDamage& damage : tail.damage) {
    if (!visit({damage.segment, damage.offset, damage.length, damage.first_lsn, 0, "damage", damage.message})) return;
  }
  if (tail.verdict != storage::LogVerdict::torn_tail && tail.verdict != storage::LogVerdict::unacknowledged) return;
  visit({tail.last_segment, tail.valid_bytes, tail.bytes_cut, tail.end.lsn + 1, 0, "torn", tail.reason});
}

}  // namespace

Status dump_collection_log(os::FileSystem& fs, const std::string& path, std::string_view collection,
                           const std::function<bool(const LogEntry&)>& visit) {
  HF_ASSIGN(const LockedStore locked, lock_store(fs, path));
  const auto& known = locked.catalog.collections;
  const bool any = collection.empty() && known.size() == 1;
  const auto entry =
      std::find_if(known.begin(), known.end(), [&](const auto& one) { return any || one.name == collection; });
  if (entry == known.end()) return no_such_collection(collection);

  storage::ReadLogOptions options;
  options.directory = os::join(os::join(path, storage::collection_directory_name(entry->uuid)), storage::kWalDirectory);
  options.collection = entry->uuid;
  HF_ASSIGN(const auto files, fs.list(options.directory));
  for (const os::DirectoryEntry& file : files) {
    const storage::ParsedName parsed = storage::parse_name(file.name);
    if (parsed.kind != FileKind::segment) continue;
    options.after = parsed.number - 1;  // the first segment: a log may begin after what a checkpoint holds
    break;
  }
  std::string segment;
  const auto stopped = [] { return Status(StatusCode::cancelled, "the visitor has seen enough"); };
  auto tail = storage::read_log(fs, options, [&](const storage::FrameView& frame) -> Status {
    if (frame.segment != segment) {
      segment = frame.segment;
      if (!visit({segment, 0, 0, frame.lsn, 0, "segment", "begins with lsn " + std::to_string(frame.lsn)})) {
        return stopped();
      }
    }
    return visit(frame_entry(frame)) ? Status() : stopped();
  });
  if (tail.status().code() == StatusCode::cancelled) return {};
  if (!tail.ok()) return tail.status();
  visit_tail(*tail, visit);
  return {};
}

}  // namespace holdfast::engine

namespace holdfast {

std::string_view to_string(VerifyLevel level) noexcept { return level == VerifyLevel::fast ? "fast" : "full"; }

bool VerifyReport::damaged() const noexcept {
  return std::any_of(findings.begin(), findings.end(),
                     [](const VerifyFinding& finding) { return finding.severity == VerifyFinding::Severity::damage; });
}

Result<VerifyReport> verify(const std::filesystem::path& path, const VerifyOptions& options) {
  try {
    return engine::verify_store(os::posix_file_system(), path.string(), options);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::resource_exhausted, "not enough memory to verify the store");
  }
}

Status dump_log(const std::filesystem::path& path, std::string_view collection,
                const std::function<bool(const LogEntry&)>& visit) {
  try {
    return engine::dump_collection_log(os::posix_file_system(), path.string(), collection, visit);
  } catch (const std::bad_alloc&) {
    return {StatusCode::resource_exhausted, "not enough memory to read the log"};
  }
}

}  // namespace holdfast
