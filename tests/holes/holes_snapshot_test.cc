// Holes of snapshots and concurrency: what vacuum, updates and many threads do to those who read (docs/holes.md).
#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstring>
#include <optional>
#include <set>
#include <thread>

#include "engine/verify.h"
#include "holes/hole_fixture.h"

namespace holdfast::testing {
namespace {

/// Everything that a snapshot can be asked, as bytes: equal if and only if no answer has changed.
std::string everything_of(const Snapshot& snapshot, std::uint64_t ids) {
  std::string text = std::to_string(snapshot.size()) + " points at " + std::to_string(snapshot.lsn()) + "\n";
  const auto add = [&](const char* how, const Result<Hits>& hits) {
    text += std::string(how) + ": ";
    if (!hits.ok()) text += hits.status().to_string();
    if (hits.ok()) {
      for (const Hit& hit : *hits) {
        text += hit.id.to_string() + " " + hit.payload + " ";
        text.append(reinterpret_cast<const char*>(&hit.distance), sizeof(hit.distance));
      }
    }
    text += "\n";
  };
  for (std::uint64_t id = 0; id < ids; id += 3) {
    const std::vector<float> query{static_cast<float>(id), 1.25F, 1.0F, 0.5F};
    add("search", snapshot.search(query, {.k = 5, .ef = 20, .with_payload = true}));
    add("exact", snapshot.search(query, {.k = 5, .with_payload = true, .exact = true}));
  }
  for (std::uint64_t id = 0; id < ids; ++id) {
    const auto point = snapshot.get(id);
    text += point.ok() ? point->payload : std::string(to_string(point.status().code()));
    if (point.ok()) text.append(reinterpret_cast<const char*>(point->vector.data()), point->vector.size() * 4);
    text += "\n";
  }
  std::uint64_t next = 0;
  if (const auto listed = snapshot.ids(0, 100'000, &next); listed.ok()) {
    for (const PointId& id : *listed) text += id.to_string() + " ";
  }
  return text;
}

class SnapshotHoles : public Holes {
 protected:
  void vacuum() { must(Step::Kind::vacuum); }
  void put_range(std::uint64_t first, std::uint64_t last, int value = 1) {
    WriteBatch batch;
    for (std::uint64_t id = first; id <= last; ++id) batch.upsert(id, vector_of(id, value), payload_of(value));
    must_write(batch);
  }
  void erase_range(std::uint64_t first, std::uint64_t last) {
    WriteBatch batch;
    for (std::uint64_t id = first; id <= last; ++id) batch.erase(id);
    must_write(batch);
  }
  /// Deletes, vacuums and refills until rows have been used again.
  void churn(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      erase_range(1, 30);
      index();
      vacuum();
      put(900, round);  // each write lets freed rows go one step further
      put(901, round);
      put_range(1, 30, 100 + round);
      index();
    }
  }

  /// A store of its own with background threads, for holes that need a race.
  Collection race(std::uint32_t indexing_threads = 2) {
    race_database_.reset();
    race_disk_ = std::make_unique<SimFileSystem>(11);
    engine::EngineOptions options = small_store(*race_disk_);
    options.background = true;
    options.open.indexing_threads = indexing_threads;
    options.open.vacuum_percent = 1;
    options.open.log_segment_bytes = 256 * 1024;
    options.open.checkpoint_log_bytes = 256 * 1024;
    race_database_.emplace(Database::open_with(kStorePath, options).value());
    const CollectionConfig config{.dimension = kDimension, .metric = Metric::l2, .m = 4, .ef_construction = 16};
    return std::move(race_database_->create_collection("c", config)).value();
  }
  /// All of `expected` (id, value), nothing else, reachable in the graph, now and after a restart.
  void expect_race_ends_with(Collection collection, const std::map<std::uint64_t, int>& expected) {
    ASSERT_TRUE(collection.wait_until_indexed().ok());
    ASSERT_TRUE(collection.vacuum().ok());
    const auto check = [&](const Collection& found) {
      EXPECT_EQ(expected.size(), found.snapshot().size());
      for (const auto& [id, value] : expected) {
        const auto point = found.get(id);
        ASSERT_TRUE(point.ok()) << "id " << id << ": " << point.status().to_string();
        EXPECT_EQ(vector_of(id, value), point->vector) << "id " << id << ": an update is lost";
        EXPECT_EQ(payload_of(value), point->payload);
      }
      const auto hits = found.search(vector_of(1, 1), {.k = 10'000, .ef = 10'000});
      ASSERT_TRUE(hits.ok());
      EXPECT_EQ(expected.size(), hits->size()) << "stored, but not found";
    };
    check(collection);
    EXPECT_EQ(expected.size(), collection.stats().graph_nodes);
    ASSERT_TRUE(race_database_->close().ok());
    if (HasFailure()) return;
    engine::EngineOptions options = small_store(*race_disk_);
    race_database_.emplace(Database::open_with(kStorePath, options).value());
    check(race_database_->collection("c").value());
  }

  std::unique_ptr<SimFileSystem> race_disk_;
  std::optional<Database> race_database_;
};

// guard: engine/vacuum.cc begin_vacuum takes the rows that are dead in its view, and a row is dead or alive for ever
TEST_F(SnapshotHoles, H24_VacuumTakesNothingThatWasWrittenAgain) {
  put_range(1, 60);
  index();
  erase_range(1, 40);
  put_range(20, 50, 2);
  vacuum();
  if (HasFailure()) return;
  erase_range(45, 50);
  put_range(40, 46, 3);
  vacuum();
  index();
  vacuum();
  expect_survives(CrashPolicy::lose_all());
}

// guard: the same
TEST_F(SnapshotHoles, H24_VacuumTakesNothingThatIsWrittenWhileItRuns) {
  Collection c = race();
  std::atomic<bool> stop{false};
  std::jthread vacuums([&] {
    while (!stop.load()) EXPECT_TRUE(c.vacuum().ok());  // pairs with the store below
  });
  std::map<std::uint64_t, int> expected;
  SeededRandom random(24);
  for (int i = 0; i < 1'500; ++i) {
    const std::uint64_t id = random.below(80);
    EXPECT_TRUE(c.erase(id).ok());
    EXPECT_TRUE(c.upsert(id, vector_of(id, i), payload_of(i)).ok());
    expected[id] = i;
  }
  stop.store(true);
  vacuums.join();
  expect_race_ends_with(c, expected);
}

// guard: index/graph.h (lists are immutable; a mutation publishes new ones); engine/free_slots.h: a row changes its
// content only when no pinned view can name it
TEST_F(SnapshotHoles, H45_VacuumAndReuseRewriteNothingUnderALiveSnapshot) {
  put_range(1, 30);
  index();
  const Snapshot snapshot = collection().snapshot();
  const std::string before = everything_of(snapshot, 40);
  for (int round = 0; round < 4; ++round) {
    churn(1);
    ASSERT_EQ(before, everything_of(snapshot, 40)) << "round " << round;
  }
}

// guard: engine/reclaimer.cc (rows of every tier wait for the pinned views)
TEST_F(SnapshotHoles, H46_DeletesInTheGrowingTierAskForSnapshots) {
  put_range(1, 30);  // never in the graph
  const Snapshot snapshot = collection().snapshot();
  const std::string before = everything_of(snapshot, 40);
  erase_range(1, 30);
  EXPECT_EQ(before, everything_of(snapshot, 40));
  for (int value = 5; value < 10; ++value) {
    put_range(1, 30, value);
    erase_range(1, 30);
    vacuum();
  }
  put_range(31, 90, 7);
  index();
  vacuum();
  put_range(91, 150, 8);
  EXPECT_EQ(before, everything_of(snapshot, 40));
}

// guard: engine/pins.cc PinTable: what a pin holds is freed by the reclaimer only, which looks at every pin
TEST_F(SnapshotHoles, H47_ReleasingASnapshotTakesNothingFromAReader) {
  Collection c = race();
  for (std::uint64_t id = 0; id < 60; ++id) EXPECT_TRUE(c.upsert(id, vector_of(id, 1), payload_of(1)).ok());
  std::atomic<bool> stop{false};
  std::jthread writer([&] {
    SeededRandom random(47);
    for (int i = 0; !stop.load(); ++i) {  // pairs with the store below
      const std::uint64_t id = random.below(60);
      EXPECT_TRUE(i % 3 == 0 ? c.erase(id).ok() : c.upsert(id, vector_of(id, i), payload_of(i)).ok());
    }
  });
  {
    std::vector<std::jthread> readers;
    for (int t = 0; t < 3; ++t) {
      readers.emplace_back([&] {
        for (int i = 0; i < 60; ++i) {
          std::optional<Snapshot> one = c.snapshot();
          const Snapshot copy = *one;
          auto cursor = one->cursor(vector_of(3, 1), {.with_payload = true});
          ASSERT_TRUE(cursor.ok());
          const std::string before = everything_of(copy, 12);
          one.reset();  // the last handle but the copy and the cursor
          EXPECT_EQ(before, everything_of(copy, 12));
          std::set<PointId> seen;
          while (!cursor->exhausted()) {
            const auto piece = cursor->next(16);
            ASSERT_TRUE(piece.ok());
            for (const Hit& hit : *piece) EXPECT_TRUE(seen.insert(hit.id).second);
          }
          EXPECT_EQ(copy.size(), seen.size());
        }
      });
    }
  }
  stop.store(true);
}

// guard: engine/commit_writer.h: one token, one committer; writers never copy what another one edits
TEST_F(SnapshotHoles, H48_NoUpdateIsLostWhileSnapshotsComeAndGo) {
  constexpr std::uint64_t kWriters = 3, kIds = 20;
  Collection c = race();
  const Snapshot held = c.snapshot();  // there is one at every moment
  std::atomic<bool> stop{false};
  std::jthread snapshots([&] {
    while (!stop.load()) {  // pairs with the store below
      const Snapshot one = c.snapshot();
      const Snapshot two = c.snapshot();
      EXPECT_LE(one.lsn(), two.lsn());
    }
  });
  std::map<std::uint64_t, int> expected;
  {
    std::vector<std::jthread> writers;
    for (std::uint64_t w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] {
        for (int value = 0; value < 25; ++value) {
          for (std::uint64_t id = w; id < kIds * kWriters; id += kWriters) {
            EXPECT_TRUE(c.upsert(id, vector_of(id, value), payload_of(value)).ok());
          }
        }
      });
    }
  }
  stop.store(true);
  snapshots.join();
  for (std::uint64_t id = 0; id < kIds * kWriters; ++id) expected[id] = 24;
  expect_race_ends_with(c, expected);
}

