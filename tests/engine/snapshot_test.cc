// Snapshots of a given lsn, several values per id, and what outlives what.
#include <atomic>
#include <thread>

#include "engine/commit.h"
#include "engine/database_state.h"
#include "engine/publish_signal.h"
#include "engine/reading_fixture.h"
#include "engine/snapshot.h"

namespace holdfast::testing {
namespace {

using SnapshotTest = ReadingStore;

TEST_F(SnapshotTest, of_a_write_that_is_done_is_there_at_once) {
  Database db = open_database();
  Collection c = make(db);
  HF_EXPECT_OK(c.snapshot(SnapshotOptions{}));
  for (std::uint64_t i = 0; i < 5; ++i) {
    const Lsn lsn = c.upsert(i, vector_of(i, kDimension))->lsn;
    const auto snapshot = c.snapshot({.at_least = lsn, .deadline = Deadline::min()});
    HF_ASSERT_OK(snapshot);
    EXPECT_GE(snapshot->lsn(), lsn);
    EXPECT_EQ(snapshot->size(), i + 1);
  }
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.snapshot({.at_least = 6}));
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.snapshot({.at_least = ~Lsn{0}}));
}

TEST_F(SnapshotTest, the_number_of_a_mark_is_not_waited_for) {
  const auto database = engine::DatabaseState::open("/store", options_on(fs_)).value();
  CollectionConfig config;
  config.dimension = kDimension;
  const auto state = database->create("c", config).value();
  WriteBatch batch;
  batch.upsert(1, vector_of(1, kDimension));
  const Lsn written = engine::write(*state, batch, {})->lsn;
  HF_ASSERT_OK(engine::run_exclusive(*state, [&] { return state->wal->mark(); }));
  ASSERT_EQ(state->wal->end().lsn, written + 1) << "or this test proves nothing";
  HF_EXPECT_OK(engine::wait_for_lsn(*state, {.at_least = written + 1}));
  HF_EXPECT_CODE(StatusCode::invalid_argument, engine::wait_for_lsn(*state, {.at_least = written + 2}));
}

TEST_F(SnapshotTest, of_a_batch_that_is_being_committed_is_waited_for) {
  engine::EngineOptions options = options_on(fs_);
  const auto database = engine::DatabaseState::open("/store", options).value();
  CollectionConfig config;
  config.dimension = kDimension;
  const auto state = database->create("c", config).value();
  WriteBatch batch;
  batch.upsert(1, vector_of(1, kDimension));
  HF_ASSERT_OK(engine::write(*state, batch, {}));
  const Lsn next = state->wal->end().lsn + 1;
  // Whoever leads the queue has logged, and takes its time to publish.
  std::atomic<bool> logged{false};
  std::atomic<bool> waited{false};
  std::jthread committer([&] {
    HF_EXPECT_OK(engine::run_exclusive(*state, [&]() -> Status {
      const Status status = state->wal->mark();
      logged.store(true);
      while (!waited.load()) std::this_thread::yield();
      return status;
    }));
    state->published.notify_all();
  });
  while (!logged.load()) std::this_thread::yield();
  ASSERT_GE(state->wal->end().lsn, next);
  SnapshotOptions wanted;
  wanted.at_least = next;
  wanted.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  HF_EXPECT_CODE(StatusCode::deadline_exceeded, engine::wait_for_lsn(*state, wanted));
  waited.store(true);
  wanted.deadline.reset();
  HF_EXPECT_OK(engine::wait_for_lsn(*state, wanted));
}

TEST_F(SnapshotTest, read_your_writes_from_many_threads) {
  Database db = open_database(true);
  Collection c = make(db);
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 40; ++i) {
        const auto receipt = c.upsert(t * 1000 + i, vector_of(i, kDimension));
        HF_ASSERT_OK(receipt);
        const auto snapshot = c.snapshot({.at_least = receipt->lsn});
        HF_ASSERT_OK(snapshot);
        HF_EXPECT_OK(snapshot->get(t * 1000 + i));
      }
    });
  }
}

TEST(PublishSignal, wakes_whoever_waits) {
  engine::PublishSignal signal;
  std::atomic<int> value{0};
  const auto far = std::chrono::steady_clock::now() + std::chrono::hours(1);
  std::jthread writer([&] {
    for (int i = 1; i <= 200; ++i) {
      value.store(i);
      signal.notify_all();
    }
  });
  for (int i = 1; i <= 200; ++i) EXPECT_TRUE(signal.wait_until(far, [&] { return value.load() >= i; }));
  EXPECT_FALSE(signal.wait_until(Deadline::min(), [&] { return value.load() > 200; }));
}

TEST_F(SnapshotTest, outlives_collection_and_database) {
  auto snapshot = [&] {
    Database db = open_database(true);
    Collection c = make(db);
    put_many(c, 0, 50);
    return c.snapshot();
  }();
  Cursor cursor = snapshot.cursor(vector_of(3, kDimension)).value();
  EXPECT_EQ(snapshot.search(vector_of(3, kDimension))->front().id, PointId(3));
  snapshot = [&] {
    Database db = Database::open_with("/other", options_on(fs_)).value();
    return make(db).snapshot();
  }();
  EXPECT_EQ(snapshot.size(), 0u);
  EXPECT_EQ(drain(cursor, 7).size(), 50u);
}

}  // namespace
}  // namespace holdfast::testing
