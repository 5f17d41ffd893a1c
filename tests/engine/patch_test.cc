// Checkpoints that patch extents: what they write, and that nobody can tell the difference.
#include <algorithm>
#include <map>

#include "engine/image.h"
#include "engine/store_fixture.h"
#include "storage/extent_format.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::testing {
namespace {

using engine::ExtentKind;

class PatchTest : public SimStore {
 protected:
  /// The manifest of the newest checkpoint.
  storage::Manifest manifest() {
    std::string directory;
    for (const auto& file : fs_.files()) {
      const std::size_t at = file.path.find("/ext/");
      if (at != std::string::npos) directory = file.path.substr(0, at);
    }
    return storage::read_manifest(fs_, directory, storage::list_manifests(fs_, directory).value().front()).value();
  }
  /// How many extents of the kind it names: whole, and patches.
  std::pair<int, int> named(ExtentKind kind) {
    std::pair<int, int> counts;
    for (const storage::ExtentInfo& extent : manifest().extents) {
      if (engine::kind_of(extent.kind) != kind) continue;
      ++(engine::is_patch(extent.kind) ? counts.second : counts.first);
    }
    return counts;
  }
  std::string path_of(std::uint8_t kind) {
    const storage::Manifest newest = manifest();
    for (const storage::ExtentInfo& extent : newest.extents) {
      if (extent.kind != kind) continue;
      for (const auto& file : fs_.files()) {
        if (file.path.find("/ext/" + storage::extent_name(extent.number)) != std::string::npos) return file.path;
      }
    }
    return {};
  }
  std::uint64_t extent_bytes() {
    std::uint64_t bytes = 0;
    for (const storage::ExtentInfo& extent : manifest().extents) bytes += extent.data_bytes;
    return bytes;
  }
  /// What the checkpoint wrote: extents that note its generation.
  std::uint64_t bytes_written(std::uint64_t first_number) {
    std::uint64_t bytes = 0;
    for (const storage::ExtentInfo& extent : manifest().extents) {
      if (extent.number >= first_number) bytes += extent.data_bytes;
    }
    return bytes;
  }