// guard: none needed: a node has no lock (index/graph.h); a target of reverse edges belongs to one worker per batch
TEST_F(SnapshotHoles, H49_NodesThatAreCopiedForSnapshotsCarryNoLock) {
  Collection c = race(4);
  std::vector<Snapshot> held;
  std::map<std::uint64_t, int> expected;
  for (int round = 0; round < 10; ++round) {
    WriteBatch batch;
    for (std::uint64_t i = 0; i < 60; ++i) {
      const std::uint64_t id = static_cast<std::uint64_t>(round) * 40 + i;  // overlaps the round before
      batch.upsert(id, vector_of(id, round), payload_of(round));
      expected[id] = round;
    }
    ASSERT_TRUE(c.write(batch).ok());
    ASSERT_TRUE(c.wait_until_indexed().ok());
    held.push_back(c.snapshot());  // every list that changes from now on is copied
  }
  std::size_t size = 20;
  for (const Snapshot& snapshot : held) EXPECT_EQ(size += 40, snapshot.size());
  held.clear();
  expect_race_ends_with(c, expected);
}

// guard: engine/snapshot (a snapshot owns its store); no handle owns another
TEST_F(SnapshotHoles, H50_ASnapshotOutlivesEverythingElse) {
  put_range(1, 30);
  index();
  put_range(25, 40, 2);
  std::optional<Snapshot> snapshot = collection().snapshot();
  auto cursor = snapshot->cursor(vector_of(7, 1));
  ASSERT_TRUE(cursor.ok());
  EXPECT_EQ(5u, cursor->next(5)->size());
  const std::string before = everything_of(*snapshot, 50);
  must(Step::Kind::drop);
  EXPECT_EQ(before, everything_of(*snapshot, 50));
  driver_->let_go();
  EXPECT_EQ(before, everything_of(*snapshot, 50));
  std::jthread([&] { EXPECT_EQ(before, everything_of(*snapshot, 50)); }).join();
  snapshot.reset();
  const auto rest = cursor->next(100);
  ASSERT_TRUE(rest.ok()) << rest.status().to_string();
  EXPECT_EQ(35u, rest->size()) << "the cursor outlives even that";
}

