// The store around the collections: its lock, its catalog, and the directories in which damaged things are kept.
//
// A repair directory is called repair-<n>. It holds a damaged collection as it was, or a damaged CATALOG, and a REPORT
// for people. While it is being made it is called repair-<n>.staged and may hold the new collection instead; which one
// it is, is told by kUnfinishedFile (P4 of repair_collection.cc). What an interrupted repair left is tidied up by the
// next one that acts.
#include <algorithm>
#include <new>
#include <set>

#include "base/try.h"
#include "engine/database_state.h"
#include "engine/image.h"
#include "engine/recovery.h"
#include "engine/repair.h"
#include "engine/repair_collection.h"
#include "engine/repair_text.h"
#include "engine/validate.h"
#include "engine/verify.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

using storage::FileKind;

constexpr std::string_view kReportFile = "REPORT";
constexpr std::size_t kShortUuid = 8;

Uuid uuid_of(std::string_view directory) {
  Uuid uuid{};
  std::size_t nibble = 0;
  for (const char c : directory.substr(2)) {  // behind "c-"
    if (c == '-') continue;
    const int value = c <= '9' ? c - '0' : c - 'a' + 10;
    std::uint8_t& byte = uuid[nibble / 2];
    byte = static_cast<std::uint8_t>((byte << 4) | value);
    ++nibble;
  }
  return uuid;
}

/// By the newest manifest that can be read; empty: none can.
Result<std::string> name_in_manifests(os::FileSystem& fs, const std::string& directory, const Uuid& uuid) {
  auto generations = storage::list_manifests(fs, directory);
  if (!generations.ok()) return std::string();
  for (const std::uint64_t generation : *generations) {
    auto manifest = storage::read_manifest(fs, directory, generation);
    if (manifest.status().code() == StatusCode::unsupported_format) return manifest.status();
    if (!manifest.ok() || manifest->collection != uuid) continue;
    auto image = decode_image_state(manifest->state, manifest->lsn);
    if (image.status().code() == StatusCode::unsupported_format) return image.status();
    if (image.ok() && validate_name(image->name).ok()) return image->name;
  }
  return std::string();
}

Status write_text(os::FileSystem& fs, const std::string& path, const std::string& text) {
  return os::write_file_atomically(fs, path, std::as_bytes(std::span(text.data(), text.size())));
}

class StoreRepair {
 public:
  StoreRepair(os::FileSystem& fs, const std::string& path, const RepairOptions& options, RepairMode mode)
      : fs_(fs), path_(path), options_(options), acting_(mode == RepairMode::act) {}

  Result<RepairReport> run() {
    HF_TRY(lock());
    if (acting_) HF_TRY(tidy_up());
    HF_TRY(find_free_name());
    HF_TRY(read_catalog());
    if (waits_for_catalog_) return report_;  // without it nothing that is repaired could be opened
    bool found = options_.collection.empty();
    for (const storage::CatalogEntry& entry : catalog_.collections) {
      if (!options_.collection.empty() && entry.name != options_.collection) continue;
      found = true;
      HF_TRY(repair_collection(entry));
    }
    if (!found) return Status(StatusCode::not_found, "no collection '" + options_.collection + "' in this store");
    return report_;
  }

 private:
  Status lock() {
    HF_ASSIGN(const bool there, fs_.exists(path_));
    if (!there) return {StatusCode::not_a_store, path_ + ": there is nothing at this path"};
    HF_ASSIGN(const bool catalog, fs_.exists(os::join(path_, storage::kCatalogFile)));
    if (!catalog) {
      HF_ASSIGN(const storage::Catalog found, catalog_of_directories(fs_, path_));
      if (found.collections.empty()) {
        return {StatusCode::not_a_store, path_ + " holds no CATALOG and no collection: it is no Holdfast store"};
      }
    }
    HF_ASSIGN(lock_, fs_.lock(os::join(path_, storage::kLockFile)));
    return {};
  }

  // --- directories ---

  Result<std::vector<os::DirectoryEntry>> repair_directories() {
    HF_ASSIGN(auto entries, fs_.list(path_));
    std::erase_if(entries, [](const os::DirectoryEntry& entry) {
      return !entry.is_directory || storage::parse_name(entry.name).kind != FileKind::repair_directory;
    });
    return entries;
  }

  /// P4. The names are made durable first: a directory that is exchanged in the page cache alone must not lose what
  /// tells the two apart.
  Status tidy_up() {
    HF_TRY(take_marks_off_collections());
    HF_ASSIGN(const auto entries, repair_directories());
    bool synced = false;
    for (const os::DirectoryEntry& entry : entries) {
      const std::string finished = entry.name.substr(0, entry.name.find('.'));
      if (entry.name != staging_name(finished)) continue;
      if (!std::exchange(synced, true)) HF_TRY(fs_.sync_directory(path_));
      const std::string directory = os::join(path_, entry.name);
      HF_ASSIGN(const bool unfinished, fs_.exists(os::join(directory, kUnfinishedFile)));
      if (unfinished) {
        HF_TRY(remove_staged(directory));
        continue;
      }
      HF_TRY(fs_.rename(directory, os::join(path_, finished)));
      HF_TRY(fs_.sync_directory(path_));
    }
    return {};
  }

