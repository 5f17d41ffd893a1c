// The decision table, row by row, with hand-made damage. Names begin with the row's label.
#include "storage/wal_reader.h"

#include "storage/storage_test_util.h"

namespace holdfast::storage {
namespace {

class WalReaderTest : public LogTest {
 protected:
  void expect_damage(const ReadBack& log, DamageCase rule, Lsn first, Lsn last) {
    EXPECT_EQ(log.tail.verdict, LogVerdict::damage) << log.tail.reason;
    ASSERT_FALSE(log.tail.damage.empty());
    const LogDamage& damage = log.tail.damage.back();
    EXPECT_EQ(damage.rule, rule) << damage.message;
    EXPECT_EQ(damage.first_lsn, first) << damage.message;
    EXPECT_EQ(damage.last_lsn, last) << damage.message;
    EXPECT_TRUE(contains(damage.message, kWal)) << damage.message;
    EXPECT_CODE(data_damaged, seal_tail(fs_, read_options(), log.tail).status());
  }
};

// --- E0 ---

TEST_F(WalReaderTest, E0_NoSegment) {
  EXPECT_EQ(read_back(fs_).tail.verdict, LogVerdict::complete);
  const ReadBack log = read_back(fs_, read_options(7, 7, {7, 99}));
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  EXPECT_EQ(log.tail.end, (LogEnd{7, 99}));
  EXPECT_TRUE(log.tail.last_segment.empty());
}

TEST_F(WalReaderTest, E0_SegmentWithoutFrames) {
  const LogEnd end = write_synced(2);
  WalWriter writer(fs_, wal_options(), end);
  bool named = false;  // power fails once the segment has its name: no frame
  fs_.on_call([&](const testing::CallInfo& call) {
    if (named) fs_.power_off();
    named |= call.kind == testing::CallKind::rename && call.target.ends_with(segment_name(3));
  });
  EXPECT_FALSE(append_bodies(writer, {pattern(1, 1)}).ok());
  fs_.on_call(nullptr);
  const auto found = fs_.crash(testing::CrashPolicy::keep_all());
  EXPECT_EQ(names_in(*found, kWal), (std::vector<std::string>{segment_name(1), segment_name(3), "HEAD.tmp"}));
  const ReadBack log = read_back(*found);
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  EXPECT_EQ(log.tail.end, end);
  EXPECT_EQ(log.tail.last_segment, segment_name(1));
}

TEST_F(WalReaderTest, E0_OnlyFramesBehindTheCheckpointAreVisited) {
  const LogEnd end = write_synced(6, 2);
  const ReadBack log = read_back(fs_, read_options(4));
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  expect_frames(log, 5, 6);
  EXPECT_EQ(log.tail.end, end);
  EXPECT_TRUE(read_back(fs_, read_options(6, 6, end)).frames.empty());
}

TEST_F(WalReaderTest, E0_SegmentsBelowTheCheckpointAreReadOnlyIfAskedFor) {
  const LogEnd end = write_synced(6, 2);                           // two frames per segment
  flip(segment_name(1), kSegmentHeaderBytes + kFrameHeaderBytes);  // the body of frame 1
  ReadLogOptions options = read_options(4);
  EXPECT_EQ(read_back(fs_, options).tail.verdict, LogVerdict::damage_below_checkpoint);
  options.check_below = false;
  const ReadBack log = read_back(fs_, options);
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  expect_frames(log, 5, 6);
  EXPECT_EQ(log.tail.end, end);
  options.base = {4, end.checksum};  // not the checksum of frame 4
  EXPECT_EQ(read_back(fs_, options).tail.verdict, LogVerdict::damage) << "another history is noticed all the same";
}

// A checkpoint rolls the log: what begins at or below it ends with it. A cleanly closed store reads none of it.
TEST_F(WalReaderTest, E0_ASegmentThatEndsWithTheCheckpointIsNotReadEvenIfItIsTheLast) {
  const LogEnd end = write_synced(3);
  ReadLogOptions options = read_options(3, 3, end);
  options.check_below = false;
  std::uint64_t read = 0;
  fs_.count_reads(true);
  fs_.on_call([&](const testing::CallInfo& call) {
    if (call.kind == testing::CallKind::read && call.path.ends_with(".log")) read += call.size;
  });
  EXPECT_EQ(read_back(fs_, options).tail.end, end);
  EXPECT_EQ(read, kSegmentHeaderBytes);
  fs_.on_call(nullptr);

  flip(segment_name(1), kSegmentHeaderBytes + kFrameHeaderBytes);
  const ReadBack log = read_back(fs_, options);
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  EXPECT_EQ(log.tail.end, end);
  EXPECT_TRUE(log.tail.last_segment.empty());
  // Anything that speaks of more, and it is read.
  options.proven = 4;
  EXPECT_EQ(read_back(fs_, options).tail.verdict, LogVerdict::damage);
  options.proven = 3;
  options.base = {};
  EXPECT_EQ(read_back(fs_, options).tail.verdict, LogVerdict::damage_below_checkpoint);
}

TEST_F(WalReaderTest, E0_LeftoversBehindTheEndThatASuccessorNamesBelongToNobody) {
  LogEnd end;
  {
    WalWriter writer(fs_, wal_options(8 * kBlockBytes), {});
    append_group(writer, 1);
    EXPECT_OK(writer.sync());
    end = writer.end();
    append_group(writer, 1);  // frame 2 of a life that the next writer does not know
  }
  WalWriter writer(fs_, wal_options(), end);
  append_bodies(writer, {pattern(33, 2)}).status().ignore();
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  ASSERT_EQ(log.frames.size(), 2U);
  EXPECT_EQ(log.at(2).body, pattern(33, 2));
}

// --- E1 ---

TEST_F(WalReaderTest, E1_GarbageBehindTheLastFrame) {
  const LogEnd end = write_synced(2);
  const std::uint64_t offset = kSegmentHeaderBytes + 2 * kBlockBytes;
  flip(segment_name(1), offset + 999);
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::torn_tail);
  EXPECT_EQ(log.tail.end, end);
  EXPECT_GT(log.tail.bytes_cut, 0U);
  EXPECT_TRUE(contains(log.tail.reason, segment_name(1))) << log.tail.reason;
  expect_frames(log, 1, 2);
}

// What stays ambiguous: rot in the very last group before any later frame or mark was written.
TEST_F(WalReaderTest, E1_LastGroupDamagedAndNothingBehindIt) {
  write_synced(3);
  flip(segment_name(1), read_back(fs_).at(3).offset + 45);
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::torn_tail);
  EXPECT_EQ(log.tail.end.lsn, 2U);
  expect_frames(log, 1, 2);
}

