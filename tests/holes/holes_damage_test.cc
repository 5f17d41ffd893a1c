// Holes of damaged files: what is broken is named, and nothing else suffers.
#include <algorithm>
#include <cctype>

#include "holes/hole_fixture.h"

namespace holdfast::testing {
namespace {

using DamageHoles = Holes;

/// Kinds of extents (docs/format/image.md), by the byte of the header that says so.
int kind_of(const Bytes& extent) { return static_cast<int>(extent[64]); }

bool names_file_and_offset(const Status& status, const std::string& file) {
  const std::string text = status.to_string();
  const std::size_t at = text.find(file + " at ");
  return at != std::string::npos && std::isdigit(static_cast<unsigned char>(text[at + file.size() + 4])) != 0;
}

// guard: engine/database_state.cc open_collections (quarantine); recovery.cc load_newest
TEST_F(DamageHoles, H41_ADamagedCollectionStopsNoOther) {
  for (std::uint64_t id = 1; id <= 10; ++id) put(id);
  index();
  checkpoint();
  CollectionConfig config;
  config.dimension = kDimension;
  {
    Database database = driver_->database();
    auto other = database.create_collection("other", config);
    ASSERT_TRUE(other.ok()) << other.status().to_string();
    ASSERT_TRUE(other->upsert(1, vector_of(1, 1), payload_of(1)).ok());
  }
  const std::vector<std::string> own = files_with(disk(), "/ext/");
  ASSERT_FALSE(own.empty());
  const auto whole = disk().crash(CrashPolicy::lose_all());
  for (const std::string& path : own) {
    SCOPED_TRACE(path);
    const auto found = whole->clone();
    // Both images: the damaged extent is the only one of its kind, the older generation (of the creation) lost its log.
    ASSERT_TRUE(found->corrupt(path, 8, std::byte{1}).ok());
    for (const std::string& manifest : files_with(*found, path.substr(0, path.find("/ext/")) + "/manifest-")) {
      if (manifest.ends_with("01")) ASSERT_TRUE(found->remove(manifest).ok());
    }
    auto database = Database::open_with(kStorePath, small_store(*found));
    ASSERT_TRUE(database.ok()) << database.status().to_string();
    ASSERT_EQ(1u, database->quarantined().size());
    EXPECT_EQ("c", database->quarantined().front().name);
    EXPECT_TRUE(names_file_and_offset(database->quarantined().front().status, name_of(path)))
        << database->quarantined().front().status.to_string();
    EXPECT_EQ(StatusCode::data_damaged, database->collection("c").status().code());
    auto other = database->collection("other");
    ASSERT_TRUE(other.ok());
    EXPECT_EQ(payload_of(1), other->get(1)->payload);
    ASSERT_TRUE(other->upsert(2, vector_of(2, 2), payload_of(2)).ok());
    EXPECT_TRUE(other->checkpoint().ok());
    EXPECT_EQ(2u, other->search(vector_of(2, 2), {.k = 5})->size());
    EXPECT_TRUE(database->close().ok());
  }
}

// guard: storage/extent_reader.cc (a checksum per page), engine/load.cc, recovery.cc load_newest
TEST_F(DamageHoles, H42_RotInVectorsLinksIdsAndPayloadsIsNoticed) {
  for (int round = 1; round <= 2; ++round) {
    for (std::uint64_t id = 1; id <= 12; ++id) put(id, round);
    index();
    checkpoint();
  }
  put(13);
  const auto whole = disk().crash(CrashPolicy::lose_all());
  std::vector<std::string> extents = files_with(*whole, "/ext/");
  std::sort(extents.begin(), extents.end());
  std::uint64_t fell_back = 0;
  std::uint64_t refused = 0;
  std::uint64_t named_later = 0;
  for (const std::string& path : extents) {
    const Bytes bytes = *whole->read_whole(path);
    SCOPED_TRACE(path + " of kind " + std::to_string(kind_of(bytes)));
    for (const std::uint64_t offset : {std::uint64_t{4096}, std::uint64_t{bytes.size() - 8 - 48 - 9}}) {
      if (offset < 4096) continue;
      const auto found = whole->clone();
      ASSERT_TRUE(found->corrupt(path, offset, std::byte{32}).ok());
      auto database = Database::open_with(kStorePath, small_store(*found));
      ASSERT_TRUE(database.ok());
      const auto collection = database->collection("c");
      if (!collection.ok()) {
        ++refused;
        EXPECT_TRUE(names_file_and_offset(collection.status(), name_of(path))) << collection.status().to_string();
        continue;
      }
      fell_back += collection->recovery_report().fell_back ? 1 : 0;
      Status damage;  // payloads are verified when they are first read
      for (std::uint64_t id = 1; id <= 13 && damage.ok(); ++id) damage = collection->get(id).status();
      if (!damage.ok()) {
        ++named_later;
        EXPECT_EQ(StatusCode::data_damaged, damage.code());
        EXPECT_TRUE(names_file_and_offset(damage, name_of(path))) << damage.to_string();
      } else {
        EXPECT_EQ("", check_current(*database, model()));
      }
    }
  }
  EXPECT_GT(fell_back, 4u);
  EXPECT_GT(named_later, 0u);
  // Both images: there is nothing to fall back to.
  const auto found = whole->clone();
  std::string first;
  for (const std::string& path : extents) {
    if (kind_of(*whole->read_whole(path)) != 1) continue;
    if (first.empty()) first = name_of(path);
    ASSERT_TRUE(found->corrupt(path, 4096, std::byte{1}).ok());
  }
  const std::uint64_t before = content_of(*found);
  const auto is_named = [](const Status& status) {
    EXPECT_EQ(StatusCode::data_damaged, status.code());
    EXPECT_NE(std::string::npos, status.to_string().find(".ext at 4096: page 0")) << status.to_string();
  };
  {
    engine::EngineOptions options = small_store(*found);
    options.open.verify_on_open = VerifyOnOpen::everything;
    is_named(Database::open_with(kStorePath, options)->collection("c").status());
    EXPECT_EQ(before, content_of(*found));
  }
  // Read when it is first needed: who needs it is told, and nobody else.
  auto database = Database::open_with(kStorePath, small_store(*found));
  const auto collection = database->collection("c");
  ASSERT_TRUE(collection.ok());
  is_named(collection->get(1).status());
  EXPECT_TRUE(collection->get(13).ok());
  (void)refused;
}

}  // namespace
}  // namespace holdfast::testing
