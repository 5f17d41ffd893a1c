// Damage in mapped vectors: found by whoever touches it first, before its bytes count; and how it is healed.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "engine/commit.h"
#include "engine/database_state.h"
#include "engine/indexer.h"
#include "rot/mapped_store.h"

namespace holdfast::testing {
namespace {

using MappedRot = MappedStore;

// Regression: searches compared mapped vectors without verifying them, so a flipped bit changed distances silently.
TEST_F(MappedRot, ASearchDoesNotCompareDamagedVectors) {
  flip();
  open();
  const std::vector<float> query = vector_of(id_on(kBadPage), kWide);
  const Snapshot snapshot = big().snapshot();
  EXPECT_TRUE(names_page(snapshot.search(query, {.k = 3}).status()));
  EXPECT_TRUE(names_page(snapshot.search(query, {.k = 3, .exact = true}).status()));
  EXPECT_TRUE(names_page(snapshot.search_range(query, {.radius = 0.1F}).status()));
  EXPECT_TRUE(names_page(snapshot.search_range(query, {.radius = 0.1F, .exact = true}).status()));
  EXPECT_TRUE(names_page(snapshot.search_batch(query, {.k = 3}, 2).status()));
  EXPECT_TRUE(names_page(snapshot.distance(id_on(kBadPage, 9), query).status()));
  EXPECT_TRUE(names_page(big().get(id_on(kBadPage, 9)).status()));
  EXPECT_TRUE(names_page(big().search(query, {.k = 3}).status()));
  EXPECT_EQ(1U, big().stats().damaged_pages) << "one page, however often it is met";
  EXPECT_TRUE(names_page(Status(StatusCode::data_damaged, big().stats().damage)));
  // What does not touch the page goes on, and so does the other collection.
  HF_EXPECT_OK(big().get(id_on(kBadPage + 1)));
  HF_EXPECT_OK(snapshot.distance(id_on(kBadPage - 1), query));
  const auto other = database_->collection("other");
  HF_ASSERT_OK(other);
  HF_EXPECT_OK(other->search(query, {.k = 20, .exact = true}));
}

// Regression: a cursor that met damage went on behind it, and what it gave then was neither complete nor in order.
TEST_F(MappedRot, ACursorThatMetDamageDoesNotGoOnBehindIt) {
  flip();
  open();
  const Snapshot snapshot = big().snapshot();
  for (const bool exact : {false, true}) {
    auto cursor = snapshot.cursor(vector_of(id_on(kBadPage), kWide), {.exact = exact});
    HF_ASSERT_OK(cursor);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(names_page(cursor->next(5).status()));
    EXPECT_FALSE(cursor->exhausted());
    cursor->reset();
    EXPECT_TRUE(names_page(cursor->next(5).status()));
  }
}

TEST_F(MappedRot, ManyReadersMeetOneDamagedPageAtOnce) {
  flip();
  open();
  const Snapshot snapshot = big().snapshot();
  std::vector<std::thread> readers;
  std::atomic<int> wrong{0};
  for (std::uint64_t reader = 0; reader < 4; ++reader) {
    readers.emplace_back([&, reader] {
      for (std::uint64_t i = 0; i < 40; ++i) {
        const std::uint64_t id = (reader * 40 + i) * 97 % kPoints;
        const auto hits = snapshot.search(vector_of(id, kWide), {.k = 1, .exact = i % 8 == 0});
        const bool found = hits.ok() && hits->front().id == PointId(id) && hits->front().distance == 0;
        if (!found && !names_page(hits.status())) ++wrong;
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(0, wrong.load());
  EXPECT_EQ(1U, big().stats().damaged_pages);
}

// Answers of a sound store do not depend on which pages were verified before.
TEST_F(MappedRot, VerifyingAtFirstTouchChangesNoAnswer) {
  open();
  for (const std::uint64_t id : {0UL, 5'000UL, kPoints - 1}) {
    for (int again = 0; again < 2; ++again) {
      const auto hits = big().search(vector_of(id, kWide), {.k = 3, .exact = again == 1});
      HF_ASSERT_OK(hits);
      EXPECT_EQ(hits->front().id, PointId(id));
    }
  }
  EXPECT_EQ(0U, big().stats().damaged_pages);
}

TEST_F(MappedRot, TheIndexerAndVacuumDoNotLinkByDamagedVectors) {
  flip();
  open();
  WriteBatch batch;
  for (std::uint64_t i = 0; i < 50; ++i) batch.upsert(kPoints + i, vector_of(id_on(kBadPage, i), kWide));
  HF_ASSERT_OK(big().write(batch));
  EXPECT_TRUE(names_page(big().wait_until_indexed()));
  EXPECT_EQ(50U, big().stats().growing);
  HF_EXPECT_OK(big().get(kPoints + 3));
  HF_EXPECT_OK(big().erase(id_on(kBadPage + 1)));
}

// A damaged page that holds living points: no checkpoint, nothing lost, and the error says which points.
TEST_F(MappedRot, ACheckpointThatNeedsADamagedRowFailsAndLosesNothing) {
  flip();
  open();
  EXPECT_TRUE(names_page(big().get(id_on(kBadPage)).status()));
  // An update takes a new row, in another chunk; the chunk of the damaged page has only deaths to tell.
  HF_ASSERT_OK(big().upsert(id_on(3), vector_of(99'999, kWide)));
  const auto generation = big().stats().checkpoint_generation;
  const Status status = big().checkpoint();
  EXPECT_TRUE(names_page(status));
  const std::string first = "points " + std::to_string(id_on(kBadPage)) + ", " + std::to_string(id_on(kBadPage, 1));
  EXPECT_NE(std::string::npos, status.to_string().find(first)) << status.to_string();
  EXPECT_NE(std::string::npos, big().stats().checkpoint_error.find("damaged"));
  EXPECT_EQ(generation, big().stats().checkpoint_generation);
  EXPECT_GT(big().stats().log_bytes, 0U);
  auto other = database_->collection("other");
  HF_ASSERT_OK(other);
  HF_ASSERT_OK(other->upsert(7'000, vector_of(1, kWide)));
  HF_EXPECT_OK(other->checkpoint());
  EXPECT_TRUE(other->stats().checkpoint_error.empty());
  open();
  const auto point = big().get(id_on(3));
  HF_ASSERT_OK(point);
  EXPECT_EQ(point->vector, vector_of(99'999, kWide));
}

// Healing online: the ids of the damaged page are erased or written again, vacuum makes their rows unneeded, the next
// checkpoint writes the chunk without them.
TEST_F(MappedRot, ErasingOrRewritingTheDamagedPointsHealsTheStore) {
  flip();
  open();
  EXPECT_TRUE(names_page(big().get(id_on(kBadPage)).status()));
  WriteBatch batch;
  for (std::uint64_t row = 0; row < kRowsPerPage; ++row) {
    if (row % 2 == 0) {
      batch.erase(id_on(kBadPage, row));
    } else {
      batch.upsert(id_on(kBadPage, row), vector_of(50'000 + row, kWide));
    }
  }
  HF_ASSERT_OK(big().write(batch));
  EXPECT_FALSE(big().checkpoint().ok()) << "the dead rows still are nodes of the graph";
  HF_ASSERT_OK(big().vacuum());
  HF_ASSERT_OK(big().wait_until_indexed());
  HF_ASSERT_OK(big().checkpoint());
  EXPECT_TRUE(big().stats().checkpoint_error.empty());
  HF_ASSERT_OK(big().checkpoint());  // the older image, which names the damaged extent, goes
  const auto hits = big().search(vector_of(50'001, kWide), {.k = 2, .exact = true});
  HF_ASSERT_OK(hits);
  EXPECT_EQ(hits->front().id, PointId(id_on(kBadPage, 1)));
  EXPECT_FALSE(disk_->read_whole(vectors_).ok()) << "the damaged extent is still there";
  // The rows beside the damage are free, but left alone: not before the chunk is mapped from its new extent.
  open();
  EXPECT_EQ(0U, big().stats().damaged_pages);
  EXPECT_GE(big().stats().free_slots, kRowsPerPage);
  HF_EXPECT_OK(big().search(vector_of(1, kWide), {.k = static_cast<std::uint32_t>(kPoints), .exact = true}));
  WriteBatch more;
  for (std::uint64_t i = 0; i < kRowsPerPage; ++i) more.upsert(90'000 + i, vector_of(90'000 + i, kWide));
  HF_ASSERT_OK(big().write(more));
  for (std::uint64_t i = 0; i < kRowsPerPage; i += 50) {
    EXPECT_EQ(big().get(90'000 + i)->vector, vector_of(90'000 + i, kWide));
  }
}

// A row of a damaged page is never written again before the chunk is healed, and no write suffers from it.
TEST_F(MappedRot, FreeRowsBesideDamageAreLeftAloneAndWritesGoElsewhere) {
  WriteBatch erase;
  for (std::uint64_t row = 0; row < kRowsPerPage; ++row) erase.erase(id_on(kBadPage, row));
  open();
  HF_ASSERT_OK(big().write(erase));
  HF_ASSERT_OK(big().vacuum());
  HF_ASSERT_OK(database_->close());
  open();  // the rows are free by replay and vacuum
  HF_ASSERT_OK(big().vacuum());
  collection_.reset();
  database_.reset();
  flip();
  open();
  HF_ASSERT_OK(big().vacuum());
  WriteBatch batch;
  for (std::uint64_t i = 0; i < kRowsPerPage; ++i) batch.upsert(70'000 + i, vector_of(70'000 + i, kWide));
  HF_ASSERT_OK(big().write(batch));
  EXPECT_EQ(1U, big().stats().damaged_pages) << "the damage beside free rows is not reported";
  for (std::uint64_t i = 0; i < kRowsPerPage; i += 100) {
    const auto point = big().get(70'000 + i);
    HF_ASSERT_OK(point);
    EXPECT_EQ(point->vector, vector_of(70'000 + i, kWide));
  }
}

// A page that was sound when it was first touched and rots then: the image does not copy it under a right checksum.
TEST_F(MappedRot, ACheckpointDoesNotCopyWhatRottedAfterItsFirstTouch) {
  open();
  HF_ASSERT_OK(big().search(vector_of(1, kWide), {.k = 1, .exact = true}));  // touches every page
  flip();
  HF_ASSERT_OK(big().erase(id_on(9)));
  HF_ASSERT_OK(big().vacuum());
  HF_ASSERT_OK(big().upsert(60'000, vector_of(60'000, kWide)));  // takes the row: the chunk is written anew
  EXPECT_TRUE(names_page(big().checkpoint()));
}

// An image that was found damaged is not named by the next one: its older copy would go.
TEST_F(MappedRot, ADamagedExtentIsNotNamedAgainWhileAnOlderOneMayBeSound) {
  open();
  // A second image with the chunk written anew.
  use_rows_again();
  HF_ASSERT_OK(big().upsert(60'000, vector_of(60'000, kWide)));
  HF_ASSERT_OK(big().wait_until_indexed());
  HF_ASSERT_OK(big().checkpoint());
  std::string newest;
  for (const auto& file : disk_->files()) {
    if (file.path.find("/ext/") == std::string::npos || file.cached_size < kPoints * 64) continue;
    const Bytes bytes = *disk_->read_whole(file.path);
    if (static_cast<int>(bytes[64]) == 3) newest = std::max(newest, file.path);
  }
  ASSERT_NE(vectors_, newest) << "the chunk was not written again";
  collection_.reset();
  database_.reset();
  const std::string older = std::exchange(vectors_, newest);
  flip();
  open();
  EXPECT_TRUE(names_page(big().get(id_on(kBadPage)).status()));
  HF_ASSERT_OK(big().upsert(61'000, vector_of(61'000, kWide)));
  EXPECT_TRUE(names_page(big().checkpoint()));
  ASSERT_TRUE(disk_->read_whole(older).ok()) << "the sound older copy is gone";
  // Told to verify everything, the store falls back to it and the longer log: nothing is lost.
  collection_.reset();
  database_.reset();
  engine::EngineOptions everything = options(*disk_);
  everything.open.verify_on_open = VerifyOnOpen::everything;
  auto db = Database::open_with("/store", everything);
  HF_ASSERT_OK(db);
  auto healed = db->collection("big");
  HF_ASSERT_OK(healed);
  EXPECT_TRUE(healed->recovery_report().fell_back);
  EXPECT_EQ(healed->get(id_on(kBadPage))->vector, vector_of(id_on(kBadPage), kWide));
  EXPECT_EQ(healed->get(60'000)->vector, vector_of(60'000, kWide));
  EXPECT_EQ(healed->get(61'000)->vector, vector_of(61'000, kWide));
  EXPECT_EQ(StatusCode::not_found, healed->get(id_on(9)).status().code());
  HF_EXPECT_OK(healed->wait_until_indexed());
  HF_EXPECT_OK(healed->checkpoint());
}

/// Points whose places in the graph are beside rows of the bad page.
WriteBatch points_near_damage(std::uint64_t first, std::uint64_t count) {
  constexpr std::uint32_t kWide = 14;
  constexpr std::uint64_t kBegin = std::uint64_t{5} * storage::kExtentPageBytes / 64;
  WriteBatch batch;
  for (std::uint64_t i = 0; i < count; ++i) batch.upsert(first + i, vector_of(kBegin + i % 1'000, kWide));
  return batch;
}

// Regression: the time since the last batch of a graph that met damage counted as its pace, which so tended to 0, and
// every writer waited up to a second.
TEST_F(MappedRot, ADamagedPageDoesNotHoldWritersBack) {
  flip();
  engine::EngineOptions background = options(*disk_);
  background.background = true;
  background.open.scrub_bytes_per_second = 0;
  auto db = engine::DatabaseState::open("/store", background);
  HF_ASSERT_OK(db);
  auto found = (*db)->find("big");
  HF_ASSERT_OK(found);
  engine::CollectionState& state = **found;
  state.index_pace.rate.store(10'000);  // as after some batches
  state.index_pace.batch_rows.store(100);
  WriteOptions bulk;
  bulk.bulk = true;
  for (std::uint64_t first = 100'000; first < 140'000; first += 4'000) {  // more than the growing tier is allowed
    HF_ASSERT_OK(engine::write(state, points_near_damage(first, 4'000), bulk));
  }
  EXPECT_TRUE(names_page(engine::wait_until_indexed(state)));
  EXPECT_TRUE(state.index_pace.damaged.load());
  for (std::uint64_t first = 200'000; first < 200'500; first += 100) {
    HF_ASSERT_OK(engine::write(state, points_near_damage(first, 100), {}));
  }
  EXPECT_EQ(0U, state.writer_stalls.load());
  HF_EXPECT_OK((*db)->close());
}

// Regression: vacuum() answered with the error of the indexer, which it was to help out of the damage.
TEST_F(MappedRot, AVacuumThatHealsIsNotToldOfTheIndexersDamage) {
  flip();
  engine::EngineOptions background = options(*disk_);
  background.background = true;
  background.open.scrub_bytes_per_second = 0;
  auto db = Database::open_with("/store", background);
  HF_ASSERT_OK(db);
  auto found = db->collection("big");
  HF_ASSERT_OK(found);
  HF_ASSERT_OK(found->write(points_near_damage(100'000, 500)));
  EXPECT_TRUE(names_page(found->wait_until_indexed()));
  WriteBatch erase;
  for (std::uint64_t row = 0; row < kRowsPerPage; ++row) erase.erase(id_on(kBadPage, row));
  HF_ASSERT_OK(found->write(erase));
  HF_ASSERT_OK(found->vacuum());
  HF_ASSERT_OK(found->wait_until_indexed());
  HF_EXPECT_OK(found->upsert(200'000, vector_of(1, kWide)));
  HF_EXPECT_OK(found->checkpoint());
  HF_EXPECT_OK(db->close());
}

// A vacuum that met damage and never ends is not what the next caller waits for.
TEST_F(MappedRot, AVacuumThatMetDamageIsFollowedByOneThatHeals) {
  for (const bool in_background : {false, true}) {
    SCOPED_TRACE(in_background);
    disk_ = sound_->clone();
    flip();
    engine::EngineOptions background = options(*disk_);
    background.background = in_background;
    background.open.scrub_bytes_per_second = 0;
    auto db = Database::open_with("/store", background);
    HF_ASSERT_OK(db);
    auto found = db->collection("big");
    HF_ASSERT_OK(found);
    WriteBatch beside, damaged;
    for (std::uint64_t row = 0; row < kRowsPerPage; ++row) beside.erase(id_on(kBadPage + 1, row));
    for (std::uint64_t row = 0; row < kRowsPerPage; ++row) damaged.erase(id_on(kBadPage, row));
    HF_ASSERT_OK(found->write(beside));
    EXPECT_TRUE(names_page(found->vacuum()));
    HF_ASSERT_OK(found->write(damaged));
    HF_ASSERT_OK(found->vacuum());
    HF_EXPECT_OK(found->checkpoint());
    HF_EXPECT_OK(db->close());
  }
}

/// What was found damaged is forgotten at reopen; the next checkpoint looks again before the only sound copy goes.
TEST_F(MappedRot, TheSoundOlderCopyOutlivesAReopen) {
  open();
  use_rows_again();
  HF_ASSERT_OK(big().upsert(60'000, vector_of(60'000, kWide)));
  HF_ASSERT_OK(big().wait_until_indexed());
  HF_ASSERT_OK(big().checkpoint());  // writes the chunk again
  std::string newest;
  for (const auto& file : disk_->files()) {
    if (file.path.find("/ext/") == std::string::npos || file.cached_size < kPoints * 64) continue;
    if (static_cast<int>((*disk_->read_whole(file.path))[64]) == 3) newest = std::max(newest, file.path);
  }
  collection_.reset();
  database_.reset();
  const std::string older = std::exchange(vectors_, newest);
  ASSERT_NE(older, newest);
  flip();
  open();  // nobody has touched the page
  HF_ASSERT_OK(big().upsert(62'000, vector_of(62'000, kWide)));
  EXPECT_TRUE(names_page(big().checkpoint()));
  EXPECT_TRUE(disk_->read_whole(older).ok()) << "the sound older copy is gone";
  collection_.reset();
  database_.reset();
  auto everything = options(*disk_);
  everything.open.verify_on_open = VerifyOnOpen::everything;
  auto db = Database::open_with("/store", everything);
  HF_ASSERT_OK(db);
  ASSERT_TRUE(db->quarantined().empty()) << db->quarantined().front().status.to_string();
  EXPECT_TRUE(db->collection("big")->recovery_report().fell_back);
  EXPECT_EQ(db->collection("big")->get(62'000)->vector, vector_of(62'000, kWide));
}

/// Bits drawn from every page of the mapped extent: each answer is the sound one, or names the page.
TEST_F(MappedRot, AFlippedBitOnAnyPageIsNamedOrNotTouched) {
  open();
  SeededRandom random(1);
  const std::uint64_t pages = kPoints / kRowsPerPage;
  std::uint64_t identical = 0;
  std::uint64_t typed = 0;
  std::uint64_t silent = 0;
  for (std::uint64_t page = 0; page < pages; page += 2) {
    collection_.reset();
    database_.reset();
    disk_ = sound_->clone();
    HF_ASSERT_OK(disk_->corrupt(vectors_, offset_of(page) + random.below(storage::kExtentPageBytes),
                                static_cast<std::byte>(1U << random.below(8))));
    open();
    for (int i = 0; i < 30; ++i) {
      const std::uint64_t id = random.below(kPoints);
      const auto alone = big().get(id);
      if (id / kRowsPerPage != page) {
        const bool same = alone.ok() && alone->vector == vector_of(id, kWide);
        identical += same ? 1 : 0;
        silent += same ? 0 : 1;
      }
      const auto hits = big().search(vector_of(id, kWide), {.k = 1, .ef = 40});
      if (!hits.ok()) {
        typed += names_page(hits.status(), page) ? 1 : 0;
        silent += names_page(hits.status(), page) ? 0 : 1;
      } else {
        const bool right = hits->front().distance == 0 ? hits->front().id == PointId(id) : true;
        const auto point = big().get(hits->front().id);
        const bool same = point.ok() && point->vector == vector_of(hits->front().id.number(), kWide);
        identical += right && same ? 1 : 0;
        silent += right && same ? 0 : 1;
      }
    }
  }
  std::printf("mapped rot: pages flipped %lu of %lu: identical %lu, typed errors %lu, silent %lu\n", pages / 2, pages,
              identical, typed, silent);
  EXPECT_EQ(0U, silent);
  EXPECT_GT(typed, 0U);
}

}  // namespace
}  // namespace holdfast::testing