  /// A repair that was killed behind the exchange left its mark in what is a collection by now. Should that be damaged
  /// and set aside in its turn, it must not be taken for garbage.
  Status take_marks_off_collections() {
    HF_ASSIGN(const auto entries, fs_.list(path_));
    bool synced = false;
    for (const os::DirectoryEntry& entry : entries) {
      if (!entry.is_directory || storage::parse_name(entry.name).kind != FileKind::collection_directory) continue;
      const std::string directory = os::join(path_, entry.name);
      HF_ASSIGN(const bool marked, fs_.exists(os::join(directory, kUnfinishedFile)));
      if (!marked) continue;
      if (!std::exchange(synced, true)) HF_TRY(fs_.sync_directory(path_));  // the exchange first
      HF_TRY(fs_.remove(os::join(directory, kUnfinishedFile)));
      HF_TRY(fs_.sync_directory(directory));
    }
    return {};
  }

  /// The mark goes last, so that a crash in between leaves a directory that is still known as garbage.
  Status remove_staged(const std::string& directory) {
    for (const std::string_view room : {storage::kWalDirectory, storage::kExtentDirectory, std::string_view()}) {
      const std::string place = room.empty() ? directory : os::join(directory, room);
      auto entries = fs_.list(place);
      if (entries.status().code() == StatusCode::not_found) continue;
      HF_TRY(entries.status());
      for (const os::DirectoryEntry& entry : *entries) {
        if (!entry.is_directory && entry.name != kUnfinishedFile) HF_TRY(fs_.remove(os::join(place, entry.name)));
      }
      HF_TRY(fs_.sync_directory(place));
      if (!room.empty()) HF_TRY(fs_.remove_directory(place));
    }
    HF_TRY(fs_.sync_directory(directory));
    HF_TRY(fs_.remove(os::join(directory, kUnfinishedFile)));
    HF_TRY(fs_.remove_directory(directory));
    return fs_.sync_directory(path_);
  }

  Status find_free_name() {
    HF_ASSIGN(const auto entries, repair_directories());
    for (const os::DirectoryEntry& entry : entries) {
      next_number_ = std::max(next_number_, storage::parse_name(entry.name).number + 1);
    }
    return {};
  }
  [[nodiscard]] std::string free_name() const { return storage::repair_directory_name(next_number_); }

  /// `staged` becomes repair-<n>, with a report.
  Status finish_directory(const std::string& aside, const std::vector<RepairStep>& steps) {
    const std::string directory = os::join(path_, staging_name(aside));
    HF_TRY(write_text(fs_, os::join(directory, kReportFile), report_text(steps)));
    HF_TRY(fs_.rename(directory, os::join(path_, aside)));
    // power fails here: it has one name or the other; the next repair gives it its name
    HF_TRY(fs_.sync_directory(path_));
    report_.set_aside.push_back(aside);
    ++next_number_;
    return {};
  }

  // --- the catalog ---

  Status read_catalog() {
    auto catalog = storage::read_catalog(fs_, path_);
    if (catalog.ok()) {
      catalog_ = std::move(catalog).value();
      return {};
    }
    const StatusCode code = catalog.status().code();
    if (code != StatusCode::data_damaged && code != StatusCode::not_found) return catalog.status();
    RepairStep step;
    step.salvage = Salvage::rebuild_catalog;
    step.file = storage::kCatalogFile;
    step.damage = code == StatusCode::not_found ? "the file is missing" : std::string(catalog.status().message());
    step.offset = offset_in(step.damage, step.file);
    step.explanation = explanation_of(step.salvage);
    std::vector<std::string> invented;
    HF_ASSIGN(catalog_, catalog_of_directories(fs_, path_, &invented));
    for (const std::string& name : invented)
      step.loss.unnamed.push_back("the name of the collection now called " + name);
    if (catalog_.collections.empty()) step.loss.unnamed.emplace_back("whether there was a collection cannot be told");
    const auto& allowed = options_.allowed;
    step.chosen = std::find(allowed.begin(), allowed.end(), step.salvage) != allowed.end() ||
                  (options_.all_lossless && step.loss.nothing());
    std::string names;
    for (const storage::CatalogEntry& entry : catalog_.collections) {
      names += (names.empty() ? "" : ", ") + entry.name;
    }
    step.explanation += names.empty() ? "; there is none" : "; there are: " + names;
    if (acting_ && step.chosen) HF_TRY(rebuild_catalog(step));
    waits_for_catalog_ = acting_ && !step.chosen;
    report_.steps.push_back(std::move(step));
    return {};
  }

  Status rebuild_catalog(RepairStep& step) {
    const std::string aside = free_name(), directory = os::join(path_, staging_name(aside));
    HF_TRY(fs_.create_directory(directory));
    HF_ASSIGN(const bool there, fs_.exists(os::join(path_, storage::kCatalogFile)));
    if (there) {
      HF_TRY(os::copy_file(fs_, os::join(path_, storage::kCatalogFile), os::join(directory, storage::kCatalogFile))
                 .status());
    }
    HF_TRY(fs_.sync_directory(directory));
    HF_TRY(fs_.sync_directory(path_));
    // power fails here: a copy of the damaged catalog beside it; the next repair makes another
    HF_TRY(storage::write_catalog(fs_, path_, catalog_));
    step.done = true;
    return finish_directory(aside, {step});
  }