TEST_F(WalReaderTest, E1_DamagedHeaderOfASegmentWithoutFrames) {
  const LogEnd end = write_synced(2);
  Bytes header(4 * kBlockBytes);
  header[100] = std::byte{1};
  EXPECT_OK(fs_.write_whole(kWal + "/" + segment_name(3), header));
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::torn_tail) << log.tail.reason;
  EXPECT_EQ(log.tail.end, end);
  EXPECT_EQ(seal_tail(fs_, read_options(), log.tail).value(), std::vector<std::string>{segment_name(3)});
  EXPECT_EQ(read_back(fs_).tail.verdict, LogVerdict::complete);
}

// --- E2 ---

TEST_F(WalReaderTest, E2_UnacknowledgedGroupsBehindATornOne) {
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 2);
  EXPECT_OK(writer.sync());
  append_group(writer, 2);  // 3, 4
  append_group(writer, 2);  // 5, 6: whole, but nobody was told
  flip(segment_name(1), read_back(fs_).at(4).offset + 50);
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::unacknowledged);
  EXPECT_EQ(log.tail.end.lsn, 3U);
  EXPECT_GT(log.tail.bytes_cut, kBlockBytes / 2);
  expect_frames(log, 1, 3);
  EXPECT_OK(seal_tail(fs_, read_options(), log.tail).status());
  const ReadBack sealed = read_back(fs_);
  EXPECT_EQ(sealed.tail.verdict, LogVerdict::complete);
  EXPECT_EQ(sealed.tail.end, log.tail.end);
}

// --- E3 ---

