// Many threads at once: inserts, searches, deletes, indexing, cursors. Threads meet at barriers; none waits for time.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <set>
#include <thread>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

/// A hit is believed if its payload names the seed of the vector that its distance belongs to.
std::string payload_of(std::uint64_t seed) { return R"({"seed":)" + std::to_string(seed) + "}"; }
std::uint64_t seed_in(const std::string& payload) { return std::strtoull(payload.c_str() + 8, nullptr, 10); }

class Parallel : public OnSetting {
 protected:
  void SetUp() override {
    options_.background = true;
    options_.open.vacuum_percent = 2;
    options_.open.checkpoint_log_bytes = std::uint64_t{1} << 20;
  }
  /// Ids once each, distances in order, and those of the vectors that the payloads name.
  void expect_consistent(const Hits& hits, const Vector& query) const {
    std::set<PointId> seen;
    for (std::size_t i = 0; i < hits.size(); ++i) {
      EXPECT_TRUE(seen.insert(hits[i].id).second) << "twice: " << hits[i].id.to_string();
      const double wanted = true_distance(config_.metric, vector_of(seed_in(hits[i].payload)), query);
      EXPECT_TRUE(nearly(hits[i].distance, wanted)) << "vector and payload of different versions";
      if (i > 0) EXPECT_LE(hits[i - 1].distance, hits[i].distance);
    }
  }
};
HF_ON_SETTINGS(Parallel, every_metric);

TEST_P(Parallel, MixedSearchesInsertsUpdatesAndDeletes) {
  constexpr std::uint64_t kThreads = 4, kEach = kSanitized ? 150 : 600, kIds = 400;
  create_here();
  std::barrier start(kThreads + 2);
  std::atomic<std::uint64_t> writing{kThreads};
  std::vector<std::jthread> threads;
  std::vector<std::map<PointId, std::uint64_t>> last(kThreads);
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      start.arrive_and_wait();
      SeededRandom random(t);
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const std::uint64_t id = random.below(kIds / kThreads) * kThreads + t;  // ids of its own
        if (random.below(4) == 0) {
          EXPECT_TRUE(collection().erase(id).ok());
          last[t].erase(id);
        } else {
          const std::uint64_t seed = t * 1'000'000 + i;
          EXPECT_TRUE(collection().upsert(id, vector_of(seed), payload_of(seed)).ok());
          last[t][id] = seed;
          const auto own = collection().get(id);
          EXPECT_TRUE(own.ok()) << "a writer reads its own write: " << own.status().to_string();
          if (own.ok()) EXPECT_EQ(vector_of(seed), own->vector);
        }
      }
      writing.fetch_sub(1);  // pairs with the readers' load
    });
  }
  for (std::uint64_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      start.arrive_and_wait();
      for (std::uint64_t i = 0; writing.load() > 0 || i < 5; ++i) {
        const Vector query = vector_of(77'000'000 + t * 10'000 + i % 1'000);
        const auto hits = collection().search(query, {.k = 20, .ef = 50, .with_payload = true, .exact = i % 8 == 0});
        ASSERT_TRUE(hits.ok()) << hits.status().to_string();
        expect_consistent(*hits, query);
      }
    });
  }
  threads.clear();
  HF_OK(collection().wait_until_indexed());
  std::uint64_t left = 0;
  for (const auto& mine : last) {
    left += mine.size();
    for (const auto& [id, seed] : mine) put(id, vector_of(seed), payload_of(seed));  // tells the truth what is there
  }
  EXPECT_EQ(left, collection().snapshot().size());
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  expect_holds_truth();
  expect_sound();
}

TEST_P(Parallel, BatchesFromManyThreadsLeaveNoUnreachablePoint) {
  constexpr std::uint64_t kThreads = 4, kBatches = 5, kEach = kSanitized ? 30 : 100;
  create_here();
  std::barrier start(static_cast<std::ptrdiff_t>(kThreads));
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      start.arrive_and_wait();
      for (std::uint64_t b = 0; b < kBatches; ++b) {
        WriteBatch batch;
        for (std::uint64_t i = 0; i < kEach; ++i) {
          const std::uint64_t id = (t * kBatches + b) * kEach + i;
          batch.upsert(id, vector_of(id), payload_of(id));
        }
        EXPECT_TRUE(collection().write(batch, {.bulk = true}).ok());
      }
    });
  }
  threads.clear();
  HF_OK(collection().wait_until_indexed());
  const std::uint64_t all = kThreads * kBatches * kEach;
  EXPECT_EQ(all, collection().stats().graph_nodes);
  const Vector query = vector_of(123'456'789);
  const auto hits = collection().search(query, {.k = static_cast<std::uint32_t>(all), .with_payload = true});
  HF_OK(hits);
  EXPECT_EQ(all, hits->size()) << "points that no walk reaches";
  expect_consistent(*hits, query);
  for (std::uint64_t id = 0; id < all; ++id) put(id, vector_of(id), payload_of(id));
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  expect_holds_truth();
  expect_sound();
}

