// Every allocation of every call of the API fails once: open and recovery, reads, writes, upkeep, backup and close.
// Whatever fails: no exception leaves the library, the outcome is resource_exhausted (of a write also outcome_unknown),
// nothing hangs or leaks, nothing acknowledged is lost, and the store goes on.
//   HOLDFAST_OOM_EVERY  of each call take the first 40 allocations and then every n-th only; 1: all
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>

#include "base/sanitizer.h"
#include "engine/allocation_faults.h"
#include "engine/backup.h"
#include "engine/damage.h"
#include "engine/store_fixture.h"
#include "engine/verify.h"
#include "support/explorer.h"

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 8;
constexpr std::uint64_t kMost = 200'000;  // of one call: more means that it does not end

std::uint64_t every() {
  constexpr std::uint64_t kEvery = HF_SANITIZED ? 101 : 11;
  return number_from_environment("HOLDFAST_OOM_EVERY", kEvery);
}

/// The first ones are all taken: most calls make no more.
std::uint64_t after(std::uint64_t n) { return n < 40 ? n + 1 : n + every(); }

struct Figures {
  std::uint64_t points = 0, calls = 0, refused = 0;
};
class AllocationFailures : public ::testing::Test {
 protected:
  AllocationFailures() : directory_(TempDir::On::memory), path_(directory_.path() + "/store") {}