TEST_F(WalReaderTest, E3_ALaterFrameProvesThatADamagedOneWasSynced) {
  write_synced(4);
  const SeenFrame second = read_back(fs_).at(2);
  flip(second.segment, second.offset + 41);
  const ReadBack log = read_back(fs_);
  expect_damage(log, DamageCase::proven_synced, 2, 2);
  EXPECT_EQ(log.tail.damage[0].segment, segment_name(1));
  EXPECT_EQ(log.tail.damage[0].offset, kSegmentHeaderBytes + 60);
  EXPECT_EQ(log.tail.damage[0].length, 2 * kBlockBytes - 60) << "up to frame 3";
  expect_frames(log, 1, 1);
}

TEST_F(WalReaderTest, E3_AMarkProtectsTheLastFrame) {
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 3);
  EXPECT_OK(writer.mark());
  flip(segment_name(1), read_back(fs_).at(3).offset + 41);
  expect_damage(read_back(fs_), DamageCase::proven_synced, 3, 3);
}

TEST_F(WalReaderTest, E3_TheManifestProvesMoreThanTheLogHolds) {
  write_synced(3);
  EXPECT_EQ(read_back(fs_, read_options(0, 3)).tail.verdict, LogVerdict::complete);
  expect_damage(read_back(fs_, read_options(0, 5)), DamageCase::proven_synced, 4, 5);
  EXPECT_OK(fs_.remove(kWal + "/" + segment_name(1)));
  EXPECT_OK(fs_.remove(kWal + "/" + std::string(kLogHeadFile)));
  expect_damage(read_back(fs_, read_options(2, 3)), DamageCase::proven_synced, 3, 3);
}

TEST_F(WalReaderTest, E3_DamageInASegmentThatHasASuccessor) {
  write_synced(4, 2);
  flip(segment_name(1), read_back(fs_).at(2).offset + 41);
  expect_damage(read_back(fs_), DamageCase::proven_synced, 2, 2);
}

TEST_F(WalReaderTest, E3_AFileShorterThanItsHeaderSays) {
  write_synced(3);
  truncate(segment_name(1), kSegmentHeaderBytes + 2 * kBlockBytes);
  expect_damage(read_back(fs_), DamageCase::proven_synced, 3, 0);
}

TEST_F(WalReaderTest, E3_DamagedHeaderOfTheLastSegment) {
  write_synced(4, 2);
  flip(segment_name(3), 60);
  expect_damage(read_back(fs_), DamageCase::proven_synced, 3, 0);
}

TEST_F(WalReaderTest, E3_DamagedHeaderOfASegmentThatHasASuccessor) {
  write_synced(6, 2);
  flip(segment_name(3), 0);
  const ReadBack log = read_back(fs_);
  expect_damage(log, DamageCase::proven_synced, 3, 4);
  expect_frames(log, 1, 2);
}

TEST_F(WalReaderTest, E3_EmptyFileUnderASegmentsName) {
  write_synced(2);
  truncate(segment_name(1), 0);
  expect_damage(read_back(fs_), DamageCase::proven_synced, 1, 0);
  truncate(segment_name(1), kSegmentHeaderBytes);
  expect_damage(read_back(fs_), DamageCase::proven_synced, 1, 0);
}

TEST_F(WalReaderTest, E3_SegmentOfAnotherCollection) {
  write_synced(2);
  ReadLogOptions options = read_options();
  options.collection[0] ^= 1;
  const ReadBack log = read_back(fs_, options);
  expect_damage(log, DamageCase::proven_synced, 1, 0);
  EXPECT_TRUE(contains(log.tail.reason, "another")) << log.tail.reason;
}

TEST_F(WalReaderTest, E3_SegmentUnderAnotherName) {
  write_synced(2);
  EXPECT_OK(fs_.rename(kWal + "/" + segment_name(1), kWal + "/" + segment_name(2)));
  EXPECT_EQ(read_back(fs_, read_options(1)).tail.verdict, LogVerdict::damage);
}

// --- E4 ---

