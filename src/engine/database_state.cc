// Invariants
//  D1. The catalog's rename is the only commit point of create and drop: a directory that it does not name is garbage,
//      unless it holds something that is not ours: then it is somebody's, and stays as it is.
//  D2. A collection that cannot be recovered is quarantined by name; its files stay as they are.
#include "engine/database_state.h"

#include <algorithm>
#include <new>

#include "base/plant.h"
#include "base/try.h"
#include "engine/checkpoint.h"
#include "engine/commit.h"
#include "engine/disk_reserve.h"
#include "engine/recovery.h"
#include "engine/validate.h"
#include "simd/kernels.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

Uuid draw_uuid(os::FileSystem& fs) {
  Uuid uuid;
  for (std::size_t i = 0; i < uuid.size(); i += 8)
    store<std::uint64_t>(reinterpret_cast<std::byte*>(&uuid[i]), fs.random_u64());
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0F) | 0x40);  // version 4, variant 1 (RFC 9562)
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3F) | 0x80);
  return uuid;
}

Status closed_error() { return {StatusCode::closed, "the database is closed"}; }

/// Whether the directory holds anything but what an interrupted creation of a store leaves.
Result<bool> holds_other_things(os::FileSystem& fs, const std::string& path) {
  HF_ASSIGN(const auto entries, fs.list(path));
  return std::any_of(entries.begin(), entries.end(), [](const os::DirectoryEntry& entry) {
    const storage::FileKind kind = storage::parse_name(entry.name).kind;
    return kind != storage::FileKind::lock && kind != storage::FileKind::temporary;
  });
}

/// Whether there is a directory that is called as a collection's is.
Result<bool> holds_collections(os::FileSystem& fs, const std::string& path) {
  HF_ASSIGN(const auto entries, fs.list(path));
  return std::any_of(entries.begin(), entries.end(), [](const os::DirectoryEntry& entry) {
    return entry.is_directory && storage::parse_name(entry.name).kind == storage::FileKind::collection_directory;
  });
}

bool is_file(os::FileSystem& fs, const std::string& path) {
  const auto siblings = fs.list(os::parent(path));
  return siblings.ok() && std::any_of(siblings->begin(), siblings->end(), [&](const os::DirectoryEntry& entry) {
           return !entry.is_directory && os::join(os::parent(path), entry.name) == path;
         });
}

/// Makes sure that `path` is a store or a place where one may be made. Returns whether the catalog is there.
Result<bool> inspect_place(os::FileSystem& fs, const std::string& path, bool create_if_missing) {
  HF_ASSIGN(const bool exists, fs.exists(path));
  if (exists) {
    auto other = holds_other_things(fs, path);
    if (!other.ok() && is_file(fs, path)) {
      return Status(StatusCode::not_a_store, path + " is no directory: " + other.status().to_string());
    }
    HF_TRY(other.status());
    HF_ASSIGN(const bool catalog, fs.exists(os::join(path, storage::kCatalogFile)));
    if (catalog) return true;
    if (*other && !HF_PLANTED(missing_catalog_is_a_new_store)) {
      HF_ASSIGN(const bool collections, holds_collections(fs, path));
      if (collections) {
        return Status(StatusCode::not_a_store,
                      path + " holds collections but no CATALOG: it is a damaged Holdfast store; 'holdfast repair " +
                          path + "' shows what can be done");
      }
      return Status(StatusCode::not_a_store, path +
                                                 " holds files but no CATALOG: it is no Holdfast store (or a damaged "
                                                 "one); choose an empty directory to create a store");
    }
  }
  if (!create_if_missing) {
    return Status(StatusCode::not_a_store, "there is no store at " + path + "; create one first");
  }
  if (!exists) HF_TRY(fs.create_directory(path));
  // Also if it exists: an earlier attempt may have failed, or been killed, before this sync.
  if (!exists || !HF_PLANTED(parent_of_a_found_store_is_not_synced)) HF_TRY(fs.sync_directory(os::parent(path)));
  return false;
}

}  // namespace

DatabaseState::DatabaseState(std::string path, EngineOptions options)
    : path_(std::move(path)), options_(std::move(options)), signals_(std::make_shared<Signals>()) {}