  std::map<std::uint64_t, std::uint64_t> model_;  ///< id to seed
  ::testing::AssertionResult holds_model(const Collection& collection) {
    if (collection.snapshot().size() != model_.size()) {
      return ::testing::AssertionFailure() << collection.snapshot().size() << " points, not " << model_.size();
    }
    std::uint64_t next = 0;  // rows of older versions must not live again
    if (const auto ids = collection.snapshot().ids(0, 100'000, &next); !ids.ok() || ids->size() != model_.size()) {
      return ::testing::AssertionFailure() << "the ids of another number of points";
    }
    for (const auto& [id, seed] : model_) {
      if (auto held = holds(collection, id, seed); !held) return held;
    }
    return ::testing::AssertionSuccess();
  }
  Status update(Collection& collection, std::uint64_t id, std::uint64_t seed) {
    model_[id] = seed;
    return put(collection, id, seed);
  }
};

TEST_F(PatchTest, few_changes_write_little_and_reopen_the_same) {
  SeededRandom random(11);
  std::uint64_t seed = 1'000'000;
  {
    Database db = open_database();
    Collection c = make(db);
    for (std::uint64_t id = 0; id < 1'500; ++id) HF_ASSERT_OK(update(c, id, id));
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(db.close());
  }
  EXPECT_EQ(named(ExtentKind::vectors), std::pair(1, 0));
  int patches = 0;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const storage::Manifest before = manifest();
    Database db = open_database();
    Collection c = db.collection("c").value();
    ASSERT_TRUE(holds_model(c));
    for (int i = 0; i < 15; ++i) HF_ASSERT_OK(update(c, random.below(1'500), ++seed));
    const std::uint64_t gone = random.below(1'500);
    if (model_.erase(gone) != 0) HF_ASSERT_OK(c.erase(gone));
    HF_ASSERT_OK(c.wait_until_indexed());
    if (round % 4 == 3) HF_ASSERT_OK(c.vacuum());  // rows in the middle are used again
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(db.close());
    patches += named(ExtentKind::vectors).second;
    if (round == 0) {
      EXPECT_EQ(named(ExtentKind::ids), std::pair(1, 1));
      EXPECT_EQ(named(ExtentKind::stamps), std::pair(1, 1));
      EXPECT_EQ(named(ExtentKind::payloads), std::pair(1, 1));
      EXPECT_EQ(named(ExtentKind::level0), std::pair(1, 1));
      EXPECT_LT(bytes_written(before.next_extent) * 4, extent_bytes());
    }
  }
  EXPECT_EQ(patches, 12) << "180 of 1,500 rows never are a quarter of them";
  Database db = open_database();
  EXPECT_TRUE(holds_model(db.collection("c").value()));
}

TEST_F(PatchTest, a_patch_replaces_the_one_before_until_the_chunk_is_written) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 400; ++id) HF_ASSERT_OK(update(c, id, id));
  HF_ASSERT_OK(c.checkpoint());
  std::vector<int> vectors;
  for (std::uint64_t round = 0; round < 6; ++round) {
    for (std::uint64_t i = 0; i < 100; ++i) HF_ASSERT_OK(update(c, i, 1'000 * (round + 1) + i));
    HF_ASSERT_OK(c.checkpoint());
    EXPECT_EQ(named(ExtentKind::vectors).first, 1);
    vectors.push_back(named(ExtentKind::vectors).second);
  }
  // Rows of patch and chunk: 100 of 500; 200 of 600 are more than a quarter; 100 of 700, 200 of 800; 300 of 900 are.
  EXPECT_EQ(vectors, (std::vector<int>{1, 0, 1, 1, 0, 1}));
  HF_ASSERT_OK(db.close());
  Database again = open_database();
  EXPECT_TRUE(holds_model(again.collection("c").value()));
}

TEST_F(PatchTest, what_one_checkpoint_patched_the_next_one_keeps) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 400; ++id) HF_ASSERT_OK(update(c, id, id));
  HF_ASSERT_OK(c.checkpoint());
  for (std::uint64_t id = 0; id < 20; ++id) HF_ASSERT_OK(update(c, id, 5'000 + id));
  HF_ASSERT_OK(c.checkpoint());
  for (std::uint64_t id = 20; id < 40; ++id) HF_ASSERT_OK(update(c, id, 5'000 + id));
  HF_ASSERT_OK(c.checkpoint());
  EXPECT_EQ(named(ExtentKind::vectors), std::pair(1, 1));
  HF_ASSERT_OK(db.close());
  Database again = open_database();
  EXPECT_TRUE(holds_model(again.collection("c").value()));
}

class DamagedPatchTest : public PatchTest, public ::testing::WithParamInterface<ExtentKind> {};

TEST_P(DamagedPatchTest, costs_a_longer_replay) {
  {
    Database db = open_database();
    Collection c = make(db);
    for (std::uint64_t id = 0; id < 400; ++id) HF_ASSERT_OK(update(c, id, id));
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    for (std::uint64_t id = 0; id < 10; ++id) HF_ASSERT_OK(update(c, id, 5'000 + id));
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(db.close());
  }
  const std::string path = path_of(static_cast<std::uint8_t>(GetParam()) | engine::kPatchBit);
  ASSERT_FALSE(path.empty());
  HF_ASSERT_OK(fs_.corrupt(path, storage::kExtentDataOffset + 80, std::byte{4}));
  Database db = open_database();
  Collection c = db.collection("c").value();
  EXPECT_GT(c.recovery_report().frames_replayed, 0U) << "the older image, and the log behind it";
  EXPECT_TRUE(holds_model(c));
}

INSTANTIATE_TEST_SUITE_P(Kinds, DamagedPatchTest,
                         ::testing::Values(ExtentKind::ids, ExtentKind::stamps, ExtentKind::level0,
                                           ExtentKind::vectors),
                         [](const auto& kind) { return std::string(engine::to_string(kind.param)); });

TEST_F(PatchTest, an_image_does_without_a_patch_that_is_damaged) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 400; ++id) HF_ASSERT_OK(update(c, id, id));
  HF_ASSERT_OK(c.checkpoint());
  for (std::uint64_t id = 0; id < 10; ++id) HF_ASSERT_OK(update(c, id, 5'000 + id));
  HF_ASSERT_OK(c.checkpoint());
  HF_ASSERT_OK(fs_.corrupt(path_of(static_cast<std::uint8_t>(ExtentKind::vectors) | engine::kPatchBit),
                           storage::kExtentDataOffset + 80, std::byte{4}));
  HF_ASSERT_OK(update(c, 11, 6'000));
  HF_ASSERT_OK(c.checkpoint());  // reads back what the last one wrote, and has all rows in memory
  EXPECT_EQ(named(ExtentKind::vectors), std::pair(1, 0));
  HF_ASSERT_OK(db.close());
  Database again = open_database();
  EXPECT_TRUE(holds_model(again.collection("c").value()));
}

TEST_F(PatchTest, values_of_points_are_patched_with_their_rows) {
  constexpr std::uint32_t kValues = 3;
  const auto rows_of = [](std::uint64_t seed) {
    std::vector<float> rows;
    for (std::uint64_t i = 0; i < kValues; ++i) {
      const auto row = vector_of(seed * kValues + i, kDimension);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    return rows;
  };
  std::map<std::uint64_t, std::uint64_t> seeds;
  {
    Database db = open_database();
    Collection c = make(db);
    WriteBatch batch;
    for (std::uint64_t id = 0; id < 200; ++id) {
      batch.upsert_values(id, rows_of(id), kValues, payload_of(id));
      seeds[id] = id;
    }
    HF_ASSERT_OK(c.write(batch));
    HF_ASSERT_OK(c.checkpoint());
    batch.clear();
    for (std::uint64_t id = 0; id < 10; ++id) {
      batch.upsert_values(id, rows_of(1'000 + id), kValues, payload_of(id));
      seeds[id] = 1'000 + id;
    }
    HF_ASSERT_OK(c.write(batch));
    HF_ASSERT_OK(c.checkpoint());
    HF_ASSERT_OK(db.close());
  }
  EXPECT_EQ(named(ExtentKind::values), std::pair(1, 1));
  Database db = open_database();
  Collection c = db.collection("c").value();
  for (const auto& [id, seed] : seeds) {
    const auto point = c.get(id);
    HF_ASSERT_OK(point);
    EXPECT_EQ(point->vector, rows_of(seed)) << id;
  }
}

}  // namespace
}  // namespace holdfast::testing