TEST_F(WalReaderTest, E4_MissingSegmentInTheMiddle) {
  write_synced(6, 2);
  EXPECT_OK(fs_.remove(kWal + "/" + segment_name(3)));
  const ReadBack log = read_back(fs_);
  expect_damage(log, DamageCase::gap, 3, 4);
  expect_frames(log, 1, 2);
}

TEST_F(WalReaderTest, E4_TheLogBeginsBehindTheCheckpoint) {
  write_synced(6, 2);
  EXPECT_OK(fs_.remove(kWal + "/" + segment_name(1)));
  expect_damage(read_back(fs_), DamageCase::gap, 1, 2);
  EXPECT_EQ(read_back(fs_, read_options(2)).tail.verdict, LogVerdict::complete);
}

TEST_F(WalReaderTest, E4_SegmentOfAnotherHistory) {
  const LogEnd end = write_synced(2);
  write_synced(2, 15, {end.lsn, end.checksum + 1});
  expect_damage(read_back(fs_), DamageCase::gap, 2, 2);
  EXPECT_EQ(read_back(fs_, read_options(2)).tail.verdict, LogVerdict::damage_below_checkpoint);
}

TEST_F(WalReaderTest, E4_TheCheckpointIsOfAnotherHistory) {
  const LogEnd end = write_synced(3);
  EXPECT_EQ(read_back(fs_, read_options(3, 3, end)).tail.verdict, LogVerdict::complete);
  EXPECT_EQ(read_back(fs_, read_options(3, 3, {3, end.checksum + 1})).tail.verdict, LogVerdict::damage);
  write_synced(1, 15, end);
  EXPECT_OK(fs_.remove(kWal + "/" + segment_name(1)));
  EXPECT_EQ(read_back(fs_, read_options(3, 3, end)).tail.verdict, LogVerdict::complete);
  EXPECT_EQ(read_back(fs_, read_options(3, 3, {3, end.checksum + 1})).tail.verdict, LogVerdict::damage);
}

// --- E5 ---

TEST_F(WalReaderTest, E5_DamagedFramesThatTheCheckpointHolds) {
  const LogEnd end = write_synced(6);
  flip(segment_name(1), read_back(fs_).at(2).offset + 41);
  flip(segment_name(1), read_back(fs_).tail.damage[0].offset + 2 * kBlockBytes);  // and one more behind it
  for (const Lsn after : {Lsn{3}, Lsn{4}, Lsn{6}}) {
    const ReadBack log = read_back(fs_, read_options(after, after));
    EXPECT_EQ(log.tail.verdict, LogVerdict::damage_below_checkpoint) << log.tail.reason;
    EXPECT_EQ(log.tail.end, end);
    expect_frames(log, after + 1, 6);
    EXPECT_EQ(log.tail.damage[0].first_lsn, 2U);
    EXPECT_EQ(log.tail.damage[0].rule, DamageCase::below_checkpoint);
  }
  EXPECT_EQ(read_back(fs_, read_options(1)).tail.verdict, LogVerdict::damage) << "the older generation needs frame 2";
}

TEST_F(WalReaderTest, E5_WholeSegmentsThatTheCheckpointHolds) {
  write_synced(6, 2);
  flip(segment_name(1), 3);
  EXPECT_OK(fs_.remove(kWal + "/" + segment_name(3)));
  const ReadBack log = read_back(fs_, read_options(4));
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage_below_checkpoint);
  expect_frames(log, 5, 6);
  EXPECT_EQ(read_back(fs_, read_options(3)).tail.verdict, LogVerdict::damage);
}

TEST_F(WalReaderTest, E5_TheLogEndsBelowTheCheckpoint) {
  write_synced(3);
  const ReadBack log = read_back(fs_, read_options(5, 5, {5, 123}));
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage_below_checkpoint);
  EXPECT_EQ(log.tail.end, (LogEnd{5, 123}));
  EXPECT_OK(seal_tail(fs_, read_options(5, 5, {5, 123}), log.tail).status());
  // A writer goes on behind the checkpoint, and the next reader comes to the same view.
  WalWriter writer(fs_, wal_options(), log.tail.end);
  append_group(writer, 1);
  const ReadBack again = read_back(fs_, read_options(5, 5, {5, 123}));
  EXPECT_EQ(again.tail.verdict, LogVerdict::damage_below_checkpoint);
  expect_frames(again, 6, 6);
}

