// What sealing leaves reads as it was accepted, whatever stood in the segments that nobody needs any more.
#include "storage/storage_test_util.h"
#include "storage/wal_reader.h"

namespace holdfast::storage {
namespace {

using WalSealTest = LogTest;

/// A segment with a valid header and no frame, as a crash right after its name became durable leaves it.
Bytes segment_without_frames(const LogEnd& previous) {
  SegmentHeader header;
  header.collection = read_options().collection;
  header.previous = previous;
  header.first_lsn = previous.lsn + 1;
  header.salt = 77;
  header.file_bytes = kSegmentHeaderBytes + 2 * kBlockBytes;
  Bytes bytes(header.file_bytes);
  encode_segment_header(header, std::span<std::byte, kSegmentHeaderBytes>(bytes.data(), kSegmentHeaderBytes));
  return bytes;
}

TEST_F(WalSealTest, AShortSegmentBeforeAnEmptyOneIsMadeWhole) {
  const LogEnd end = write_synced(3);
  Bytes first = fs_.read_whole(kWal + "/" + segment_name(1)).value();
  first.resize(read_back(fs_).tail.valid_bytes);  // only zeros are lost
  EXPECT_OK(fs_.write_whole(kWal + "/" + segment_name(1), first));
  EXPECT_EQ(read_back(fs_).tail.verdict, LogVerdict::damage) << "nobody can tell what the lost part held";
  EXPECT_OK(fs_.write_whole(kWal + "/" + segment_name(4), segment_without_frames(end)));
  const ReadBack log = read_back(fs_);
  ASSERT_EQ(log.tail.verdict, LogVerdict::complete) << "the next segment says that it held nothing";
  EXPECT_OK(seal_tail(fs_, read_options(), log.tail).status());
  const ReadBack sealed = read_back(fs_);
  EXPECT_EQ(sealed.tail.verdict, LogVerdict::complete) << sealed.tail.reason;
  EXPECT_EQ(sealed.frames, log.frames);
  EXPECT_EQ(sealed.tail.end, end);
}

TEST_F(WalSealTest, WhatLiesBelowTheCheckpointNeverBecomesTheEndOfTheLog) {
  const LogEnd end = write_synced(3);
  flip(segment_name(1), 100);  // the header of the segment that only an older checkpoint needs
  ReadLogOptions options = read_options(3, 3, end);
  options.check_below = false;
  for (const bool damaged : {false, true}) {
    EXPECT_OK(fs_.write_whole(kWal + "/" + segment_name(4), segment_without_frames(end)));
    if (damaged) flip(segment_name(4), 100);  // no frame stands behind it
    const ReadBack log = read_back(fs_, options);
    ASSERT_NE(log.tail.verdict, LogVerdict::damage) << log.tail.reason;
    EXPECT_TRUE(seal_tail(fs_, options, log.tail).value().empty()) << "it says where the segment below ends";
    const ReadBack sealed = read_back(fs_, options);
    EXPECT_NE(sealed.tail.verdict, LogVerdict::damage) << sealed.tail.reason;
    EXPECT_EQ(sealed.tail.end, end);
  }
  WalWriter writer(fs_, wal_options(), end);
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  expect_frames(read_back(fs_, options), 4, 4);
}

}  // namespace
}  // namespace holdfast::storage
