// What is not read at open: ids, stamps and lists of a large image are verified by whoever touches them first, and what
// is damaged there is told to that one, never taken for an answer.
#include <map>
#include <set>

#include "engine/image.h"
#include "rot/mapped_store.h"

namespace holdfast::testing {
namespace {

using engine::ExtentKind;

class MappedOpen : public MappedStore {
 protected:
  /// The extent of that kind of the large collection.
  [[nodiscard]] std::string path_of(ExtentKind kind) const {
    std::string path;
    std::uint64_t size = 0;
    for (const auto& file : disk_->files()) {
      if (file.path.find(storage::kExtentDirectory) == std::string::npos || file.is_directory) continue;
      const Bytes bytes = *disk_->read_whole(file.path);
      if (bytes.size() <= storage::kExtentDataOffset || bytes[64] != static_cast<std::byte>(kind)) continue;
      if (bytes.size() > size) path = file.path;
      size = std::max<std::uint64_t>(size, bytes.size());
    }
    return path;
  }
  void flip_in(ExtentKind kind, std::uint64_t offset) {
    HF_ASSERT_OK(disk_->corrupt(path_of(kind), storage::kExtentDataOffset + offset, std::byte{4}));
  }
  [[nodiscard]] ::testing::AssertionResult is_damage(const Status& status, ExtentKind kind) const {
    const std::string path = path_of(kind);
    const bool named = status.message().find(path.substr(path.rfind('/') + 1)) != std::string_view::npos;
    if (status.code() == StatusCode::data_damaged && named) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "not damage of " << path << " but " << status.to_string();
  }
  /// Answers to the same questions of the sound store.
  static constexpr int kQueries = 40;
  [[nodiscard]] std::vector<Result<Hits>> answers() {
    std::vector<Result<Hits>> all;
    for (std::uint64_t i = 0; i < kQueries; ++i) {
      all.push_back(big().search(vector_of(1'000'000 + i, kWide), {.k = 5, .ef = 32}));
    }
    return all;
  }
  static bool same(const Hits& a, const Hits& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!(a[i].id == b[i].id) || a[i].distance != b[i].distance) return false;
    }
    return true;
  }
};

constexpr std::uint64_t kPage = storage::kExtentPageBytes;
constexpr std::uint64_t kLastStamp = (kChunkSlots - 1) * 16;
constexpr std::uint64_t kLastId = (kChunkSlots - 1) * 16;

