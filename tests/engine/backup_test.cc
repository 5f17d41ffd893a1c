// Backups of a store that goes on meanwhile, and what a crash or a failure at any call leaves of the target.
#include "engine/backup.h"

#include <sys/stat.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "engine/store_fixture.h"
#include "engine/verify.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::testing {
namespace {

using engine::backup_store;
using engine::restore_store;

using Points = std::map<std::uint64_t, std::uint64_t>;  // id -> seed
using Contents = std::map<std::string, Points>;         // by collection

Database open_at(os::FileSystem& fs, const std::string& path) {
  engine::EngineOptions options = options_on(fs);
  options.open.create_if_missing = false;
  options.open.checkpoint_on_close = false;
  auto db = Database::open_with(path, options);
  if (!db.ok()) throw std::runtime_error(path + ": " + db.status().to_string());
  return std::move(db).value();
}

class BackupTest : public SimStore {
 protected:
  static void fill(Collection& collection, Points& points, std::uint64_t first, std::uint64_t last,
                   std::uint64_t seed) {
    for (std::uint64_t id = first; id <= last; ++id) {
      HF_ASSERT_OK(put(collection, id, seed + id));
      points[id] = seed + id;
    }
  }
  static bool same(const Collection& collection, const Points& points) {
    if (collection.snapshot().size() != points.size()) return false;
    return std::all_of(points.begin(), points.end(),
                       [&](const auto& point) { return bool(holds(collection, point.first, point.second)); });
  }
  static ::testing::AssertionResult holds_all(const Database& db, const Contents& contents) {
    if (!db.quarantined().empty()) return ::testing::AssertionFailure() << db.quarantined()[0].status.to_string();
    if (db.collections().size() != contents.size()) return ::testing::AssertionFailure() << "other collections";
    for (const auto& [name, points] : contents) {
      const auto collection = db.collection(name);
      if (!collection.ok()) return ::testing::AssertionFailure() << collection.status().to_string();
      if (!same(*collection, points)) return ::testing::AssertionFailure() << name << " holds other points";
    }
    return ::testing::AssertionSuccess();
  }
  /// Every collection of the store at `path` is as in `older` or as in `newer`.
  static ::testing::AssertionResult old_or_new(os::FileSystem& fs, const std::string& path, const Contents& older,
                                               const Contents& newer) {
    Database db = open_at(fs, path);
    if (!db.quarantined().empty()) return ::testing::AssertionFailure() << db.quarantined()[0].status.to_string();
    std::set<std::string> names;
    for (const std::string& name : db.collections()) {
      names.insert(name);
      const auto collection = db.collection(name);
      const auto before = older.find(name);
      const auto after = newer.find(name);
      if (before != older.end() && same(*collection, before->second)) continue;
      if (after != newer.end() && same(*collection, after->second)) continue;
      return ::testing::AssertionFailure() << name << " is neither old nor new";
    }
    const auto are_names_of = [&](const Contents& contents) {
      return std::all_of(contents.begin(), contents.end(), [&](const auto& c) { return names.contains(c.first); }) &&
             names.size() == contents.size();
    };
    if (are_names_of(older) || are_names_of(newer)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "the collections are neither the old nor the new ones";
  }

  /// A store, its backup, and then a store that has moved on so far that the two logs do not join.
  void make_two_ages() {
    db_.emplace(open_database());
    Collection kept = make(*db_, "kept");
    Collection gone = make(*db_, "gone");
    fill(kept, older_["kept"], 1, 30, 0);
    HF_ASSERT_OK(kept.checkpoint());
    fill(kept, older_["kept"], 20, 40, 1000);
    fill(gone, older_["gone"], 1, 5, 0);
    HF_ASSERT_OK(backup_store(fs_, "/store", "/backup", {}));
    newer_["kept"] = older_["kept"];
    for (std::uint64_t age = 1; age <= 3; ++age) {
      fill(kept, newer_["kept"], 35, 45 + age, 10'000 * age);
      HF_ASSERT_OK(kept.checkpoint());
    }
    fill(kept, newer_["kept"], 50, 60, 0);
    HF_ASSERT_OK(db_->drop_collection("gone"));
    Collection fresh = make(*db_, "fresh");
    fill(fresh, newer_["fresh"], 1, 5, 77);
  }

  std::optional<Database> db_;
  Contents older_, newer_;
};

TEST_F(BackupTest, HoldsEverythingAndIsAStore) {
  make_two_ages();
  const auto report = backup_store(fs_, "/store", "/other", {});
  HF_ASSERT_OK(report);
  EXPECT_EQ(2u, report->collections);
  EXPECT_GT(report->files_linked, 0u);
  EXPECT_TRUE(holds_all(open_at(fs_, "/other"), newer_));
  EXPECT_TRUE(holds_all(open_at(fs_, "/backup"), older_));  // the first one, its extents long gone from the store
  const auto sound = engine::restore_store(fs_, "/other", "/restored", {});
  HF_ASSERT_OK(sound);
  EXPECT_EQ((std::vector<std::string>{"fresh", "kept"}), sound->collections);
  EXPECT_TRUE(holds_all(open_at(fs_, "/restored"), newer_));
  EXPECT_FALSE(*fs_.exists("/restored/BACKUP"));
}

TEST_F(BackupTest, ACrashAtAnyCallLeavesTheOldBackupOrTheNewOne) {
  make_two_ages();
  std::vector<std::unique_ptr<SimFileSystem>> moments;
  fs_.on_call([&](const CallInfo&) { moments.push_back(fs_.clone()); });
  HF_ASSERT_OK(backup_store(fs_, "/store", "/backup", {}));
  fs_.on_call(nullptr);
  moments.push_back(fs_.clone());
  ASSERT_GT(moments.size(), 30u);
  const std::vector<CrashPolicy> policies{CrashPolicy::lose_all(), CrashPolicy::keep_all(),
                                          CrashPolicy::random_subset(), CrashPolicy::directory_subset(),
                                          CrashPolicy::anything()};
  for (std::size_t call = 0; call < moments.size(); ++call) {
    for (std::size_t i = 0; i <= policies.size(); ++i) {
      SCOPED_TRACE("call " + std::to_string(call) + ", " +
                   (i < policies.size() ? policies[i].to_string() : std::string("killed")));
      const auto crashed =
          i < policies.size() ? moments[call]->crash(policies[i], call) : moments[call]->kill_process();
      ASSERT_TRUE(old_or_new(*crashed, "/backup", older_, newer_));
      ASSERT_TRUE(holds_all(open_at(*crashed, "/store"), newer_));  // the source is as it was
      if (call % 7 != 0) continue;
      HF_ASSERT_OK(backup_store(*crashed, "/store", "/backup", {}));
      ASSERT_TRUE(holds_all(open_at(*crashed->crash(CrashPolicy::lose_all()), "/backup"), newer_));
      for (const auto& file : crashed->files()) {
        EXPECT_TRUE(!file.path.starts_with("/backup/") || !file.path.ends_with(".tmp")) << file.path;
      }
    }
  }
}

TEST_F(BackupTest, ACrashInTheFirstBackupLeavesNothingThatOpens) {
  make_two_ages();
  std::vector<std::unique_ptr<SimFileSystem>> moments;
  fs_.on_call([&](const CallInfo&) { moments.push_back(fs_.clone()); });
  HF_ASSERT_OK(backup_store(fs_, "/store", "/first", {}));
  fs_.on_call(nullptr);
  for (std::size_t call = 0; call < moments.size(); ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    const auto crashed = moments[call]->crash(CrashPolicy::anything(), call);
    if (*crashed->exists("/first/CATALOG")) {
      ASSERT_TRUE(holds_all(open_at(*crashed, "/first"), newer_));
    }
    HF_ASSERT_OK(backup_store(*crashed, "/store", "/first", {}));
    ASSERT_TRUE(holds_all(open_at(*crashed, "/first"), newer_));
  }
}

// A backup that was killed between making the target and syncing its parent left a directory that only the page cache
// knew; the next backup found it there, and what it acknowledged was gone with the power.
TEST_F(BackupTest, ATargetThatAKilledBackupMadeOutlivesPowerLossAfterTheNextOne) {
  make_two_ages();
  std::vector<std::unique_ptr<SimFileSystem>> moments;
  fs_.on_call([&](const CallInfo&) { moments.push_back(fs_.clone()); });
  HF_ASSERT_OK(backup_store(fs_, "/store", "/first", {}));
  fs_.on_call(nullptr);
  for (std::size_t call = 0; call < moments.size(); ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    const auto killed = moments[call]->kill_process();
    HF_ASSERT_OK(backup_store(*killed, "/store", "/first", {}));
    ASSERT_TRUE(holds_all(open_at(*killed->crash(CrashPolicy::lose_all()), "/first"), newer_));
  }
}

TEST_F(BackupTest, AFailureOfAnyCallLeavesTheOldBackupOrTheNewOne) {
  make_two_ages();
  const auto measured = fs_.clone();
  measured->count_reads(true);
  const std::uint64_t first = measured->calls();
  HF_ASSERT_OK(backup_store(*measured, "/store", "/backup", {}));
  const std::uint64_t calls = measured->calls() - first;
  for (std::uint64_t call = 0; call < calls; ++call) {
    for (const StatusCode code : {StatusCode::io_error, StatusCode::disk_full}) {
      SCOPED_TRACE("call " + std::to_string(call) + ": " + std::string(to_string(code)));
      const auto disk = fs_.clone();
      disk->count_reads(true);
      disk->fail_at(disk->calls() + call, code, code == StatusCode::disk_full);
      const auto report = backup_store(*disk, "/store", "/backup", {});
      disk->clear_faults();
      if (!report.ok()) {
        EXPECT_NE(StatusCode::internal, report.status().code()) << report.status().to_string();
      }
      ASSERT_TRUE(old_or_new(*disk, "/backup", older_, newer_)) << text(report);
      if (call % 5 == 0) {
        HF_ASSERT_OK(backup_store(*disk, "/store", "/backup", {}));
        ASSERT_TRUE(holds_all(open_at(*disk, "/backup"), newer_));
      }
    }
  }
}

TEST_F(BackupTest, CheckpointsThatReplaceWhatIsBeingCopiedMakeItBeginAgain) {
  make_two_ages();
  Collection kept = db_->collection("kept").value();
  int rounds = 0;
  bool inside = false;
  fs_.on_call([&](const CallInfo& call) {
    if (inside || rounds == 3 || call.kind != CallKind::link || call.path.starts_with("/backup")) return;
    inside = true;
    ++rounds;
    for (std::uint64_t age = 1; age <= 2; ++age) {  // two: then the extents of the one before are removed
      fill(kept, newer_["kept"], 1, 60, 100'000 * static_cast<std::uint64_t>(rounds) + 1000 * age);
      HF_EXPECT_OK(kept.checkpoint());
    }
    inside = false;
  });
  HF_ASSERT_OK(backup_store(fs_, "/store", "/backup", {}));
  fs_.on_call(nullptr);
  EXPECT_EQ(3, rounds);
  EXPECT_TRUE(holds_all(open_at(fs_, "/backup"), newer_));
}

TEST_F(BackupTest, ACollectionThatIsDroppedMeanwhileIsLeftOut) {
  make_two_ages();
  bool dropped = false;
  fs_.on_call([&](const CallInfo& call) {
    if (dropped || call.kind != CallKind::link || call.path.starts_with("/backup")) return;
    dropped = true;
    HF_EXPECT_OK(db_->drop_collection("kept"));
  });
  HF_ASSERT_OK(backup_store(fs_, "/store", "/backup", {}));
  fs_.on_call(nullptr);
  ASSERT_TRUE(dropped);
  newer_.erase("kept");
  EXPECT_TRUE(holds_all(open_at(fs_, "/backup"), newer_));
}

TEST_F(BackupTest, TheSecondTakesOnlyWhatIsNew) {
  make_two_ages();
  HF_ASSERT_OK(backup_store(fs_, "/store", "/backup", {}));
  const auto again = backup_store(fs_, "/store", "/backup", {});
  HF_ASSERT_OK(again);
  EXPECT_EQ(0u, again->files_linked);
  EXPECT_GT(again->files_kept, 0u);
  EXPECT_LT(again->bytes_copied, 200'000u);  // the log's tail
  Collection kept = db_->collection("kept").value();
  fill(kept, newer_["kept"], 100, 101, 5);
  HF_ASSERT_OK(kept.checkpoint());
  const auto more = backup_store(fs_, "/store", "/backup", {.hard_links = false});
  HF_ASSERT_OK(more);
  EXPECT_EQ(0u, more->files_linked);
  EXPECT_GT(more->files_copied, 0u);
  EXPECT_TRUE(holds_all(open_at(fs_, "/backup"), newer_));
}

TEST_F(BackupTest, CountsEveryByteThatIsCopied) {
  db_.emplace(open_database());
  Collection collection = make(*db_);
  Points points;
  fill(collection, points, 1, 30, 0);
  HF_ASSERT_OK(collection.checkpoint());  // no log is needed behind it: that of a log are counted without its padding
  const auto report = backup_store(fs_, "/store", "/copy", {.hard_links = false});
  HF_ASSERT_OK(report);
  std::uint64_t files = 0, bytes = 0;
  for (const auto& file : fs_.files()) {
    if (!file.path.starts_with("/copy/c-") || file.is_directory) continue;
    ++files;
    bytes += file.cached_size;
  }
  EXPECT_EQ(files, report->files_copied);
  EXPECT_EQ(bytes, report->bytes_copied);
}

TEST_F(BackupTest, RefusesTargetsThatAreSomethingElse) {
  make_two_ages();
  HF_EXPECT_CODE(StatusCode::not_a_store, backup_store(fs_, "/nowhere", "/target", {}));
  {
    auto other = Database::open_with("/foreign", options_on(fs_));
    HF_ASSERT_OK(other);
  }
  const auto before = fs_.files().size();
  HF_EXPECT_CODE(StatusCode::already_exists, backup_store(fs_, "/store", "/foreign", {}));
  HF_EXPECT_CODE(StatusCode::already_exists, backup_store(fs_, "/foreign", "/backup", {}));  // of another store
  for (const char* nested : {"/store", "/store/", "/store/sub", "/x/../store/sub/deep", "/"}) {
    SCOPED_TRACE(nested);
    HF_EXPECT_CODE(StatusCode::invalid_argument, backup_store(fs_, "/store", nested, {}));
  }
  HF_EXPECT_CODE(StatusCode::invalid_argument, restore_store(fs_, "/backup", "/backup/restored", {}));
  const auto refused = restore_store(fs_, "/backup", "/foreign", {});
  HF_EXPECT_CODE(StatusCode::already_exists, refused);
  EXPECT_EQ(std::string_view::npos, refused.status().message().find("backup of this store")) << text(refused);
  EXPECT_EQ(before, fs_.files().size());
  const Database serving = open_at(fs_, "/backup");
  HF_EXPECT_CODE(StatusCode::already_open, backup_store(fs_, "/store", "/backup", {}));
}

/// The extents that the collection's newest manifest names.
std::vector<std::string> extents_of(os::FileSystem& fs, const std::string& store, const std::string& name) {
  std::vector<std::string> paths;
  const auto catalog = storage::read_catalog(fs, store);
  for (const auto& entry : catalog->collections) {
    if (entry.name != name) continue;
    const std::string directory = os::join(store, storage::collection_directory_name(entry.uuid));
    const auto generations = storage::list_manifests(fs, directory);
    const auto manifest = storage::read_manifest(fs, directory, generations->front());
    for (const auto& extent : manifest->extents) {
      paths.push_back(os::join(os::join(directory, storage::kExtentDirectory), storage::extent_name(extent.number)));
    }
  }
  return paths;
}

TEST_F(BackupTest, RestoreRefusesADamagedBackupAndNamesTheFile) {
  make_two_ages();
  HF_ASSERT_OK(backup_store(fs_, "/store", "/other", {.hard_links = false}));
  const auto extents = extents_of(fs_, "/other", "kept");
  ASSERT_FALSE(extents.empty());
  for (const std::string& path : extents) {
    SCOPED_TRACE(path);
    const auto disk = fs_.clone();
    ASSERT_TRUE(disk->corrupt(path, storage::kExtentDataOffset + 3, std::byte{4}).ok());
    const auto restored = restore_store(*disk, "/other", "/restored", {});
    HF_EXPECT_CODE(StatusCode::data_damaged, restored);
    const std::string name = path.substr(path.rfind('/') + 1);
    EXPECT_NE(std::string_view::npos, restored.status().message().find(name)) << restored.status().to_string();
    EXPECT_FALSE(*disk->exists("/restored"));
  }
}

TEST_F(BackupTest, DamageInTheSourceIsNamedTheOldCopyStaysAndTheOthersAreCopied) {
  make_two_ages();
  const auto extents = extents_of(fs_, "/store", "kept");
  const Contents mixed{{"kept", older_["kept"]}, {"fresh", newer_["fresh"]}};
  const Contents others{{"fresh", newer_["fresh"]}};
  for (const std::string& path : extents) {
    SCOPED_TRACE(path);
    const auto disk = fs_.clone();
    ASSERT_TRUE(disk->corrupt(path, 100, std::byte{4}).ok());  // the header: found without reading the pages
    // As in recovery, the checkpoint before it and a longer log give the same content, unless they share the extent.
    const auto report = backup_store(*disk, "/store", "/backup", {});
    HF_ASSERT_OK(report);
    ASSERT_TRUE(holds_all(open_at(*disk, "/backup"), report->failed.empty() ? newer_ : mixed));
  }
  const auto disk = fs_.clone();
  const std::string directory = os::parent(extents.front());
  const auto every = disk->list(directory);  // of both checkpoints
  HF_ASSERT_OK(every);
  for (const os::DirectoryEntry& extent : *every) {
    ASSERT_TRUE(disk->corrupt(os::join(directory, extent.name), 100, std::byte{4}).ok());
  }
  const auto report = backup_store(*disk, "/store", "/backup", {});
  HF_ASSERT_OK(report);
  ASSERT_EQ(1u, report->failed.size());
  EXPECT_EQ(1u, report->collections);
  EXPECT_TRUE(report->failed[0].starts_with("kept: ")) << report->failed[0];
  EXPECT_NE(std::string::npos, report->failed[0].find(directory)) << report->failed[0];
  EXPECT_TRUE(holds_all(open_at(*disk, "/backup"), mixed));
  EXPECT_TRUE(holds_all(open_at(*disk->crash(CrashPolicy::lose_all()), "/backup"), mixed));
  const auto first = backup_store(*disk, "/store", "/first", {});  // of which there is no older copy
  HF_ASSERT_OK(first);
  EXPECT_EQ(1u, first->failed.size());
  EXPECT_TRUE(holds_all(open_at(*disk, "/first"), others));
}

TEST_F(BackupTest, FailsAndChangesNothingIfNoCollectionCanBeCopied) {
  make_two_ages();
  HF_ASSERT_OK(db_->drop_collection("fresh"));
  const std::string directory = os::parent(extents_of(fs_, "/store", "kept").front());
  const auto every = fs_.list(directory);
  HF_ASSERT_OK(every);
  for (const os::DirectoryEntry& extent : *every) {
    ASSERT_TRUE(fs_.corrupt(os::join(directory, extent.name), storage::kExtentDataOffset + 1, std::byte{4}).ok());
  }
  const auto report = backup_store(fs_, "/store", "/backup", {.hard_links = false});  // which reads the pages
  HF_EXPECT_CODE(StatusCode::data_damaged, report);
  EXPECT_NE(std::string_view::npos, report.status().message().find("'kept'")) << text(report);
  EXPECT_TRUE(holds_all(open_at(fs_, "/backup"), older_));
}

TEST_F(BackupTest, DamageInAKeptFileIsFoundAndMendedWhenItIsRead) {
  make_two_ages();
  HF_ASSERT_OK(backup_store(fs_, "/store", "/copy", {.hard_links = false}));
  const auto extents = extents_of(fs_, "/copy", "kept");
  ASSERT_FALSE(extents.empty());
  const auto damaged = [](SimFileSystem& disk) {
    const auto report = engine::verify_store(disk, "/copy", {});
    return !report.ok() || report->damaged();
  };
  for (const std::string& path : extents) {
    for (const bool copy : {false, true}) {
      SCOPED_TRACE(path + (copy ? ", copied" : ", linked"));
      const auto disk = fs_.clone();
      ASSERT_TRUE(disk->corrupt(path, storage::kExtentDataOffset + 3, std::byte{4}).ok());
      HF_ASSERT_OK(backup_store(*disk, "/store", "/copy", {}));
      EXPECT_TRUE(damaged(*disk));  // kept as it is: nobody read it
      const auto report = backup_store(*disk, "/store", "/copy", {.hard_links = !copy, .verify = !copy});
      HF_ASSERT_OK(report);
      EXPECT_EQ(extents.size() - 1, report->files_kept);
      EXPECT_EQ(copy ? 0u : 1u, report->files_linked);
      EXPECT_FALSE(damaged(*disk));
      EXPECT_TRUE(holds_all(open_at(*disk, "/copy"), newer_));
      EXPECT_TRUE(holds_all(open_at(*disk, "/store"), newer_));
    }
  }
}

TEST_F(BackupTest, DamageInALinkedFileIsFoundWhenItIsRead) {
  make_two_ages();
  const auto extents = extents_of(fs_, "/store", "kept");
  ASSERT_TRUE(fs_.corrupt(extents.front(), storage::kExtentDataOffset + 1, std::byte{4}).ok());
  HF_ASSERT_OK(backup_store(fs_, "/store", "/linked", {}));
  EXPECT_TRUE(engine::verify_store(fs_, "/linked", {})->damaged());
  const auto report = backup_store(fs_, "/store", "/linked", {.verify = true});
  HF_ASSERT_OK(report);
  if (report->failed.empty()) {  // an older checkpoint holds the same
    EXPECT_FALSE(engine::verify_store(fs_, "/linked", {})->damaged());
  } else {
    EXPECT_TRUE(report->failed[0].starts_with("kept: ")) << report->failed[0];
  }
}

TEST(BackupOnDisk, ExtentsAreSharedUnlessACopyIsAskedFor) {
  const TempDir directory;
  os::FileSystem& fs = os::posix_file_system();
  auto db = Database::open_with(directory / "store", options_on(fs)).value();
  auto collection = db.create_collection("c", {.dimension = 8, .m = 8, .ef_construction = 64}).value();
  for (std::uint64_t id = 1; id <= 20; ++id) HF_ASSERT_OK(collection.upsert(id, vector_of(id, 8)));
  HF_ASSERT_OK(collection.checkpoint());
  HF_ASSERT_OK(backup(directory / "store", directory / "linked"));
  HF_ASSERT_OK(backup(directory / "store", directory / "copied", {.hard_links = false}));
  HF_EXPECT_CODE(StatusCode::invalid_argument, backup(directory / "linked", directory / "linked"));
  const auto inode = [](const std::string& path) {
    struct stat info {};
    EXPECT_EQ(0, ::stat(path.c_str(), &info)) << path;
    return info.st_ino;
  };
  const auto from = extents_of(fs, directory / "store", "c");
  const auto linked = extents_of(fs, directory / "linked", "c");
  const auto copied = extents_of(fs, directory / "copied", "c");
  ASSERT_FALSE(from.empty());
  for (std::size_t i = 0; i < from.size(); ++i) {
    EXPECT_EQ(inode(from[i]), inode(linked[i]));
    EXPECT_NE(inode(from[i]), inode(copied[i]));
  }
}

TEST(BackupOnDisk, RefusesTargetsInsideTheStoreAndAroundIt) {
  const TempDir directory;
  const std::filesystem::path store = directory / "store";
  os::FileSystem& fs = os::posix_file_system();
  {
    auto db = Database::open_with(store, options_on(fs)).value();
    HF_ASSERT_OK(db.create_collection("c", {.dimension = 8}));
    HF_ASSERT_OK(backup(store, directory / "backup"));
  }
  std::filesystem::create_directory(directory / "holds");
  std::filesystem::create_directory_symlink(store, directory / "holds/link");
  const auto tree = [&] {
    std::set<std::string> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::string(directory / "."))) {
      paths.insert(entry.path().string());
    }
    return paths;
  };
  const auto before = tree();
  const auto catalog = storage::read_catalog(fs, store);
  HF_ASSERT_OK(catalog);
  const std::string inner = storage::collection_directory_name(catalog->collections[0].uuid);
  for (const std::filesystem::path& target :
       {store / "sub", store / inner / "b", store / inner / "ext/b", store / "none/../sub", store / "",
        std::filesystem::path(directory / "holds/link/sub"), std::filesystem::path(directory / "holds/link"),
        std::filesystem::path(directory / "holds/../store/sub"), store.parent_path()}) {
    SCOPED_TRACE(target.string());
    HF_EXPECT_CODE(StatusCode::invalid_argument, backup(store, target));
    HF_EXPECT_CODE(StatusCode::invalid_argument, backup(directory / "holds/link", target));
  }
  HF_EXPECT_CODE(StatusCode::invalid_argument, restore(directory / "backup", directory / "backup/sub"));
  HF_EXPECT_CODE(StatusCode::invalid_argument, restore(directory / "backup", directory / "."));
  EXPECT_EQ(before, tree());
  HF_ASSERT_OK(backup(store, directory / "store2"));  // a longer name is another directory
}

TEST_F(BackupTest, ForeignFilesInADroppedCollectionsDirectoryAreLeftAlone) {
  for (const std::string place : {"/b", "/ext/b", "/wal/b", "/notes.txt", "/ext/notes.txt"}) {
    SCOPED_TRACE(place);
    const std::string orphan = "/store/c-00000000-0000-4000-8000-000000000000";
    SimFileSystem fs(11);
    HF_ASSERT_OK(Database::open_with("/store", options_on(fs)));
    for (const char* room : {"", "/ext", "/wal"}) HF_ASSERT_OK(fs.create_directory(orphan + room));
    if (place.ends_with(".txt")) {
      HF_ASSERT_OK(os::write_file_atomically(fs, orphan + place, {}));
    } else {
      HF_ASSERT_OK(fs.create_directory(orphan + place));
    }
    const auto report = engine::verify_store(fs, "/store", {});
    HF_ASSERT_OK(report);
    EXPECT_FALSE(report->damaged());
    ASSERT_EQ(1u, report->findings.size());
    EXPECT_NE(std::string::npos, report->findings[0].message.find("left alone"));
    open_at(fs, "/store");
    EXPECT_TRUE(*fs.exists(orphan + place));
    HF_ASSERT_OK(place.ends_with(".txt") ? fs.remove(orphan + place) : fs.remove_directory(orphan + place));
    open_at(fs, "/store");
    EXPECT_FALSE(*fs.exists(orphan));
  }
}

/// Operation n of the writer below: which id it writes. Every state of the history is told apart by its marker.
std::uint64_t id_of_operation(std::uint64_t n) { return 1 + n * 7919 % 97; }

TEST(BackupOnDisk, IsOnePrefixOfTheHistoryWhileWritersAndCheckpointsRun) {
  const TempDir directory;
  os::FileSystem& fs = os::posix_file_system();
  engine::EngineOptions options = options_on(fs, true);
  options.open.checkpoint_log_bytes = 128 * 1024;
  auto db = Database::open_with(directory / "store", options).value();
  auto collection = db.create_collection("c", {.dimension = 8, .m = 8, .ef_construction = 64}).value();
  std::atomic<std::uint64_t> acknowledged{0};  // release: pairs with the acquire before each backup
  std::atomic<bool> stop{false};               // relaxed: only tells the threads to end
  std::jthread writer([&] {
    WriteBatch batch;
    for (std::uint64_t n = 1; !stop.load(std::memory_order_relaxed); ++n) {
      batch.clear();
      batch.upsert(id_of_operation(n), vector_of(n, 8), payload_of(n));
      batch.set_marker("n", std::to_string(n));
      const WriteOptions write{.durability = n % 4 == 0 ? Durability::sync : Durability::none};
      if (!collection.write(batch, write).ok()) return;
      acknowledged.store(n, std::memory_order_release);
    }
  });
  std::jthread checkpointer([&] {
    while (!stop.load(std::memory_order_relaxed)) HF_EXPECT_OK(collection.checkpoint());
  });
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const std::uint64_t before = acknowledged.load(std::memory_order_acquire);
    const std::string target = directory / (round % 3 == 2 ? "two" : "one");
    const auto report = backup_store(fs, directory / "store", target, {.hard_links = round % 4 != 3});
    if (!report.ok()) stop = true;  // the threads end before the fixtures they use
    HF_ASSERT_OK(report);
    const Database copy = open_at(fs, target);
    ASSERT_TRUE(copy.quarantined().empty()) << copy.quarantined()[0].status.to_string();
    const auto found = copy.collection("c").value();
    const std::uint64_t n = std::stoull(found.marker("n").value_or("0"));
    EXPECT_GE(n, before);
    std::map<std::uint64_t, std::uint64_t> expected;
    for (std::uint64_t i = 1; i <= n; ++i) expected[id_of_operation(i)] = i;
    EXPECT_EQ(expected.size(), found.snapshot().size());
    for (const auto& [id, i] : expected) {
      const auto point = found.get(id);
      HF_ASSERT_OK(point);
      ASSERT_EQ(payload_of(i), point->payload) << "id " << id << " of " << n << " operations";
      ASSERT_EQ(vector_of(i, 8), point->vector);
    }
  }
  stop = true;
}

}  // namespace
}  // namespace holdfast::testing