DatabaseState::~DatabaseState() {
  try {
    close().ignore();  // nobody is left to tell; Database::close() tells
  } catch (const std::bad_alloc&) {
    // The words of its outcome; what it does, it has done.
  }
}

Result<std::shared_ptr<DatabaseState>> DatabaseState::open(const std::string& path, const EngineOptions& given) {
  EngineOptions options = given;
  if (options.fs == nullptr) options.fs = &os::posix_file_system();
  HF_TRY(validate_options(options.open));
  HF_TRY(simd::kernels_error());
  os::FileSystem& fs = *options.fs;
  HF_ASSIGN(bool is_store, inspect_place(fs, path, options.open.create_if_missing));
  std::shared_ptr<DatabaseState> state(new DatabaseState(path, options));
  if (!HF_PLANTED(store_is_not_locked)) {
    HF_ASSIGN(state->lock_, fs.lock(os::join(path, storage::kLockFile)));
  }
  if (!is_store) {
    // Another process may have made the store, and closed it, before we got the lock.
    HF_ASSIGN(is_store, fs.exists(os::join(path, storage::kCatalogFile)));
  }
  {
    MutexLock lock(state->mutex_);
    if (is_store) {
      HF_ASSIGN(state->catalog_, storage::read_catalog(fs, path));
      // A process killed between the catalog's rename and its sync leaves a catalog that only the page cache names.
      // What is built on it must not outlive it.
      if (!HF_PLANTED(name_of_a_found_catalog_is_not_synced)) HF_TRY(fs.sync_directory(path));
    } else {
      storage::Catalog fresh;
      fresh.store = draw_uuid(fs);
      HF_TRY(state->write_catalog(fresh));
    }
  }
  HF_TRY(state->open_collections());
  if (options.background) {
    state->background_ =
        std::make_unique<Background>(state->signals_, options.open, [raw = state.get()] { return raw->listed(); });
    HF_TRY(state->background_->start());
  }
  return state;
}

Background::Collections DatabaseState::listed() const {
  MutexLock lock(list_mutex_);
  return list_;
}

void DatabaseState::list_collections() {
  Background::Collections list;
  for (const auto& [name, collection] : collections_) list.push_back(collection);
  MutexLock lock(list_mutex_);
  list_ = std::move(list);
}

Status DatabaseState::open_collections() {
  MutexLock lock(mutex_);
  HF_TRY(remove_orphan_directories());
  for (const storage::CatalogEntry& entry : catalog_.collections) {
    RecoveryRequest request;
    request.name = entry.name;
    request.directory = os::join(path_, storage::collection_directory_name(entry.uuid));
    request.uuid = entry.uuid;
    request.options = options_;
    request.signals = signals_;
    auto collection = recover_collection(request);
    if (collection.ok()) {
      collections_.emplace(entry.name, std::move(collection).value());
    } else {
      if (HF_PLANTED(one_damaged_collection_stops_all)) return collection.status();
      quarantined_.emplace(entry.name, collection.status());
    }
  }
  list_collections();
  return {};
}

/// D1. Also the temporary file of an interrupted catalog swap.
Status DatabaseState::remove_orphan_directories() {
  os::FileSystem& fs = *options_.fs;
  HF_ASSIGN(const auto entries, fs.list(path_));
  for (const os::DirectoryEntry& entry : entries) {
    const storage::FileKind kind = storage::parse_name(entry.name).kind;
    if (HF_PLANTED(leftovers_of_the_catalog_stay)) continue;
    if (kind == storage::FileKind::temporary && !entry.is_directory) HF_TRY(fs.remove(os::join(path_, entry.name)));
    if (kind != storage::FileKind::collection_directory) continue;
    const bool named =
        std::any_of(catalog_.collections.begin(), catalog_.collections.end(), [&](const storage::CatalogEntry& known) {
          return storage::collection_directory_name(known.uuid) == entry.name;
        });
    if (named) continue;
    HF_ASSIGN(const bool foreign, holds_foreign_entries(fs, os::join(path_, entry.name)));
    if (!foreign) HF_TRY(remove_collection_files(fs, os::join(path_, entry.name)));
  }
  return {};
}

