// Failing disks: what is acknowledged, what is told, what goes on.
#include "engine/store_fixture.h"

namespace holdfast::testing {
namespace {

using FailureTest = SimStore;

TEST_F(FailureTest, a_failed_sync_poisons_writing_and_reads_go_on) {
  Database db = open_database();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 1, 1));
  bool armed = true;
  fs_.on_call([&](const CallInfo& call) {
    if (armed && call.kind == CallKind::sync) {
      armed = false;
      fs_.fail_sync_at(call.index, UnsyncedPages::dropped);
    }
  });
  HF_EXPECT_CODE(StatusCode::outcome_unknown, put(c, 2, 2));
  fs_.on_call(nullptr);
  EXPECT_FALSE(armed);
  EXPECT_TRUE(missing(c, 2)) << "nobody reads what a crash could undo";
  EXPECT_TRUE(holds(c, 1, 1));
  HF_EXPECT_CODE(StatusCode::read_only, put(c, 3, 3));
  HF_EXPECT_CODE(StatusCode::read_only, c.flush());
  HF_EXPECT_CODE(StatusCode::read_only, c.checkpoint());
  EXPECT_NE(c.stats().write_error.find("reopen"), std::string::npos);
  HF_EXPECT_CODE(StatusCode::read_only, db.close());
  Database again = open_database();
  Collection reopened = again.collection("c").value();
  EXPECT_TRUE(holds(reopened, 1, 1));
  HF_EXPECT_OK(put(reopened, 3, 3));
}

TEST_F(FailureTest, a_full_disk_refuses_and_recovers) {
  Database db = open_database();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 0, 0));
  std::uint64_t used = 0;
  for (const auto& file : fs_.files()) used += file.is_directory ? 0 : file.cached_size;
  fs_.set_capacity(used + 1000);
  std::uint64_t id = 1;
  Status status;
  while (status.ok() && id < 1000) {
    status = put(c, id, id);
    if (status.ok()) ++id;
  }
  HF_EXPECT_CODE(StatusCode::disk_full, status);
  EXPECT_TRUE(missing(c, id)) << "refused entirely";
  EXPECT_EQ(c.snapshot().size(), id);
  fs_.set_capacity(0);
  HF_EXPECT_OK(put(c, id, id));
  const auto crashed = fs_.crash(CrashPolicy::lose_all());
  Database again = Database::open_with("/store", options_on(*crashed)).value();
  Collection reopened = again.collection("c").value();
  EXPECT_EQ(reopened.snapshot().size(), id + 1);
  for (std::uint64_t i = 0; i <= id; ++i) EXPECT_TRUE(holds(reopened, i, i));
}

TEST_F(FailureTest, other_durability_levels_survive_a_kill_and_flush_survives_power_loss) {
  for (const Durability durability : {Durability::interval, Durability::none}) {
    SCOPED_TRACE(to_string(durability));
    SimFileSystem disk(3);
    auto engine_options = options_on(disk);
    engine_options.open.log_segment_bytes = 1 << 20;  // one segment: a change of segments syncs too
    Database db = Database::open_with("/store", engine_options).value();
    Collection c = make(db);
    WriteOptions options;
    options.durability = durability;
    for (std::uint64_t id = 0; id < 20; ++id) {
      HF_ASSERT_OK(c.upsert(id, vector_of(id, kDimension), payload_of(id), options));
      if (id == 9) HF_ASSERT_OK(c.flush());
    }
    EXPECT_EQ(c.stats().synced_lsn, 10u);
    const auto killed = disk.kill_process();
    Database after_kill = Database::open_with("/store", options_on(*killed)).value();
    EXPECT_EQ(after_kill.collection("c")->snapshot().size(), 20u);
    const auto crashed = disk.crash(CrashPolicy::lose_all());
    Database after_crash = Database::open_with("/store", options_on(*crashed)).value();
    EXPECT_EQ(after_crash.collection("c")->snapshot().size(), 10u);
  }
}

TEST_F(FailureTest, an_interval_write_is_synced_in_the_background) {
  auto options = options_on(fs_, true);
  options.open.durability = Durability::interval;
  options.open.sync_interval = std::chrono::milliseconds(5);
  Database db = Database::open_with("/store", options).value();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 1, 1));
  while (c.stats().synced_lsn < 1) std::this_thread::yield();
  const auto crashed = fs_.crash(CrashPolicy::lose_all());
  Database again = Database::open_with("/store", options_on(*crashed)).value();
  EXPECT_TRUE(holds(again.collection("c").value(), 1, 1));
}

}  // namespace
}  // namespace holdfast::testing
