// A collection with a full chunk: its vectors are mapped and verified when they are first touched.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/store_fixture.h"
#include "storage/extent.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::testing {

class MappedStore : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kWide = 14;             // 64 bytes per row, with the norm
  static constexpr std::uint64_t kPoints = kChunkSlots;  // one chunk, full
  static constexpr std::uint64_t kRowsPerPage = storage::kExtentPageBytes / 64;
  static constexpr std::uint64_t kBadPage = 5;

  /// One disk for all tests; each works on a clone.
  static void SetUpTestSuite() {
    if (sound_ != nullptr) return;
    SimFileSystem disk(3);
    auto db = Database::open_with("/store", options(disk));
    HF_ASSERT_OK(db);
    CollectionConfig config;
    config.dimension = kWide;
    config.metric = Metric::l2;
    config.m = 4;
    config.ef_construction = 16;
    for (const char* const name : {"big", "other"}) {
      auto made = db->create_collection(name, config);
      HF_ASSERT_OK(made);
      const std::uint64_t points = std::string_view(name) == "big" ? kPoints : 20;
      for (std::uint64_t id = 0; id < points;) {
        WriteBatch batch;
        for (const std::uint64_t end = std::min(points, id + 4096); id < end; ++id) {
          batch.upsert(id, vector_of(id, kWide), id % 64 == 0 ? payload_of(id) : "");
        }
        HF_ASSERT_OK(made->write(batch));
      }
      HF_ASSERT_OK(made->wait_until_indexed());
      HF_ASSERT_OK(made->checkpoint());
    }
    HF_ASSERT_OK(db->close());
    sound_ = disk.kill_process().release();
  }
  static engine::EngineOptions options(os::FileSystem& disk) {
    engine::EngineOptions options = options_on(disk);
    options.open.checkpoint_on_close = false;
    options.open.log_segment_bytes = std::uint64_t{1} << 20;
    return options;
  }
  void SetUp() override {
    if (sound_ == nullptr) GTEST_SKIP() << "the store could not be made";
    disk_ = sound_->clone();
    for (const auto& file : disk_->files()) {
      if (file.path.find(storage::kExtentDirectory) == std::string::npos || file.is_directory) continue;
      const Bytes bytes = *disk_->read_whole(file.path);
      if (bytes.size() < 65 || bytes.size() < storage::kExtentDataOffset) continue;
      const auto kind = static_cast<int>(bytes[64]);
      if (bytes.size() > kPoints * 64 && kind == 3) vectors_ = file.path;
    }
    ASSERT_FALSE(vectors_.empty());
  }

  void flip(std::uint64_t page = kBadPage) {
    HF_ASSERT_OK(disk_->corrupt(vectors_, offset_of(page) + 777, std::byte{8}));
  }
  static std::uint64_t offset_of(std::uint64_t page) {
    return storage::kExtentDataOffset + page * storage::kExtentPageBytes;
  }
  void open() {
    collection_.reset();
    database_.reset();
    auto db = Database::open_with("/store", options(*disk_));
    HF_ASSERT_OK(db);
    database_.emplace(std::move(db).value());
    auto found = database_->collection("big");
    HF_ASSERT_OK(found);
    collection_.emplace(std::move(found).value());
  }
  [[nodiscard]] Collection& big() { return *collection_; }
  /// data_damaged that names the extent and where its damaged page begins.
  [[nodiscard]] ::testing::AssertionResult names_page(const Status& status, std::uint64_t page = kBadPage) const {
    const std::string name = vectors_.substr(vectors_.rfind('/') + 1) + " at " + std::to_string(offset_of(page)) + ":";
    if (status.code() == StatusCode::data_damaged && status.message().find(name) != std::string_view::npos) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << "not damage at " << name << " but " << status.to_string();
  }
  /// Points 70'000 and on take the rows of five pages from the ninth on. That is more than a quarter of the chunk, so
  /// that the next checkpoint does not patch it, but writes it anew.
  void use_rows_again() {
    WriteBatch gone, fresh;
    for (std::uint64_t i = 0; i < 5 * kRowsPerPage; ++i) {
      gone.erase(id_on(9, i));
      fresh.upsert(70'000 + i, vector_of(70'000 + i, kWide));
    }
    HF_ASSERT_OK(big().write(gone));
    HF_ASSERT_OK(big().vacuum());
    HF_ASSERT_OK(big().write(fresh));
  }
  /// Slots are ids here: the store was filled in order.
  static std::uint64_t id_on(std::uint64_t page, std::uint64_t row = 0) { return page * kRowsPerPage + row; }

  static inline SimFileSystem* sound_ = nullptr;
  std::unique_ptr<SimFileSystem> disk_;
  std::string vectors_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

}  // namespace holdfast::testing
