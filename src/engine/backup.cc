// A backup is a store: a directory with CATALOG and collections, and the file BACKUP that says of which store. How one
// collection is copied from under its writers is the story of collection_copy.cc; here is how the target changes from
// the backup it holds to the next one.
//
// Why not by a new manifest, as a checkpoint does it: a checkpoint adds to one log, but two backups have two logs, and
// the second need not continue the first (the source may have removed what lies between). Manifest and log are two
// names; no order of renaming them is safe: the old manifest with the new log is a gap, the new manifest with the old
// log ends too early. So the unit that is swapped is the collection's directory, which holds both.
//
// Invariants. T is the target, D = T/c-<uuid> a collection's place in it, D.tmp its staging directory.
//  B1. D is only ever changed by one rename or exchange with D.tmp, when D.tmp is whole, read back and synced, its name
//      included. So D is the old copy or the new one at every moment and after every crash.
//  B2. Files of D are shared (linked) with D.tmp, never moved or written: extents are immutable.
//  B3. What was exchanged out, now in D.tmp, is removed after T was synced: until then a crash may bring it back.
//      Therefore D.tmp is never removed before T is synced, left-overs of an interrupted backup included.
//  B4. CATALOG is swapped after the collections that it names anew are durable in D, and before those that it no longer
//      names are removed. A directory that it does not name counts for nothing.
//  B5. All collections are staged before the first is swapped: what can fail for lack of space fails before T changes.
//      A backup that is interrupted between two swaps leaves one collection new and another old; no instant ever joined
//      them in the source either.
//  B6. A collection that is damaged in the source is left out of all this: D and its name in CATALOG stay as they are.
//      The target is a mirror otherwise: what the source dropped goes.
//  B7. T's own LOCK is held throughout. LOCK is never copied. A directory that holds anything but a backup of this
//  store
//      is refused before anything is written to it, and so is one inside the store or around it: what lives in a
//      store's directory is the store's, and goes with it.
#include "engine/backup.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <new>

#include "base/try.h"
#include "engine/collection_copy.h"
#include "engine/database_state.h"
#include "engine/recovery.h"
#include "engine/verify.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

using Clock = std::chrono::steady_clock;
using storage::FileKind;

constexpr std::uint64_t kMaxMarkerBytes = 4096;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::string marker_text(const Uuid& store) { return "holdfast backup of store " + storage::to_text(store) + "\n"; }

bool is_staging_name(const os::DirectoryEntry& entry) {
  return entry.is_directory && storage::parse_name(entry.name).kind == FileKind::temporary;
}