Status DatabaseState::write_catalog(const storage::Catalog& next) {
  storage::Catalog numbered = next;
  numbered.generation = catalog_.generation + 1;
  HF_TRY(storage::write_catalog(*options_.fs, path_, numbered));
  catalog_ = std::move(numbered);
  return {};
}

Result<std::shared_ptr<CollectionState>> DatabaseState::create(std::string_view name, const CollectionConfig& config) {
  HF_TRY(validate_name(name));
  HF_TRY(validate_config(config));
  MutexLock lock(mutex_);
  if (closed_) return closed_error();
  const auto same_name = [&](const storage::CatalogEntry& entry) { return entry.name == name; };
  if (std::any_of(catalog_.collections.begin(), catalog_.collections.end(), same_name)) {
    return Status(StatusCode::already_exists, "there is a collection '" + std::string(name) + "' already");
  }
  os::FileSystem& fs = *options_.fs;
  const Uuid uuid = draw_uuid(fs);
  RecoveryRequest request{
      std::string(name), os::join(path_, storage::collection_directory_name(uuid)), uuid, options_, signals_, false};
  Status status = create_collection_files(fs, request.directory, uuid, request.name, config);
  storage::Catalog next = catalog_;
  next.collections.push_back({request.name, uuid});
  // power fails here: a directory that the catalog does not name; removed at the next open
  if (status.ok()) status = write_catalog(next);
  if (!status.ok()) {
    // The catalog may or may not name it by now (its rename may not be synced): what is in doubt is not removed.
    return status.with_context("creating collection '" + request.name + "'");
  }
  // The catalog names it from here on: what cannot be opened now is not served, but can be dropped.
  auto collection = recover_collection(request);
  if (!collection.ok()) {
    quarantined_.emplace(request.name, collection.status());
    return collection.status().with_context("opening the new collection '" + request.name + "'");
  }
  collections_.emplace(request.name, *collection);
  list_collections();
  return collection;
}

Result<std::shared_ptr<CollectionState>> DatabaseState::find(std::string_view name) const {
  MutexLock lock(mutex_);
  if (closed_) return closed_error();
  if (const auto found = collections_.find(name); found != collections_.end()) return found->second;
  if (const auto found = quarantined_.find(name); found != quarantined_.end()) {
    return found->second.with_context("collection '" + found->first + "' is quarantined");
  }
  std::string known;
  for (const auto& [other, collection] : collections_) known += (known.empty() ? "" : ", ") + other;
  return Status(StatusCode::not_found, "no collection '" + std::string(name) + "'; this store has " +
                                           (known.empty() ? std::string("none") : known));
}

/// Takes a collection out of the catalog, which is the drop's commit point, and out of what is open. Returns its
/// directory.
Result<std::string> DatabaseState::unlink(std::string_view name, std::shared_ptr<CollectionState>& dropped) {
  MutexLock lock(mutex_);
  if (closed_) return closed_error();
  auto& entries = catalog_.collections;
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
  if (found == entries.end()) return Status(StatusCode::not_found, "no collection '" + std::string(name) + "'");
  const std::string directory = os::join(path_, storage::collection_directory_name(found->uuid));
  storage::Catalog next = catalog_;
  next.collections.erase(next.collections.begin() + (found - entries.begin()));
  Status status = write_catalog(next);
  if (status.code() == StatusCode::disk_full) {
    // What it set aside goes with it in any case. A catalog takes less than any reserve.
    if (const auto open = collections_.find(name); open != collections_.end()) give_whole_reserve(*open->second);
    status = write_catalog(next);
  }
  if (!status.ok()) {
    // If the new catalog stands there, but its name may not be durable, the collection may be gone after a crash:
    // nothing may be acknowledged into it.
    const auto found_now = storage::read_catalog(*options_.fs, path_);
    const bool untouched = found_now.ok() && found_now->generation == catalog_.generation;
    const auto open = collections_.find(name);
    if (!untouched && open != collections_.end() && !HF_PLANTED(half_dropped_collection_takes_writes)) {
      run_exclusive(*open->second, [&]() -> Status {
        open->second->poison(status.with_context("dropping it was interrupted"));
        return {};
      }).ignore();  // cannot fail
    }
    return status.with_context("dropping collection '" + std::string(name) + "'");
  }
  // power fails here: the directory is garbage; removed at the next open
  if (const auto open = collections_.find(name); open != collections_.end()) {
    dropped = std::move(open->second);
    collections_.erase(open);
    const MutexLock list_lock(list_mutex_);
    std::erase(list_, dropped);  // takes no memory
  }
  if (const auto broken = quarantined_.find(name); broken != quarantined_.end()) quarantined_.erase(broken);
  return directory;
}

