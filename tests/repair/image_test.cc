// Damaged checkpoints: points that are dropped by id, graphs that are built again, images that another one stands in
// for.
#include "repair/repair_fixture.h"

namespace holdfast::testing {
namespace {

using engine::ExtentKind;

constexpr std::uint64_t kPage = storage::kExtentPageBytes;
constexpr std::uint64_t kData = storage::kExtentDataOffset;
constexpr std::uint64_t kRowsPerPage = kPage / 64;  // of vectors of dimension 8
constexpr std::uint64_t kPoints = 2'500;            // two full pages of vectors and a part of a third

class RepairImage : public RepairStore {
 protected:
  /// Two checkpoints that share every extent, and point 3 written again behind them: nothing stands in for an extent.
  void make_store(Metric metric = Metric::l2) {
    Database db = open_plain();
    Collection c = make(db, "c", metric);
    put_batch(c, 1, kPoints);
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    WriteBatch batch;
    batch.set_marker("progress", "42");
    HF_ASSERT_OK(c.write(batch));
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(put(c, 1'030, 7'777));
    HF_ASSERT_OK(db.close());
  }
  static std::map<std::uint64_t, std::uint64_t> expected() {
    auto map = own_seeds(1, kPoints);
    map[1'030] = 7'777;
    return map;
  }
  std::string marker() {
    Database db = open_plain();
    return db.collection("c").value().marker("progress").value_or("");
  }
};

TEST_F(RepairImage, PointsInADamagedPageOfVectorsAreDroppedById) {
  make_store();
  const std::string path = extent_path(ExtentKind::vectors);
  flip(path, kData + kPage + 700);
  EXPECT_FALSE(sound());
  const RepairReport report = plan();
  ASSERT_EQ(report.steps.size(), 1U);
  const RepairStep& drop = report.steps.front();
  EXPECT_EQ(drop.salvage, Salvage::drop_points);
  EXPECT_EQ("/store/" + drop.file, path);
  EXPECT_EQ(drop.offset, kData + kPage);
  EXPECT_EQ(drop.length, kPage);
  // Rows 1024 to 2047 hold the ids 1025 to 2048; 1030 was written again since.
  std::vector<PointId> lost = ids(kRowsPerPage + 1, 2 * kRowsPerPage);
  lost.erase(std::find(lost.begin(), lost.end(), PointId(1'030)));
  EXPECT_EQ(drop.loss.ids, lost);
  EXPECT_EQ(drop.loss.unknown_points, 0U);

  act(allow({Salvage::drop_points}));
  EXPECT_TRUE(sound());
  auto left = expected();
  for (const PointId& id : lost) left.erase(id.number());
  expect_points(left);
  EXPECT_EQ(marker(), "42");
}

TEST_F(RepairImage, PointsWithADamagedPayloadAreDroppedById) {
  make_store();
  const std::string path = extent_path(ExtentKind::payloads);
  const std::uint64_t size = fs_.read_whole(path).value().size();
  ASSERT_GT(size, kData + 20'000);
  flip(path, kData + 10);  // the offsets of all points stand in this page, and many texts
  const RepairReport report = act(allow({Salvage::drop_points}));
  ASSERT_NE(step(report, Salvage::drop_points), nullptr);
  EXPECT_TRUE(sound());
  auto left = expected();
  for (const PointId& id : step(report, Salvage::drop_points)->loss.ids) left.erase(id.number());
  EXPECT_TRUE(left.contains(1'030));
  EXPECT_EQ(left.size(), expected().size() - step(report, Salvage::drop_points)->loss.ids.size());
  expect_points(left);
}

TEST_F(RepairImage, RowsWhoseIdsAreDamagedAreCounted) {
  make_store();
  flip(extent_path(ExtentKind::ids), kData + 5);  // all ids are in one page
  const RepairReport report = act(allow({Salvage::drop_points}));
  const RepairStep* drop = step(report, Salvage::drop_points);
  ASSERT_NE(drop, nullptr);
  EXPECT_TRUE(drop->loss.ids.empty());
  EXPECT_EQ(drop->loss.unknown_points, kPoints);
  EXPECT_TRUE(sound());
  expect_points({{1'030, 7'777}});
}

TEST_F(RepairImage, PointsWithDamagedStampsAreNamed) {
  make_store();
  flip(extent_path(ExtentKind::stamps), kData + 5);
  const RepairReport report = act(allow({Salvage::drop_points}));
  const RepairStep* drop = step(report, Salvage::drop_points);
  ASSERT_NE(drop, nullptr);
  EXPECT_EQ(drop->loss.unknown_points, 0U);
  EXPECT_EQ(drop->loss.ids.size(), kPoints - 1);
  EXPECT_TRUE(sound());
  expect_points({{1'030, 7'777}});
}

TEST_F(RepairImage, AMissingExtentIsLikeADamagedOne) {
  make_store();
  HF_ASSERT_OK(fs_.remove(extent_path(ExtentKind::vectors)));
  EXPECT_FALSE(quarantine().empty());
  const RepairReport report = act(allow({Salvage::drop_points}));
  EXPECT_EQ(step(report, Salvage::drop_points)->loss.ids.size(), kPoints - 1);
  EXPECT_TRUE(sound());
  expect_points({{1'030, 7'777}});
}

TEST_F(RepairImage, AnotherCheckpointAndTheLogStandInForADamagedOne) {
  {
    Database db = open_plain();
    Collection c = make(db);
    put_batch(c, 1, kPoints);
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(put(c, 5, 5'005));
    put_batch(c, 1'000, 2'000);  // too many rows for a patch
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(db.close());
  }
  flip(extent_path(ExtentKind::vectors), kData + 70);  // of the newest alone; no open notices it
  EXPECT_TRUE(quarantine().empty());
  const RepairReport report = plan();
  ASSERT_EQ(report.steps.size(), 1U) << report.steps.back().damage;
  EXPECT_EQ(report.steps.front().salvage, Salvage::drop_checkpoint);
  EXPECT_TRUE(report.steps.front().loss.nothing());
  Options lossless;
  lossless.all_lossless = true;
  act(lossless);
  EXPECT_TRUE(sound());
  auto all = own_seeds(1, kPoints);
  all[5] = 5'005;
  expect_points(all);
}

TEST_F(RepairImage, ADamagedManifestIsSetAside) {
  make_store();
  flip(manifest_path(), 100);
  const RepairReport report = act(allow({Salvage::drop_checkpoint}));
  ASSERT_NE(step(report, Salvage::drop_checkpoint), nullptr);
  EXPECT_NE(step(report, Salvage::drop_checkpoint)->offset, 0U);
  EXPECT_FALSE(report.incomplete());
  EXPECT_TRUE(sound());
  expect_points(expected());
  EXPECT_EQ(marker(), "42");
}

class RepairGraph : public RepairImage, public ::testing::WithParamInterface<Metric> {};

TEST_P(RepairGraph, ADamagedGraphIsBuiltFromTheVectors) {
  make_store(GetParam());
  flip(extent_path(ExtentKind::level0), kData + 4);
  EXPECT_FALSE(sound());
  const RepairReport report = plan();
  ASSERT_EQ(report.steps.size(), 1U);
  EXPECT_EQ(report.steps.front().salvage, Salvage::rebuild_graph);
  EXPECT_TRUE(report.steps.front().loss.nothing());
  act(allow({Salvage::rebuild_graph}));
  EXPECT_TRUE(sound());
  {
    Database db = open_plain();
    const CollectionStats stats = db.collection("c").value().stats();
    EXPECT_EQ(stats.graph_nodes, kPoints);
    EXPECT_EQ(stats.growing, 0U);
  }
  expect_points(expected());
}
INSTANTIATE_TEST_SUITE_P(Metrics, RepairGraph, ::testing::Values(Metric::l2, Metric::cosine),
                         [](const auto& metric) { return std::string(to_string(metric.param)); });

TEST_F(RepairImage, DamageOfEveryKindAtOnce) {
  make_store();
  flip(extent_path(ExtentKind::vectors), kData + 2 * kPage + 3);
  flip(extent_path(ExtentKind::upper), kData);
  flip(manifest_path(1), 60);
  const Frame last = frame(3);
  flip(last.path, last.offset + 45);
  const RepairReport report = act(allow_all());
  EXPECT_FALSE(report.incomplete());
  for (const Salvage salvage :
       {Salvage::drop_points, Salvage::rebuild_graph, Salvage::drop_checkpoint, Salvage::cut_log}) {
    EXPECT_NE(step(report, salvage), nullptr) << to_string(salvage);
  }
  EXPECT_TRUE(sound());
  expect_points(own_seeds(1, 2 * kRowsPerPage));
}

TEST_F(RepairImage, APointOfSeveralVectorsIsWholeOrGone) {
  constexpr std::uint64_t kDocuments = 300, kValues = 7;
  {
    Database db = open_plain();
    Collection c = make(db);
    WriteBatch batch;
    for (std::uint64_t id = 1; id <= kDocuments; ++id) {
      std::vector<float> vectors;
      for (std::uint64_t v = 0; v < kValues; ++v) {
        const auto one = vector_of(id * 100 + v, kDimension);
        vectors.insert(vectors.end(), one.begin(), one.end());
      }
      batch.upsert_values(id, vectors, kValues, payload_of(id));
    }
    HF_ASSERT_OK(c.write(batch));
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    batch.clear();
    batch.set_marker("again", "1");
    HF_ASSERT_OK(c.write(batch));
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(db.close());
  }
  flip(extent_path(ExtentKind::vectors), kData + 17);  // rows 0 to 1023: ids 1 to 147 (1024 = 146 x 7 + 2)
  const RepairReport report = act(allow({Salvage::drop_points}));
  EXPECT_EQ(step(report, Salvage::drop_points)->loss.ids, ids(1, 147));
  EXPECT_TRUE(sound());
  Database db = open_plain();
  Collection c = db.collection("c").value();
  EXPECT_EQ(c.stats().points, kDocuments - 147);
  EXPECT_EQ(c.stats().values, (kDocuments - 147) * kValues);
  const auto point = c.get(148);
  HF_ASSERT_OK(point);
  EXPECT_EQ(point->values, kValues);
  EXPECT_EQ(std::vector<float>(point->vector.end() - kDimension, point->vector.end()),
            vector_of(148 * 100 + kValues - 1, kDimension));
}

TEST_F(RepairImage, OfACollectionWithoutHopeTheOthersAreRepaired) {
  make_store();
  {
    Database db = open_plain();
    Collection other = make(db, "other");
    HF_ASSERT_OK(put(other, 1, 1));
    HF_ASSERT_OK(db.close());
  }
  // The directory of "c" is gone; a byte of "other" is damaged.
  std::string doomed, damaged;
  const storage::Catalog catalog = storage::read_catalog(fs_, "/store").value();
  for (const storage::CatalogEntry& entry : catalog.collections) {
    (entry.name == "c" ? doomed : damaged) = "/store/" + storage::collection_directory_name(entry.uuid);
  }
  HF_ASSERT_OK(fs_.rename(doomed, "/elsewhere"));
  flip(damaged + "/" + storage::manifest_name(1), 50);
  Options of_other = allow_all();
  of_other.metric = Metric::l2;  // it has no extents that would tell
  const RepairReport report = act(of_other);
  EXPECT_EQ(report.hopeless.size(), 1U);
  EXPECT_TRUE(report.incomplete());
  of_other.collection = "other";
  EXPECT_TRUE(plan(of_other).nothing_to_repair()) << "it was repaired before";
  Database db = open_plain();
  ASSERT_EQ(db.collections(), std::vector<std::string>{"other"});
  EXPECT_TRUE(holds(db.collection("other").value(), 1, 1));
}

}  // namespace
}  // namespace holdfast::testing
