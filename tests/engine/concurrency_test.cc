// Writers, readers, indexer and checkpoints at once. Run under TSan by `make test`.
#include <atomic>
#include <map>
#include <thread>

#include "engine/store_fixture.h"

namespace holdfast::testing {
namespace {

using ConcurrencyTest = SimStore;

/// Every write goes to `kGroup` ids at once with one seed: a reader must never see two of them differ.
constexpr std::uint64_t kGroup = 4;

TEST_F(ConcurrencyTest, snapshots_are_atomic_and_frozen_while_everything_runs) {
  auto options = options_on(fs_, true);
  options.open.checkpoint_log_bytes = 256 * 1024;
  Database db = Database::open_with("/store", options).value();
  Collection c = make(db);
  constexpr std::uint64_t kKeys = 40, kWritesPerThread = 150;
  std::atomic<int> writers{2};
  const auto write = [&](std::uint64_t thread) {
    SeededRandom random(thread);
    for (std::uint64_t i = 0; i < kWritesPerThread; ++i) {
      const std::uint64_t key = random.below(kKeys);
      const std::uint64_t seed = random.next();
      WriteBatch batch;
      for (std::uint64_t j = 0; j < kGroup; ++j) {
        const std::uint64_t id = key * kGroup + j;
        if (seed % 5 == 0) {
          batch.erase(id);
        } else {
          batch.upsert(id, vector_of(seed, kDimension), payload_of(seed));
        }
      }
      HF_EXPECT_OK(c.write(batch));
    }
    writers.fetch_sub(1);
  };
  const auto read = [&](std::uint64_t thread) {
    SeededRandom random(1000 + thread);
    do {
      const Snapshot snapshot = c.snapshot();
      const auto query = vector_of(random.next(), kDimension);
      SearchOptions search;
      search.k = 20;
      search.with_payload = true;
      const auto first = snapshot.search(query, search);
      HF_ASSERT_OK(first);
      const std::uint64_t key = random.below(kKeys);
      std::string payload;
      for (std::uint64_t j = 0; j < kGroup; ++j) {
        const auto point = snapshot.get(key * kGroup + j);
        const std::string found = point.ok() ? point->payload : "missing";
        if (j > 0) {
          EXPECT_EQ(found, payload) << "a batch was seen in part";
        }
        payload = found;
      }
      EXPECT_EQ(snapshot.size() % kGroup, 0u);
      const auto second = snapshot.search(query, search);
      HF_ASSERT_OK(second);
      ASSERT_EQ(first->size(), second->size());
      for (std::size_t i = 0; i < first->size(); ++i) {
        EXPECT_EQ((*first)[i].id, (*second)[i].id);
        EXPECT_EQ((*first)[i].distance, (*second)[i].distance);
        EXPECT_EQ((*first)[i].payload, (*second)[i].payload);
      }
    } while (writers.load() > 0);
  };
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 2; ++t) threads.emplace_back([&, t] { write(t); });
  for (std::uint64_t t = 0; t < 2; ++t) threads.emplace_back([&, t] { read(t); });
  threads.emplace_back([&] {
    do HF_EXPECT_OK(c.checkpoint());
    while (writers.load() > 0);
  });
  threads.clear();
  HF_ASSERT_OK(c.wait_until_indexed());
  const std::uint64_t size = c.snapshot().size();
  HF_ASSERT_OK(db.close());
  Database again = open_database();
  EXPECT_EQ(again.collection("c")->snapshot().size(), size);
}

TEST_F(ConcurrencyTest, many_writers_share_syncs_and_lose_nothing) {
  Database db = open_database(true);
  Collection c = make(db);
  constexpr std::uint64_t kThreads = 8, kEach = 60;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (std::uint64_t i = 0; i < kEach; ++i) HF_EXPECT_OK(put(c, t * kEach + i, t * kEach + i));
      });
    }
  }
  const CollectionStats stats = c.stats();
  EXPECT_EQ(stats.writes, kThreads * kEach);
  EXPECT_LE(stats.groups, stats.last_lsn) << "a group takes an lsn at least; so does a mark of the log thread";
  EXPECT_EQ(stats.points, kThreads * kEach);
  const auto crashed = fs_.crash(CrashPolicy::lose_all());
  Database again = Database::open_with("/store", options_on(*crashed)).value();
  Collection reopened = again.collection("c").value();
  for (std::uint64_t id = 0; id < kThreads * kEach; ++id) EXPECT_TRUE(holds(reopened, id, id));
}

TEST_F(ConcurrencyTest, closing_while_writers_and_readers_are_at_work) {
  Database db = open_database(true);
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 0, 0));
  std::atomic<std::uint64_t> acknowledged{0};
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0;; ++i) {
        const Status status = put(c, 1 + t + 3 * i, i);
        if (status.code() == StatusCode::closed) return;
        HF_ASSERT_OK(status);
        acknowledged.fetch_add(1);
      }
    });
  }
  threads.emplace_back([&] {
    while (acknowledged.load() < 60) HF_EXPECT_OK(c.search(vector_of(1, kDimension)));
  });
  while (acknowledged.load() < 60) std::this_thread::yield();
  HF_EXPECT_OK(db.close());
  threads.clear();
  Database again = open_database();
  EXPECT_EQ(again.collection("c")->snapshot().size(), 1 + acknowledged.load());
}

}  // namespace
}  // namespace holdfast::testing