/// Everything of one target directory: staging, swapping, tidying.
class Target {
 public:
  Target(os::FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

  /// B7, for a backup of `store`.
  Status open_for_backup(const Uuid& store) {
    HF_TRY(refuse_unless_backup_of(store));
    HF_TRY(make_and_lock());
    HF_TRY(refuse_unless_backup_of(store));  // somebody may have used it before the lock was ours
    HF_ASSIGN(const bool marked, fs_.exists(os::join(path_, storage::kBackupFile)));
    const std::string text = marker_text(store);
    if (!marked) {
      HF_TRY(os::write_file_atomically(fs_, os::join(path_, storage::kBackupFile),
                                       std::as_bytes(std::span(text.data(), text.size()))));
    }
    HF_TRY(remove_staged());
    auto catalog = storage::read_catalog(fs_, path_);
    if (catalog.ok()) catalog_ = std::move(catalog).value();
    return {};  // a damaged catalog is replaced: the collections are whole in themselves
  }

  /// B7, for a restored store.
  Status open_for_restore() {
    HF_TRY(refuse_unless_empty(""));
    HF_TRY(make_and_lock());
    HF_TRY(refuse_unless_empty(""));
    return remove_staged();
  }

  [[nodiscard]] std::string place(const storage::CatalogEntry& entry) const {
    return os::join(path_, storage::collection_directory_name(entry.uuid));
  }
  [[nodiscard]] std::string staging(const storage::CatalogEntry& entry) const { return place(entry) + ".tmp"; }

  /// B1, B3, B4. REQUIRES each collection of `catalog` to be staged or there, and `staged` to name the former.
  Status commit(const storage::Catalog& catalog, const std::vector<storage::CatalogEntry>& staged,
                BackupReport& report) {
    HF_TRY(fs_.sync_directory(path_));  // the names of what is staged
    for (const storage::CatalogEntry& entry : staged) HF_TRY(swap(entry));
    // power fails here: each collection is the old copy or the new one
    HF_TRY(fs_.sync_directory(path_));
    if (catalog.store != catalog_.store || catalog.collections.size() != catalog_.collections.size() ||
        !std::equal(catalog.collections.begin(), catalog.collections.end(), catalog_.collections.begin(),
                    [](const auto& a, const auto& b) { return a.name == b.name && a.uuid == b.uuid; })) {
      HF_TRY(storage::write_catalog(fs_, path_, catalog));
    }
    // power fails here: directories that nothing names; the next backup removes them
    return remove_unnamed(catalog, report);
  }

  /// After a failure, while nothing was swapped yet. Best effort: the next backup does it again.
  void forget_staged() { remove_staged().ignore(); }
  void unlock() { lock_.reset(); }

 private:
  Result<std::vector<os::DirectoryEntry>> entries() {
    HF_ASSIGN(const bool there, fs_.exists(path_));
    if (!there) return std::vector<os::DirectoryEntry>();
    return fs_.list(path_);
  }

  Status refuse_unless_backup_of(const Uuid& store) {
    HF_ASSIGN(const auto found, entries());
    const auto is_marker = [](const os::DirectoryEntry& entry) { return entry.name == storage::kBackupFile; };
    if (std::any_of(found.begin(), found.end(), is_marker)) {
      HF_ASSIGN(const Bytes marker, os::read_file(fs_, os::join(path_, storage::kBackupFile), kMaxMarkerBytes));
      const std::string_view text(reinterpret_cast<const char*>(marker.data()), marker.size());
      if (text == marker_text(store)) return {};
      return {StatusCode::already_exists,
              path_ + " holds a backup of another store; choose another directory, or remove this one"};
    }
    return refuse_unless_empty(", and is no backup of this store");
  }

  /// `also` goes on with what else is wrong with the place.
  Status refuse_unless_empty(std::string_view also) {
    HF_ASSIGN(const auto found, entries());
    for (const os::DirectoryEntry& entry : found) {
      const FileKind kind = storage::parse_name(entry.name).kind;
      if (kind == FileKind::lock || kind == FileKind::temporary) continue;  // of an interrupted attempt
      return {StatusCode::already_exists, path_ + " is not empty (it holds " + entry.name + ")" + std::string(also) +
                                              "; choose a new or empty directory"};
    }
    return {};
  }

  Status make_and_lock() {
    HF_ASSIGN(const bool there, fs_.exists(path_));
    if (!there) HF_TRY(fs_.create_directory(path_));
    // Also if it is there: an earlier attempt may have been killed before this sync, and a backup must not be
    // acknowledged in a directory that a power loss takes away.
    HF_TRY(fs_.sync_directory(os::parent(path_)));
    HF_ASSIGN(lock_, fs_.lock(os::join(path_, storage::kLockFile)));
    return {};
  }

  /// B3.
  Status remove_staged() {
    HF_TRY(fs_.sync_directory(path_));
    HF_ASSIGN(const auto found, fs_.list(path_));
    for (const os::DirectoryEntry& entry : found) {
      if (is_staging_name(entry)) HF_TRY(remove_collection_files(fs_, os::join(path_, entry.name)));
    }
    return {};
  }

  Status swap(const storage::CatalogEntry& entry) {
    HF_ASSIGN(const bool there, fs_.exists(place(entry)));
    if (!there) return fs_.rename(staging(entry), place(entry));
    Status swapped = fs_.exchange(staging(entry), place(entry));
    if (swapped.code() != StatusCode::invalid_argument) return swapped;
    return {StatusCode::io_error, "the file system of " + path_ +
                                      " cannot exchange two directories in one step, which an incremental backup "
                                      "needs; back up to a new directory instead (" +
                                      std::string(swapped.message()) + ")"};
  }

  Status remove_unnamed(const storage::Catalog& catalog, BackupReport& report) {
    HF_ASSIGN(const auto found, fs_.list(path_));
    for (const os::DirectoryEntry& entry : found) {
      const bool named = std::any_of(catalog.collections.begin(), catalog.collections.end(),
                                     [&](const storage::CatalogEntry& collection) {
                                       return storage::collection_directory_name(collection.uuid) == entry.name;
                                     });
      const bool collection = storage::parse_name(entry.name).kind == FileKind::collection_directory;
      if (named || !(collection || is_staging_name(entry))) continue;
      HF_TRY(count_files(os::join(path_, entry.name), report));
      HF_TRY(remove_collection_files(fs_, os::join(path_, entry.name)));
    }
    return {};
  }

  Status count_files(const std::string& directory, BackupReport& report) {
    for (const std::string& place :
         {directory, os::join(directory, storage::kExtentDirectory), os::join(directory, storage::kWalDirectory)}) {
      auto found = fs_.list(place);
      if (!found.ok()) continue;  // half removed by an earlier attempt
      for (const os::DirectoryEntry& entry : *found) report.files_removed += entry.is_directory ? 0 : 1;
    }
    return {};
  }

  os::FileSystem& fs_;
  const std::string path_;
  std::unique_ptr<os::FileLock> lock_;
  storage::Catalog catalog_;  ///< what the target's says
};

/// Whether `inner` is `outer` or below it. `same` says whether two paths are one directory.
template <class Same>
bool holds(const std::filesystem::path& outer, std::filesystem::path inner, Same same) {
  for (;;) {
    if (same(inner, outer)) return true;
    std::filesystem::path above = inner.parent_path();
    if (above == inner || above.empty()) return false;
    inner = std::move(above);
  }
}

template <class Same>
Status refuse_nested(const std::filesystem::path& source, const std::filesystem::path& target, Same same) {
  const auto refuse = [&](const char* where) -> Status {
    return {StatusCode::invalid_argument, target.string() + where + source.string() + "; choose another directory"};
  };
  if (same(source, target)) return refuse(" is the source itself, ");
  if (holds(source, target, same)) return refuse(" lies inside the source, ");
  if (holds(target, source, same)) return refuse(" holds the source, ");
  return {};
}

/// B7, by the paths alone: all that can be said on any file system.
Status refuse_nested(const std::string& source, const std::string& target) {
  const auto plain = [](const std::string& path) {
    const std::filesystem::path normal = std::filesystem::path(path).lexically_normal();
    return normal.has_filename() || normal == normal.root_path() ? normal : normal.parent_path();  // no '/' at the end
  };
  return refuse_nested(plain(source), plain(target), std::equal_to<>());
}

Result<storage::Catalog> read_source(os::FileSystem& fs, const std::string& source) {
  HF_ASSIGN(const bool store, fs.exists(os::join(source, storage::kCatalogFile)));
  if (!store) return Status(StatusCode::not_a_store, source + " holds no CATALOG: it is no Holdfast store");
  return storage::read_catalog(fs, source);
}

bool names(const storage::Catalog& catalog, const Uuid& uuid) {
  return std::any_of(catalog.collections.begin(), catalog.collections.end(),
                     [&](const storage::CatalogEntry& entry) { return entry.uuid == uuid; });
}

/// Stages every collection of `catalog`; takes those out of it that were dropped meanwhile. A backup goes on without a
/// collection that is damaged (B6), unless there is no other. Returns what was staged.
Result<std::vector<storage::CatalogEntry>> stage(os::FileSystem& fs, const std::string& source, const Target& target,
                                                 bool restore, const BackupOptions& options, storage::Catalog& catalog,
                                                 BackupReport& report) {
  CopyMeter meter(options.progress);
  std::vector<storage::CatalogEntry> staged, served;
  Status damage;
  for (const storage::CatalogEntry& entry : catalog.collections) {
    CopyRequest request;
    request.entry = entry;
    request.source = os::join(source, storage::collection_directory_name(entry.uuid));
    request.previous = restore ? std::string() : target.place(entry);
    request.staged = target.staging(entry);
    request.hard_links = options.hard_links && !restore;
    request.read_all = options.verify || !request.hard_links;
    Status status = copy_collection(fs, request, meter, report);
    if (status.ok()) {
      staged.push_back(entry);
      served.push_back(entry);
      continue;
    }
    // Files of a dropped collection go one by one, after the catalog did without it (D1 of database_state.cc).
    const StatusCode code = status.code();
    if (code == StatusCode::not_found || code == StatusCode::data_damaged) {
      HF_ASSIGN(const storage::Catalog now, storage::read_catalog(fs, source));
      if (!names(now, entry.uuid)) continue;
    }
    if (code == StatusCode::not_found) status = Status(StatusCode::data_damaged, std::string(status.message()));
    if (restore || status.code() != StatusCode::data_damaged) {
      return status.with_context("collection '" + entry.name + "'");
    }
    report.failed.push_back(entry.name + ": " + std::string(status.message()));
    if (damage.ok()) damage = status.with_context("collection '" + entry.name + "'");
    HF_ASSIGN(const bool held, fs.exists(target.place(entry)));
    if (held) served.push_back(entry);
  }
  if (staged.empty() && !damage.ok()) return damage;
  catalog.collections = std::move(served);
  return staged;
}

Status first_damage(const VerifyReport& report, const std::string& backup) {
  std::uint64_t count = 0;
  const VerifyFinding* first = nullptr;
  for (const VerifyFinding& finding : report.findings) {
    if (finding.severity != VerifyFinding::Severity::damage) continue;
    if (first == nullptr) first = &finding;
    ++count;
  }
  return {StatusCode::data_damaged,
          "the backup " + backup + " is damaged (" + std::to_string(count) + (count == 1 ? " finding" : " findings") +
              ", 'holdfast verify' lists all): " + first->file + ": " + first->message + "; nothing was restored"};
}

Status open_once(os::FileSystem& fs, const std::string& path, std::vector<std::string>& collections) {
  EngineOptions options;
  options.fs = &fs;
  options.background = false;
  options.open.create_if_missing = false;
  options.open.checkpoint_on_close = false;
  HF_ASSIGN(const auto store, DatabaseState::open(path, options));
  for (const QuarantinedCollection& bad : store->quarantined()) {
    return bad.status.with_context("collection '" + bad.name + "' of the restored store");
  }
  collections = store->names();
  return store->close();
}

}  // namespace