Status DatabaseState::drop(std::string_view name) {
  std::shared_ptr<CollectionState> state;
  HF_ASSIGN(const std::string directory, unlink(name, state));
  // From here on without the mutex: a checkpoint that is under way may take long.
  if (state != nullptr) {
    try {
      state->close_for_writing({StatusCode::closed, "collection '" + state->name + "' was dropped"});
    } catch (const std::bad_alloc&) {
      // close_log() does it without words.
    }
    close_log(*state);
    while (HF_PLANTED(snapshot_dies_with_its_collection) && state->store.pins().expire_oldest()) {
    }
    const MutexLock no_checkpoint(state->checkpoint_mutex);
    state->reserve.close();
  }
  return remove_collection_files(*options_.fs, directory);
}

std::vector<std::string> DatabaseState::names() const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, collection] : collections_) names.push_back(name);
  return names;
}

std::vector<QuarantinedCollection> DatabaseState::quarantined() const {
  MutexLock lock(mutex_);
  std::vector<QuarantinedCollection> list;
  for (const auto& [name, status] : quarantined_) list.push_back({name, status});
  return list;
}

namespace {

/// The last checkpoint, or at least a mark, so that the next open is short and knows that nothing is missing.
Status close_collection(CollectionState& state) {
  Status status = state.write_error();
  const bool poisoned = !status.ok();
  if (!poisoned && state.options.open.checkpoint_on_close) status = checkpoint(state);
  const Status marked = run_exclusive(state, [&]() -> Status {
    const bool covered = state.checkpoint_lsn.load(std::memory_order_relaxed) == state.wal->end().lsn;
    const bool needs_mark = !poisoned && !covered && state.wal->stats().frames > 0 && !HF_PLANTED(close_syncs_nothing);
    Status last = needs_mark ? state.wal->mark() : Status();
    if (last.code() == StatusCode::disk_full) {
      const SegmentShare share(state, 0);
      if (!share.empty()) last = state.wal->mark();
    }
    // What a mark proves is of use, but it holds nothing: without it everything is there all the same.
    const bool no_room = last.code() == StatusCode::disk_full || last.code() == StatusCode::outcome_unknown;
    if (no_room && !state.wal->failed() && state.wal->synced_lsn() == state.wal->end().lsn) last = Status();
    state.close_for_writing(closed_error());
    state.wal->close();  // a handle may outlive us; the directory belongs to whoever opens it next
    return last;
  });
  // A checkpoint that a handle began before this still writes into the directory; none can begin now.
  const MutexLock no_checkpoint(state.checkpoint_mutex);
  state.reserve.close();
  return status.ok() ? marked : status;
}

}  // namespace

Status DatabaseState::close() {
  const MutexLock closing(close_mutex_);  // when the second call returns, the store may be opened again
  {
    MutexLock lock(mutex_);
    if (closed_) return {};
    closed_ = true;
  }
  background_.reset();
  std::map<std::string, std::shared_ptr<CollectionState>, std::less<>> collections;
  {
    MutexLock lock(mutex_);
    collections.swap(collections_);
    const MutexLock list_lock(list_mutex_);
    list_.clear();
  }
  Status first;
  bool no_memory = false;
  for (const auto& [name, collection] : collections) {
    try {
      Status status = close_collection(*collection);
      if (first.ok() && !status.ok()) first = status.with_context("closing collection '" + name + "'");
    } catch (const std::bad_alloc&) {
      no_memory = true;
    }
    // The directory belongs to whoever opens it next, whatever went wrong above.
    close_log(*collection);
    const MutexLock no_checkpoint(collection->checkpoint_mutex);
    collection->reserve.close();
    collection->indexed.notify_all();
  }
  lock_.reset();
  if (no_memory && first.ok()) {
    return {StatusCode::resource_exhausted, "not enough memory to close in order; the next open replays the log"};
  }
  return first;
}

}  // namespace holdfast::engine
