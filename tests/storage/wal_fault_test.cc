// Errors at every call: what was acknowledged stays, a full disk poisons nothing, everything else does.
#include "storage/storage_test_util.h"
#include "storage/wal_model.h"

namespace holdfast::storage {
namespace {

using testing::CallKind;
using testing::CrashPolicy;
using testing::SimFileSystem;
using testing::UnsyncedPages;

constexpr int kSteps = 30;

std::unique_ptr<SimFileSystem> empty_disk() {
  auto fs = std::make_unique<SimFileSystem>();
  EXPECT_OK(fs->create_directory(kWal));
  EXPECT_OK(fs->sync_directory("/"));
  return fs;
}

struct Outcome {
  Status first_failure;
  Status sticky;
  bool went_on = false;  ///< something was acknowledged after the failure
};

/// The workload of `seed`; the plan is made on a fresh disk. Afterwards the log is compared with the model after kill
/// -9 and after power loss.
Outcome run(std::uint64_t seed, const std::function<void(SimFileSystem&)>& plan) {
  const auto fs = empty_disk();
  plan(*fs);
  LogModel model;
  Outcome outcome;
  {
    ModelledWriter log(*fs, model);
    SeededRandom random(seed);
    Lsn acknowledged_at_failure = 0;
    for (int i = 0; i < kSteps; ++i) {
      const Status status = log.step(random);
      if (!status.ok() && outcome.first_failure.ok()) {
        outcome.first_failure = status;
        acknowledged_at_failure = std::max(model.acknowledged, log.writer().synced_lsn());
      }
    }
    log.sync().ignore();
    outcome.sticky = log.writer().error();
    outcome.went_on = !outcome.first_failure.ok() && model.acknowledged > acknowledged_at_failure;
  }
  fs->clear_faults();
  for (std::uint64_t crash = 0; crash < 4; ++crash) {
    SCOPED_TRACE("crash " + std::to_string(crash));
    model.expect_holds(*fs->crash(CrashPolicy::anything(), crash));
  }
  model.expect_holds(*fs->crash(CrashPolicy::lose_all()));
  model.expect_holds(*fs->kill_process());
  fs->evict_clean_pages();
  model.expect_holds(*fs);
  return outcome;
}

std::vector<CallKind> calls_of(std::uint64_t seed) {
  std::vector<CallKind> kinds;
  run(seed, [&](SimFileSystem& fs) {
    kinds.resize(fs.calls());  // those that made the directory
    fs.on_call([&](const testing::CallInfo& call) { kinds.push_back(call.kind); });
  });
  return kinds;
}

TEST(WalFaultTest, ErrorAtEveryCallOnceAndForEver) {
  std::uint64_t runs = 0;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const auto kinds = calls_of(seed);
    for (std::uint64_t index = 2; index < kinds.size(); ++index) {
      for (const StatusCode code : {StatusCode::io_error, StatusCode::disk_full}) {
        for (const bool for_ever : {false, true}) {
          SCOPED_TRACE("seed " + std::to_string(seed) + " call " + std::to_string(index) + " " +
                       std::string(to_string(kinds[index])) + " " + std::string(to_string(code)));
          const Outcome outcome = run(seed, [&](SimFileSystem& fs) { fs.fail_at(index, code, for_ever); });
          ++runs;
          const CallKind kind = kinds[index];
          if (kind == CallKind::create || kind == CallKind::remove) EXPECT_OK(for_ever ? Status() : outcome.sticky);
          if (!for_ever && (kind == CallKind::write || kind == CallKind::rename)) {
            EXPECT_EQ(outcome.sticky.ok(), code == StatusCode::disk_full) << outcome.sticky.to_string();
          }
          if (!outcome.sticky.ok()) {
            EXPECT_CODE(read_only, outcome.sticky);
            EXPECT_FALSE(outcome.went_on) << "a poisoned log acknowledges nothing";
          }
        }
      }
    }
  }
  std::cout << "errors injected: " << runs << "\n";
}

TEST(WalFaultTest, FailedSyncAtEveryCallWhateverItLeaves) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const auto kinds = calls_of(seed);
    for (std::uint64_t index = 2; index < kinds.size(); ++index) {
      if (kinds[index] != CallKind::sync && kinds[index] != CallKind::sync_directory) continue;
      for (const UnsyncedPages left :
           {UnsyncedPages::kept_dirty, UnsyncedPages::marked_clean, UnsyncedPages::dropped}) {
        SCOPED_TRACE("seed " + std::to_string(seed) + " call " + std::to_string(index));
        const Outcome outcome = run(seed, [&](SimFileSystem& fs) { fs.fail_sync_at(index, left); });
        EXPECT_CODE(read_only, outcome.sticky);
        EXPECT_FALSE(outcome.went_on);
      }
    }
  }
}