Result<BackupReport> backup_store(os::FileSystem& fs, const std::string& source, const std::string& target_path,
                                  const BackupOptions& options) {
  const auto start = Clock::now();
  HF_TRY(refuse_nested(source, target_path));
  HF_ASSIGN(storage::Catalog catalog, read_source(fs, source));
  Target target(fs, target_path);
  HF_TRY(target.open_for_backup(catalog.store));
  BackupReport report;
  const auto staged = stage(fs, source, target, false, options, catalog, report);
  if (!staged.ok()) {
    target.forget_staged();
    return staged.status();
  }
  HF_TRY(target.commit(catalog, *staged, report));
  report.files_removed -= std::min(report.files_removed, report.files_kept);  // these have another name now
  report.total_ms = ms_since(start);
  return report;
}

Result<RestoreReport> restore_store(os::FileSystem& fs, const std::string& backup, const std::string& target_path,
                                    const BackupOptions& options) {
  const auto start = Clock::now();
  HF_TRY(refuse_nested(backup, target_path));
  RestoreReport report;
  VerifyOptions verify_options;
  verify_options.progress = options.progress;
  HF_ASSIGN(report.verified, verify_store(fs, backup, verify_options));
  if (report.verified.damaged()) return first_damage(report.verified, backup);

  // From here on nobody may write to the backup; that nobody did since it was verified, the copy's own checks tell.
  HF_ASSIGN(const auto lock, fs.lock(os::join(backup, storage::kLockFile)));
  HF_ASSIGN(storage::Catalog catalog, read_source(fs, backup));
  Target target(fs, target_path);
  HF_TRY(target.open_for_restore());
  BackupReport copied;
  const auto staged = stage(fs, backup, target, true, options, catalog, copied);
  if (!staged.ok()) {
    target.forget_staged();
    return staged.status();
  }
  HF_TRY(target.commit(catalog, *staged, copied));
  target.unlock();
  HF_TRY(open_once(fs, target_path, report.collections));
  report.files_copied = copied.files_copied;
  report.bytes_copied = copied.bytes_copied;
  report.total_ms = ms_since(start);
  return report;
}

}  // namespace holdfast::engine

