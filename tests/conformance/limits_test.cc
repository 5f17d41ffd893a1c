// Deadlines, cancellation, read-your-writes, and the budgets that take snapshots back.
#include <atomic>
#include <thread>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

using Clock = Deadline::clock;
Deadline past() { return Clock::now() - std::chrono::seconds(1); }
Deadline far() { return Clock::now() + std::chrono::hours(1); }

class Limits : public OnSetting {
 protected:
  void SetUp() override {
    create_here();
    fill(0, 400);
    bring();
  }
};
HF_ON_SETTINGS(Limits, every_setting);

TEST_P(Limits, APastDeadlineEndsEveryKindOfSearchAndItSaysSo) {
  const Snapshot snapshot = collection().snapshot();
  const Vector query = vector_of(900);
  std::stop_source stop;
  stop.request_stop();
  const struct {
    ReadLimits limits;
    Stopped expected;
  } cases[] = {{{.deadline = past()}, Stopped::deadline}, {{.cancel = stop.get_token()}, Stopped::cancelled}};
  for (const auto& [limits, expected] : cases) {
    for (const bool exact : {false, true}) {
      const auto top = snapshot.search(query, {.k = 400, .ef = 400, .exact = exact, .limits = limits});
      HF_OK(top);
      EXPECT_EQ(expected, top->stopped);
      EXPECT_LT(top->size(), 400u);
      EXPECT_TRUE(sensible(*top, query)) << "what it found is true";
      const auto range = snapshot.search_range(query, {.radius = 1e30F, .ef = 400, .exact = exact, .limits = limits});
      HF_OK(range);
      EXPECT_EQ(expected, range->stopped);
      EXPECT_LT(range->size(), 400u);
      EXPECT_TRUE(sensible(*range, query));
      const auto batch = snapshot.search_batch(query, {.k = 400, .ef = 400, .exact = exact, .limits = limits});
      HF_OK(batch);
      ASSERT_EQ(1u, batch->size());
      EXPECT_EQ(expected, batch->front().stopped);
      EXPECT_TRUE(sensible(batch->front(), query));
    }
  }
}

TEST_P(Limits, ADeadlineThatIsFarAwayChangesNothing) {
  const Snapshot snapshot = collection().snapshot();
  const Vector query = vector_of(901);
  std::stop_source stop;
  for (const bool exact : {false, true}) {
    const auto free = snapshot.search(query, {.k = 50, .ef = 60, .exact = exact});
    const auto limited = snapshot.search(
        query, {.k = 50, .ef = 60, .exact = exact, .limits = {.deadline = far(), .cancel = stop.get_token()}});
    HF_OK(limited);
    EXPECT_EQ(Stopped::no, limited->stopped);
    EXPECT_TRUE(identical(*free, *limited));
  }
}

