// Writers at full speed, the indexer, vacuum and checkpoints, and beside them readers that hold a snapshot each and ask
// it the same questions again and again: not one answer may change, bit for bit.
//   HOLDFAST_FROZEN_SECONDS  how long (default 2); 60 before a release
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>

#include "base/random.h"
#include "engine/options.h"
#include "holdfast/holdfast.hpp"
#include "support/temp_dir.h"

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 32;
constexpr std::uint64_t kIds = 2'000;
using Clock = std::chrono::steady_clock;

std::vector<float> draw(std::uint64_t seed) {
  SeededRandom random(mix64(seed) + 11);
  std::vector<float> vector(kDimension);
  for (float& x : vector) x = static_cast<float>(random.unit() * 2 - 1);
  return vector;
}

/// Hits, distances and payloads as bytes.
std::string bytes_of(const Hits& hits) {
  std::string bytes;
  for (const Hit& hit : hits) {
    bytes.append(hit.id.to_string()).push_back(' ');
    bytes.append(reinterpret_cast<const char*>(&hit.distance), sizeof(hit.distance));
    bytes.append(std::to_string(hit.value)).append(hit.payload).push_back('\n');
  }
  return bytes;
}

/// The answers of one snapshot to a fixed list of questions of every kind; "error: ..." instead of an answer that is
/// none.
std::vector<std::string> answers_of(const Snapshot& snapshot, std::uint64_t salt, std::uint64_t questions) {
  std::vector<std::string> answers;
  const auto add = [&](const Result<Hits>& hits) {
    answers.push_back(hits.ok() ? bytes_of(*hits) : "error: " + hits.status().to_string());
  };
  for (std::uint64_t q = 0; q < questions; ++q) {
    const std::vector<float> query = draw(salt * 1'000 + q);
    switch (q % 10) {
      default: add(snapshot.search(query, {.k = 10, .ef = 40, .with_payload = true})); break;
      case 7: add(snapshot.search(query, {.k = 25, .with_payload = true, .exact = true})); break;
      case 8: add(snapshot.search_range(query, {.radius = 12, .limit = 50, .with_payload = true})); break;
      case 9: {
        auto cursor = snapshot.cursor(query, {.with_payload = true});
        if (!cursor.ok()) {
          add(cursor.status());
          break;
        }
        for (int piece = 0; piece < 4; ++piece) add(cursor->next(8));
      }
    }
  }
  std::uint64_t next = 0;
  const auto points = snapshot.points(salt % 100, 50, &next);
  std::string listed = points.ok() ? std::to_string(next) : "error: " + points.status().to_string();
  if (points.ok()) {
    for (const Point& point : *points) {
      listed.append(point.id.to_string()).append(point.payload);
      listed.append(reinterpret_cast<const char*>(point.vector.data()), point.vector.size() * sizeof(float));
    }
  }
  answers.push_back(std::move(listed));
  answers.push_back(std::to_string(snapshot.size()) + " at " + std::to_string(snapshot.lsn()));
  return answers;
}

class FrozenSnapshots : public ::testing::Test {
 protected:
  void start(bool background = true) {
    engine::EngineOptions options;
    options.background = background;
    options.open.durability = Durability::none;
    options.open.vacuum_percent = 2;
    options.open.indexing_threads = 2;
    options.open.snapshot_bytes_max = 0;
    options.open.checkpoint_log_bytes = std::uint64_t{4} << 20;
    database_.emplace(Database::open_with(directory_ / "store", options).value());
    collection_.emplace(
        database_->create_collection("c", {.dimension = kDimension, .m = 8, .ef_construction = 40}).value());
    WriteBatch batch;
    for (std::uint64_t id = 0; id < kIds; ++id) batch.upsert(id, draw(id), R"({"seed":)" + std::to_string(id) + "}");
    ASSERT_TRUE(collection_->write(batch, {.bulk = true}).ok());
  }
  static void churn(Collection& collection, SeededRandom& random) {
    const std::uint64_t id = random.below(kIds);
    const std::uint64_t seed = random.next() >> 20;
    const std::string payload = R"({"seed":)" + std::to_string(seed) + "}";
    switch (random.below(8)) {
      case 0:
      case 1: EXPECT_TRUE(collection.erase(id).ok()); break;
      case 2: {
        std::vector<float> vectors = draw(seed);
        const std::vector<float> second = draw(seed + 1);
        vectors.insert(vectors.end(), second.begin(), second.end());
        WriteBatch batch;
        batch.upsert_values(id, vectors, 2, payload);
        batch.upsert(kIds + id, second, payload);
        EXPECT_TRUE(collection.write(batch).ok());
        break;
      }
      default: EXPECT_TRUE(collection.upsert(id, draw(seed), payload).ok());
    }
  }

  TempDir directory_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

TEST_F(FrozenSnapshots, NoAnswerChangesWhileWritersRunAtFullSpeed) {
  constexpr int kHolders = 8, kWriters = 2;
  const char* text = std::getenv("HOLDFAST_FROZEN_SECONDS");
  const auto duration = std::chrono::seconds(text == nullptr ? 2 : std::strtol(text, nullptr, 10));
  start();
  Collection& c = *collection_;
  std::atomic<bool> stop{false};  // pairs: stored by the last holder that is done
  std::atomic<int> holding{kHolders};
  std::atomic<std::uint64_t> rounds{0}, changed{0}, writes{0};
  std::barrier ready(kHolders + kWriters + 1);
  const auto end = Clock::now() + duration;
  std::vector<std::jthread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      SeededRandom random(static_cast<std::uint64_t>(w) + 1);
      ready.arrive_and_wait();
      for (; !stop.load(); writes.fetch_add(1)) churn(c, random);
    });
  }
  for (int h = 0; h < kHolders; ++h) {
    threads.emplace_back([&, h] {
      ready.arrive_and_wait();
      const auto salt = static_cast<std::uint64_t>(h) + 500;
      // Each holder takes its snapshot at another moment.
      std::uint64_t seen = 0;
      while ((seen = writes.load()) < static_cast<std::uint64_t>(h) * 40 && Clock::now() < end)
        std::this_thread::yield();
      const Snapshot snapshot = c.snapshot();
      const std::vector<std::string> expected = answers_of(snapshot, salt, 100);
      for (const std::string& answer : expected) EXPECT_NE(0u, answer.rfind("error", 0)) << answer;
      do {
        const std::vector<std::string> again = answers_of(snapshot, salt, 100);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          if (again[i] == expected[i]) continue;
          if (changed.fetch_add(1) < 3) ADD_FAILURE() << "holder " << h << ", answer " << i << " changed";
        }
        rounds.fetch_add(1);
      } while (Clock::now() < end);
      if (holding.fetch_sub(1) == 1) stop.store(true);
    });
  }
  threads.emplace_back([&] {
    ready.arrive_and_wait();
    for (int i = 0; !stop.load(); ++i) {
      const Status status = i % 2 == 0 ? c.vacuum() : c.checkpoint();
      EXPECT_TRUE(status.ok()) << status.to_string();
    }
  });
  threads.clear();
  const CollectionStats stats = c.stats();
  std::printf(
      "frozen snapshots: %llu rounds of 100 questions, %llu changed answers, %llu writes, %llu nodes vacuumed\n",
      static_cast<unsigned long long>(rounds.load()), static_cast<unsigned long long>(changed.load()),
      static_cast<unsigned long long>(writes.load()), static_cast<unsigned long long>(stats.vacuumed_slots));
  EXPECT_EQ(0u, changed.load());
  EXPECT_GT(writes.load(), 0u);
  EXPECT_EQ(0u, stats.pinned_snapshots);
}

