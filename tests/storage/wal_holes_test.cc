// Holes of other stores, at the level of the log: the same sequence of events, and the outcome it must have here.
#include <chrono>

#include "storage/storage_test_util.h"

namespace holdfast::storage {
namespace {

class Holes : public LogTest {
 protected:
  std::vector<SeenFrame> write(std::size_t groups, std::size_t bytes = 100) {
    WalWriter writer(fs_, wal_options(), {});
    for (std::size_t i = 0; i < groups; ++i) {
      append_group(writer, 1, bytes);
      EXPECT_OK(writer.sync());
    }
    return read_back(fs_).frames;
  }
  void overwrite(const SeenFrame& frame, std::uint64_t at, ByteSpan bytes) {
    Bytes content = fs_.read_whole(os::join(kWal, frame.segment)).value();
    std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(frame.offset + at));
    EXPECT_OK(fs_.write_whole(os::join(kWal, frame.segment), content));
  }
  void set_length(const SeenFrame& frame, std::uint32_t length) {
    Bytes bytes;
    put(bytes, length);
    overwrite(frame, 8, bytes);
  }
};

TEST_F(Holes, Hole02_short_append_is_rolled_back) {
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  for (const std::uint64_t arrived : {std::uint64_t{10}, std::uint64_t{5000}}) {
    fs_.short_write_at(fs_.calls(), arrived, StatusCode::disk_full);
    EXPECT_CODE(disk_full, append_bodies(writer, {pattern(6000, 1)}).status());
    append_group(writer, 1);
    EXPECT_OK(writer.sync());
  }
  expect_frames(read_back(*fs_.crash(testing::CrashPolicy::lose_all())), 1, 3);

  fs_.short_write_at(fs_.calls(), 5000, StatusCode::io_error);
  EXPECT_CODE(io_error, append_bodies(writer, {pattern(6000, 1)}).status());
  EXPECT_CODE(read_only, append_bodies(writer, {pattern(10, 1)}).status());
  EXPECT_CODE(read_only, writer.sync());
  const ReadBack log = read_back(*fs_.kill_process());
  EXPECT_EQ(log.tail.verdict, LogVerdict::torn_tail);
  expect_frames(log, 1, 3);
}

TEST_F(Holes, Hole04_a_failed_sync_is_never_retried) {
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  append_group(writer, 1);
  fs_.fail_sync_at(fs_.calls(), testing::UnsyncedPages::marked_clean);
  EXPECT_CODE(io_error, writer.sync());
  const auto calls = fs_.calls();
  EXPECT_CODE(read_only, writer.sync());
  EXPECT_CODE(read_only, writer.mark());
  EXPECT_CODE(read_only, writer.roll());
  EXPECT_CODE(read_only, writer.prepare_next());
  EXPECT_EQ(fs_.calls(), calls);
  EXPECT_EQ(writer.synced_lsn(), 1U);
  EXPECT_TRUE(contains(writer.error().message(), "sync")) << "the first cause is named";

  // The next process sees frame 2 in the cache, though the disk does not hold it. What it accepts it makes durable.
  const auto next = fs_.kill_process();
  const ReadBack log = read_back(*next);
  expect_frames(log, 1, 2);
  EXPECT_OK(seal_tail(*next, read_options(), log.tail).status());
  next->evict_clean_pages();
  expect_frames(read_back(*next->crash(testing::CrashPolicy::lose_all())), 1, 2);
}

TEST_F(Holes, Hole07_a_retired_segment_is_synced_before_anything_behind_it) {
  WalWriter writer(fs_, wal_options(3 * kBlockBytes), {});
  append_group(writer, 1);
  append_group(writer, 1);  // fills the segment; not synced
  append_group(writer, 1);  // retires it
  EXPECT_EQ(writer.synced_lsn(), 2U);
  EXPECT_OK(writer.sync());
  expect_frames(read_back(*fs_.crash(testing::CrashPolicy::lose_all())), 1, 3);
}

TEST_F(Holes, Hole31_a_corrupt_first_record_does_not_hide_the_log) {
  const auto frames = write(3);
  flip(frames[0].segment, frames[0].offset);
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage);
  EXPECT_EQ(log.tail.damage.at(0).first_lsn, 1U);
}

