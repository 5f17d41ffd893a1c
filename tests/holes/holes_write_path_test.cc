// Holes H01 to H10: the write path. `guard:` names the code without which the test fails.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "engine/checkpoint.h"
#include "engine/commit.h"
#include "engine/database_state.h"
#include "engine/disk_reserve.h"
#include "holes/hole_fixture.h"

namespace holdfast::testing {
namespace {

// guard: engine/validate.cc validate_batch, called by engine/commit.cc write before the queue
TEST_F(Holes, H01_NothingIsLoggedBeforeItIsValidated) {
  put(1);
  const std::uint64_t calls = disk().calls();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> vectors{{1, 2, 3}, {}, {1, 2, 3, 4, 5}, {1, nan, 3, 4}, {1, 2, infinity, 4}};
  for (const auto& vector : vectors) {
    EXPECT_EQ(StatusCode::invalid_argument, collection().upsert(2, vector).status().code());
  }
  EXPECT_EQ(StatusCode::invalid_argument, collection().upsert(2, vector_of(2, 1), "{broken").status().code());
  WriteBatch half_good = put_batch(3, 1);
  half_good.upsert(4, std::vector<float>{1});
  EXPECT_EQ(StatusCode::invalid_argument, collection().write(half_good).status().code());
  EXPECT_EQ(calls, disk().calls()) << "a refused request touched the disk";
  put(5);
  expect_survives(CrashPolicy::lose_all());

  start(Metric::cosine);
  EXPECT_EQ(StatusCode::invalid_argument, collection().upsert(1, std::vector<float>(kDimension)).status().code());
  expect_survives(CrashPolicy::keep_all());
}

// guard: storage/wal_writer.cc roll_back: the next group is written over the attempt
TEST_F(Holes, H02_AHalfWrittenFrameIsNotLeftInTheMiddle) {
  for (const std::uint64_t bytes : {0u, 1u, 39u, 100u, 4095u}) {
    SCOPED_TRACE("bytes written: " + std::to_string(bytes));
    start(Metric::l2);
    put(1);
    disk().short_write_at(disk().calls(), bytes, StatusCode::disk_full);
    EXPECT_EQ(StatusCode::disk_full, try_write(put_batch(2, 1)).code());
    expect_survives(CrashPolicy::keep_all());
    expect_absent(*disk().crash(CrashPolicy::keep_all()), 2);  // it was refused, and there was space to unmake it
    put(3);
    put(4);
    expect_survives(CrashPolicy::lose_all());
    expect_survives(CrashPolicy::keep_all());
    EXPECT_EQ(StatusCode::not_found, collection().get(2).status().code());
  }
}

// guard: storage/wal_writer.cc roll_back and poison (W4)
TEST_F(Holes, H02_AFailedAppendIsFollowedByNoOther) {
  put(1);
  disk().short_write_at(disk().calls(), 100, StatusCode::io_error);
  EXPECT_EQ(StatusCode::outcome_unknown, try_write(put_batch(2, 1)).code());
  EXPECT_EQ(StatusCode::read_only, try_write(put_batch(3, 1)).code());
  expect_survives(CrashPolicy::keep_all());
  expect_survives(CrashPolicy::lose_all());
}

// guard: engine/commit.cc notify_background and engine/background.cc look_after_log (interval_pending)
TEST_F(Holes, H03_IntervalWritesAreSyncedWithoutBeingAsked) {
  SimFileSystem other(3);
  engine::EngineOptions options = small_store(other);
  options.background = true;
  options.open.durability = Durability::interval;
  options.open.sync_interval = std::chrono::milliseconds(2);
  auto database = Database::open_with(kStorePath, options);
  ASSERT_TRUE(database.ok());
  auto written = database->create_collection("c", {.dimension = kDimension});
  ASSERT_TRUE(written.ok());
  const auto receipt = written->upsert(1, vector_of(1, 1));
  ASSERT_TRUE(receipt.ok());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (written->stats().synced_lsn < receipt->lsn && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_GE(written->stats().synced_lsn, receipt->lsn);  // an idle log may carry a mark behind it
  const auto found = other.crash(CrashPolicy::lose_all());
  const auto reopened = Database::open_with(kStorePath, small_store(*found));
  ASSERT_TRUE(reopened.ok());
  EXPECT_TRUE(reopened->collection("c")->get(1).ok());
}

// guard: engine/commit.cc flush; engine/database_state.cc close_collection (the mark syncs)
TEST_F(Holes, H03_FlushAndCloseAreBarriersForNone) {
  must_write(put_batch(1, 1), Durability::none);
  must_write(put_batch(2, 1), Durability::none);
  must(Step::Kind::flush);
  expect_survives(CrashPolicy::lose_all());
  must_write(put_batch(3, 1), Durability::none);
  must(Step::Kind::reopen);
  expect_survives(CrashPolicy::lose_all());
  // Opening made it durable as well; so ask before somebody opens it.
  must_write(put_batch(4, 1), Durability::none);
  ASSERT_TRUE(Database(driver_->database()).close().ok());
  const auto found = disk().crash(CrashPolicy::lose_all());
  const auto reopened = Database::open_with(kStorePath, small_store(*found));
  ASSERT_TRUE(reopened.ok());
  EXPECT_TRUE(reopened->collection("c")->get(4).ok());
}

// guard: engine/commit.cc sync_log (poison) and storage/wal_writer.cc sync (sticky error)
TEST_F(Holes, H04_AFailedSyncIsNeverRetried) {
  for (const UnsyncedPages pages : {UnsyncedPages::kept_dirty, UnsyncedPages::marked_clean, UnsyncedPages::dropped}) {
    start(Metric::l2);
    put(1);
    disk().fail_sync_at(disk().calls() + 1, pages);  // the write, then its sync
    EXPECT_EQ(StatusCode::outcome_unknown, try_write(put_batch(2, 1)).code());
    const std::uint64_t calls = disk().calls();
    EXPECT_EQ(StatusCode::read_only, try_write(put_batch(3, 1)).code());
    EXPECT_EQ(StatusCode::read_only, collection().flush().code());
    EXPECT_EQ(StatusCode::read_only, collection().checkpoint().code());
    EXPECT_EQ(calls, disk().calls()) << "nothing may be written or synced after a failed sync";
    EXPECT_FALSE(collection().stats().write_error.empty());
    EXPECT_TRUE(collection().get(1).ok()) << "reads go on";
    EXPECT_EQ(StatusCode::not_found, collection().get(2).status().code()) << "nobody sees what a crash may undo";
    expect_survives(CrashPolicy::lose_all());
    expect_intact(*disk().kill_process(), Loss::process);
  }
}

// guard: engine/record.cc encode_batch: vector and payload stand in one frame
TEST_F(Holes, H05_VectorAndPayloadNeverComeFromDifferentWrites) {
  put(1, 1);
  for (int value = 2; value < 6; ++value) {
    crash_at_every_call_of([&] { put(1, value); },
                           {CrashPolicy::random_subset(), CrashPolicy::torn_write(CrashPolicy::Boundary::sector),
                            CrashPolicy::torn_write(CrashPolicy::Boundary::byte), CrashPolicy::anything()});
  }
  const auto point = collection().get(1);
  ASSERT_TRUE(point.ok());
  EXPECT_EQ(payload_of(5), point->payload);
  EXPECT_EQ(vector_of(1, 5), point->vector);
}

// guard: engine/record.h: the only delete that can be logged is one of an id
TEST_F(Holes, H06_ADeleteIsLoggedAsTheIdsItResolvedTo) {
  for (std::uint64_t id = 1; id <= 6; ++id) put(id, static_cast<int>(id));
  // "Delete the three points nearest to 1": resolved now, not at replay.
  const auto matches = collection().search(vector_of(1, 1), {.k = 3});
  ASSERT_TRUE(matches.ok());
  WriteBatch deletion;
  for (const Hit& hit : *matches) deletion.erase(hit.id);
  must_write(deletion);
  put(7, 1);  // would match, had the question been logged
  lose_power();
  EXPECT_EQ(4u, collection().snapshot().size());
  EXPECT_TRUE(collection().get(7).ok());
  EXPECT_EQ(StatusCode::not_found, collection().get(1).status().code());
}

// guard: storage/wal_writer.cc make_room (W2) and sync
TEST_F(Holes, H07_NoAcknowledgementOvertakesTheSyncOfARetiredSegment) {
  for (std::uint64_t id = 1; id <= 50; ++id) {  // more than three segments
    put(id);
    const auto found = disk().crash(CrashPolicy::lose_all());
    const auto database = Database::open_with(kStorePath, small_store(*found));
    ASSERT_TRUE(database.ok());
    ASSERT_EQ(id, database->collection("c")->snapshot().size()) << "after write " << id;
  }
  EXPECT_GE(files_with(disk(), ".log").size(), 3u);
  // A write that waits for no sync, then a roll, then one that does: both are acknowledged for good.
  for (std::uint64_t id = 51; id <= 80; ++id)
    must_write(put_batch(id, 1), id % 7 == 0 ? Durability::sync : Durability::none);  // segments end with one of none
  put(81);
  expect_survives(CrashPolicy::lose_all());
}

// guard: engine/validate.cc validate_batch (limits, duplicate ids); engine/commit.cc write (empty batch)
TEST_F(Holes, H08_SizesAndDuplicatesHaveADefinedOutcome) {
  put(1);
  const std::uint64_t calls = disk().calls();
  const auto empty = collection().write(WriteBatch());
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(0u, empty->lsn);
  WriteBatch twice = put_batch(2, 1);
  twice.upsert(2, vector_of(2, 2));
  EXPECT_EQ(StatusCode::invalid_argument, collection().write(twice).status().code());
  WriteBatch there_and_back = put_batch(2, 1);
  there_and_back.erase(2);
  EXPECT_EQ(StatusCode::invalid_argument, collection().write(there_and_back).status().code());
  WriteBatch too_many;
  for (std::uint64_t id = 0; id <= kMaxBatchOperations; ++id) too_many.erase(id);
  EXPECT_EQ(StatusCode::invalid_argument, collection().write(too_many).status().code());
  WriteBatch too_large;
  const std::string payload = "{\"x\":\"" + std::string(kMaxPayloadBytes - 10, 'x') + "\"}";
  for (std::uint64_t id = 0; id < 17; ++id) too_large.upsert(id, vector_of(id, 1), payload);
  EXPECT_EQ(StatusCode::invalid_argument, collection().write(too_large).status().code());
  EXPECT_EQ(calls, disk().calls());

  WriteBatch larger_than_a_segment;
  for (std::uint64_t id = 100; id < 104; ++id) {
    larger_than_a_segment.upsert(id, vector_of(id, 1), R"({"x":")" + std::string(40'000, 'x') + "\"}");
  }
  crash_at_every_call_of([&] { must_write(larger_than_a_segment); },
                         {CrashPolicy::lose_all(), CrashPolicy::random_subset(), CrashPolicy::anything()});
  put(3);
  expect_survives(CrashPolicy::lose_all());
}

// guard: engine/database_state.cc open (the lock is taken before anything is read or written)
TEST_F(Holes, H10_AStoreHasOneWriter) {
  put(1);
  const std::uint64_t before = content_of(disk());
  const auto second = Database::open_with(kStorePath, small_store(disk()));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(StatusCode::already_open, second.status().code()) << second.status().to_string();
  EXPECT_EQ(before, content_of(disk()));
  put(2);
  driver_->let_go();
  EXPECT_TRUE(Database::open_with(kStorePath, small_store(disk())).ok());
}

// Found by the crash explorer. guard: engine/database_state.cc inspect_place (syncs the parent though the place exists)
TEST_F(Holes, AStoreWhoseFirstAttemptFailedIsDurableAfterTheSecond) {
  SimFileSystem other(5);
  ASSERT_TRUE(other.create_directory("/parent").ok());
  ASSERT_TRUE(other.sync_directory("/").ok());
  other.fail_sync_at(other.calls() + 1,
                     UnsyncedPages::kept_dirty);  // of the parent, behind the creation of the store's directory
  const std::string path = "/parent/store";
  ASSERT_FALSE(Database::open_with(path, small_store(other)).ok());
  ASSERT_TRUE(*other.exists(path)) << "the test must fail the sync, not the creation";
  {
    auto database = Database::open_with(path, small_store(other));
    ASSERT_TRUE(database.ok()) << database.status().to_string();
    auto created = database->create_collection("c", {.dimension = kDimension});
    ASSERT_TRUE(created.ok());
    ASSERT_TRUE(created->upsert(1, vector_of(1, 1)).ok());
  }
  const auto found = other.crash(CrashPolicy::lose_all());
  const auto reopened = Database::open_with(path, small_store(*found));
  ASSERT_TRUE(reopened.ok()) << reopened.status().to_string();
  ASSERT_TRUE(reopened->collection("c").ok()) << "the directory was lost with its name";
  EXPECT_TRUE(reopened->collection("c")->get(1).ok());
}

// --- H09: a full disk. guard: engine/disk_reserve.cc, called by commit.cc (C4), checkpoint.cc, recovery.cc and
// database_state.cc
class FullDisk : public Holes {
 protected:
  /// Writes until the disk has no room for more. Returns how many points went in.
  std::uint64_t fill(std::uint64_t room) {
    put(1);  // makes the first segment and the reserve
    disk().set_capacity(used() + room);
    std::uint64_t id = 2;
    for (Status status; (status = try_write(put_batch(id, 1))).ok(); ++id) {
      EXPECT_LT(id, 1000u) << "the disk does not fill up";
      if (id == 1000) break;
    }
    EXPECT_EQ(StatusCode::disk_full, try_write(put_batch(id, 1)).code());
    EXPECT_TRUE(collection().stats().write_error.empty());
    return id - 1;
  }
  [[nodiscard]] std::uint64_t used() const {
    std::uint64_t bytes = 0;
    for (const auto& file : disk_->files()) bytes += file.cached_size;
    return bytes;
  }
};

TEST_F(FullDisk, H09_ItTakesErasuresAndCheckpointsAndTheyMakeRoom) {
  const std::uint64_t last = fill(400 * 1024);
  ASSERT_GT(last, 20u);
  for (std::uint64_t id = 1; id <= 16; ++id) erase(id);  // more than the rest of any segment takes
  expect_survives(CrashPolicy::lose_all());
  checkpoint();
  for (std::uint64_t id = 17; id <= 20; ++id) erase(id);
  expect_survives(CrashPolicy::lose_all());
  put(last + 1);  // no reopen: the checkpoint let the log go
  EXPECT_GE(collection().stats().reserve_bytes, 64u * 1024) << "it is made again";
  expect_survives(CrashPolicy::lose_all());
  expect_survives(CrashPolicy::keep_all());
}

TEST_F(FullDisk, H09_ItIsClosedAndOpenedAgain) {
  const std::uint64_t last = fill(400 * 1024);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(collection().flush().ok());
    must(Step::Kind::reopen);
    erase(round + 1);
    move_to(disk().kill_process());
    EXPECT_EQ(last - round - 1, collection().snapshot().size());
  }
  checkpoint();
  put(last + 1);
  expect_survives(CrashPolicy::lose_all());
}

TEST_F(FullDisk, H09_ServiceReturnsWithTheSpace) {
  const std::uint64_t last = fill(20 * 1024);
  disk().set_capacity(0);
  for (std::uint64_t id = 0; id < 40; ++id) put(last + 1 + id);
  checkpoint();
  expect_survives(CrashPolicy::lose_all());
}

TEST_F(FullDisk, H09_ACollectionCanBeDropped) {
  fill(20 * 1024);
  disk().set_capacity(used());
  must(Step::Kind::drop);
  expect_survives(CrashPolicy::lose_all());
  EXPECT_EQ(0u, files_with(disk(), "RESERVE").size());
}

// guard: engine/commit.cc commit_group (what stands beside refused upserts in a group is tried again by itself)
TEST_F(FullDisk, H09_ErasingGoesOnBesideUpsertsThatAreRefused) {
  const std::uint64_t last = fill(100 * 1024);
  disk().on_call([](const CallInfo& call) {  // others queue up meanwhile, and form groups
    for (int i = 0; call.kind == CallKind::sync && i < 50; ++i) std::this_thread::yield();
  });
  constexpr std::uint64_t kErasers = 3;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      Collection c = collection();
      for (std::uint64_t i = 0; !stop.load() && i < 100'000; ++i) {
        const Status status = c.upsert(10'000 + t, std::vector<float>(kDimension, 1.0F)).status();
        EXPECT_EQ(StatusCode::disk_full, status.code()) << status.to_string();
      }
    });
  }
  std::vector<std::thread> erasers;
  for (std::uint64_t t = 0; t < kErasers; ++t) {
    erasers.emplace_back([&, t] {
      Collection c = collection();
      for (std::uint64_t id = 1 + t; id <= std::min<std::uint64_t>(last, 15); id += kErasers) {
        const Status status = c.erase(id).status();
        EXPECT_TRUE(status.ok()) << status.to_string();
      }
    });
  }
  for (std::thread& thread : erasers) thread.join();
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  disk().on_call(nullptr);
  EXPECT_EQ(last - std::min<std::uint64_t>(last, 15), collection().snapshot().size());
}

