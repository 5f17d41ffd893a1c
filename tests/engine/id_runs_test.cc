#include "engine/id_runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "engine/image.h"
#include "engine/store_fixture.h"
#include "engine/verify.h"
#include "index/read_check.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::testing {
namespace {

using engine::IdEntry;
using engine::IdRuns;

class IdRunsTest : public ::testing::Test {
 protected:
  std::shared_ptr<const storage::Extent> write(std::vector<IdEntry> entries) {
    Bytes data;
    engine::encode_id_run(entries, data);
    EXPECT_EQ(data.size(), engine::id_run_bytes(entries.size()));
    storage::ExtentInfo info;
    info.number = ++number_;
    info.kind = static_cast<std::uint8_t>(engine::ExtentKind::ids_run);
    info.slot_count = static_cast<std::uint32_t>(entries.size());
    if (number_ == 1) EXPECT_TRUE(disk_.create_directory("/e").ok());
    auto writer = storage::ExtentWriter::create(disk_, "/e", uuid_, info);
    EXPECT_TRUE(writer.ok() && (*writer)->append(data).ok());
    info = *(*writer)->finish();
    last_ = info;
    return *storage::Extent::open(disk_, "/e", uuid_, info);
  }
  static Slot find(const IdRuns& runs, PointId id) {
    return runs.find(id, [](Slot) { return true; });
  }

