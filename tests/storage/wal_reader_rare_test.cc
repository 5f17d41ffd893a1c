// Rare ways through the decision table: what stands behind damage is stale, foreign, or of another history. Names begin
// with the row's label, as in wal_reader_test.cc.
#include <algorithm>

#include "storage/storage_test_util.h"
#include "storage/wal_reader.h"

namespace holdfast::storage {
namespace {

class WalReaderRareTest : public LogTest {
 protected:
  LogEnd write_synced(std::size_t groups, std::uint64_t blocks = 15, LogEnd after = {}) {
    WalWriter writer(fs_, wal_options((blocks + 1) * kBlockBytes), after);
    for (std::size_t group = 0; group < groups; ++group) {
      append_group(writer, 1);
      EXPECT_OK(writer.sync());
    }
    return writer.end();
  }
  Bytes content_of(const std::string& segment) { return fs_.read_whole(os::join(kWal, segment)).value(); }
  void set_content(const std::string& segment, ByteSpan bytes) {
    EXPECT_OK(fs_.write_whole(os::join(kWal, segment), bytes));
  }
  /// One block of a segment over another one: a write that went astray.
  void copy_block(const std::string& segment, std::uint64_t from, std::uint64_t to) {
    Bytes content = content_of(segment);
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(from), kBlockBytes,
                content.begin() + static_cast<std::ptrdiff_t>(to));
    set_content(segment, content);
  }
  /// Where group `number`, from 1 on, of the first segment begins.
  static std::uint64_t block(std::uint64_t number) { return kSegmentHeaderBytes + (number - 1) * kBlockBytes; }
};

TEST_F(WalReaderRareTest, E5_AStaleFrameBehindTheDamageIsNoPlaceToGoOn) {
  write_synced(5);
  copy_block(segment_name(1), block(1), block(3));  // frame 1 again, where 3 was
  const ReadBack log = read_back(fs_, read_options(3));
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage_below_checkpoint) << log.tail.reason;
  expect_frames(log, 4, 5);
  ASSERT_EQ(log.tail.damage.size(), 1U);
  EXPECT_EQ(log.tail.damage[0].first_lsn, 3U);
  EXPECT_EQ(log.tail.damage[0].last_lsn, 3U);
}

TEST_F(WalReaderRareTest, E5_AFrameBeyondTheSuccessorsBeginIsNoPlaceToGoOn) {
  // Segment 1 holds 1 to 4, and its successor begins at 3: what stands behind 2 are leftovers of refused groups.
  write_synced(4);
  const auto checksum_of_2 = load<std::uint64_t>(content_of(segment_name(1)).data() + block(2));
  const LogEnd end = write_synced(2, 15, {2, checksum_of_2});
  EXPECT_EQ(read_back(fs_).tail.verdict, LogVerdict::complete);
  flip(segment_name(1), block(2) + 41);
  const ReadBack log = read_back(fs_, read_options(2));
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage_below_checkpoint) << log.tail.reason;
  expect_frames(log, 3, 4);
  EXPECT_EQ(log.tail.last_segment, segment_name(3));
  EXPECT_EQ(log.tail.end, end);
}

TEST_F(WalReaderRareTest, E3_TheFirstFrameBehindTheDamageIsTooFarBehindTheCheckpoint) {
  write_synced(6);
  for (std::uint64_t group = 3; group <= 5; ++group) flip(segment_name(1), block(group) + 41);
  const ReadBack log = read_back(fs_, read_options(3));  // 3 is held, 4 and 5 are not
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage);
  ASSERT_FALSE(log.tail.damage.empty());
  EXPECT_EQ(log.tail.damage.back().rule, DamageCase::proven_synced);
  EXPECT_TRUE(log.frames.empty());
}

TEST_F(WalReaderRareTest, E5_GoesOnOnlyWithTheSuccessorOfTheFrameThatTheCheckpointEndsWith) {
  // Frames 1 to 5, of which 3 is damaged; the checkpoint ends with frame 3.
  write_synced(5);
  const auto checksum_of_3 = load<std::uint64_t>(content_of(segment_name(1)).data() + block(3));
  flip(segment_name(1), block(3) + 41);
  const ReadBack own = read_back(fs_, read_options(3, 3, {3, checksum_of_3}));
  EXPECT_EQ(own.tail.verdict, LogVerdict::damage_below_checkpoint) << own.tail.reason;
  expect_frames(own, 4, 5);
  const ReadBack unknown = read_back(fs_, read_options(3, 3, {3, 0}));
  EXPECT_EQ(unknown.tail.verdict, LogVerdict::damage_below_checkpoint) << "nothing to compare with";
  expect_frames(unknown, 4, 5);
  const ReadBack other = read_back(fs_, read_options(3, 3, {3, checksum_of_3 + 1}));
  EXPECT_EQ(other.tail.verdict, LogVerdict::damage) << "frame 4 follows another frame 3 than the checkpoint holds";
  EXPECT_TRUE(other.frames.empty());
}

