// Small words for the tests of this room: a log on a simulated disk, written and read back.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "storage/file_names.h"
#include "storage/wal_reader.h"
#include "storage/wal_writer.h"
#include "support/sim_file_system.h"

namespace holdfast::storage {

inline ::testing::AssertionResult is_ok(const Status& status) {
  if (status.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << status.to_string();
}
#define EXPECT_OK(expression) EXPECT_TRUE(::holdfast::storage::is_ok(expression))
#define EXPECT_CODE(expected, expression) EXPECT_EQ(::holdfast::StatusCode::expected, (expression).code())

inline const std::string kWal = "/wal";
inline constexpr Uuid kCollection = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/// Bytes without zeros, different for every seed and position.
inline Bytes pattern(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(1 + mix64(seed * 1'000'003 + i) % 255);
  return bytes;
}
inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

struct SeenFrame {
  std::string segment;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  FrameType type = FrameType::batch;
  Lsn lsn = 0;
  Lsn synced_lsn = 0;
  Bytes body;
  friend bool operator==(const SeenFrame&, const SeenFrame&) = default;
};

struct ReadBack {
  LogTail tail;
  std::vector<SeenFrame> frames;
  [[nodiscard]] const SeenFrame& at(Lsn lsn) const {
    const auto found = std::find_if(frames.begin(), frames.end(), [&](const auto& f) { return f.lsn == lsn; });
    EXPECT_NE(found, frames.end()) << "no frame " << lsn;
    return *found;
  }
};

inline ReadLogOptions read_options(Lsn after = 0, Lsn proven = 0, LogEnd base = {}) {
  return {kWal, kCollection, after, proven, base};
}

inline ReadBack read_back(os::FileSystem& fs, const ReadLogOptions& options = read_options()) {
  ReadBack result;
  auto tail = read_log(fs, options, [&](const FrameView& view) {
    result.frames.push_back({std::string(view.segment), view.offset, view.length, view.type, view.lsn, view.synced_lsn,
                             Bytes(view.body.begin(), view.body.end())});
    return Status();
  });
  EXPECT_TRUE(tail.ok()) << tail.status().to_string();
  if (tail.ok()) result.tail = std::move(tail).value();
  return result;
}

inline WalOptions wal_options(std::uint64_t segment_bytes = std::uint64_t{64} << 10) {
  WalOptions options;
  options.directory = kWal;
  options.collection = kCollection;
  options.segment_bytes = segment_bytes;
  return options;
}

inline Result<Lsn> append_bodies(WalWriter& writer, const std::vector<Bytes>& bodies) {
  const std::vector<ByteSpan> spans(bodies.begin(), bodies.end());
  return writer.append(spans);
}
/// One group of `count` frames whose bodies are pattern(bytes, lsn).
inline void append_group(WalWriter& writer, std::size_t count, std::size_t bytes = 20) {
  std::vector<Bytes> bodies;
  for (std::size_t i = 0; i < count; ++i) bodies.push_back(pattern(bytes, writer.end().lsn + 1 + i));
  const auto first = append_bodies(writer, bodies);
  EXPECT_TRUE(first.ok()) << first.status().to_string();
}

/// Frames first..last, batches with the bodies of append_group, marks without.
inline void expect_frames(const ReadBack& log, Lsn first, Lsn last) {
  ASSERT_EQ(log.frames.size(), last + 1 - first) << log.tail.reason;
  for (const SeenFrame& frame : log.frames) {
    EXPECT_EQ(frame.lsn, first++);
    if (frame.type == FrameType::batch) EXPECT_EQ(frame.body, pattern(frame.body.size(), frame.lsn));
  }
}

/// All names but HEAD, which wal_head_test.cc looks at.
inline std::vector<std::string> names_in(os::FileSystem& fs, const std::string& directory) {
  const auto entries = fs.list(directory);
  EXPECT_OK(entries.status());
  std::vector<std::string> found;
  if (entries.ok()) {
    for (const os::DirectoryEntry& entry : *entries) {
      if (entry.name != kLogHeadFile) found.push_back(entry.name);
    }
  }
  return found;
}

/// A disk with an empty, durable log directory.
class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    EXPECT_OK(fs_.create_directory(kWal));
    EXPECT_OK(fs_.sync_directory("/"));
  }
  /// `groups` synced groups of one frame each, in segments of `blocks` groups.
  LogEnd write_synced(std::size_t groups, std::uint64_t blocks = 15, LogEnd after = {}) {
    WalWriter writer(fs_, wal_options((blocks + 1) * kBlockBytes), after);
    for (std::size_t group = 0; group < groups; ++group) {
      append_group(writer, 1);
      EXPECT_OK(writer.sync());
    }
    return writer.end();
  }
  void flip(const std::string& segment, std::uint64_t offset, unsigned bit = 0) {
    EXPECT_OK(fs_.corrupt(os::join(kWal, segment), offset, static_cast<std::byte>(1U << bit)));
  }
  std::vector<std::string> names() { return names_in(fs_, kWal); }
  void truncate(const std::string& segment, std::uint64_t bytes) {
    Bytes content = fs_.read_whole(os::join(kWal, segment)).value();
    content.resize(bytes);
    EXPECT_OK(fs_.write_whole(os::join(kWal, segment), content));
  }
  testing::SimFileSystem fs_;
};

}  // namespace holdfast::storage