TEST_P(Parallel, SearchesDuringIndexingFindEverything) {
  constexpr std::uint64_t kPoints = kSanitized ? 600 : 3'000;
  create_here();
  for (std::uint64_t first = 0; first < kPoints; first += 200) {
    WriteBatch batch;
    for (std::uint64_t id = first; id < first + 200; ++id) batch.upsert(id, vector_of(id), payload_of(id));
    HF_OK(collection().write(batch, {.bulk = true}));
    // The indexer is somewhere in the middle of it.
    const Vector query = vector_of(first + 100);
    const Snapshot snapshot = collection().snapshot();
    EXPECT_EQ(first + 200, snapshot.size());
    const auto all = snapshot.search(query, {.k = static_cast<std::uint32_t>(first + 200), .with_payload = true});
    HF_OK(all);
    EXPECT_EQ(first + 200, all->size()) << "a point is in neither tier, or in both";
    expect_consistent(*all, query);
    const auto again = snapshot.search(query, {.k = static_cast<std::uint32_t>(first + 200), .with_payload = true});
    EXPECT_TRUE(identical(*all, *again));
  }
}

TEST_P(Parallel, PointsOverwrittenAndDeletedWhileTheyAreBeingIndexed) {
  create_here();
  for (std::uint64_t round = 0; round < 20; ++round) {
    WriteBatch batch;
    for (std::uint64_t id = 0; id < 60; ++id)
      batch.upsert(id, vector_of(id + round * 1'000), payload_of(id + round * 1'000));
    HF_OK(collection().write(batch));  // the indexer wakes up
    batch.clear();
    for (std::uint64_t id = 0; id < 60; id += 3) batch.erase(id);
    for (std::uint64_t id = 1; id < 60; id += 3)
      batch.upsert(id, vector_of(id + round * 1'000 + 500), payload_of(id + round * 1'000 + 500));
    HF_OK(collection().write(batch));
    const Vector query = vector_of(3 + round * 1'000);
    const auto hits = collection().search(query, {.k = 60, .with_payload = true});
    HF_OK(hits);
    EXPECT_EQ(40u, hits->size());
    expect_consistent(*hits, query);
    for (const Hit& hit : *hits) {
      const std::uint64_t seed = seed_in(hit.payload);
      EXPECT_EQ(hit.id.number() + round * 1'000 + (hit.id.number() % 3 == 1 ? 500 : 0), seed) << "an older version";
    }
  }
  const std::uint64_t last = 19'000;
  for (std::uint64_t id = 1; id < 60; id += 3) put(id, vector_of(id + last + 500), payload_of(id + last + 500));
  for (std::uint64_t id = 2; id < 60; id += 3) put(id, vector_of(id + last), payload_of(id + last));
  HF_OK(collection().wait_until_indexed());
  HF_OK(collection().vacuum());
  expect_holds_truth();
  expect_sound();
}

TEST_P(Parallel, NoPointTwiceUnderACursorWhenItMovesIntoTheGraph) {
  constexpr std::uint64_t kPoints = kSanitized ? 400 : 1'500;
  create_here();
  for (std::uint64_t round = 0; round < 3; ++round) {
    WriteBatch batch;
    for (std::uint64_t i = 0; i < kPoints; ++i) {
      const std::uint64_t id = round * kPoints + i;
      batch.upsert(id, vector_of(id), payload_of(id));
    }
    HF_OK(collection().write(batch, {.bulk = true}));  // the indexer starts to move them
    const Snapshot snapshot = collection().snapshot();
    const Vector query = vector_of(55'000'000 + round);
    auto cursor = snapshot.cursor(query, {.with_payload = true});
    HF_OK(cursor);
    std::set<PointId> seen;
    for (;;) {
      const auto piece = cursor->next(37);
      HF_OK(piece);
      if (piece->empty()) break;
      expect_consistent(*piece, query);
      for (const Hit& hit : *piece) EXPECT_TRUE(seen.insert(hit.id).second) << "twice: " << hit.id.to_string();
    }
    EXPECT_EQ((round + 1) * kPoints, seen.size());
    HF_OK(collection().wait_until_indexed());
  }
}

TEST_P(Parallel, ASnapshotIsSharedByThreads) {
  create_here();
  fill(0, 300);
  const Snapshot snapshot = collection().snapshot();
  const Vector query = vector_of(1'234);
  const Hits expected = *snapshot.search(query, {.k = 30, .with_payload = true});
  std::barrier start(5);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, mine = snapshot] {
      start.arrive_and_wait();
      for (int i = 0; i < 50; ++i) {
        const auto hits = mine.search(query, {.k = 30, .with_payload = true});
        ASSERT_TRUE(hits.ok());
        EXPECT_TRUE(identical(expected, *hits));
        const Snapshot copy = mine;
        EXPECT_EQ(snapshot.lsn(), copy.lsn());
      }
    });
  }
  start.arrive_and_wait();
  for (std::uint64_t id = 0; id < 300; ++id) put(id, query);
  threads.clear();
  HF_OK(collection().wait_until_indexed());
  EXPECT_TRUE(identical(expected, *snapshot.search(query, {.k = 30, .with_payload = true})));
}

}  // namespace
}  // namespace holdfast::testing
