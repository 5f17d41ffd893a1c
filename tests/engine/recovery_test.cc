// Opening after crashes and damage. (The systematic crash exploration stands in tests/crash.)
#include "engine/store_fixture.h"
#include "storage/file_names.h"

namespace holdfast::testing {
namespace {

class RecoveryTest : public SimStore {
 protected:
  std::string find_file(const std::string& part, bool last = true) {
    std::string found;
    for (const auto& file : fs_.files()) {
      if (file.is_directory || file.path.find(part) == std::string::npos) continue;
      if (found.empty() || last) found = file.path;
    }
    return found;
  }
  /// 60 points and an index in a first checkpoint, 20 more in a second one, 5 more in the log.
  void make_store() {
    Database db = open_database();
    Collection c = make(db);
    for (std::uint64_t id = 0; id < 60; ++id) HF_ASSERT_OK(put(c, id, id));
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    for (std::uint64_t id = 60; id < 80; ++id) HF_ASSERT_OK(put(c, id, id));
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    for (std::uint64_t id = 80; id < 85; ++id) HF_ASSERT_OK(put(c, id, id));
    HF_ASSERT_OK(c.erase(7));
    const auto crashed = fs_.crash(CrashPolicy::lose_all());
    disk_ = crashed->clone();
  }
  void expect_whole(Collection c) {
    EXPECT_EQ(c.snapshot().size(), 84u);
    for (std::uint64_t id = 0; id < 85; ++id) {
      if (id != 7) {
        EXPECT_TRUE(holds(c, id, id));
      }
    }
    EXPECT_TRUE(missing(c, 7));
    HF_EXPECT_OK(put(c, 1000, 1000));
  }
  Result<Database> reopen() { return Database::open_with("/store", options_on(*disk_)); }
  std::string on_disk(const std::string& part) {
    std::string found;
    for (const auto& file : disk_->files()) {
      if (!file.is_directory && file.path.find(part) != std::string::npos) found = file.path;
    }
    return found;
  }

