// wal/HEAD: the removal of the newest segment is noticed, and nothing that happens by itself is taken for it.
#include "storage/wal_head.h"

#include "storage/storage_test_util.h"

namespace holdfast::storage {
namespace {

class WalHeadTest : public LogTest {
 protected:
  std::optional<Lsn> head(os::FileSystem& fs) {
    const auto found = read_log_head(fs, kWal, kCollection);
    EXPECT_OK(found.status());
    return found.ok() ? *found : std::nullopt;
  }
  /// Segments 1, with two frames, and 3, in which the write of the first group failed.
  LogEnd leave_an_empty_segment() {
    const LogEnd end = write_synced(2);
    WalWriter writer(fs_, wal_options(), end);
    fs_.fail_at(fs_.calls() + 14, StatusCode::io_error);  // the write of the frames
    EXPECT_FALSE(append_bodies(writer, {pattern(1, 1)}).ok());
    fs_.clear_faults();
    EXPECT_EQ(names(), (std::vector<std::string>{segment_name(1), segment_name(3)}));
    EXPECT_EQ(head(fs_), std::optional<Lsn>(3));
    return end;
  }
  const std::string head_path_ = os::join(kWal, kLogHeadFile);
};

TEST_F(WalHeadTest, NamesTheNewestSegment) {
  EXPECT_EQ(head(fs_), std::nullopt);
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 3);
  EXPECT_EQ(head(fs_), std::optional<Lsn>(1));
  EXPECT_OK(writer.roll());
  append_group(writer, 1);
  EXPECT_EQ(head(fs_), std::optional<Lsn>(4));
}

TEST_F(WalHeadTest, TheNewestSegmentIsMissedEvenIfTheCheckpointHoldsWhatIsLeft) {
  const LogEnd end = write_synced(4, 2);  // segments 1 and 3
  EXPECT_OK(fs_.remove(os::join(kWal, segment_name(3))));
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage);
  ASSERT_EQ(log.tail.damage.size(), 1U);
  EXPECT_EQ(log.tail.damage[0].rule, DamageCase::gap);
  EXPECT_EQ(log.tail.damage[0].first_lsn, 3U);
  EXPECT_TRUE(contains(log.tail.reason, head_path_ + " at 0")) << log.tail.reason;
  EXPECT_TRUE(contains(log.tail.reason, segment_name(3))) << log.tail.reason;
  expect_frames(log, 1, 2);
  EXPECT_EQ(read_back(fs_, read_options(2)).tail.verdict, LogVerdict::damage);
  EXPECT_EQ(read_back(fs_, read_options(4, 4, end)).tail.verdict, LogVerdict::damage);
  EXPECT_CODE(data_damaged, seal_tail(fs_, read_options(), log.tail).status());
}

TEST_F(WalHeadTest, AllSegmentsAreMissed) {
  const LogEnd end = write_synced(4, 2);
  EXPECT_OK(fs_.remove(os::join(kWal, segment_name(1))));
  EXPECT_OK(fs_.remove(os::join(kWal, segment_name(3))));
  EXPECT_EQ(read_back(fs_, read_options(4, 4, end)).tail.verdict, LogVerdict::damage);
}

TEST_F(WalHeadTest, ANewestSegmentOfNothingButZerosWasWipedIfItIsNamedHere) {
  write_synced(4, 2);  // segments 1 and 3
  const std::string newest = os::join(kWal, segment_name(3));
  const std::size_t size = fs_.read_whole(newest).value().size();
  EXPECT_OK(fs_.write_whole(newest, Bytes(size)));
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage);
  EXPECT_EQ(log.tail.damage.at(0).first_lsn, 3U);
  expect_frames(log, 1, 2);
  EXPECT_OK(fs_.remove(head_path_));  // a log of before HEAD, or both were lost
  EXPECT_EQ(read_back(fs_).tail.verdict, LogVerdict::damage);
  // One that is not named yet held no frame: the power failed before its header was on the disk.
  EXPECT_OK(write_log_head(fs_, kWal, kCollection, 1));
  const ReadBack before = read_back(fs_);
  EXPECT_EQ(before.tail.verdict, LogVerdict::torn_tail) << before.tail.reason;
  expect_frames(before, 1, 2);
}

// What stands before a missing segment was complete: its torn end is damage, not a tail.
TEST_F(WalHeadTest, TheSegmentBeforeAMissingOneHasNoTornTail) {
  write_synced(4, 2);
  flip(segment_name(1), read_back(fs_).at(2).offset + 41);
  EXPECT_OK(fs_.remove(os::join(kWal, segment_name(3))));
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage);
  EXPECT_EQ(log.tail.damage.at(0).first_lsn, 2U);
}

