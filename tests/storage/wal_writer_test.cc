#include "storage/wal_writer.h"

#include <atomic>
#include <thread>

#include "storage/storage_test_util.h"
#include "support/temp_dir.h"

namespace holdfast::storage {
namespace {

using testing::CallKind;

class WalWriterTest : public LogTest {};

TEST_F(WalWriterTest, TouchesNoFileBeforeTheFirstAppend) {
  WalWriter writer(fs_, wal_options(), {});
  EXPECT_OK(writer.sync());
  EXPECT_OK(writer.roll());
  EXPECT_OK(writer.mark());
  EXPECT_FALSE(writer.wants_next());
  EXPECT_TRUE(names().empty());
}

TEST_F(WalWriterTest, WhatWasAppendedIsReadBack) {
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 3);
  EXPECT_EQ(writer.end().lsn, 3U);
  EXPECT_EQ(writer.synced_lsn(), 0U);
  EXPECT_OK(writer.sync());
  EXPECT_EQ(writer.synced_lsn(), 3U);
  append_group(writer, 1, 10'000);
  append_group(writer, 2, 0);
  EXPECT_OK(writer.mark());
  EXPECT_OK(writer.mark()) << "a second mark adds nothing";
  EXPECT_EQ(writer.end().lsn, 7U);

  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  EXPECT_EQ(log.tail.end, writer.end());
  EXPECT_TRUE(log.tail.ends_with_mark);
  EXPECT_EQ(log.tail.bytes_cut, 0U);
  expect_frames(log, 1, 7);
  EXPECT_EQ(log.at(1).synced_lsn, 0U);
  EXPECT_EQ(log.at(4).synced_lsn, 3U);
  EXPECT_EQ(log.at(4).body.size(), 10'000U);
  EXPECT_EQ(log.at(6).synced_lsn, 3U);
  EXPECT_EQ(log.at(7).synced_lsn, 6U);
  EXPECT_EQ(log.at(7).type, FrameType::mark);
  EXPECT_EQ(names(), std::vector<std::string>{segment_name(1)});
  const WalStats stats = writer.stats();
  EXPECT_EQ(stats.groups, 4U);
  EXPECT_EQ(stats.frames, 7U);
  EXPECT_EQ(stats.bytes, (1 + 3 + 1 + 1) * kBlockBytes);
  EXPECT_EQ(stats.syncs, 3U);
}

TEST_F(WalWriterTest, AGroupIsOneWriteOfWholeBlocks) {
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 1);
  std::vector<testing::CallInfo> calls;
  fs_.on_call([&](const testing::CallInfo& call) { calls.push_back(call); });
  append_group(writer, 100, 123);
  EXPECT_OK(writer.sync());
  EXPECT_OK(writer.sync()) << "nothing to do";
  fs_.on_call(nullptr);
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[0].kind, CallKind::write);
  EXPECT_EQ(calls[0].offset, 2 * kBlockBytes);
  EXPECT_EQ(calls[0].size % kBlockBytes, 0U);
  EXPECT_EQ(calls[1].kind, CallKind::sync);
}

TEST_F(WalWriterTest, SegmentsFollowOneAnother) {
  WalWriter writer(fs_, wal_options(4 * kBlockBytes), {});
  for (int group = 0; group < 8; ++group) append_group(writer, 2);
  EXPECT_OK(writer.roll());
  EXPECT_OK(writer.roll()) << "no effect on an empty segment";
  append_group(writer, 1);
  EXPECT_EQ(names(), (std::vector<std::string>{segment_name(1), segment_name(7), segment_name(13), segment_name(17)}));
  const ReadBack log = read_back(fs_);
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  expect_frames(log, 1, 17);
  EXPECT_EQ(log.tail.proven, 16U) << "a successor proves what is before it";
}

// W1 and W2, as calls: everything is synced before the successor's header, which is synced before its name, which is
// synced before HEAD tells it.
TEST_F(WalWriterTest, ASegmentIsCompleteBeforeItsSuccessorIsHeaded) {
  WalWriter writer(fs_, wal_options(2 * kBlockBytes), {});
  append_group(writer, 1);
  std::vector<std::string> calls;
  fs_.on_call([&](const testing::CallInfo& call) {
    calls.push_back(std::string(to_string(call.kind)) + " " + call.path.substr(call.path.rfind('/') + 1));
  });
  append_group(writer, 1);
  fs_.on_call(nullptr);
  // A handle keeps the name that its file was created under.
  EXPECT_EQ(calls, (std::vector<std::string>{"sync next.tmp", "remove next.tmp", "create next.tmp", "write next.tmp",
                                             "sync next.tmp", "write next.tmp", "sync next.tmp", "remove HEAD.tmp",
                                             "create HEAD.tmp", "write HEAD.tmp", "sync HEAD.tmp", "rename next.tmp",
                                             "sync directory wal", "rename HEAD.tmp", "sync directory wal",
                                             "write next.tmp"}));
  EXPECT_EQ(names(), (std::vector<std::string>{segment_name(1), segment_name(2)}));
}

TEST_F(WalWriterTest, ARolledSegmentIsSynced) {
  WalWriter writer(fs_, wal_options(), {});
  append_group(writer, 1);
  EXPECT_OK(writer.roll());  // not asked for, but the successor will say that it was
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  const auto found = fs_.crash(testing::CrashPolicy::lose_all());
  EXPECT_EQ(read_back(*found).tail.verdict, LogVerdict::complete);
  expect_frames(read_back(*found), 1, 2);
}

TEST_F(WalWriterTest, ALargeGroupGetsALargeSegment) {
  WalWriter writer(fs_, wal_options(4 * kBlockBytes), {});
  append_group(writer, 1);
  append_group(writer, 3, 50'000);
  append_group(writer, 1);
  EXPECT_OK(writer.sync());
  EXPECT_EQ(names().size(), 3U);
  expect_frames(read_back(fs_), 1, 5);
}

TEST_F(WalWriterTest, TheNextSegmentIsMadeAhead) {
  WalWriter writer(fs_, wal_options(4 * kBlockBytes), {});
  append_group(writer, 1);
  EXPECT_TRUE(writer.wants_next());
  EXPECT_OK(writer.prepare_next());
  EXPECT_FALSE(writer.wants_next());
  EXPECT_EQ(names(), (std::vector<std::string>{segment_name(1), "next.tmp"}));
  const auto before = fs_.calls();
  EXPECT_OK(writer.prepare_next());
  EXPECT_EQ(fs_.calls(), before) << "one is enough";
  for (int group = 0; group < 3; ++group) append_group(writer, 1);
  EXPECT_EQ(names(), (std::vector<std::string>{segment_name(1), segment_name(4)}));
  expect_frames(read_back(fs_), 1, 4);
}

TEST_F(WalWriterTest, ALeftoverSegmentMadeAheadIsReplacedAndRemoved) {
  EXPECT_OK(fs_.write_whole(kWal + "/next.tmp", pattern(100'000, 1)));
  {
    WalWriter writer(fs_, wal_options(), {});
    EXPECT_OK(writer.prepare_next());
    append_group(writer, 1);
    EXPECT_OK(writer.prepare_next());
  }
  EXPECT_EQ(names(), std::vector<std::string>{segment_name(1)});
  EXPECT_EQ(read_back(fs_).tail.verdict, LogVerdict::complete);
}

TEST_F(WalWriterTest, GoesOnAfterAnotherWriter) {
  LogEnd end;
  {
    WalWriter writer(fs_, wal_options(), {});
    append_group(writer, 2);
    EXPECT_OK(writer.mark());
    end = writer.end();
  }
  WalOptions options = wal_options();
  options.ends_with_mark = true;
  WalWriter writer(fs_, options, end);
  EXPECT_OK(writer.mark()) << "nothing was appended";
  EXPECT_EQ(writer.end(), end);
  append_group(writer, 1);
  EXPECT_OK(writer.mark());
  EXPECT_EQ(writer.end().lsn, 5U);
  expect_frames(read_back(fs_), 1, 5);
}

TEST_F(WalWriterTest, RefusesNoBodies) {
  WalWriter writer(fs_, wal_options(), {});
  EXPECT_CODE(invalid_argument, writer.append({}).status());
  EXPECT_OK(writer.error());
  EXPECT_TRUE(names().empty());
}

TEST_F(WalWriterTest, RemovesSegmentsThatNobodyNeeds) {
  WalWriter writer(fs_, wal_options(2 * kBlockBytes), {});
  for (int group = 0; group < 5; ++group) append_group(writer, 2);  // segments at 1, 3, 5, 7, 9
  EXPECT_OK(remove_segments_through(fs_, kWal, 1));
  EXPECT_EQ(names().size(), 5U);
  EXPECT_OK(remove_segments_through(fs_, kWal, 5));
  EXPECT_EQ(names().front(), segment_name(5)) << "frame 6 is not covered";
  EXPECT_EQ(read_back(fs_, read_options(4)).tail.verdict, LogVerdict::complete);
  EXPECT_OK(remove_segments_through(fs_, kWal, 1000));
  EXPECT_EQ(names(), std::vector<std::string>{segment_name(9)}) << "the last one stays";
  expect_frames(read_back(fs_, read_options(9)), 10, 10);
}

// A leader that appends and a background thread that makes segments, on the real file system; for the thread sanitizer.
TEST(WalWriterThreads, AppendAndPrepareTogether) {
  const testing::TempDir directory;
  os::FileSystem& fs = os::posix_file_system();
  WalOptions options = wal_options(4 * kBlockBytes);
  options.directory = directory.path();
  std::atomic<bool> done{false};
  {
    WalWriter writer(fs, options, {});
    std::thread background([&] {
      while (!done.load()) {
        if (writer.wants_next()) EXPECT_OK(writer.prepare_next());
        (void)writer.stats();
        std::this_thread::yield();
      }
    });
    for (int group = 0; group < 100; ++group) {
      append_group(writer, 1 + group % 3, 100 + group * 10);
      EXPECT_OK(writer.sync());
    }
    done = true;
    background.join();
  }
  ReadLogOptions options_of_read = read_options();
  options_of_read.directory = directory.path();
  const ReadBack log = read_back(fs, options_of_read);
  EXPECT_EQ(log.tail.verdict, LogVerdict::complete);
  expect_frames(log, 1, 199);
}

TEST_F(WalWriterTest, AClosedWriterLeavesTheDirectoryToTheNextOne) {
  auto first = std::make_unique<WalWriter>(fs_, wal_options(), LogEnd{});
  append_group(*first, 1);
  EXPECT_OK(first->sync());
  EXPECT_OK(first->prepare_next());
  const LogEnd end = first->end();
  first->close();
  EXPECT_EQ(names(), (std::vector<std::string>{segment_name(1)}));
  EXPECT_CODE(closed, first->append(std::vector<ByteSpan>(1)).status());
  EXPECT_EQ(first->end(), end);

  WalWriter second(fs_, wal_options(), end);
  EXPECT_OK(second.prepare_next());
  first.reset();  // long after it let go
  EXPECT_EQ(names(), (std::vector<std::string>{segment_name(1), "next.tmp"}));
}

}  // namespace
}  // namespace holdfast::storage