  std::unique_ptr<SimFileSystem> disk_;
};

TEST_F(RecoveryTest, replays_what_the_checkpoint_does_not_hold) {
  make_store();
  Database db = reopen().value();
  Collection c = db.collection("c").value();
  EXPECT_EQ(c.recovery_report().checkpoint_lsn, 80u);
  EXPECT_EQ(c.recovery_report().frames_replayed, 6u);
  EXPECT_EQ(c.recovery_report().last_lsn, 86u);
  EXPECT_FALSE(c.recovery_report().clean);
  EXPECT_FALSE(c.recovery_report().fell_back);
  EXPECT_EQ(c.stats().growing, 5u) << "replay touches no graph";
  expect_whole(c);
}

TEST_F(RecoveryTest, a_damaged_newest_manifest_costs_a_longer_replay) {
  make_store();
  const std::string manifest = on_disk("/manifest-");
  HF_ASSERT_OK(disk_->corrupt(manifest, 40, std::byte{1}));
  Database db = reopen().value();
  Collection c = db.collection("c").value();
  EXPECT_TRUE(c.recovery_report().fell_back);
  EXPECT_EQ(c.recovery_report().checkpoint_lsn, 60u);
  EXPECT_EQ(c.recovery_report().frames_replayed, 26u);
  expect_whole(c);
  HF_ASSERT_OK(c.checkpoint());
  HF_ASSERT_OK(db.close());
  Database again = reopen().value();
  EXPECT_FALSE(again.collection("c")->recovery_report().fell_back);
  EXPECT_EQ(again.collection("c")->snapshot().size(), 85u);
}

TEST_F(RecoveryTest, a_damaged_extent_of_the_newest_image_falls_back_too) {
  make_store();
  for (const auto& file : disk_->files()) {
    // Extents that only the newest image names: all but the first checkpoint's.
    if (file.is_directory || file.path.find("/ext/") == std::string::npos) continue;
    auto trial = disk_->clone();
    HF_ASSERT_OK(trial->corrupt(file.path, 4096, std::byte{4}));
    auto db = Database::open_with("/store", options_on(*trial));
    HF_ASSERT_OK(db);
    auto c = db->collection("c");
    SCOPED_TRACE(file.path);
    if (c.ok()) {
      // Fell back, or the damage is in data that is only checked when it is read: reading it then tells.
      for (std::uint64_t id = 0; id < 85; ++id) {
        const auto point = c->get(id);
        if (point.ok()) {
          EXPECT_EQ(point->vector, vector_of(id, kDimension));
          EXPECT_EQ(point->payload, payload_of(id));
        } else if (id != 7) {
          HF_EXPECT_CODE(StatusCode::data_damaged, point);
        }
      }
    } else {
      HF_EXPECT_CODE(StatusCode::data_damaged, c);
    }
  }
}

TEST_F(RecoveryTest, a_damaged_collection_is_quarantined_while_others_serve) {
  {
    Database db = open_database();
    Collection good = make(db, "good");
    Collection bad = make(db, "bad");
    HF_ASSERT_OK(put(good, 1, 1));
    for (std::uint64_t id = 0; id < 10; ++id) HF_ASSERT_OK(put(bad, id, id));
    disk_ = fs_.crash(CrashPolicy::lose_all());
  }
  // The log of "bad" is the larger one.
  std::string log;
  for (const auto& file : disk_->files()) {
    if (file.path.find(".log") == std::string::npos || file.is_directory) continue;
    const auto bytes = disk_->read_whole(file.path).value();
    if (std::any_of(bytes.begin() + 2 * 4096, bytes.end(), [](std::byte b) { return b != std::byte{0}; }))
      log = file.path;
  }
  HF_ASSERT_OK(disk_->corrupt(log, 2 * 4096 + 60, std::byte{1}));  // the second frame; later ones prove it
  const auto before = disk_->read_whole(log).value();
  {
    Database db = reopen().value();
    EXPECT_EQ(db.collections(), std::vector<std::string>{"good"});
    const auto quarantined = db.quarantined();
    ASSERT_EQ(quarantined.size(), 1u);
    EXPECT_EQ(quarantined[0].name, "bad");
    HF_EXPECT_CODE(StatusCode::data_damaged, quarantined[0].status);
    EXPECT_NE(quarantined[0].status.to_string().find("lsn 2"), std::string::npos);
    HF_EXPECT_CODE(StatusCode::data_damaged, db.collection("bad"));
    Collection good = db.collection("good").value();
    EXPECT_TRUE(holds(good, 1, 1));
    HF_EXPECT_OK(put(good, 2, 2));
    HF_ASSERT_OK(db.close());
  }
  EXPECT_EQ(disk_->read_whole(log).value(), before) << "damage is not touched";
}

TEST_F(RecoveryTest, a_store_without_its_manifest_is_not_taken_for_an_empty_one) {
  make_store();
  for (const auto& file : disk_->files()) {
    if (file.path.find("/manifest-") != std::string::npos) HF_ASSERT_OK(disk_->remove(file.path));
  }
  Database db = reopen().value();
  HF_EXPECT_CODE(StatusCode::data_damaged, db.collection("c"));
}

TEST_F(RecoveryTest, a_missing_collection_directory_is_damage) {
  make_store();
  const std::string manifest = on_disk("/manifest-");
  HF_ASSERT_OK(disk_->rename(os::parent(manifest), "/elsewhere"));
  Database db = reopen().value();
  EXPECT_EQ(db.quarantined().size(), 1u);
}

// Its own directory was noticed, those inside gave `not_found`.
TEST_F(RecoveryTest, a_missing_directory_inside_a_collection_is_damage) {
  make_store();
  const auto whole = disk_->clone();
  for (const std::string name : {"wal", "ext"}) {
    SCOPED_TRACE(name);
    disk_ = whole->clone();
    std::string directory;
    for (const auto& file : disk_->files()) {
      if (file.is_directory && file.path.ends_with("/" + name)) directory = file.path;
    }
    for (const auto& file : disk_->files()) {
      if (file.path.starts_with(directory + "/")) HF_ASSERT_OK(disk_->remove(file.path));
    }
    HF_ASSERT_OK(disk_->remove_directory(directory));
    Database db = reopen().value();
    const std::vector<QuarantinedCollection> quarantined = db.quarantined();
    ASSERT_EQ(quarantined.size(), 1u);
    HF_EXPECT_CODE(StatusCode::data_damaged, quarantined[0].status);
  }
}

TEST_F(RecoveryTest, left_overs_of_interrupted_work_are_removed) {
  make_store();
  const std::string collection = os::parent(on_disk("/manifest-"));
  HF_ASSERT_OK(disk_->write_whole(collection + "/ext/" + storage::extent_name(0xFFFF), {}));
  HF_ASSERT_OK(disk_->write_whole(collection + "/manifest-0000000000000009.tmp", {}));
  Database db = reopen().value();
  Collection c = db.collection("c").value();
  EXPECT_EQ(c.recovery_report().files_removed.size(), 2u);
  EXPECT_FALSE(*disk_->exists(collection + "/ext/" + storage::extent_name(0xFFFF)));
  expect_whole(c);
}

TEST_F(RecoveryTest, opening_twice_is_opening_once) {
  make_store();
  for (int round = 0; round < 3; ++round) {
    std::unique_ptr<SimFileSystem> crashed;
    {
      Database db = reopen().value();
      EXPECT_EQ(db.collection("c")->snapshot().size(), 84u);
      crashed = disk_->crash(CrashPolicy::lose_all());
    }
    disk_ = std::move(crashed);
  }
  Database db = reopen().value();
  expect_whole(db.collection("c").value());
}

TEST_F(RecoveryTest, a_graph_from_an_extent_can_be_extended) {
  make_store();
  Database db = reopen().value();
  Collection c = db.collection("c").value();
  for (std::uint64_t id = 100; id < 400; ++id) HF_ASSERT_OK(put(c, id, id));
  HF_ASSERT_OK(c.wait_until_indexed());
  int found = 0;
  for (std::uint64_t id = 100; id < 400; ++id) {
    const auto hits = c.search(vector_of(id, kDimension), {.k = 1});
    HF_ASSERT_OK(hits);
    found += hits->front().id == PointId(id) ? 1 : 0;
  }
  EXPECT_GE(found, 298);
}

}  // namespace
}  // namespace holdfast::testing