namespace holdfast {

namespace {

/// B7, on the real file system: symlinks resolved as far as the path exists, and a directory known by any name.
Status refuse_nested_on_disk(const std::filesystem::path& source, const std::filesystem::path& target) {
  const auto resolve = [](const std::filesystem::path& path) -> Result<std::filesystem::path> {
    std::error_code error;
    std::filesystem::path resolved = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
    if (error) return Status(StatusCode::io_error, "cannot resolve the path " + path.string() + ": " + error.message());
    return resolved.has_filename() ? resolved : resolved.parent_path();
  };
  HF_ASSIGN(const std::filesystem::path from, resolve(source));
  HF_ASSIGN(const std::filesystem::path to, resolve(target));
  return engine::refuse_nested(from, to, [](const auto& a, const auto& b) {
    std::error_code none;  // a path that is not there is not the same as one that is
    return a == b || (std::filesystem::equivalent(a, b, none) && !none);
  });
}

}  // namespace

Result<BackupReport> backup(const std::filesystem::path& source, const std::filesystem::path& target,
                            const BackupOptions& options) {
  try {
    if (Status status = refuse_nested_on_disk(source, target); !status.ok()) return status;
    return engine::backup_store(os::posix_file_system(), source.string(), target.string(), options);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::resource_exhausted, "not enough memory for the backup; the target is as it was");
  }
}

Result<RestoreReport> restore(const std::filesystem::path& backup, const std::filesystem::path& target,
                              const BackupOptions& options) {
  try {
    if (Status status = refuse_nested_on_disk(backup, target); !status.ok()) return status;
    return engine::restore_store(os::posix_file_system(), backup.string(), target.string(), options);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::resource_exhausted, "not enough memory to restore the backup");
  }
}

}  // namespace holdfast