TEST_F(WalReaderTest, E5_AndATornTailBehindIt) {
  write_synced(4);
  flip(segment_name(1), read_back(fs_).at(2).offset + 41);
  flip(segment_name(1), kSegmentHeaderBytes + 6 * kBlockBytes);
  const ReadBack log = read_back(fs_, read_options(2));
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage_below_checkpoint);
  EXPECT_GT(log.tail.bytes_cut, 0U);
  expect_frames(log, 3, 4);
  EXPECT_OK(seal_tail(fs_, read_options(2), log.tail).status());
  EXPECT_EQ(read_back(fs_, read_options(2)).tail.bytes_cut, 0U);
  expect_frames(read_back(fs_, read_options(2)), 3, 4);
}

// --- around the table ---

TEST_F(WalReaderTest, ANewerFormatIsNotTouched) {
  write_synced(1);
  Bytes content = fs_.read_whole(kWal + "/" + segment_name(1)).value();
  SegmentHeader header;
  ASSERT_EQ(decode_segment_header(content, header), HeaderState::valid);
  header.version = kWalFormatVersion + 1;
  encode_segment_header(header, std::span<std::byte, kSegmentHeaderBytes>(content.data(), kSegmentHeaderBytes));
  EXPECT_OK(fs_.write_whole(kWal + "/" + segment_name(1), content));
  EXPECT_CODE(unsupported_format, read_log(fs_, read_options(), {}).status());
}

TEST_F(WalReaderTest, TheVisitorMayStop) {
  write_synced(3);
  const auto result = read_log(fs_, read_options(), [](const FrameView& view) {
    return view.lsn < 2 ? Status() : Status(StatusCode::cancelled, "enough");
  });
  EXPECT_CODE(cancelled, result.status());
}

TEST_F(WalReaderTest, StrangeFilesAreNotSegments) {
  write_synced(1);
  EXPECT_OK(fs_.write_whole(kWal + "/notes.txt", pattern(10, 1)));
  EXPECT_OK(fs_.write_whole(kWal + "/1.log", pattern(10, 1)));
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  EXPECT_OK(seal_tail(fs_, read_options(), log.tail).status());
  EXPECT_EQ(names().size(), 3U) << "nor are they ours to remove";
}

TEST_F(WalReaderTest, SealCopiesOnlyWhatIsNotProvenDurable) {
  write_synced(3);
  const auto salt_and_size = [&] { return fs_.read_whole(kWal + "/" + segment_name(1)).value().size(); };
  const auto before = salt_and_size();
  const ReadBack proven = read_back(fs_, read_options(3, 3));
  EXPECT_OK(seal_tail(fs_, read_options(3, 3), proven.tail).status());
  EXPECT_EQ(salt_and_size(), before);
  const ReadBack log = read_back(fs_);
  EXPECT_OK(seal_tail(fs_, read_options(), log.tail).status());
  EXPECT_EQ(salt_and_size(), kSegmentHeaderBytes + 3 * kBlockBytes);
  EXPECT_EQ(read_back(fs_).frames, log.frames);
  EXPECT_EQ(read_back(fs_).tail.end, log.tail.end);
}

// A mapping of the segment would be a signal that ends the process.
TEST_F(WalReaderTest, ASegmentThatTheDiskCannotReadIsAnErrorAndNoSignal) {
  write_synced(3);
  fs_.count_reads(true);
  fs_.on_call([&](const testing::CallInfo& call) {
    EXPECT_NE(testing::CallKind::map, call.kind) << call.path;
    const bool body = call.offset + call.size > kSegmentHeaderBytes && contains(call.path, segment_name(1));
    if (call.kind == testing::CallKind::read && body) fs_.fail_at(call.index, StatusCode::io_error);
  });
  const auto tail = read_log(fs_, read_options(), {});
  EXPECT_CODE(io_error, tail.status());
  EXPECT_TRUE(contains(tail.status().message(), segment_name(1))) << tail.status().to_string();
}

}  // namespace
}  // namespace holdfast::storage