TEST_F(WalHeadTest, EveryDamagedByteOfHeadIsNotedAndCostsNothing) {
  const LogEnd end = write_synced(4, 2);
  const Bytes good = fs_.read_whole(head_path_).value();
  for (std::size_t at = 0; at < good.size(); ++at) {
    fs_.corrupt(head_path_, at, std::byte{0x10}).ignore();
    const ReadBack log = read_back(fs_);
    EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
    EXPECT_EQ(log.tail.end, end);
    ASSERT_EQ(log.tail.notes.size(), 1U) << "offset " << at;
    EXPECT_TRUE(contains(log.tail.notes[0], head_path_)) << log.tail.notes[0];
    EXPECT_OK(fs_.write_whole(head_path_, good));
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_OK(fs_.write_whole(head_path_, ByteSpan(good).first(size)));
    EXPECT_EQ(read_back(fs_).tail.notes.size(), 1U) << "cut to " << size;
  }
}

TEST_F(WalHeadTest, TheHeadOfAnotherCollectionSaysNothing) {
  write_synced(2);
  EXPECT_OK(write_log_head(fs_, kWal, Uuid{9}, 77));
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  EXPECT_EQ(log.tail.notes.size(), 1U);
}

// H2: the empty segment that is removed at open is not missed afterwards, whatever a crash undoes on the way; also if
// the process that lowers HEAD is killed before it is durable, and power fails in the next one.
TEST_F(WalHeadTest, SealingLowersItBeforeAnEmptySegmentGoes) {
  const LogEnd end = leave_an_empty_segment();
  std::uint64_t states = 0;
  const std::function<void(testing::SimFileSystem&, int)> seal = [&](testing::SimFileSystem& fs, int deeper) {
    fs.on_call([&](const testing::CallInfo&) {
      for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const bool names_only = seed % 2 == 0;
        const auto found =
            fs.crash(names_only ? testing::CrashPolicy::directory_subset() : testing::CrashPolicy::anything(), seed);
        const ReadBack log = read_back(*found);
        EXPECT_EQ(log.tail.verdict, LogVerdict::complete) << log.tail.reason;
        EXPECT_EQ(log.tail.end, end);
        ++states;
      }
      if (deeper > 0) seal(*fs.kill_process(), deeper - 1);
    });
    EXPECT_OK(seal_tail(fs, read_options(), read_back(fs).tail).status());
    fs.on_call(nullptr);
    EXPECT_EQ(names_in(fs, kWal), (std::vector<std::string>{segment_name(1)}));
    EXPECT_EQ(head(fs), std::optional<Lsn>(1));
    EXPECT_EQ(read_back(fs).tail.verdict, LogVerdict::complete);
  };
  seal(fs_, 2);
  EXPECT_GT(states, 1'000U);
}

// Without room for HEAD's name the segment goes again, and the log stands as before (W5).
TEST_F(WalHeadTest, AFullDiskAtItsRenameLeavesTheOldSegmentCurrent) {
  WalWriter writer(fs_, wal_options(4 * kBlockBytes), {});
  append_group(writer, 1);
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  fs_.on_call([&](const testing::CallInfo& call) {
    const bool pointer = call.kind == testing::CallKind::rename && call.target == head_path_;
    if (pointer) fs_.fail_at(call.index, StatusCode::disk_full);
  });
  EXPECT_CODE(disk_full, append_bodies(writer, {pattern(2 * kBlockBytes, 1)}).status());
  EXPECT_EQ(names(), (std::vector<std::string>{segment_name(1)}));
  EXPECT_EQ(head(fs_), std::optional<Lsn>(1));
  append_group(writer, 1);  // fits into the old segment
  fs_.on_call(nullptr);
  fs_.clear_faults();
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  expect_frames(read_back(fs_), 1, 4);
}

// What opens on a full disk may be what makes room: HEAD goes rather than that the log cannot be opened.
TEST_F(WalHeadTest, AFullDiskAtOpenRemovesAPointerThatCannotBeLowered) {
  const LogEnd end = leave_an_empty_segment();
  for (const testing::CallKind full :
       {testing::CallKind::create, testing::CallKind::write, testing::CallKind::sync, testing::CallKind::rename}) {
    const auto disk = fs_.clone();
    std::uint64_t refused = 0;
    disk->on_call([&](const testing::CallInfo& call) {
      if (call.kind != full || call.path != head_path_ + ".tmp") return;
      disk->fail_at(call.index, StatusCode::disk_full);
      ++refused;
    });
    EXPECT_OK(seal_tail(*disk, read_options(), read_back(*disk).tail).status());
    disk->on_call(nullptr);
    EXPECT_EQ(1U, refused) << testing::to_string(full);
    EXPECT_EQ(head(*disk), std::nullopt);
    EXPECT_EQ(names_in(*disk, kWal), (std::vector<std::string>{segment_name(1)}));
    const ReadBack log = read_back(*disk->crash(testing::CrashPolicy::lose_all()));
    EXPECT_EQ(log.tail.verdict, LogVerdict::complete) << log.tail.reason;
    EXPECT_EQ(log.tail.end, end);
  }
}

}  // namespace
}  // namespace holdfast::storage