  // --- collections ---

  Status repair_collection(const storage::CatalogEntry& entry) {
    const std::string aside = free_name();
    CollectionRepair repair({fs_, path_, entry, aside, options_});
    HF_TRY(repair.plan());
    if (acting_ && repair.ready()) {
      if (Status status = repair.act(); !status.ok()) return status.with_context("repairing '" + entry.name + "'");
      HF_TRY(finish_directory(aside, repair.steps()));
    }
    for (RepairStep& step : repair.steps()) report_.steps.push_back(std::move(step));
    for (const std::string& why : repair.hopeless()) report_.hopeless.push_back(why);
    return {};
  }

  os::FileSystem& fs_;
  const std::string path_;
  const RepairOptions& options_;
  const bool acting_;
  std::unique_ptr<os::FileLock> lock_;
  storage::Catalog catalog_;
  bool waits_for_catalog_ = false;
  std::uint64_t next_number_ = 1;
  RepairReport report_;
};

}  // namespace

Result<storage::Catalog> catalog_of_directories(os::FileSystem& fs, const std::string& path,
                                                std::vector<std::string>* invented) {
  storage::Catalog catalog;
  HF_ASSIGN(const auto entries, fs.list(path));
  std::set<std::string> names;
  for (const os::DirectoryEntry& entry : entries) {
    if (!entry.is_directory || storage::parse_name(entry.name).kind != FileKind::collection_directory) continue;
    const Uuid uuid = uuid_of(entry.name);
    const std::string directory = os::join(path, entry.name);
    HF_ASSIGN(std::string name, name_in_manifests(fs, directory, uuid));
    if (name.empty() || !names.insert(name).second) {
      name = (name.empty() ? "recovered" : name.substr(0, kMaxNameBytes - kShortUuid - 1)) + "-" +
             storage::to_text(uuid).substr(0, kShortUuid);
      names.insert(name);
      if (invented != nullptr) invented->push_back(name);
    }
    catalog.collections.push_back({name, uuid});
  }
  for (std::size_t i = 0; i < catalog.store.size(); i += 8) {
    store<std::uint64_t>(reinterpret_cast<std::byte*>(&catalog.store[i]), fs.random_u64());
  }
  catalog.generation = 1;
  return catalog;
}

Result<RepairReport> repair_store(os::FileSystem& fs, const std::string& path, const RepairOptions& options,
                                  RepairMode mode) {
  return StoreRepair(fs, path, options, mode).run();
}

}  // namespace holdfast::engine

namespace holdfast {

std::string_view to_string(Salvage salvage) noexcept {
  switch (salvage) {
    case Salvage::drop_checkpoint: return "drop-checkpoint";
    case Salvage::trim_log: return "trim-log";
    case Salvage::rebuild_graph: return "rebuild-graph";
    case Salvage::rebuild_ids: return "rebuild-ids";
    case Salvage::rebuild_codes: return "rebuild-codes";
    case Salvage::drop_points: return "drop-points";
    case Salvage::cut_log: return "cut-log";
    case Salvage::skip_frames: return "skip-frames";
    case Salvage::roll_back: return "roll-back";
    case Salvage::rebuild_manifest: return "rebuild-manifest";
    case Salvage::rebuild_catalog: return "rebuild-catalog";
  }
  return "unknown";
}

bool is_lossless(Salvage salvage) noexcept {
  return salvage == Salvage::drop_checkpoint || salvage == Salvage::trim_log || salvage == Salvage::rebuild_graph ||
         salvage == Salvage::rebuild_ids || salvage == Salvage::rebuild_codes;
}

bool RepairLoss::nothing() const noexcept {
  return ids.empty() && unknown_points == 0 && first_lsn == 0 && unnamed.empty();
}

bool RepairReport::incomplete() const noexcept {
  if (!hopeless.empty()) return true;
  bool waiting = false;
  std::set<std::string> open, settled;  // collections with alternatives
  for (const RepairStep& step : steps) {
    if (!step.alternative) {
      waiting |= !step.chosen;
    } else {
      (step.chosen ? settled : open).insert(step.collection);
    }
  }
  return waiting || !std::includes(settled.begin(), settled.end(), open.begin(), open.end());
}

Result<RepairReport> plan_repair(const std::filesystem::path& path, const RepairOptions& options) {
  try {
    return engine::repair_store(os::posix_file_system(), path.string(), options, engine::RepairMode::plan);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::resource_exhausted, "not enough memory to look for damage");
  }
}

Result<RepairReport> repair(const std::filesystem::path& path, const RepairOptions& options) {
  try {
    return engine::repair_store(os::posix_file_system(), path.string(), options, engine::RepairMode::act);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::resource_exhausted, "not enough memory to repair the store");
  }
}

}  // namespace holdfast