TEST_F(MappedOpen, NothingOfTheRowsIsReadAtOpen) {
  flip_in(ExtentKind::stamps, kLastStamp);
  flip_in(ExtentKind::ids, kLastId);
  flip_in(ExtentKind::ids_run, 200'000);
  flip();
  open();
  EXPECT_FALSE(big().recovery_report().fell_back);
  EXPECT_EQ(0U, big().stats().damaged_pages);
  EXPECT_EQ(kPoints, big().stats().points);
  HF_EXPECT_OK(big().get(3));
}

TEST_F(MappedOpen, DamagedStampsAreToldToWhoeverTouchesThem) {
  flip_in(ExtentKind::stamps, kLastStamp);
  open();
  HF_EXPECT_OK(big().get(5));
  std::uint64_t next = 0;
  EXPECT_TRUE(is_damage(big().get(kPoints - 1).status(), ExtentKind::stamps));
  EXPECT_TRUE(is_damage(big().snapshot().ids(0, kPoints, &next).status(), ExtentKind::stamps));
  EXPECT_TRUE(is_damage(big().search(vector_of(1, kWide), {.k = 5'000, .exact = true}).status(), ExtentKind::stamps));
  // Neither does a write take the point for one that does not live.
  EXPECT_TRUE(is_damage(big().upsert(kPoints - 1, vector_of(1, kWide)).status(), ExtentKind::stamps));
  EXPECT_TRUE(is_damage(big().erase(kPoints - 1).status(), ExtentKind::stamps));
  HF_EXPECT_OK(big().upsert(5, vector_of(9, kWide)));
  EXPECT_EQ(kPoints, big().stats().points);
  // An update in the chunk means that its stamps are written again: not without what is damaged.
  EXPECT_TRUE(is_damage(big().checkpoint(), ExtentKind::stamps));
  open();
  EXPECT_EQ(vector_of(9, kWide), big().get(5)->vector);
}

TEST_F(MappedOpen, DamagedIdsAreToldToWhoeverTouchesThem) {
  flip_in(ExtentKind::ids, kLastId);
  open();
  EXPECT_TRUE(is_damage(big().get(kPoints - 1).status(), ExtentKind::ids));
  EXPECT_TRUE(is_damage(big().upsert(kPoints - 1, vector_of(1, kWide)).status(), ExtentKind::ids));
  const auto hits = big().search(vector_of(kPoints - 1, kWide), {.k = 1, .exact = true});
  EXPECT_TRUE(is_damage(hits.status(), ExtentKind::ids));
  HF_EXPECT_OK(big().search(vector_of(1, kWide), {.k = 1, .exact = true}));
}

TEST_F(MappedOpen, DamagedRunsOfIdsHideNoPoint) {
  flip_in(ExtentKind::ids_run, 300'000);
  open();
  int told = 0;
  for (std::uint64_t id = 0; id < kPoints; id += 50) {
    const Status got = big().get(id).status();
    if (got.ok()) continue;
    EXPECT_TRUE(is_damage(got, ExtentKind::ids_run)) << id;
    EXPECT_TRUE(is_damage(big().upsert(id, vector_of(1, kWide)).status(), ExtentKind::ids_run)) << id;
    ++told;
  }
  EXPECT_GT(told, 0);
  EXPECT_LT(told, 200);
  EXPECT_EQ(kPoints, big().stats().points);
  // Searches find rows without it, and a new image sorts the ids anew.
  HF_EXPECT_OK(big().search(vector_of(1, kWide), {.k = 5}));
  HF_ASSERT_OK(big().upsert(kPoints + 7, vector_of(2, kWide)));
}

// The page in which the entry stands is read at open, and damage there means the image before. That of another one is
// told to the searches that come by.
TEST_F(MappedOpen, DamagedListsGiveAnErrorOrTheSameAnswer) {
  open();
  const auto sound = answers();
  int pages = 0;
  for (std::uint64_t page = 0; page < 9; ++page) {
    SCOPED_TRACE(page);
    collection_.reset();
    database_.reset();
    disk_ = sound_->clone();
    flip_in(ExtentKind::level0, page * kPage + 40);
    open();
    if (big().recovery_report().fell_back) continue;
    ++pages;
    int told = 0;
    const auto now = answers();
    for (int i = 0; i < kQueries; ++i) {
      if (now[i].ok()) {
        EXPECT_TRUE(same(*now[i], *sound[i])) << "query " << i;
      } else {
        EXPECT_TRUE(is_damage(now[i].status(), ExtentKind::level0));
        ++told;
      }
    }
    EXPECT_GT(told, 0) << "nobody met the damage";
    if (pages > 1) continue;
    // Nobody builds on what was not seen, and no image is made of it.
    HF_ASSERT_OK(big().upsert(kPoints + 1, vector_of(4, kWide)));
    EXPECT_TRUE(is_damage(big().wait_until_indexed(), ExtentKind::level0));
    EXPECT_FALSE(big().checkpoint().ok());
  }
  EXPECT_GE(pages, 7);
}

// Damage that replay meets counts like damage that loading meets: the generation before is used.
TEST_F(MappedOpen, DamageThatReplayMeetsMeansTheImageBefore) {
  open();
  HF_ASSERT_OK(big().erase(9));
  HF_ASSERT_OK(big().checkpoint());  // a patch of the stamps, which the older image does not have
  HF_ASSERT_OK(big().erase(kPoints - 1));
  HF_ASSERT_OK(big().upsert(kPoints, vector_of(1, kWide)));
  collection_.reset();
  database_.reset();
  std::string newest;
  for (const auto& file : disk_->files()) {
    if (file.path.find("/ext/") == std::string::npos) continue;
    const auto kind = std::to_integer<std::uint8_t>((*disk_->read_whole(file.path))[64]);
    if (kind == (static_cast<std::uint8_t>(ExtentKind::stamps) | engine::kPatchBit))
      newest = std::max(newest, file.path);
  }
  ASSERT_FALSE(newest.empty());
  HF_ASSERT_OK(disk_->corrupt(newest, storage::kExtentDataOffset, std::byte{1}));
  open();
  EXPECT_TRUE(big().recovery_report().fell_back);
  EXPECT_EQ(kPoints - 1, big().stats().points);
  HF_EXPECT_CODE(StatusCode::not_found, big().get(9));
  HF_EXPECT_CODE(StatusCode::not_found, big().get(kPoints - 1));
  HF_EXPECT_OK(big().get(kPoints));
}

// Rows that are free in the image are found little by little, by the commits that may want them.
TEST_F(MappedOpen, FreeRowsOfTheImageAreUsedAgain) {
  open();
  WriteBatch erase;
  for (std::uint64_t id = 1; id < kPoints; id += 2) erase.erase(id);
  HF_ASSERT_OK(big().write(erase));
  HF_ASSERT_OK(big().vacuum());
  HF_ASSERT_OK(big().checkpoint());
  open();
  const std::uint64_t free = big().stats().free_slots;
  const std::uint64_t slots = big().stats().slots;
  EXPECT_GE(free, kPoints / 2 - 1);
  std::set<std::uint64_t> written;
  for (int round = 0; round < 8; ++round) {
    WriteBatch batch;
    for (std::uint64_t i = 0; i < 500; ++i) {
      const std::uint64_t id = (i + 500 * static_cast<std::uint64_t>(round)) * 4 + 1;  // ids that were there before
      batch.upsert(id, vector_of(id + 7, kWide));
      written.insert(id);
    }
    HF_ASSERT_OK(big().write(batch));
  }
  EXPECT_EQ(slots, big().stats().slots) << "new rows were taken though there were free ones";
  for (const std::uint64_t id : written) ASSERT_EQ(vector_of(id + 7, kWide), big().get(id)->vector) << id;
  HF_EXPECT_CODE(StatusCode::not_found, big().get(3));
  HF_EXPECT_OK(big().get(2));
}

}  // namespace
}  // namespace holdfast::testing
