// A damaged or missing CATALOG: verify goes on without it, repair makes another.
#include "repair/repair_fixture.h"

namespace holdfast::testing {
namespace {

class RepairCatalog : public RepairStore {
 protected:
  void SetUp() override {
    Database db = open_plain();
    for (const char* name : {"a", "b", "c"}) {
      Collection collection = make(db, name);
      put_all(collection, 1, 3);
    }
    HF_ASSERT_OK(db.close());
  }
  void expect_rebuilt() {
    EXPECT_TRUE(sound());
    Database db = open_plain();
    EXPECT_EQ(db.collections(), (std::vector<std::string>{"a", "b", "c"}));
    for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(holds(db.collection(name).value(), 2, 2));
  }
};

TEST_F(RepairCatalog, DamagedIsMadeFromTheManifests) {
  flip("/store/CATALOG", 40);
  const Bytes damaged = fs_.read_whole("/store/CATALOG").value();
  const auto verified = engine::verify_store(fs_, "/store", {});
  HF_ASSERT_OK(verified);
  ASSERT_EQ(verified->findings.size(), 1U);  // the collections are sound, and were looked at
  EXPECT_EQ(verified->findings.front().file, "CATALOG");
  EXPECT_EQ(verified->findings.front().offset, 24U);
  EXPECT_EQ(verified->points_checked, 9U);

  const RepairReport waiting = act(allow({Salvage::drop_points}));
  EXPECT_TRUE(waiting.incomplete());
  EXPECT_EQ(fs_.read_whole("/store/CATALOG").value(), damaged);
  const RepairReport report = act(allow({Salvage::rebuild_catalog}));
  ASSERT_EQ(report.steps.size(), 1U);
  EXPECT_TRUE(report.steps.front().done);
  EXPECT_EQ(fs_.read_whole("/store/repair-1/CATALOG").value(), damaged);
  expect_rebuilt();
}

TEST_F(RepairCatalog, MissingIsMadeFromTheManifests) {
  HF_ASSERT_OK(fs_.remove("/store/CATALOG"));
  const auto verified = engine::verify_store(fs_, "/store", {});
  HF_ASSERT_OK(verified);
  EXPECT_TRUE(verified->damaged());
  act(allow({Salvage::rebuild_catalog}));
  expect_rebuilt();
}

TEST_F(RepairCatalog, AndItsCollectionsInTheSameCall) {
  flip(directory() + "/" + storage::manifest_name(1), 50);  // of one: its name is not known any more
  flip("/store/CATALOG", 70);
  Options options = allow_all();
  options.metric = Metric::l2;  // it has no extents, the log tells the dimension
  const RepairReport report = act(options);
  EXPECT_FALSE(report.incomplete());
  EXPECT_EQ(report.set_aside.size(), 2U);
  EXPECT_TRUE(sound());
  Database db = open_plain();
  ASSERT_EQ(db.collections().size(), 3U);
  std::string recovered;
  for (const std::string& name : db.collections()) {
    if (name.starts_with("recovered-")) recovered = name;
    EXPECT_TRUE(holds(db.collection(name).value(), 3, 3)) << name;
  }
  EXPECT_FALSE(recovered.empty());
}

TEST_F(RepairCatalog, LosslessMakesACatalogThatLosesNothing) {
  flip("/store/CATALOG", 40);
  Options lossless;
  lossless.all_lossless = true;
  EXPECT_FALSE(act(lossless).incomplete());
  expect_rebuilt();
}

TEST_F(RepairCatalog, LosslessDoesNotMakeUpAName) {
  flip(directory() + "/" + storage::manifest_name(1), 50);
  HF_ASSERT_OK(fs_.remove("/store/CATALOG"));
  Options lossless;
  lossless.all_lossless = true;
  const RepairReport report = act(lossless);
  EXPECT_TRUE(report.incomplete());
  ASSERT_EQ(report.steps.size(), 1U);
  EXPECT_FALSE(report.steps.front().chosen);
  EXPECT_EQ(report.steps.front().loss.unnamed.size(), 1U);
  EXPECT_FALSE(fs_.exists("/store/CATALOG").value());
}

TEST_F(RepairCatalog, AnOpenWithoutItPointsToRepairAndNotToAnEmptyDirectory) {
  HF_ASSERT_OK(fs_.remove("/store/CATALOG"));
  const auto db = Database::open_with("/store", options_on(fs_));
  HF_EXPECT_CODE(StatusCode::not_a_store, db);
  const std::string why = db.status().to_string();
  EXPECT_NE(why.find("holdfast repair /store"), std::string::npos) << why;
  EXPECT_EQ(why.find("empty directory"), std::string::npos) << why;
}

TEST_F(RepairCatalog, AnythingElseIsNoStore) {
  HF_ASSERT_OK(fs_.create_directory("/other"));
  const auto report = engine::repair_store(fs_, "/other", {}, engine::RepairMode::act);
  HF_EXPECT_CODE(StatusCode::not_a_store, report);
  EXPECT_TRUE(fs_.list("/other").value().empty());  // not even a lock
  HF_EXPECT_CODE(StatusCode::not_a_store, engine::repair_store(fs_, "/nothing", {}, engine::RepairMode::plan));
  Options options;
  options.collection = "d";
  HF_EXPECT_CODE(StatusCode::not_found, engine::repair_store(fs_, "/store", options, engine::RepairMode::plan));
}

TEST_F(RepairCatalog, AnOpenStoreIsRefused) {
  const Database db = open_plain();
  HF_EXPECT_CODE(StatusCode::already_open, engine::repair_store(fs_, "/store", {}, engine::RepairMode::plan));
}

}  // namespace
}  // namespace holdfast::testing