// guard: engine/view.h: a row is visible iff born <= lsn < died, and `died` is compared with the view's own lsn
TEST_F(SnapshotHoles, H51_ADeleteDoesNotLeakIntoAnEarlierSnapshot) {
  put_range(1, 20);
  index();
  put_range(21, 30);
  const Snapshot snapshot = collection().snapshot();
  const auto finds_all = [&](const char* when) {
    EXPECT_EQ(30u, snapshot.size()) << when;
    for (const bool exact : {false, true}) {
      const auto hits = snapshot.search(vector_of(10, 1), {.k = 100, .ef = 200, .exact = exact});
      ASSERT_TRUE(hits.ok());
      EXPECT_EQ(30u, hits->size()) << when << ", exact = " << exact;
    }
    for (std::uint64_t id = 1; id <= 30; ++id) EXPECT_EQ(payload_of(1), snapshot.get(id)->payload) << when;
  };
  erase_range(10, 25);
  finds_all("deleted");
  put_range(10, 12, 9);
  finds_all("written again");
  index();
  finds_all("indexed");
  vacuum();
  finds_all("vacuumed");
  put_range(100, 160);
  index();
  finds_all("refilled");
  checkpoint();
  finds_all("after a checkpoint");
  EXPECT_EQ(78u, collection().snapshot().size());
}