TEST_F(WalReaderRareTest, E0_ACheckpointThatKnowsNoChecksumIsOfAnyHistory) {
  write_synced(5);
  const ReadBack log = read_back(fs_, read_options(3, 3, {3, 0}));
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete) << log.tail.reason;
  expect_frames(log, 4, 5);
}

TEST_F(WalReaderRareTest, E3_ASegmentOfAnotherLogIsNeverTakenForAnEmptyOne) {
  write_synced(2);
  Bytes header = content_of(segment_name(1));
  std::fill(header.begin() + kSegmentHeaderBytes, header.end(), std::byte{0});
  set_content(segment_name(3), header);  // sound, but the header of segment 1
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage);
  EXPECT_TRUE(contains(log.tail.reason, "of another log")) << log.tail.reason;
}

TEST_F(WalReaderRareTest, E3_ADamagedHeaderWithoutFramesButTheManifestProvesOne) {
  write_synced(2);
  Bytes header(4 * kBlockBytes);
  header[100] = std::byte{1};
  set_content(segment_name(3), header);
  EXPECT_EQ(read_back(fs_).tail.verdict, LogVerdict::torn_tail);
  const ReadBack log = read_back(fs_, read_options(0, 3));
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage) << log.tail.reason;
}

TEST_F(WalReaderRareTest, E5_ADamagedHeaderWithoutFramesBelowTheCheckpoint) {
  write_synced(2);
  Bytes header(4 * kBlockBytes);
  header[100] = std::byte{1};
  set_content(segment_name(3), header);
  const ReadBack log = read_back(fs_, read_options(4, 4, {4, 99}));
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage_below_checkpoint) << log.tail.reason;
  EXPECT_EQ(log.tail.end, (LogEnd{4, 99}));
}

// Read again after it was sealed, the log ended with another checksum than before.
TEST_F(WalReaderRareTest, E3_AFirstSegmentThatContinuesAFrameWhichCannotBe) {
  write_synced(2);
  Bytes content = content_of(segment_name(1));
  SegmentHeader header;
  ASSERT_EQ(decode_segment_header(content, header), HeaderState::valid);
  header.previous.checksum = 16;
  encode_segment_header(header, std::span<std::byte, kSegmentHeaderBytes>(content.data(), kSegmentHeaderBytes));
  set_content(segment_name(1), content);
  EXPECT_EQ(read_back(fs_).tail.verdict, LogVerdict::damage);
}

TEST_F(WalReaderRareTest, E3_ASegmentNamedZero) {
  write_synced(2);
  EXPECT_OK(fs_.rename(os::join(kWal, segment_name(1)), os::join(kWal, segment_name(0))));
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage) << log.tail.reason;
}

TEST_F(WalReaderRareTest, E3_AShortFileWhoseFramesAreAllThere) {
  write_synced(3);
  const std::uint64_t whole = content_of(segment_name(1)).size();
  truncate(segment_name(1), whole - kBlockBytes);
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage) << log.tail.reason;
  expect_frames(log, 1, 3);
}

TEST_F(WalReaderRareTest, E4_TheFirstSegmentContinuesAnotherFrameThanTheCheckpointEndsWith) {
  const LogEnd end = write_synced(2, 2);
  write_synced(2, 2, end);
  EXPECT_OK(fs_.remove(os::join(kWal, segment_name(1))));
  EXPECT_EQ(read_back(fs_, read_options(2, 2, end)).tail.verdict, LogVerdict::complete);
  const ReadBack log = read_back(fs_, read_options(2, 2, {2, end.checksum + 1}));
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage);
  EXPECT_TRUE(contains(log.tail.reason, "different histories")) << log.tail.reason;
  EXPECT_TRUE(log.frames.empty());
}

}  // namespace
}  // namespace holdfast::storage
