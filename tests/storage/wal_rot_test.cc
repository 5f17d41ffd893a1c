// Bit rot, lost and exchanged blocks, truncation: damage, or the same frames, or a cut where the table allows one.
#include "storage/storage_test_util.h"

namespace holdfast::storage {
namespace {

using testing::SimFileSystem;

/// Three synced groups (2, 1, 3 frames), over one segment or several; with a mark behind them or not.
struct SmallLog {
  std::unique_ptr<SimFileSystem> fs = std::make_unique<SimFileSystem>();
  ReadBack whole;
  Lsn proven = 0;  ///< frames up to here must never be cut

  explicit SmallLog(bool with_mark, std::uint64_t segment_blocks) {
    EXPECT_OK(fs->create_directory(kWal));
    WalWriter writer(*fs, wal_options(segment_blocks * kBlockBytes), {});
    for (const std::size_t frames : {2, 1, 3}) {
      append_group(writer, frames, 13);
      EXPECT_OK(writer.sync());
    }
    if (with_mark) EXPECT_OK(writer.mark());
    whole = read_back(*fs);
    proven = whole.tail.proven;
    EXPECT_EQ(whole.tail.verdict, LogVerdict::complete);
    EXPECT_EQ(proven, with_mark ? 6U : 3U);
  }

  [[nodiscard]] std::vector<std::string> segments() const {
    std::vector<std::string> found;
    for (const std::string& name : names_in(*fs, kWal)) found.push_back(os::join(kWal, name));
    return found;
  }

  /// Nothing silent: a prefix of the frames, and if it is not all of them, a verdict that says so.
  void expect_honest(bool must_be_damage_if_changed) const {
    const ReadBack log = read_back(*fs);
    ASSERT_LE(log.frames.size(), whole.frames.size());
    ASSERT_TRUE(std::equal(log.frames.begin(), log.frames.end(), whole.frames.begin()));
    const bool all = log.frames.size() == whole.frames.size();
    if (log.tail.verdict == LogVerdict::damage) {
      EXPECT_FALSE(log.tail.damage.empty());
      return;
    }
    EXPECT_TRUE(all || !must_be_damage_if_changed) << log.tail.reason;
    EXPECT_TRUE(all || log.tail.verdict != LogVerdict::complete) << "a silent loss";
    EXPECT_GE(log.frames.size(), proven) << "an acknowledged and proven frame was cut: " << log.tail.reason;
  }
};

class WalRotTest : public ::testing::TestWithParam<std::tuple<bool, std::uint64_t>> {
 protected:
  SmallLog log_{std::get<0>(GetParam()), std::get<1>(GetParam())};
};

INSTANTIATE_TEST_SUITE_P(Logs, WalRotTest,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(std::uint64_t{8}, std::uint64_t{2})));

TEST_P(WalRotTest, EveryBit) {
  std::uint64_t flips = 0;
  for (const std::string& path : log_.segments()) {
    const Bytes content = log_.fs->read_whole(path).value();
    for (std::uint64_t at = 0; at < content.size(); ++at) {
      // All bits of what is not zero and of its surroundings; of the long runs of zeros a sample.
      const auto near = content.begin() + static_cast<std::ptrdiff_t>(at < 16 ? 0 : at - 16);
      const bool in_use = std::any_of(near, content.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                      [](std::byte b) { return b != std::byte{0}; });
      if (!in_use && at % 61 != 0) continue;
      for (unsigned bit = 0; bit < 8; bit += in_use ? 1 : 5) {
        SCOPED_TRACE(path + " byte " + std::to_string(at) + " bit " + std::to_string(bit));
        const auto mask = static_cast<std::byte>(1U << bit);
        EXPECT_OK(log_.fs->corrupt(path, at, mask));
        log_.expect_honest(false);
        EXPECT_OK(log_.fs->corrupt(path, at, mask));
        if (HasFatalFailure()) return;
        ++flips;
      }
    }
  }
  EXPECT_GT(flips, 4000U);
  log_.expect_honest(true);
}

// The full length of a segment is durable before its first frame, so a shorter file is always damage, unless a
// successor says that all its frames are there.
TEST_P(WalRotTest, EveryTruncation) {
  for (const std::string& path : log_.segments()) {
    const Bytes content = log_.fs->read_whole(path).value();
    Bytes cut = content;
    for (std::uint64_t size = content.size(); size-- > 0;) {
      const bool interesting = size < 200 || size % 4096 < 250 || size % 4096 > 4090 || size % 97 == 0;
      if (!interesting) continue;
      SCOPED_TRACE(path + " cut at " + std::to_string(size));
      cut.resize(size);
      EXPECT_OK(log_.fs->write_whole(path, cut));
      log_.expect_honest(true);
      if (HasFatalFailure()) return;
    }
    EXPECT_OK(log_.fs->write_whole(path, content));
  }
}

TEST_P(WalRotTest, ZeroedExchangedAndStaleBlocks) {
  for (const std::string& path : log_.segments()) {
    const Bytes content = log_.fs->read_whole(path).value();
    const std::uint64_t blocks = content.size() / kBlockBytes;
    const auto block = [](Bytes& bytes, std::uint64_t n) {
      return bytes.begin() + static_cast<std::ptrdiff_t>(n * kBlockBytes);
    };
    for (std::uint64_t a = 0; a < blocks; ++a) {
      Bytes changed = content;
      std::fill_n(block(changed, a), kBlockBytes, std::byte{0});
      SCOPED_TRACE(path + " block " + std::to_string(a));
      EXPECT_OK(log_.fs->write_whole(path, changed));
      const ReadBack log = read_back(*log_.fs);
      if (log.tail.verdict != LogVerdict::damage) EXPECT_GE(log.frames.size(), log_.proven);
      for (std::uint64_t b = 0; b < blocks; ++b) {
        if (a == b) continue;
        SCOPED_TRACE("and block " + std::to_string(b));
        changed = content;
        std::swap_ranges(block(changed, a), block(changed, a) + kBlockBytes, block(changed, b));
        EXPECT_OK(log_.fs->write_whole(path, changed));
        log_.expect_honest(false);
        changed = content;
        std::copy_n(block(changed, b), kBlockBytes, block(changed, a));
        EXPECT_OK(log_.fs->write_whole(path, changed));
        if (log_.whole.frames.size() > 0 && read_back(*log_.fs).tail.verdict != LogVerdict::damage) {
          EXPECT_GE(read_back(*log_.fs).frames.size(), log_.proven);
        }
      }
    }
    EXPECT_OK(log_.fs->write_whole(path, content));
  }
}

}  // namespace
}  // namespace holdfast::storage
