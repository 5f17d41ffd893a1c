// No manifest can be read: what the extents and the log say of themselves.
#include <filesystem>
#include <fstream>

#include "engine/repair_text.h"
#include "repair/repair_fixture.h"

namespace holdfast::testing {
namespace {

using engine::ExtentKind;

class RepairManifest : public RepairStore {
 protected:
  void damage_manifests(bool remove) {
    for (const std::uint64_t generation : storage::list_manifests(fs_, directory()).value()) {
      const std::string path = directory() + "/" + storage::manifest_name(generation);
      if (remove) {
        HF_ASSERT_OK(fs_.remove(path));
      } else {
        flip(path, 90);
      }
    }
  }
};

class RepairManifestBothWays : public RepairManifest, public ::testing::WithParamInterface<bool> {};

TEST_P(RepairManifestBothWays, IsMadeFromExtentsAndLog) {
  std::map<std::uint64_t, std::uint64_t> expected;
  {
    Database db = open_plain();
    Collection c = make(db, "c", Metric::cosine, 24);
    put_batch(c, 1, 700);
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    expected = own_seeds(1, 700);
    for (std::uint64_t id = 10; id < 200; id += 10) {
      HF_ASSERT_OK(c.erase(id));
      expected.erase(id);
    }
    HF_ASSERT_OK(put(c, 11, 1'011));
    expected[11] = 1'011;
    HF_ASSERT_OK(c.vacuum());
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(put(c, 12, 1'012));
    expected[12] = 1'012;
    HF_ASSERT_OK(c.erase(13));
    expected.erase(13);
    HF_ASSERT_OK(db.close());
  }
  damage_manifests(GetParam());
  EXPECT_FALSE(quarantine().empty());
  const RepairReport report = plan();
  ASSERT_EQ(report.steps.size(), 1U) << report.steps.back().damage;
  EXPECT_EQ(report.steps.front().salvage, Salvage::rebuild_manifest);
  EXPECT_TRUE(report.incomplete()) << "it loses markers: not without being asked";
  act(allow({Salvage::rebuild_manifest}));
  EXPECT_TRUE(sound());
  Database db = open_plain();
  const CollectionConfig config = db.collection("c").value().config();
  EXPECT_EQ(config.dimension, 24U);
  EXPECT_EQ(config.metric, Metric::cosine);
  EXPECT_EQ(config.m, 8U);
  EXPECT_EQ(config.ef_construction, 64U);
  EXPECT_EQ(db.collection("c").value().stats().growing, 0U);
  HF_ASSERT_OK(db.close());
  expect_points(expected);
}
INSTANTIATE_TEST_SUITE_P(Ways, RepairManifestBothWays, ::testing::Bool(),
                         [](const auto& removed) { return removed.param ? "missing" : "damaged"; });

TEST_F(RepairManifest, RowsKeepTheirType) {
  std::map<std::uint64_t, std::vector<float>> before;
  const CollectionConfig config{
      .dimension = 6, .metric = Metric::cosine, .m = 8, .ef_construction = 64, .type = ComponentType::f16};
  {
    Database db = open_plain();
    HF_ASSERT_OK(db.create_collection("c", config));
    Collection c = db.collection("c").value();
    put_batch(c, 1, 300);
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(put(c, 11, 1'011));
    for (std::uint64_t id = 1; id < 300; ++id) before[id] = c.get(id).value().vector;
    HF_ASSERT_OK(db.close());
  }
  damage_manifests(true);
  act(allow({Salvage::rebuild_manifest}));
  EXPECT_TRUE(sound());
  Database db = open_plain();
  const Collection c = db.collection("c").value();
  EXPECT_EQ(config, c.config());
  for (const auto& [id, vector] : before) {
    const auto point = c.get(id);
    HF_ASSERT_OK(point);
    EXPECT_EQ(vector, point->vector) << id;
  }
}

/// The newest extents may be of a checkpoint that was never finished: chunks of two instants.
TEST_F(RepairManifest, ExtentsOfAnInterruptedCheckpointDoNoHarm) {
  {
    Database db = open_plain();
    Collection c = make(db);
    put_batch(c, 1, 400);
    HF_ASSERT_OK(c.checkpoint());
    put_all(c, 380, 420);
    HF_ASSERT_OK(c.erase(7));
    HF_ASSERT_OK(db.close());
  }
  auto expected = own_seeds(1, 420);
  expected.erase(7);
  std::uint64_t states = 0;
  for (std::uint64_t calls = 0;; ++calls) {
    const auto fs = fs_.clone();
    bool finished = false;
    {
      Database db = open_plain(*fs);
      Collection c = db.collection("c").value();
      fs->power_off_at(fs->calls() + calls);
      finished = c.checkpoint().ok();
    }
    if (finished) break;
    const auto found = fs->crash(CrashPolicy::keep_all());
    for (const std::uint64_t generation : storage::list_manifests(*found, directory(*found)).value()) {
      HF_ASSERT_OK(found->remove(directory(*found) + "/" + storage::manifest_name(generation)));
    }
    SCOPED_TRACE("power off at call " + std::to_string(calls) + " of the checkpoint");
    const RepairReport report = act(*found, allow({Salvage::rebuild_manifest}));
    ASSERT_FALSE(report.incomplete()) << (report.hopeless.empty() ? report.steps.back().damage : report.hopeless[0]);
    ASSERT_TRUE(sound(*found));
    expect_points(*found, expected);
    ++states;
  }
  EXPECT_GT(states, 20U);
}

class RepairManifestLoss : public RepairManifest {
 protected:
  void SetUp() override {
    Database db = open_plain();
    Collection c = make(db);
    put_batch(c, 1, 400);
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(db.close());
    ids_ = extent_path(ExtentKind::ids);
    ASSERT_FALSE(ids_.empty());
    damage_manifests(false);
  }
  std::string loss() {
    const RepairReport report = plan();
    const RepairStep* rebuild = step(report, Salvage::rebuild_manifest);
    return rebuild == nullptr ? "no such step" : engine::describe_loss(rebuild->loss, true);
  }
  std::string ids_;
};

TEST_F(RepairManifestLoss, MarkersAreNotCalledNothing) {
  EXPECT_EQ(loss(), "markers that no batch in the log sets: which ones cannot be told");
}

TEST_F(RepairManifestLoss, AnExtentThatCannotBeReadIsNotCalledNothing) {
  for (std::uint64_t at = 0; at < 64; ++at) flip(ids_, at);
  const std::string lost = loss();
  EXPECT_NE(lost.find("cannot be read ("), std::string::npos) << lost;
  EXPECT_NE(lost.find("ids of the points in them cannot be told"), std::string::npos) << lost;
}

TEST_F(RepairManifestLoss, AnExtentThatIsMissingIsNotCalledNothing) {
  HF_ASSERT_OK(fs_.remove(ids_));
  const std::string lost = loss();
  EXPECT_NE(lost.find("slots that lack files (0)"), std::string::npos) << lost;
  EXPECT_NE(lost.find("ids of the points in them cannot be told"), std::string::npos) << lost;
}

TEST_F(RepairManifest, WhatNoFileTellsHasToBeGiven) {
  {
    Database db = open_plain();
    Collection c = make(db);
    put_all(c, 1, 20);
    HF_ASSERT_OK(db.close());
  }
  damage_manifests(false);  // and there is no extent yet
  Options options = allow({Salvage::rebuild_manifest});
  RepairReport report = act(options);
  ASSERT_EQ(report.hopeless.size(), 1U);
  EXPECT_NE(report.hopeless.front().find("--metric"), std::string::npos) << report.hopeless.front();
  options.metric = Metric::l2;
  report = act(options);
  EXPECT_FALSE(report.incomplete());
  EXPECT_TRUE(sound());
  expect_points(own_seeds(1, 20));
}

}  // namespace
}  // namespace holdfast::testing
