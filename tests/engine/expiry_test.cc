// Snapshots that are taken back: at once or after the read under way, never a wrong answer, nothing leaked.
#include <atomic>
#include <memory>
#include <thread>

#include "engine/commit.h"
#include "engine/cursor.h"
#include "engine/database_state.h"
#include "engine/limits.h"
#include "engine/pins.h"
#include "engine/reading_fixture.h"
#include "engine/reclaimer.h"
#include "engine/search.h"
#include "engine/snapshot.h"

namespace holdfast::engine {
namespace {

using holdfast::testing::options_on;
using holdfast::testing::vector_of;

// --- The pin table alone ---

View view_of(Lsn lsn) {
  View view;
  view.lsn = lsn;
  return view;
}

std::uint64_t pinned(const PinTable& pins) {
  std::uint64_t count = 0;
  pins.for_each([&](const View*) { ++count; });
  return count;
}

struct Kept {
  explicit Kept(PinTable& pins, std::uint64_t now_ns) : entry(pins.pin(&view)) {
    lsn = view->lsn;  // from here on it may expire
    PinTable::keep(entry, *view, now_ns);
  }
  ~Kept() { PinTable::release(entry); }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  const View* view = nullptr;
  PinTable::Entry* entry;
  Lsn lsn = 0;
};

TEST(Expiry, of_an_idle_snapshot_unpins_at_once) {
  PinTable pins(new View(view_of(7)));
  Kept snapshot(pins, 100);
  EXPECT_EQ(pinned(pins), 1u);
  EXPECT_TRUE(pins.expire_oldest());
  EXPECT_EQ(pinned(pins), 0u);
  EXPECT_TRUE(PinTable::expired(snapshot.entry));
  EXPECT_FALSE(PinTable::enter(snapshot.entry));
  EXPECT_FALSE(pins.expire_oldest()) << "there is none left";
  EXPECT_EQ(pins.expired_snapshots(), 1u);
}

TEST(Expiry, of_a_busy_snapshot_waits_for_the_reads_under_way) {
  PinTable pins(new View(view_of(7)));
  Kept snapshot(pins, 100);
  ASSERT_TRUE(PinTable::enter(snapshot.entry));
  ASSERT_TRUE(PinTable::enter(snapshot.entry));
  EXPECT_TRUE(pins.expire_oldest());
  EXPECT_FALSE(PinTable::enter(snapshot.entry));
  EXPECT_EQ(pinned(pins), 1u);
  PinTable::leave(snapshot.entry);
  EXPECT_EQ(pinned(pins), 1u);
  PinTable::leave(snapshot.entry);
  EXPECT_EQ(pinned(pins), 0u);
}

TEST(Expiry, goes_by_age_and_leaves_single_reads_alone) {
  PinTable pins(new View(view_of(7)));
  const Pin read(pins);
  EXPECT_EQ(pins.snapshots().count, 0u);
  EXPECT_FALSE(pins.expire_oldest());
  Kept young(pins, 300);
  Kept old(pins, 100);
  Kept middle(pins, 200);
  const SnapshotMeters meters = pins.snapshots();
  EXPECT_EQ(meters.count, 3u);
  EXPECT_EQ(meters.oldest_lsn, 7u);
  EXPECT_EQ(meters.oldest_captured_ns, 100u);
  EXPECT_FALSE(pins.expire_oldest(100)) << "before, not at";
  EXPECT_TRUE(pins.expire_oldest(250));
  EXPECT_TRUE(PinTable::expired(old.entry));
  EXPECT_TRUE(pins.expire_oldest(250));
  EXPECT_TRUE(PinTable::expired(middle.entry));
  EXPECT_FALSE(pins.expire_oldest(250));
  EXPECT_FALSE(PinTable::expired(young.entry));
  EXPECT_EQ(pinned(pins), 2u);
}

TEST(Expiry, an_entry_is_reused_only_after_its_release) {
  PinTable pins(new View(view_of(7)));
  auto snapshot = std::make_unique<Kept>(pins, 1);
  PinTable::Entry* const entry = snapshot->entry;
  EXPECT_TRUE(pins.expire_oldest());
  {
    Kept other(pins, 2);
    EXPECT_NE(other.entry, entry);
  }
  snapshot.reset();
  Kept again(pins, 3);
  EXPECT_EQ(again.entry, entry) << "or this test proves nothing";
  EXPECT_FALSE(PinTable::expired(again.entry));
  EXPECT_TRUE(PinTable::enter(again.entry));
  PinTable::leave(again.entry);
  EXPECT_EQ(pinned(pins), 1u);
}

/// Each view carries a number twice; whoever reads one that was freed or that is not his sees them differ, or a
/// sanitizer does.
TEST(Expiry, stress_of_use_expiry_release_and_collection) {
  constexpr std::uint64_t kSeed = 20'250'101;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  PinTable pins{new View{}};
  std::vector<const View*> retired;
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> reads{0};
  const auto use = [&](std::uint64_t thread) {
    SeededRandom random(kSeed + thread);
    std::uint64_t clock = 0;
    while (!done.load(std::memory_order_acquire)) {
      auto shared = std::make_shared<Kept>(pins, ++clock);
      const std::uint64_t lsn = shared->lsn;
      const auto read = [&](std::uint64_t times) {
        for (std::uint64_t i = 0; i < times; ++i) {
          if (!PinTable::enter(shared->entry)) continue;
          EXPECT_EQ(shared->view->lsn, lsn);
          EXPECT_EQ(shared->view->graph.epoch, lsn);
          reads.fetch_add(1, std::memory_order_relaxed);
          PinTable::leave(shared->entry);
        }
      };
      if (random.below(16) == 0) {  // two threads read through one snapshot
        std::jthread other([&] { read(20); });
        read(20);
      } else {
        read(random.below(10));
      }
    }
  };
  const auto expire = [&] {
    while (!done.load(std::memory_order_acquire)) {
      (void)pins.expire_oldest();
      (void)pins.snapshots();
      std::this_thread::yield();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) threads.emplace_back([&, t] { use(t); });
    for (int t = 0; t < 2; ++t) threads.emplace_back(expire);
    // Publisher and reclaimer in one.
    const auto worked = [&] { return reads.load() >= 20'000 && pins.expired_snapshots() >= 500; };
    for (Lsn lsn = 1; lsn <= 6'000 || !worked(); ++lsn) {
      auto* view = new View(view_of(lsn));
      view->graph.epoch = lsn;
      retired.push_back(pins.current());
      pins.publish(view);
      std::vector<const View*> held;
      pins.for_each([&](const View* address) { held.push_back(address); });
      std::erase_if(retired, [&](const View* old) {
        if (std::find(held.begin(), held.end(), old) != held.end()) return false;
        delete old;
        return true;
      });
      if (lsn % 16 == 0) std::this_thread::yield();
    }
    done.store(true, std::memory_order_release);
  }
  EXPECT_EQ(pinned(pins), 0u) << "every entry was released";
  for (const View* view : retired) delete view;
}

// --- Through a collection ---

class ExpiryTest : public holdfast::testing::SimStore {
 protected:
  std::shared_ptr<CollectionState> make_state(OpenOptions open) {
    EngineOptions options = options_on(fs_);
    open.log_segment_bytes = options.open.log_segment_bytes;
    options.open = open;
    options.clock_ns = [this] { return clock_.load(); };
    database_ = DatabaseState::open("/store", options).value();
    CollectionConfig config;
    config.dimension = kDimension;
    return database_->create("c", config).value();
  }
  static void put(CollectionState& state, std::uint64_t begin, std::uint64_t end) {
    WriteBatch batch;
    for (std::uint64_t id = begin; id < end; ++id) batch.upsert(id, vector_of(id, kDimension), R"({"n":"some text"})");
    HF_ASSERT_OK(write(state, batch, {}));
  }
  static Status use(const SnapshotState& snapshot) { return SnapshotRead(snapshot).status(); }
  static constexpr std::uint64_t kSecond = 1'000'000'000;

  std::atomic<std::uint64_t> clock_{kSecond};
  std::shared_ptr<DatabaseState> database_;
};

TEST_F(ExpiryTest, by_age) {
  OpenOptions open;
  open.snapshot_age_max = std::chrono::seconds(10);
  const auto state = make_state(open);
  put(*state, 0, 20);
  const auto first = std::make_shared<const SnapshotState>(state);
  clock_ += 6 * kSecond;
  const auto second = std::make_shared<const SnapshotState>(state);
  enforce_limits(*state);
  EXPECT_FALSE(first->expired());
  EXPECT_EQ(age_ms(*state, state->store.pins().snapshots()), 6000u);
  auto cursor = open_cursor(first, vector_of(1, kDimension), {}).value();
  EXPECT_EQ(cursor->next(5, {})->size(), 5u);
  clock_ += 5 * kSecond;
  enforce_limits(*state);
  EXPECT_TRUE(first->expired());
  HF_EXPECT_CODE(StatusCode::snapshot_expired, use(*first));
  HF_EXPECT_CODE(StatusCode::snapshot_expired, cursor->next(5, {}));
  HF_EXPECT_CODE(StatusCode::snapshot_expired, open_cursor(first, vector_of(1, kDimension), {}));
  EXPECT_EQ(first->size(), 20u);
  EXPECT_EQ(first->lsn(), state->wal->end().lsn);
  EXPECT_FALSE(cursor->exhausted());
  HF_EXPECT_OK(use(*second));
  EXPECT_EQ(state->store.pins().snapshots().count, 1u);
}

TEST_F(ExpiryTest, without_limits_nothing_expires) {
  OpenOptions open;
  open.snapshot_bytes_max = 0;
  const auto state = make_state(open);
  const auto snapshot = std::make_shared<const SnapshotState>(state);
  for (int i = 0; i < 5; ++i) put(*state, 0, 200);
  clock_ += 1'000'000 * kSecond;
  enforce_limits(*state);
  HF_EXPECT_OK(use(*snapshot));
}

TEST_F(ExpiryTest, by_bytes_the_oldest_instant_goes_first_and_no_more_than_needed) {
  OpenOptions open;
  open.snapshot_bytes_max = 0;
  const auto state = make_state(open);
  put(*state, 0, 100);
  std::vector<std::shared_ptr<const SnapshotState>> snapshots;
  for (int i = 0; i < 3; ++i) {
    snapshots.push_back(std::make_shared<const SnapshotState>(state));
    snapshots.push_back(std::make_shared<const SnapshotState>(state));  // two of the same instant
    clock_ += kSecond;
    // What a snapshot keeps: 1,000 bytes that die with the next batch.
    put(*state, 0, 1);
    const Lsn lsn = state->wal->end().lsn;
    state->store.reclaimer().retire({lsn, 0, 1'000'000, [] {}});
  }
  state->store.reclaimer().collect();
  const std::uint64_t all = state->store.reclaimer().retained_bytes();
  ASSERT_GE(all, 3'000'000u);
  const auto expired = [&] {
    return std::count_if(snapshots.begin(), snapshots.end(), [](const auto& s) { return s->expired(); });
  };
  const auto limit = [&](std::uint64_t bytes) {
    const_cast<OpenOptions&>(state->options.open).snapshot_bytes_max = bytes;  // a limit that the test can move
    enforce_limits(*state);
  };
  limit(all);
  EXPECT_EQ(expired(), 0);
  limit(all - 1);
  EXPECT_EQ(expired(), 2);
  EXPECT_TRUE(snapshots[0]->expired() && snapshots[1]->expired());
  EXPECT_LT(state->store.reclaimer().retained_bytes(), all - 900'000);
  {
    // A read that is under way holds what its snapshot holds, and no other is taken back in vain.
    const SnapshotRead read(*snapshots[2]);
    limit(1'500'000);
    EXPECT_EQ(expired(), 4);
    HF_EXPECT_OK(read.status());
    EXPECT_EQ(read.view().lsn, snapshots[2]->lsn());
    EXPECT_GT(state->store.reclaimer().retained_bytes(), 1'500'000u);
  }
  limit(1'500'000);
  EXPECT_EQ(expired(), 4) << "collected now: it is enough";
  EXPECT_LE(state->store.reclaimer().retained_bytes(), 1'500'000u);
  limit(1);
  EXPECT_EQ(expired(), 6);
  EXPECT_EQ(state->store.pins().expired_snapshots(), 6u);
}

TEST_F(ExpiryTest, stress_reads_while_snapshots_expire) {
  OpenOptions open;
  open.snapshot_bytes_max = 0;
  const auto state = make_state(open);
  put(*state, 0, 300);
  std::atomic<int> readers{3};
  std::atomic<std::uint64_t> expired{0};
  const auto read = [&](std::uint64_t thread) {
    SeededRandom random(thread);
    for (int i = 0; i < 60; ++i) {
      const auto snapshot = std::make_shared<const SnapshotState>(state);
      const auto query = vector_of(random.next(), kDimension);
      auto cursor = open_cursor(snapshot, query, {});
      Hits before;
      for (int j = 0; j < 8; ++j) {
        const SnapshotRead access(*snapshot);
        if (!access.status().ok()) {
          expired.fetch_add(1);
          break;
        }
        const auto hits = search(*state, access.view(), query, {});
        HF_ASSERT_OK(hits);
        ASSERT_EQ(hits->size(), 10u);
        if (j == 0) before = *hits;
        for (std::size_t h = 0; h < 10; ++h) ASSERT_EQ((*hits)[h].id, before[h].id);
        if (!cursor.ok()) continue;
        const auto next = (*cursor)->next(3, {});
        if (!next.ok()) HF_EXPECT_CODE(StatusCode::snapshot_expired, next);
      }
    }
    readers.fetch_sub(1);
  };
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 3; ++t) threads.emplace_back([&, t] { read(t); });
  threads.emplace_back([&] {
    while (readers.load() > 0) {
      (void)state->store.pins().expire_oldest();
      state->store.reclaimer().collect();
      std::this_thread::yield();
    }
  });
  for (std::uint64_t i = 0; readers.load() > 0; ++i) put(*state, i % 250, i % 250 + 20);
  threads.clear();
  EXPECT_EQ(state->store.pins().snapshots().count, 0u);
}

}  // namespace
}  // namespace holdfast::engine