  SimFileSystem disk_{1};
  Uuid uuid_{};
  std::uint64_t number_ = 0;
  storage::ExtentInfo last_;
};

TEST_F(IdRunsTest, FindsWhatIsThereAndNothingElse) {
  for (const std::uint64_t count : {1U, 2U, 255U, 256U, 257U, 512U, 5'000U}) {
    SCOPED_TRACE(count);
    std::vector<IdEntry> entries;
    for (std::uint64_t i = 0; i < count; ++i) {
      entries.push_back({PointId(3 * ((i * 7'919) % count)), static_cast<Slot>(i)});
    }
    IdRuns runs;
    ASSERT_TRUE(runs.add(write(entries), static_cast<Slot>(count)).ok());
    for (const IdEntry& entry : entries) ASSERT_EQ(entry.slot, find(runs, entry.id)) << entry.id.to_string();
    for (std::uint64_t id = 0; id < 3 * count + 5; ++id) {
      if (id % 3 != 0 || id >= 3 * count) ASSERT_EQ(kNoSlot, find(runs, PointId(id)));
    }
  }
}

TEST_F(IdRunsTest, NumbersAndUuidsDoNotMeet) {
  const PointId uuid = PointId::from_parts(PointId::Kind::uuid, 0, 7);
  IdRuns runs;
  ASSERT_TRUE(runs.add(write({{uuid, 1}, {PointId(7), 2}}), 3).ok());
  EXPECT_EQ(1U, find(runs, uuid));
  EXPECT_EQ(2U, find(runs, PointId(7)));
  EXPECT_EQ(kNoSlot, find(runs, PointId::from_parts(PointId::Kind::uuid, 7, 0)));
}

TEST_F(IdRunsTest, TheNewestRunThatIsAcceptedCounts) {
  IdRuns runs;
  ASSERT_TRUE(runs.add(write({{PointId(1), 10}, {PointId(2), 20}}), 100).ok());
  ASSERT_TRUE(runs.add(write({{PointId(1), 11}}), 100).ok());
  EXPECT_EQ(11U, find(runs, PointId(1)));
  EXPECT_EQ(20U, find(runs, PointId(2)));
  EXPECT_EQ(10U, runs.find(PointId(1), [](Slot slot) { return slot != 11; }));
  EXPECT_EQ(kNoSlot, runs.find(PointId(1), [](Slot) { return false; }));
}

TEST_F(IdRunsTest, WhatIsWrongIsToldToTheReadCheck) {
  {
    IdRuns runs;
    ASSERT_TRUE(runs.add(write({{PointId(1), 50}}), 50).ok());  // a row that does not exist
    const index::ReadCheck check;
    EXPECT_EQ(kNoSlot, find(runs, PointId(1)));
    EXPECT_EQ(StatusCode::data_damaged, check.status().code());
  }
  std::vector<IdEntry> entries;
  for (std::uint64_t i = 0; i < 9'000; ++i) entries.push_back({PointId(i), static_cast<Slot>(i)});
  const auto extent = write(entries);
  HF_ASSERT_OK(
      disk_.corrupt("/e/" + storage::extent_name(last_.number), storage::kExtentDataOffset + 150'000, std::byte{1}));
  IdRuns runs;
  ASSERT_TRUE(runs.add(extent, 9'000).ok());
  int told = 0;
  for (std::uint64_t i = 0; i < 9'000; ++i) {
    const index::ReadCheck check;
    const Slot slot = find(runs, PointId(i));
    if (check.ok()) {
      ASSERT_EQ(i, slot);
    } else {
      ASSERT_EQ(kNoSlot, slot);
      ++told;
    }
  }
  EXPECT_GT(told, 1'000);
}

TEST_F(IdRunsTest, WrongSizesAreRefused) {
  const auto extent = write({{PointId(1), 1}, {PointId(2), 2}});
  storage::ExtentInfo other = extent->info();
  for (const std::uint64_t entries : {0ULL, 1ULL, 3ULL, ~0ULL, 1ULL << 60}) {
    Bytes data(extent->data().begin(), extent->data().end());
    store<std::uint64_t>(data.data(), entries);
    other.number = ++number_;
    auto writer = storage::ExtentWriter::create(disk_, "/e", uuid_, other);
    ASSERT_TRUE(writer.ok() && (*writer)->append(data).ok());
    const auto forged = storage::Extent::open(disk_, "/e", uuid_, *(*writer)->finish());
    IdRuns runs;
    EXPECT_EQ(StatusCode::data_damaged, runs.add(*forged, 5).code()) << entries;
  }
}

/// Extents that the newest manifest of a collection names, by kind.
std::uint64_t runs_on(SimFileSystem& disk) {
  std::uint64_t runs = 0;
  for (const auto& file : disk.files()) {
    if (file.path.find("/ext/") == std::string::npos || file.is_directory) continue;
    const Bytes bytes = *disk.read_whole(file.path);
    runs += bytes.size() > 65 && bytes[64] == static_cast<std::byte>(engine::ExtentKind::ids_run) ? 1 : 0;
  }
  return runs;
}

// Many small checkpoints: runs are merged, stale entries never lead anywhere, and every reopened store knows its ids.
TEST(IdRunsOfAStore, ManyCheckpointsKeepFewRunsAndLoseNoId) {
  constexpr std::uint64_t kSeed = 5;
  SCOPED_TRACE(kSeed);
  SeededRandom random(kSeed);
  SimFileSystem disk(2);
  engine::EngineOptions options = options_on(disk);
  options.open.checkpoint_on_close = false;
  auto database = Database::open_with("/s", options);
  HF_ASSERT_OK(database);
  CollectionConfig config;
  config.dimension = 4;
  config.m = 4;
  config.ef_construction = 8;
  HF_ASSERT_OK(database->create_collection("c", config));
  std::map<std::uint64_t, std::uint64_t> model;  // id -> seed of its vector
  std::uint64_t most = 0, vectors = 0;
  for (int round = 0; round < 60; ++round) {
    auto collection = database->collection("c");
    HF_ASSERT_OK(collection);
    WriteBatch batch;
    std::map<std::uint64_t, bool> named;
    const std::uint64_t count = round == 0 ? 600 : 1 + random.below(30);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t id = random.below(800);
      if (!named.emplace(id, true).second) continue;
      if (random.below(4) == 0) {
        batch.erase(id);
        model.erase(id);
      } else {
        batch.upsert(id, vector_of(++vectors, 4));
        model[id] = vectors;
      }
    }
    HF_ASSERT_OK(collection->write(batch));
    if (round % 3 == 0) HF_ASSERT_OK(collection->vacuum());
    if (round % 2 == 0) HF_ASSERT_OK(collection->wait_until_indexed());  // else rows wait for the graph in the image
    if (round % 5 != 4) HF_ASSERT_OK(collection->checkpoint());
    most = std::max(most, runs_on(disk));
    if (round % 4 == 3) {
      HF_ASSERT_OK(database->close());
      database = Database::open_with("/s", options);
      HF_ASSERT_OK(database);
      collection = database->collection("c");
      HF_ASSERT_OK(collection);
    }
    ASSERT_EQ(model.size(), collection->stats().points) << "round " << round;
    for (std::uint64_t id = 0; id < 800; ++id) {
      const auto point = collection->get(id);
      const auto known = model.find(id);
      ASSERT_EQ(known != model.end(), point.ok()) << "round " << round << ", id " << id << ": " << text(point);
      if (point.ok()) ASSERT_EQ(vector_of(known->second, 4), point->vector) << "round " << round << ", id " << id;
    }
  }
  EXPECT_GE(most, 3U) << "runs never were side by side";
  EXPECT_LE(most, 2 * 8U) << "of two generations";
}

/// Exchanges the first two entries of the newest run, behind right checksums.
void forge_run(SimFileSystem& disk, const std::string& directory) {
  const auto generations = storage::list_manifests(disk, directory);
  HF_ASSERT_OK(generations);
  storage::Manifest manifest = *storage::read_manifest(disk, directory, generations->front());
  const std::string extents = os::join(directory, storage::kExtentDirectory);
  for (storage::ExtentInfo& info : manifest.extents) {
    if (info.kind != static_cast<std::uint8_t>(engine::ExtentKind::ids_run)) continue;
    const auto extent = storage::Extent::open(disk, extents, manifest.collection, info);
    HF_ASSERT_OK(extent);
    Bytes data((*extent)->data().begin(), (*extent)->data().end());
    constexpr std::size_t kEntry = 24;
    const std::size_t begin = 16 + kEntry * load<std::uint64_t>(data.data() + 8);
    std::swap_ranges(data.begin() + begin, data.begin() + begin + kEntry, data.begin() + begin + kEntry);
    info.number = manifest.next_extent++;
    auto writer = storage::ExtentWriter::create(disk, extents, manifest.collection, info);
    HF_ASSERT_OK(writer);
    HF_ASSERT_OK((*writer)->append(data));
    info = *(*writer)->finish();
  }
  HF_ASSERT_OK(storage::write_manifest(disk, directory, manifest));
}

// It loaded the image before, which was sound, and said nothing.
TEST(IdRunsOfAStore, VerifyNamesANewestImageThatContradictsItself) {
  SimFileSystem disk(2);
  auto database = Database::open_with("/s", options_on(disk));
  HF_ASSERT_OK(database);
  CollectionConfig config;
  config.dimension = 4;
  auto collection = database->create_collection("c", config);
  HF_ASSERT_OK(collection);
  for (std::uint64_t id = 1; id <= 5; ++id) HF_ASSERT_OK(collection->upsert(id, vector_of(id, 4)));
  HF_ASSERT_OK(collection->checkpoint());
  HF_ASSERT_OK(database->close());
  EXPECT_FALSE(engine::verify_store(disk, "/s", {})->damaged());
  for (const auto& entry : disk.list("/s").value()) {
    if (entry.is_directory) ASSERT_NO_FATAL_FAILURE(forge_run(disk, os::join("/s", entry.name)));
  }
  EXPECT_TRUE(engine::verify_store(disk, "/s", {})->damaged());
}

}  // namespace
}  // namespace holdfast::testing