// guard: engine/cursor: a cursor owns a pin and private memory; everything else goes on in the same thread
TEST_F(SnapshotHoles, H52_ACursorHoldsNoLock) {
  put_range(1, 60);
  index();
  put_range(61, 80);
  std::vector<Cursor> cursors;
  for (int i = 0; i < 70; ++i) {
    auto cursor = collection().snapshot().cursor(vector_of(static_cast<std::uint64_t>(i), 1));
    ASSERT_TRUE(cursor.ok());
    EXPECT_EQ(3u, cursor->next(3)->size());
    cursors.push_back(std::move(cursor).value());
  }
  // In the middle of 70 walks: had one a lock, this thread would wait for itself.
  put(500);
  erase_range(1, 20);
  index();
  vacuum();
  checkpoint();
  put_range(501, 540);
  EXPECT_TRUE(collection().flush().ok());
  for (Cursor& cursor : cursors) EXPECT_EQ(77u, cursor.next(1'000)->size());
}

// guard: engine/reclaimer and engine/snapshot: retained bytes are metered, past the budget the oldest one expires
TEST_F(SnapshotHoles, H53_AForgottenSnapshotIsMeteredAndExpires) {
  SimFileSystem disk(53);
  engine::EngineOptions options = small_store(disk);
  options.open.snapshot_bytes_max = 128 * 1024;
  Database database = Database::open_with(kStorePath, options).value();
  Collection c = database.create_collection("c", {.dimension = 128, .m = 4, .ef_construction = 16}).value();
  const auto write_all = [&](std::uint64_t round) {
    WriteBatch batch;
    SeededRandom random(round);
    for (std::uint64_t id = 0; id < 100; ++id) batch.upsert(id, random_vector(random, 128), R"({"a":1})");
    EXPECT_TRUE(c.write(batch).ok());
    EXPECT_TRUE(c.wait_until_indexed().ok());
    EXPECT_TRUE(c.vacuum().ok());
  };
  write_all(0);
  const Snapshot forgotten = c.snapshot();
  const std::vector<float> query(128, 1.0F);
  const auto before = forgotten.search(query, {.k = 10});
  ASSERT_TRUE(before.ok());
  std::uint64_t most = 0, slots = 0;
  for (std::uint64_t round = 1; round <= 60; ++round) {
    write_all(round);
    const CollectionStats stats = c.stats();
    most = std::max(most, stats.retained_bytes);
    if (!forgotten.expired()) {
      EXPECT_EQ(forgotten.lsn(), stats.oldest_snapshot_lsn);
      EXPECT_GE(stats.pinned_snapshots, 1u);
      const auto again = forgotten.search(query, {.k = 10});
      if (again.ok()) {
        EXPECT_EQ(before->front().id, again->front().id) << "never a wrong answer";
      } else {
        EXPECT_EQ(StatusCode::snapshot_expired, again.status().code());
      }
    }
    if (round == 30) slots = stats.slots;
    if (round > 30) EXPECT_LE(stats.slots, slots) << "memory grows on";
  }
  EXPECT_GT(most, 0u) << "nothing told what it cost";
  EXPECT_LT(most, 1'024u * 1'024u);
  EXPECT_TRUE(forgotten.expired());
  EXPECT_EQ(StatusCode::snapshot_expired, forgotten.search(query).status().code());
  EXPECT_EQ(StatusCode::snapshot_expired, forgotten.get(1).status().code());
  EXPECT_GE(c.stats().expired_snapshots, 1u);
}

// guard: index/hnsw_connect.cc: a pass from the entry point links in what nothing reaches
TEST_F(SnapshotHoles, H54_ParallelInsertsLeaveNothingUnreachable) {
  constexpr std::uint64_t kThreads = 4, kEach = 200;
  Collection c = race(4);
  std::map<std::uint64_t, int> expected;
  for (std::uint64_t id = 0; id < kThreads * kEach; ++id) expected[id] = static_cast<int>(id % 7);
  std::barrier start(static_cast<std::ptrdiff_t>(kThreads));
  {
    std::vector<std::jthread> writers;
    for (std::uint64_t t = 0; t < kThreads; ++t) {
      writers.emplace_back([&, t] {
        start.arrive_and_wait();
        for (std::uint64_t i = 0; i < kEach; ++i) {
          const std::uint64_t id = i * kThreads + t;  // neighbors arrive at the same time from different threads
          EXPECT_TRUE(c.upsert(id, vector_of(id, expected[id]), payload_of(expected[id])).ok());
        }
      });
    }
  }
  expect_race_ends_with(c, expected);
  ASSERT_TRUE(race_database_->close().ok());
  race_database_.reset();
  const auto report = engine::verify_store(*race_disk_, kStorePath, {});
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  for (const VerifyFinding& finding : report->findings) ADD_FAILURE() << finding.message;
}

// guard: engine/commit_queue.cc: operations get their order with their lsn, and are applied in that order alone
TEST_F(SnapshotHoles, H55_RacingUpdatesAndDeletesOfOneIdEndAsTheLastOfThem) {
  constexpr int kThreads = 4;
  Collection c = race();
  // While the leader syncs, the others queue up: groups of several.
  std::atomic<int> running{0}, writing{0};
  race_disk_->on_call([&](const CallInfo& call) {
    if (call.kind != CallKind::sync) return;
    for (int i = 0; i < 10'000 && writing.load() < running.load(); ++i) std::this_thread::yield();
    for (int i = 0; i < 50; ++i) std::this_thread::yield();  // from there into the queue
  });
  for (int round = 0; round < 40; ++round) {
    struct Done {
      Lsn lsn = 0;
      std::optional<int> value;  // nothing: a delete
    };
    std::vector<std::vector<Done>> done(kThreads);
    std::barrier start(kThreads);
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        ++running;
        start.arrive_and_wait();
        for (int i = 0; i < 6; ++i) {
          const int value = round * 100 + t * 10 + i;
          const bool erase = (t + i) % 3 == 0;
          ++writing;
          const auto receipt = erase ? c.erase(7) : c.upsert(7, vector_of(7, value), payload_of(value));
          --writing;
          ASSERT_TRUE(receipt.ok());
          done[static_cast<std::size_t>(t)].push_back({receipt->lsn, erase ? std::nullopt : std::optional<int>(value)});
        }
        --running;
      });
    }
    threads.clear();
    Done last;
    for (const auto& mine : done) {
      for (std::size_t i = 0; i < mine.size(); ++i) {
        if (i > 0) EXPECT_LT(mine[i - 1].lsn, mine[i].lsn);
        if (mine[i].lsn > last.lsn) last = mine[i];
      }
    }
    if (round % 3 == 0) ASSERT_TRUE(c.wait_until_indexed().ok());
    const auto point = c.get(7);
    ASSERT_EQ(last.value.has_value(), point.ok()) << "round " << round;
    if (point.ok()) EXPECT_EQ(payload_of(*last.value), point->payload) << "round " << round;
    const auto hits = c.search(vector_of(7, round), {.k = 10, .with_payload = true});
    ASSERT_TRUE(hits.ok());
    ASSERT_EQ(last.value ? 1u : 0u, hits->size()) << "an older version is found beside the newer one";
    if (last.value) EXPECT_EQ(payload_of(*last.value), hits->front().payload);
    // The log has the same order. (Looked at each time: only a round whose last group had several batches shows it.)
    const auto found = race_disk_->crash(CrashPolicy::lose_all());
    const auto reopened = Database::open_with(kStorePath, small_store(*found));
    ASSERT_TRUE(reopened.ok());
    const auto replayed = reopened->collection("c")->get(7);
    ASSERT_EQ(last.value.has_value(), replayed.ok()) << "round " << round;
    if (last.value) EXPECT_EQ(payload_of(*last.value), replayed->payload) << "round " << round;
  }
  race_disk_->on_call(nullptr);
  EXPECT_LT(c.stats().groups, c.stats().writes) << "no group had two batches";
}

}  // namespace
}  // namespace holdfast::testing