TEST_P(Limits, CancellingFromAnotherThreadEndsASearch) {
  const Snapshot snapshot = collection().snapshot();
  std::stop_source stop;
  std::atomic<bool> begun{false};
  std::atomic<bool> cancelled{false};
  std::jthread searcher([&] {
    for (std::uint64_t i = 0; !cancelled.load() && i < 200'000; ++i) {
      const Vector query = vector_of(1'000 + i % 16);
      const auto hits = snapshot.search(query, {.k = 100, .ef = 400, .limits = {.cancel = stop.get_token()}});
      begun.store(true);
      begun.notify_one();
      ASSERT_TRUE(hits.ok()) << hits.status().to_string();
      if (hits->stopped == Stopped::cancelled) cancelled.store(true);
    }
  });
  begun.wait(false);
  stop.request_stop();
  searcher.join();
  EXPECT_TRUE(cancelled.load());
}

TEST_P(Limits, ASnapshotOfAPositionContainsIt) {
  const Lsn lsn = collection().upsert(5, vector_of(5'000))->lsn;
  const auto snapshot = collection().snapshot({.at_least = lsn});
  HF_OK(snapshot);
  EXPECT_GE(snapshot->lsn(), lsn);
  EXPECT_EQ(vector_of(5'000), snapshot->get(5)->vector);
  const auto start = Clock::now();
  const auto never =
      collection().snapshot({.at_least = lsn + 1'000, .deadline = Clock::now() + std::chrono::milliseconds(20)});
  EXPECT_FALSE(never.ok());
  EXPECT_TRUE(never.status().code() == StatusCode::invalid_argument ||
              never.status().code() == StatusCode::deadline_exceeded)
      << never.status().to_string();
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(5));
}

class Positions : public Store {};

TEST_F(Positions, ReadYourWritesAcrossThreads) {
  options_.background = true;
  create(Metric::l2);
  constexpr std::uint64_t kWrites = 300;
  std::atomic<Lsn> newest{0};
  std::jthread writer([&] {
    for (std::uint64_t i = 1; i <= kWrites; ++i) {
      const auto receipt = collection().upsert(1, vector_of(i), R"({"i":)" + std::to_string(i) + "}");
      EXPECT_TRUE(receipt.ok());
      newest.store(receipt.ok() ? receipt->lsn : kWrites);  // pairs with the load of the reader
      newest.notify_all();
      if (!receipt.ok()) return;
    }
  });
  newest.wait(0);
  for (Lsn seen = 0; seen < kWrites;) {
    seen = newest.load();
    const auto snapshot = collection().snapshot({.at_least = seen});
    HF_OK(snapshot);
    EXPECT_GE(snapshot->lsn(), seen);  // no marks: lsn i is the write number i
    const auto point = snapshot->get(1);
    HF_OK(point);
    EXPECT_EQ(R"({"i":)" + std::to_string(snapshot->lsn()) + "}", point->payload);
  }
}

class Budgets : public Store {
 protected:
  /// Overwrites everything and vacuums until the oldest snapshot had to go, or long enough.
  void churn(const Snapshot& held, int rounds) {
    for (int round = 0; round < rounds && !held.expired(); ++round) {
      for (std::uint64_t id = 0; id < 200; ++id) put(id, vector_of(id + 1'000 * static_cast<std::uint64_t>(round + 1)));
      HF_OK(collection().wait_until_indexed());
      HF_OK(collection().vacuum());
    }
  }
  static void expect_expired(const Snapshot& snapshot, const Vector& query) {
    EXPECT_TRUE(snapshot.expired());
    std::uint64_t next = 0;
    HF_CODE(StatusCode::snapshot_expired, snapshot.search(query));
    HF_CODE(StatusCode::snapshot_expired, snapshot.search(query, {.exact = true}));
    HF_CODE(StatusCode::snapshot_expired, snapshot.search_batch(query));
    HF_CODE(StatusCode::snapshot_expired, snapshot.search_range(query, {.radius = 1}));
    HF_CODE(StatusCode::snapshot_expired, snapshot.cursor(query));
    HF_CODE(StatusCode::snapshot_expired, snapshot.get(1));
    HF_CODE(StatusCode::snapshot_expired, snapshot.distance(1, query));
    HF_CODE(StatusCode::snapshot_expired, snapshot.ids(0, 10, &next));
    HF_CODE(StatusCode::snapshot_expired, snapshot.points(0, 10, &next));
  }
};

TEST_F(Budgets, TheOldestSnapshotExpiresWhenOldVersionsTakeTooMuch) {
  options_.open.snapshot_bytes_max = 64 * 1024;
  create(Metric::l2, 64);
  fill(0, 200);
  HF_OK(collection().wait_until_indexed());
  const Snapshot old = collection().snapshot();
  auto cursor = old.cursor(vector_of(1));
  HF_OK(cursor);
  EXPECT_EQ(5u, cursor->next(5)->size());
  churn(old, 40);
  expect_expired(old, vector_of(1));
  HF_CODE(StatusCode::snapshot_expired, cursor->next(5));
  EXPECT_GE(collection().stats().expired_snapshots, 1u);
  const Snapshot fresh = collection().snapshot();
  EXPECT_FALSE(fresh.expired());
  expect_holds_truth(fresh);
  HF_OK(collection().vacuum());
  const CollectionStats stats = collection().stats();
  EXPECT_LE(stats.slots, 1'200u) << "an expired snapshot holds nothing back";
}

TEST_F(Budgets, WithoutALimitNothingExpires) {
  options_.open.snapshot_bytes_max = 0;
  create(Metric::l2, 64);
  fill(0, 200);
  HF_OK(collection().wait_until_indexed());
  const Snapshot old = collection().snapshot();
  const Hits before = *old.search(vector_of(1), {.k = 50, .with_payload = true});
  churn(old, 8);
  EXPECT_FALSE(old.expired());
  EXPECT_TRUE(identical(before, *old.search(vector_of(1), {.k = 50, .with_payload = true})));
  EXPECT_EQ(0u, collection().stats().expired_snapshots);
  EXPECT_GT(collection().stats().retained_bytes, 64u * 200) << "the meter tells what it costs";
}

TEST_F(Budgets, ASnapshotExpiresWithAge) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  std::atomic<std::uint64_t> now{100 * kSecond};
  options_.clock_ns = [&now] { return now.load(); };
  options_.open.snapshot_age_max = std::chrono::seconds(10);
  create(Metric::l2);
  fill(0, 200);
  const Snapshot old = collection().snapshot();
  now += 6 * kSecond;
  const Snapshot younger = collection().snapshot();
  put(1, vector_of(1'000));
  EXPECT_FALSE(old.expired());
  EXPECT_EQ(6'000u, collection().stats().oldest_snapshot_age_ms);
  now += 5 * kSecond;
  put(1, vector_of(2'000));
  HF_OK(collection().wait_until_indexed());
  expect_expired(old, vector_of(1));
  EXPECT_FALSE(younger.expired()) << "only what is too old";
  EXPECT_EQ(200u, younger.size());
  EXPECT_EQ(vector_of(1), younger.get(1)->vector);
  EXPECT_EQ(1u, collection().stats().expired_snapshots);
  expect_holds_truth();
}

}  // namespace
}  // namespace holdfast::testing