TEST_F(Holes, Hole32_a_torn_tail_is_cut_before_anything_is_appended) {
  {
    WalWriter writer(fs_, wal_options(), {});
    append_group(writer, 2);
    EXPECT_OK(writer.sync());
    append_group(writer, 1, 9000);
    fs_.power_off();
  }
  auto disk = fs_.crash(testing::CrashPolicy::torn_write(testing::CrashPolicy::Boundary::sector), 3);
  for (Lsn round = 0; round < 3; ++round) {
    const ReadBack log = read_back(*disk);
    EXPECT_NE(log.tail.verdict, LogVerdict::damage);
    EXPECT_OK(seal_tail(*disk, read_options(), log.tail).status());
    WalWriter writer(*disk, wal_options(), log.tail.end);
    append_group(writer, 1);
    EXPECT_OK(writer.sync());
    EXPECT_EQ(read_back(*disk).tail.end.lsn, log.tail.end.lsn + 1);
    expect_frames(read_back(*disk), 1, log.tail.end.lsn + 1);
  }
}

TEST_F(Holes, Hole33_a_corrupt_record_in_the_middle_is_no_torn_tail) {
  const auto frames = write(5);
  flip(frames[2].segment, frames[2].offset + 60);
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::damage);
  EXPECT_CODE(data_damaged, seal_tail(fs_, read_options(), log.tail).status());
  flip(frames[2].segment, frames[2].offset + 60);
  expect_frames(read_back(fs_), 1, 5);  // nothing was changed
}

TEST_F(Holes, Hole34_a_corrupt_record_in_the_middle_is_not_skipped) {
  const auto frames = write(5);
  flip(frames[2].segment, frames[2].offset + 60);
  const ReadBack log = read_back(fs_);
  expect_frames(log, 1, 2);
  EXPECT_EQ(log.tail.damage.at(0).first_lsn, 3U);
  EXPECT_EQ(log.tail.damage.at(0).last_lsn, 3U);
}

TEST_F(Holes, Hole35_a_length_beyond_the_file_does_not_end_the_log) {
  const auto frames = write(5);
  for (const std::uint32_t length : {0xFFFFFFFFU, 0x7FFFFFFFU, 65536U, 50'000U, 101U, 99U, 0U}) {
    set_length(frames[1], length);
    const ReadBack log = read_back(fs_);
    EXPECT_EQ(log.tail.verdict, LogVerdict::damage) << length;
    EXPECT_EQ(log.tail.damage.at(0).first_lsn, 2U);
    EXPECT_EQ(log.tail.damage.at(0).last_lsn, 2U);
  }
}

TEST_F(Holes, Hole36_a_damaged_length_allocates_nothing) {
  const auto frames = write(1);
  for (const std::uint32_t length : {0xFFFFFFFFU, 0x40000000U}) {
    set_length(frames[0], length);
    const ReadBack log = read_back(fs_);
    EXPECT_TRUE(log.frames.empty());
    EXPECT_EQ(log.tail.verdict, LogVerdict::torn_tail);
  }
}

TEST_F(Holes, Hole37_frames_of_a_previous_life_never_validate) {
  const auto frames = write(6);
  const Bytes old = fs_.read_whole(kWal + "/" + segment_name(1)).value();
  EXPECT_OK(fs_.remove(kWal + "/" + segment_name(1)));
  // A new log whose file got the blocks of the old one: the same lsns at the same offsets, unwritten ones not zero.
  write(2);
  Bytes recycled = fs_.read_whole(kWal + "/" + segment_name(1)).value();
  const auto behind = static_cast<std::ptrdiff_t>(frames[2].offset);
  std::copy(old.begin() + behind, old.end(), recycled.begin() + behind);
  EXPECT_OK(fs_.write_whole(kWal + "/" + segment_name(1), recycled));
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::torn_tail) << "not even as evidence";
  expect_frames(log, 1, 2);
}

}  // namespace
}  // namespace holdfast::storage