  static engine::EngineOptions options() {
    engine::EngineOptions options = options_on(os::posix_file_system());
    options.open.log_segment_bytes = 16 * 1024;
    options.open.indexing_threads = 1;
    options.open.checkpoint_on_close = false;
    return options;
  }
  void SetUp() override {
    db_ = Database::open_with(path_, options()).value();
    CollectionConfig config;
    config.dimension = kDimension;
    config.m = 4;
    config.ef_construction = 16;
    collection_ = db_->create_collection("c", config).value();
    for (std::uint64_t id = 0; id < 40; ++id) must_put(id);
    HF_ASSERT_OK(collection_->wait_until_indexed());
    HF_ASSERT_OK(collection_->checkpoint());
    for (std::uint64_t id = 30; id < 60; ++id) must_put(id);
    erase(3);
    WriteBatch several;
    several.upsert_values(PointId(std::uint64_t{900}), vector_of(900, 2 * kDimension), 2, payload_of(900));
    several.set_marker("import", "here");
    HF_ASSERT_OK(collection_->write(several));
  }
  void TearDown() override {
    const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    std::printf("allocation failures: points covered %llu (1 of %llu), calls of the API %llu, refused %llu, %s\n",
                number(figures_.points), number(every()), number(figures_.calls), number(figures_.refused),
                ::testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  void must_put(std::uint64_t id) {
    const std::uint64_t seed = ++seed_;
    HF_ASSERT_OK(collection_->upsert(id, vector_of(seed, kDimension), payload_of(seed)));
    expected_[id] = seed;
  }
  void erase(std::uint64_t id) {
    HF_ASSERT_OK(collection_->erase(id));
    expected_.erase(id);
  }

  /// Calls with one allocation after the other failing, until one call needs no more.
  /// `call(n)` returns the outcome; after a failure `check` says whether all is well.
  void fail_all(const char* name, const std::function<Status()>& call, const std::function<void()>& check,
                const std::function<void()>& prepare = nullptr) {
    SCOPED_TRACE(name);
    ++figures_.calls;
    std::uint64_t n = 0;
    for (bool failed = true; failed; n = after(n)) {
      ASSERT_LT(n, kMost);
      SCOPED_TRACE("allocation " + std::to_string(n));
      if (prepare) prepare();
      Status outcome;
      bool escaped = false;
      failed = with_failure(n, [&] {
        try {
          outcome = call();
        } catch (const std::bad_alloc&) {
          escaped = true;
        }
      });
      figures_.points += failed ? 1 : 0;
      figures_.refused += outcome.ok() ? 0 : 1;
      EXPECT_FALSE(escaped) << "an exception crossed the API";
      const StatusCode code = outcome.code();
      EXPECT_TRUE(outcome.ok() || code == StatusCode::resource_exhausted || code == StatusCode::outcome_unknown)
          << outcome.to_string();
      if (!failed) HF_EXPECT_OK(outcome);
      check();
      if (::testing::Test::HasFailure()) return;
    }
  }

  void holds_all(const Collection& collection) const {
    for (const auto& [id, seed] : expected_) {
      const auto point = collection.get(id);
      HF_ASSERT_OK(point);
      ASSERT_TRUE(point->payload == payload_of(seed) && point->vector == vector_of(seed, kDimension)) << "id " << id;
    }
    HF_EXPECT_CODE(StatusCode::not_found, collection.get(3));
    HF_ASSERT_OK(collection.get(900));
    const auto hits = collection.search(vector_of(1, kDimension), {.k = 1000, .exact = true});
    HF_ASSERT_OK(hits);
    ASSERT_EQ(expected_.size() + 1, hits->size());
  }
  void holds_all() const { holds_all(*collection_); }
  /// A store that became read-only is opened again.
  void go_on() {
    if (!collection_->stats().write_error.empty()) reopen();
    holds_all();
  }
  void reopen() {
    collection_.reset();
    db_->close().ignore();  // may say that it is read-only
    db_.reset();
    db_ = Database::open_with(path_, options()).value();
    ASSERT_TRUE(db_->quarantined().empty()) << db_->quarantined()[0].status.to_string();
    collection_ = db_->collection("c").value();
  }

  TempDir directory_;
  const std::string path_;
  std::optional<Database> db_;
  std::optional<Collection> collection_;
  std::map<std::uint64_t, std::uint64_t> expected_;
  std::uint64_t seed_ = 0;
  Figures figures_;
};

TEST_F(AllocationFailures, of_reads) {
  const std::vector<float> query = vector_of(7, kDimension);
  const auto all_is_well = [&] { holds_all(); };
  const Snapshot snapshot = collection_->snapshot();
  const auto status_of = [](const auto& result) { return result.status(); };
  fail_all(
      "get", [&] { return status_of(collection_->get(1)); }, all_is_well);
  fail_all(
      "collection", [&] { return status_of(db_->collection("c")); }, all_is_well);
  fail_all(
      "no collection",
      [&] {
        const auto none = db_->collection("d");
        return none.status().code() == StatusCode::not_found ? Status() : none.status();
      },
      all_is_well);
  fail_all(
      "snapshot", [&] { return collection_->snapshot().get(1).status(); }, all_is_well);
  fail_all(
      "snapshot at an lsn", [&] { return collection_->snapshot({.at_least = 1}).status(); }, all_is_well);
  fail_all(
      "search", [&] { return status_of(collection_->search(query, {.k = 5, .with_payload = true})); }, all_is_well);
  fail_all(
      "exact search", [&] { return status_of(snapshot.search(query, {.k = 5, .exact = true})); }, all_is_well);
  fail_all(
      "search_batch", [&] { return status_of(snapshot.search_batch(query, {.k = 5}, 1)); }, all_is_well);
  fail_all(
      "search_range", [&] { return status_of(snapshot.search_range(query, {.radius = 4})); }, all_is_well);
  fail_all(
      "exact range", [&] { return status_of(snapshot.search_range(query, {.radius = 4, .exact = true})); },
      all_is_well);
  fail_all(
      "distance", [&] { return status_of(snapshot.distance(1, query)); }, all_is_well);
  std::uint64_t next = 0;
  fail_all(
      "ids", [&] { return status_of(snapshot.ids(0, 100, &next)); }, all_is_well);
  fail_all(
      "points", [&] { return status_of(snapshot.points(0, 100, &next)); }, all_is_well);
  fail_all(
      "cursor",
      [&]() -> Status {
        auto cursor = snapshot.cursor(query);
        for (int i = 0; i < 4 && cursor.ok(); ++i) {
          if (const auto hits = cursor->next(10); !hits.ok()) return hits.status();
        }
        return cursor.status();
      },
      all_is_well);
}

/// A cursor that had no memory for an answer goes on with the same answer.
TEST_F(AllocationFailures, a_cursor_leaves_nothing_out) {
  const std::vector<float> query = vector_of(7, kDimension);
  const Snapshot snapshot = collection_->snapshot();
  const std::size_t all = snapshot.size();
  bool failed = true;
  for (std::uint64_t n = 0; failed; n = after(n)) {
    ASSERT_LT(n, kMost);
    failed = false;
    auto cursor = snapshot.cursor(query);
    HF_ASSERT_OK(cursor);
    std::map<PointId, int> seen;
    while (!cursor->exhausted()) {
      Result<Hits> hits = Hits();
      failed |= with_failure(n, [&] { hits = cursor->next(10); });
      figures_.points += failed ? 1 : 0;
      if (!hits.ok()) hits = cursor->next(10);
      HF_ASSERT_OK(hits);
      for (const Hit& hit : *hits) ++seen[hit.id];
    }
    ASSERT_EQ(all, seen.size()) << "allocation " << n;
    for (const auto& [id, times] : seen) ASSERT_EQ(1, times) << id.to_string();
  }
}

TEST_F(AllocationFailures, of_upkeep) {
  std::uint64_t id = 100;
  const auto all_is_well = [&] { go_on(); };
  fail_all(
      "flush", [&] { return collection_->flush(); }, all_is_well);
  fail_all(
      "wait_until_indexed", [&] { return collection_->wait_until_indexed(); }, all_is_well, [&] { must_put(id++); });
  fail_all(
      "vacuum", [&] { return collection_->vacuum(); }, all_is_well,
      [&] {
        must_put(id++);
        HF_ASSERT_OK(collection_->wait_until_indexed());
        erase(id - 1);
      });
  fail_all(
      "checkpoint", [&] { return collection_->checkpoint(); }, all_is_well, [&] { must_put(100 + id++ % 50); });
  reopen();
  holds_all();
}

TEST_F(AllocationFailures, of_writes) {
  std::optional<std::uint64_t> unknown;
  std::vector<float> vector;
  std::string payload;
  bool written = false;
  const auto write = [&](std::uint64_t id, std::uint64_t seed) {
    Status status = collection_->upsert(id, vector, payload).status();
    written = status.ok();
    if (status.code() == StatusCode::outcome_unknown) unknown = seed;
    return status;
  };
  const auto all_is_well = [&] {
    if (written) expected_[1] = seed_;
    if (!collection_->stats().write_error.empty()) reopen();
    if (unknown) {  // the replaced version or the new one
      const auto point = collection_->get(1);
      HF_ASSERT_OK(point);
      if (point->payload == payload_of(*unknown)) expected_[1] = *unknown;
      unknown.reset();
    }
    holds_all();
  };
  for (int round = 0; round < 3; ++round) {  // with and without a new segment
    std::uint64_t seed = 0;
    fail_all(
        "upsert", [&] { return write(1, seed); }, all_is_well,
        [&] {
          seed = ++seed_;
          vector = vector_of(seed, kDimension);
          payload = payload_of(seed);
        });
  }
  std::uint64_t id = 0;
  bool erased = false;
  fail_all(
      "erase",
      [&] {
        const Status status = collection_->erase(id).status();
        erased = status.ok();
        return status;
      },
      [&] {
        if (!collection_->stats().write_error.empty()) reopen();
        if (erased || !collection_->get(id).ok()) expected_.erase(id);
        holds_all();
      },
      [&] { must_put(id = 200); });
  reopen();
  holds_all();
}

TEST_F(AllocationFailures, of_creating_and_dropping) {
  const auto all_is_well = [&] { holds_all(); };
  const auto make_room = [&] {
    if (db_->drop_collection("d").code() == StatusCode::already_exists) FAIL();
  };
  fail_all(
      "create", [&] { return db_->create_collection("d", {.dimension = 2}).status(); }, all_is_well, make_room);
  fail_all(
      "drop",
      [&] {
        const Status status = db_->drop_collection("d");
        return status.code() == StatusCode::not_found ? Status() : status;
      },
      all_is_well, [&] { db_->create_collection("d", {.dimension = 2}).status().ignore(); });
  reopen();
  holds_all();
}

/// Recovery of a store with a log tail; of each attempt what it leaves is opened again.
TEST_F(AllocationFailures, of_open_and_recovery) {
  collection_.reset();
  const std::filesystem::path killed = directory_.path() + "/killed", copy = directory_.path() + "/copy";
  std::filesystem::copy(path_, killed, std::filesystem::copy_options::recursive);  // as kill -9 leaves it
  const auto fresh = [&] {
    std::filesystem::remove_all(copy);
    std::filesystem::copy(killed, copy, std::filesystem::copy_options::recursive);
  };
  const auto whole = [&] {
    const Database db = Database::open_with(copy, options()).value();
    ASSERT_TRUE(db.quarantined().empty()) << db.quarantined()[0].status.to_string();
    holds_all(db.collection("c").value());
  };
  const engine::EngineOptions with = options();
  fail_all(
      "open",
      [&]() -> Status {
        const auto db = Database::open_with(copy, with);
        if (!db.ok()) return db.status();
        return db->quarantined().empty() ? Status() : db->quarantined()[0].status;
      },
      whole, fresh);
  std::optional<Database> db;
  fail_all(
      "close", [&] { return db->close(); },
      [&] {
        db.reset();
        whole();
      },
      [&] {
        fresh();
        db = Database::open_with(copy, options()).value();
        HF_ASSERT_OK(db->collection("c")->upsert(1, vector_of(expected_[1], kDimension), payload_of(expected_[1])));
      });
}

TEST_F(AllocationFailures, of_backup_and_verify) {
  HF_ASSERT_OK(db_->close());
  os::FileSystem& fs = os::posix_file_system();
  const std::filesystem::path source = path_, target = directory_.path() + "/backup",
                              restored = directory_.path() + "/restored";
  const auto nothing_damaged = [&](const std::filesystem::path& place) {
    const auto report = engine::verify_store(fs, place.string(), {});
    HF_ASSERT_OK(report);
    ASSERT_FALSE(report->damaged()) << report->findings[0].message;
  };
  fail_all(
      "verify", [&] { return verify(source).status(); }, [&] { nothing_damaged(path_); });
  fail_all(
      "dump_log", [&] { return dump_log(source, "c", [](const LogEntry&) { return true; }); },
      [&] { nothing_damaged(path_); });
  fail_all(
      "backup", [&] { return backup(source, target, {}).status(); }, [&] { nothing_damaged(path_); });
  HF_ASSERT_OK(backup(source, target, {}));
  nothing_damaged(target);
  fail_all(
      "restore", [&] { return restore(target, restored, {}).status(); }, [&] { nothing_damaged(target); },
      [&] { std::filesystem::remove_all(restored); });
  const Database db = Database::open_with(restored, options()).value();
  holds_all(db.collection("c").value());
}

// The next checkpoint named the extent again: who verified its page says so once only.
TEST(DamageLogWithoutMemory, ADamagedExtentThatCouldNotBeNotedIsNotNamedAgain) {
  const Status why(StatusCode::data_damaged, "a message that is longer than any string holds without an allocation");
  for (std::uint64_t n = 0; n < 20; ++n) {
    engine::DamageLog log;
    EXPECT_FALSE(log.holds(7));
    const bool failed = with_failure(n, [&] { log.note_extent(7, 4096, why); });
    EXPECT_TRUE(log.holds(7)) << "allocation " << n;
    EXPECT_EQ(1U, log.count()) << "allocation " << n;
    if (!failed) return;
    EXPECT_TRUE(log.holds(8)) << "it may have been any";
  }
  ADD_FAILURE() << "noting does not end";
}

}  // namespace
}  // namespace holdfast::testing