TEST_F(FrozenSnapshots, OutliveCollectionAndDatabaseAndCrossThreads) {
  start();
  SeededRandom random(3);
  for (int i = 0; i < 300; ++i) churn(*collection_, random);
  Snapshot snapshot = collection_->snapshot();
  const std::vector<std::string> expected = answers_of(snapshot, 1, 40);
  for (int i = 0; i < 300; ++i) churn(*collection_, random);
  std::barrier meet(2);
  std::jthread other([mine = snapshot, &expected, &meet] {
    EXPECT_EQ(expected, answers_of(mine, 1, 40));
    meet.arrive_and_wait();  // the handles go
    EXPECT_EQ(expected, answers_of(mine, 1, 40));
    meet.arrive_and_wait();
    EXPECT_EQ(expected, answers_of(mine, 1, 40)) << "while the first thread drops its own copy";
  });
  meet.arrive_and_wait();
  collection_.reset();
  ASSERT_TRUE(database_->close().ok());
  database_.reset();
  EXPECT_EQ(expected, answers_of(snapshot, 1, 40));
  meet.arrive_and_wait();
  { const Snapshot dropped = std::move(snapshot); }
  other.join();
}

TEST_F(FrozenSnapshots, OutliveADroppedCollection) {
  start();
  const Snapshot snapshot = collection_->snapshot();
  const std::vector<std::string> expected = answers_of(snapshot, 2, 30);
  ASSERT_TRUE(database_->drop_collection("c").ok());
  EXPECT_EQ(expected, answers_of(snapshot, 2, 30));
  collection_.reset();
  database_.reset();
  EXPECT_EQ(expected, answers_of(snapshot, 2, 30));
}