TEST(WalFaultTest, ShortWriteAtEveryWrite) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const auto kinds = calls_of(seed);
    for (std::uint64_t index = 2; index < kinds.size(); ++index) {
      if (kinds[index] != CallKind::write) continue;
      for (const std::uint64_t bytes :
           {std::uint64_t{1}, std::uint64_t{700}, std::uint64_t{4096}, std::uint64_t{9000}}) {
        SCOPED_TRACE("seed " + std::to_string(seed) + " call " + std::to_string(index));
        const Outcome outcome = run(seed, [&](SimFileSystem& fs) { fs.short_write_at(index, bytes); });
        EXPECT_OK(outcome.sticky) << "disk_full poisons nothing";
      }
    }
  }
}

class WalFullDiskTest : public LogTest {};

TEST_F(WalFullDiskTest, TheNextGroupIsWrittenOverTheAttempt) {
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  fs_.short_write_at(fs_.calls(), 9000);
  EXPECT_CODE(disk_full, append_bodies(writer, std::vector<Bytes>(8, pattern(3000, 77))).status());
  EXPECT_EQ(writer.end().lsn, 1U);
  EXPECT_EQ(read_back(fs_).tail.end.lsn, 1U) << "the attempt is unmade at once";
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete) << log.tail.reason;
  expect_frames(log, 1, 2);
  // And not a trace of it is left further on.
  append_group(writer, 1);
  EXPECT_EQ(read_back(fs_).tail.verdict, LogVerdict::complete);
  expect_frames(read_back(fs_), 1, 3);
}

// Power fails while the next group is written over what a refused one left: its second frame stands where the successor
// of the new one would, with the right lsn and salt. Only the chain tells that it is none.
TEST_F(WalFullDiskTest, AFrameOfTheAttemptIsNoSuccessorOfTheNextGroup) {
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  fs_.short_write_at(fs_.calls(), 2 * kBlockBytes);     // all of it
  fs_.fail_at(fs_.calls() + 1, StatusCode::disk_full);  // not even space to unmake it
  const std::vector<Bytes> attempt{pattern(kBlockBytes - kFrameHeaderBytes, 77), pattern(20, 78)};
  EXPECT_CODE(outcome_unknown, append_bodies(writer, attempt).status());  // it may come back
  EXPECT_EQ(read_back(fs_).tail.end.lsn, 3U) << "the test must leave two frames behind";
  fs_.power_off_at(fs_.calls(), kBlockBytes);
  EXPECT_FALSE(append_bodies(writer, {pattern(20, 2)}).ok());
  const auto found = fs_.crash(testing::CrashPolicy::keep_all());
  const ReadBack log = read_back(*found);
  EXPECT_EQ(log.tail.verdict, LogVerdict::unacknowledged) << log.tail.reason;
  expect_frames(log, 1, 2);
}

TEST_F(WalFullDiskTest, ASmallGroupStillFitsIntoTheOldSegment) {
  WalWriter writer(fs_, wal_options(8 * kBlockBytes), {});
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  fs_.set_capacity(9 * kBlockBytes);
  EXPECT_CODE(disk_full, append_bodies(writer, {pattern(100'000, 1)}).status());
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  EXPECT_EQ(names(), std::vector<std::string>{segment_name(1)}) << "nothing half-made is left";
  fs_.set_capacity(0);
  append_group(writer, 1, 100'000);
  EXPECT_OK(writer.sync());
  expect_frames(read_back(fs_), 1, 3);
}

TEST_F(WalFullDiskTest, FailedPrepareLeavesTheWriterAlone) {
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 1);
  fs_.fail_at(fs_.calls() + 2, StatusCode::disk_full);
  EXPECT_CODE(disk_full, writer.prepare_next());
  EXPECT_OK(writer.error());
  EXPECT_EQ(names(), std::vector<std::string>{segment_name(1)});
  EXPECT_OK(writer.prepare_next());
  EXPECT_OK(writer.sync());
}

}  // namespace
}  // namespace holdfast::storage