/// A collection on a disk that is full, without its driver.
class FullDiskInside : public ::testing::Test {
 protected:
  void SetUp() override {
    engine::EngineOptions options = small_store(disk_);
    options.open.checkpoint_on_close = false;
    options.open.log_segment_bytes = kSegment;
    auto opened = engine::DatabaseState::open("/store", options);
    ASSERT_TRUE(opened.ok());
    database_ = std::move(opened).value();
    auto made = database_->create("c", {.dimension = 4, .m = 6, .ef_construction = 32});
    ASSERT_TRUE(made.ok());
    state_ = std::move(made).value();
    ASSERT_TRUE(upsert(0).ok());
    std::uint64_t used = 0;
    for (const auto& file : disk_.files()) used += file.cached_size;
    disk_.set_capacity(used + 6 * kSegment);
    while (points_ < 10'000 && upsert(points_).ok()) ++points_;
    ASSERT_EQ(StatusCode::disk_full, upsert(points_).code());
  }
  Status upsert(std::uint64_t id) {
    WriteBatch batch;
    batch.upsert(id, std::vector<float>{static_cast<float>(id), 1, 2, 3});
    return engine::write(*state_, batch, {}).status();
  }
  Status erase(std::uint64_t begin, std::uint64_t end) {
    WriteBatch batch;
    for (std::uint64_t id = begin; id < end; ++id) batch.erase(id);
    return engine::write(*state_, batch, {}).status();
  }

  static constexpr std::uint64_t kSegment = 64 * 1024;
  SimFileSystem disk_{9};
  std::shared_ptr<engine::DatabaseState> database_;
  std::shared_ptr<engine::CollectionState> state_;
  std::uint64_t points_ = 1;
};

// Regression: the log thread made the reserve whole again with the room that had just been given to the next segment.
// guard: storage/space_reserve.cc hold (V3: not while a part is lent)
TEST_F(FullDiskInside, H09_TheReserveDoesNotComeBackBeforeItsRoomIsUsed) {
  std::uint64_t turns = 0;
  disk_.on_call([&](const CallInfo& call) {  // a turn of the log thread, at the worst moment
    const bool given = state_->reserve.bytes() < state_->reserve.whole();
    if (call.kind != CallKind::create || !call.path.ends_with("next.tmp") || !given) return;
    EXPECT_FALSE(engine::restore_reserve(*state_));
    EXPECT_FALSE(engine::restore_reserve(*state_, engine::IfShort::what_there_is));
    ++turns;
  });
  for (std::uint64_t id = 0; id < 40 && turns == 0; ++id) {
    const Status status = erase(id, id + 1);
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  disk_.on_call(nullptr);
  EXPECT_EQ(1u, turns);
  disk_.set_capacity(0);
  EXPECT_TRUE(engine::restore_reserve(*state_)) << "the loan goes on";
  EXPECT_TRUE(database_->close().ok());
}

// guard: engine/disk_reserve.cc lend_segment
TEST_F(FullDiskInside, H09_ABatchLargerThanASegmentLeavesTheReserveToOthers) {
  const std::uint64_t before = state_->reserve.bytes();
  EXPECT_EQ(StatusCode::disk_full, erase(100'000, 100'000 + kSegment).code());
  EXPECT_EQ(before, state_->reserve.bytes());
  for (std::uint64_t id = 0; id < 20; ++id) EXPECT_TRUE(erase(id, id + 1).ok()) << id;
  const Status checkpointed = engine::checkpoint(*state_);
  EXPECT_TRUE(checkpointed.ok()) << checkpointed.to_string();
  EXPECT_TRUE(database_->close().ok());
}

TEST_F(FullDisk, H09_TheReserveIsHarmlessWhateverStandsInIt) {
  put(1);
  const std::string path = files_with(disk(), "RESERVE").at(0);
  const Bytes rubbish(100'000, std::byte{0xA5});
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, rubbish.size()}) {
    const auto found = disk().crash(CrashPolicy::lose_all());
    ASSERT_TRUE(found->write_whole(path, ByteSpan(rubbish).first(size)).ok());
    expect_intact(*found);
    ASSERT_TRUE(found->remove(path).ok());
    expect_intact(*found);
  }
}

// Found by the crash explorer. guard: engine/database_state.cc drop (poisons if the catalog may name it no more)
TEST_F(Holes, ADropThatFailedHalfWayTakesNoMoreWrites) {
  for (std::uint64_t after = 0; after < 8; ++after) {
    SCOPED_TRACE("fault at call " + std::to_string(after) + " of the drop");
    start(Metric::l2);
    put(1);
    disk().fail_at(disk().calls() + after, StatusCode::io_error);
    Step drop;
    drop.kind = Step::Kind::drop;
    drop.collection = "c";
    driver_->run(drop).ignore();  // the model follows whatever it answers
    disk().clear_faults();
    try_write(put_batch(2, 1)).ignore();  // so it does here
    EXPECT_EQ("", driver_->problem());
    expect_intact(*disk().kill_process(), Loss::process);
    expect_survives(CrashPolicy::keep_all());
    expect_survives(CrashPolicy::lose_all());
  }
}

}  // namespace
}  // namespace holdfast::testing
