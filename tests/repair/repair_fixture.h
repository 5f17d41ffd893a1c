// Stores that are damaged on purpose, on a simulated disk, and what is left of them after a repair.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/image.h"
#include "engine/repair.h"
#include "engine/store_fixture.h"
#include "engine/verify.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::testing {

class RepairStore : public SimStore {
 protected:
  using Options = RepairOptions;

  /// Opened so that only what a test asks for is written.
  Database open_plain(SimFileSystem& fs, bool checkpoint_on_close = false) {
    engine::EngineOptions options = options_on(fs);
    options.open.checkpoint_on_close = checkpoint_on_close;
    auto db = Database::open_with("/store", options);
    if (!db.ok()) throw std::runtime_error(db.status().to_string());
    return std::move(db).value();
  }
  Database open_plain() { return open_plain(fs_); }

  /// Points first..last, the seed of each is its id, one batch each.
  static void put_all(Collection& collection, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t id = first; id <= last; ++id) HF_ASSERT_OK(put(collection, id, id));
  }
  /// The same in one batch.
  static void put_batch(Collection& collection, std::uint64_t first, std::uint64_t last) {
    WriteBatch batch;
    for (std::uint64_t id = first; id <= last; ++id) {
      batch.upsert(id, vector_of(id, collection.config().dimension), payload_of(id));
    }
    HF_ASSERT_OK(collection.write(batch));
  }

  // --- files ---

  /// Of the only (or first) collection.
  static std::string directory(SimFileSystem& fs) {
    for (const os::DirectoryEntry& entry : fs.list("/store").value()) {
      if (storage::parse_name(entry.name).kind == storage::FileKind::collection_directory) {
        return "/store/" + entry.name;
      }
    }
    return {};
  }
  std::string directory() { return directory(fs_); }
  storage::Manifest newest_manifest() {
    return storage::read_manifest(fs_, directory(), storage::list_manifests(fs_, directory()).value().front()).value();
  }
  std::string manifest_path(std::size_t back = 0) {
    return directory() + "/" + storage::manifest_name(storage::list_manifests(fs_, directory()).value().at(back));
  }
  /// The extent of the newest manifest that holds this kind of the first chunk.
  std::string extent_path(engine::ExtentKind kind) {
    for (const storage::ExtentInfo& info : newest_manifest().extents) {
      if (info.kind == static_cast<std::uint8_t>(kind) && info.first_slot == 0) {
        return directory() + "/ext/" + storage::extent_name(info.number);
      }
    }
    return {};
  }
  struct Frame {
    std::string path;
    std::uint64_t offset = 0;
  };
  Frame frame(Lsn lsn) {
    Frame found;
    HF_EXPECT_OK(engine::dump_collection_log(fs_, "/store", "c", [&](const LogEntry& entry) {
      if (entry.lsn == lsn && (entry.kind == "batch" || entry.kind == "mark")) {
        found = {directory() + "/wal/" + entry.segment, entry.offset};
      }
      return true;
    }));
    return found;
  }
  void flip(const std::string& path, std::uint64_t offset) { HF_ASSERT_OK(fs_.corrupt(path, offset, std::byte{0x10})); }
  /// Every file with its bytes.
  static std::map<std::string, Bytes> contents(SimFileSystem& fs) {
    std::map<std::string, Bytes> all;
    for (const SimFileSystem::FileReport& file : fs.files()) {
      all[file.path] = file.is_directory ? Bytes() : fs.read_whole(file.path).value();
    }
    return all;
  }

  // --- repair ---

  static Options allow(std::vector<Salvage> salvages) {
    Options options;
    options.allowed = std::move(salvages);
    return options;
  }
  static Options allow_all() {
    Options options =
        allow({Salvage::drop_points, Salvage::cut_log, Salvage::rebuild_manifest, Salvage::rebuild_catalog});
    options.all_lossless = true;
    return options;
  }
  static RepairReport plan(SimFileSystem& fs, const Options& options = {}) {
    auto report = engine::repair_store(fs, "/store", options, engine::RepairMode::plan);
    HF_EXPECT_OK(report);
    return report.ok() ? std::move(report).value() : RepairReport();
  }
  RepairReport plan(const Options& options = {}) { return plan(fs_, options); }
  static RepairReport act(SimFileSystem& fs, const Options& options) {
    auto report = engine::repair_store(fs, "/store", options, engine::RepairMode::act);
    HF_EXPECT_OK(report);
    return report.ok() ? std::move(report).value() : RepairReport();
  }
  RepairReport act(const Options& options) { return act(fs_, options); }
  static const RepairStep* step(const RepairReport& report, Salvage salvage) {
    for (const RepairStep& one : report.steps) {
      if (one.salvage == salvage) return &one;
    }
    return nullptr;
  }
  static std::vector<PointId> ids(std::uint64_t first, std::uint64_t last) {
    std::vector<PointId> list;
    for (std::uint64_t id = first; id <= last; ++id) list.emplace_back(id);
    return list;
  }
  static ::testing::AssertionResult sound(SimFileSystem& fs) {
    const auto report = engine::verify_store(fs, "/store", {});
    if (!report.ok()) return ::testing::AssertionFailure() << report.status().to_string();
    for (const VerifyFinding& finding : report->findings) {
      if (finding.severity == VerifyFinding::Severity::damage) {
        return ::testing::AssertionFailure() << finding.file << " at " << finding.offset << ": " << finding.message;
      }
    }
    return ::testing::AssertionSuccess();
  }
  ::testing::AssertionResult sound() { return sound(fs_); }
  /// Why the collection is quarantined; empty: it is not.
  std::string quarantine() {
    Database db = open_plain();
    const auto list = db.quarantined();
    return list.empty() ? std::string() : list.front().status.to_string();
  }

  /// Opens, compares every id of `expected` (id -> seed) and that there are no others, writes and reads once more.
  static void expect_points(SimFileSystem& fs, const std::map<std::uint64_t, std::uint64_t>& expected) {
    engine::EngineOptions options = options_on(fs);
    options.open.checkpoint_on_close = false;
    auto db = Database::open_with("/store", options);
    HF_ASSERT_OK(db);
    ASSERT_TRUE(db->quarantined().empty()) << db->quarantined().front().status.to_string();
    auto collection = db->collection("c");
    HF_ASSERT_OK(collection);
    EXPECT_EQ(collection->snapshot().size(), expected.size());
    for (const auto& [id, seed] : expected) EXPECT_TRUE(holds(*collection, id, seed)) << "id " << id;
    // An exact search reads every row that lives.
    SearchOptions all;
    all.k = static_cast<std::uint32_t>(std::max<std::size_t>(expected.size(), 1) + 10);
    all.exact = true;
    const auto hits = collection->search(vector_of(1, collection->config().dimension), all);
    HF_ASSERT_OK(hits);
    EXPECT_EQ(hits->size(), expected.size());
    for (const Hit& hit : *hits) EXPECT_TRUE(expected.contains(hit.id.number())) << hit.id.to_string();
    HF_EXPECT_OK(put(*collection, 1'000'000, 7));
    EXPECT_TRUE(holds(*collection, 1'000'000, 7));
    HF_EXPECT_OK(collection->erase(1'000'000));
    HF_EXPECT_OK(db->close());
  }
  void expect_points(const std::map<std::uint64_t, std::uint64_t>& expected) { expect_points(fs_, expected); }
  static std::map<std::uint64_t, std::uint64_t> own_seeds(std::uint64_t first, std::uint64_t last) {
    std::map<std::uint64_t, std::uint64_t> map;
    for (std::uint64_t id = first; id <= last; ++id) map[id] = id;
    return map;
  }
};

}  // namespace holdfast::testing