TEST_F(FrozenSnapshots, ReleasedByManyThreadsAtOnce) {
  start();
  constexpr int kThreads = 4;
  std::atomic<bool> stop{false};
  std::jthread writer([&] {
    SeededRandom random(9);
    while (!stop.load()) churn(*collection_, random);  // pairs with the store below
  });
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::vector<Snapshot> held;
        for (std::uint64_t i = 0; i < 200; ++i) {
          held.push_back(collection_->snapshot());
          const Snapshot& one = held[i % held.size()];
          const auto query = draw(static_cast<std::uint64_t>(t) * 1'000 + i);
          const auto first = one.search(query, {.k = 5, .with_payload = true});
          const auto second = one.search(query, {.k = 5, .with_payload = true});
          ASSERT_TRUE(first.ok() && second.ok());
          EXPECT_EQ(bytes_of(*first), bytes_of(*second));
          if (i % 5 == 4) held.erase(held.begin(), held.begin() + 4);
        }
      });
    }
  }
  stop.store(true);
  writer.join();
  ASSERT_TRUE(collection_->vacuum().ok());
  EXPECT_EQ(0u, collection_->stats().pinned_snapshots);
}

TEST_F(FrozenSnapshots, ACursorIsNotDisturbedWhenItsPointsMoveIntoTheGraph) {
  start();  // everything is still growing, or about to move
  const Snapshot snapshot = collection_->snapshot();
  const auto query = draw(123);
  auto cursor = snapshot.cursor(query);
  ASSERT_TRUE(cursor.ok()) << cursor.status().to_string();
  std::jthread mover([&] {
    EXPECT_TRUE(collection_->wait_until_indexed().ok());
    SeededRandom random(1);
    for (int i = 0; i < 500; ++i) churn(*collection_, random);
    EXPECT_TRUE(collection_->vacuum().ok());
  });
  std::set<PointId> seen;
  while (!cursor->exhausted()) {
    const auto piece = cursor->next(17);
    ASSERT_TRUE(piece.ok()) << piece.status().to_string();
    for (const Hit& hit : *piece) EXPECT_TRUE(seen.insert(hit.id).second) << "twice: " << hit.id.to_string();
  }
  EXPECT_EQ(kIds, seen.size());
  mover.join();
}

}  // namespace
}  // namespace holdfast::testing
