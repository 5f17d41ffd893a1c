// Coarser damage to the files of a small store: zeroed, exchanged and stale pages at 512 bytes, 4 KiB and 64 KiB,
// truncation, garbage at the end, missing files, files in each other's place. HOLDFAST_ROT_EVERY_BIT=2 truncates at
// every byte and exchanges every pair of files; without it, at every byte near something and at a sample.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/random.h"
#include "rot/rot_lab.h"
#include "storage/file_names.h"

namespace holdfast::testing {
namespace {

/// 1: cut at every byte outside long runs of zeros. 2: at every byte.
unsigned long whole_run() {
  const char* const text = std::getenv("HOLDFAST_ROT_EVERY_BIT");
  return text == nullptr ? 0 : std::strtoul(text, nullptr, 10);
}

class FileRot : public ::testing::Test {
 protected:
  void judge(const SimFileSystem& damaged, const std::set<std::string>& changed, const std::string& what,
             Rot rot = Rot::changed) {
    ++trials_;
    const std::uint64_t unseen = verdicts_.unseen;
    std::string problem = judge_.judge(damaged, changed, verdicts_, rot);
    // Nothing depends on what stands behind the last frame of a log segment that has a successor. Of a file that is
    // gone without costing an answer (a manifest whose generation the other one and the log replace) nothing is left to
    // name.
    const bool log = file_name(*changed.begin()).ends_with(".log");
    if (problem.empty() && unseen != verdicts_.unseen && !log && rot == Rot::changed) problem = "nobody notices";
    if (problem.empty()) return;
    ++problems_;
    if (problems_ <= 15) ADD_FAILURE() << what << ": " << problem;
  }
  void write(SimFileSystem& disk, const std::string& path, const Bytes& bytes) {
    ASSERT_TRUE(disk.write_whole(path, bytes).ok()) << path;
  }
  void report(const char* what) const {
    std::printf(
        "file rot, %s: tried %lu: identical %lu (of these without a word from verify %lu), typed errors %lu, "
        "silent %lu\n",
        what, trials_, verdicts_.identical, verdicts_.unseen, verdicts_.typed_errors, problems_);
  }

  const std::unique_ptr<SimFileSystem> disk_ = make_rot_store();
  const RotJudge judge_{*disk_};
  const std::vector<std::string> files_ = rot_files(*disk_);
  Verdicts verdicts_;
  std::uint64_t trials_ = 0;
  std::uint64_t problems_ = 0;
};

TEST_F(FileRot, ZeroedPagesAreNoticed) {
  for (const std::string& path : files_) {
    const Bytes sound = disk_->read_whole(path).value();
    for (const std::size_t size : {512, 4096, 65536}) {
      for (std::size_t at = 0; at < sound.size(); at += size) {
        Bytes bytes = sound;
        const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        std::fill_n(from, std::min(size, bytes.size() - at), std::byte{0});
        if (bytes == sound || (!whole_run() && size == 512 && at % 4096 >= 1024)) continue;
        const auto copy = disk_->clone();
        write(*copy, path, bytes);
        judge(*copy, {path}, path + " zeroed at " + std::to_string(at) + ", " + std::to_string(size) + " bytes",
              size >= bytes.size() ? Rot::gone : Rot::changed);
      }
    }
  }
  report("zeroed pages");
  EXPECT_GT(trials_, 100U);
}

/// Pages of one file in each other's place, and a page of another file of the same kind (an earlier image, another
/// collection) in the place of one.
TEST_F(FileRot, ExchangedAndStalePagesAreNoticed) {
  const auto kind_of = [](const std::string& path) { return storage::parse_name(file_name(path)).kind; };
  SeededRandom random(5);
  for (const std::string& path : files_) {
    const Bytes sound = disk_->read_whole(path).value();
    for (const std::size_t size : {512, 4096}) {
      for (std::size_t a = 0; a + size <= sound.size(); a += size) {
        if (!whole_run() && random.below(size == 512 ? 12 : 2) != 0) continue;
        Bytes bytes = sound;
        const std::size_t b = random.below(sound.size() / size) * size;
        std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(a),
                         bytes.begin() + static_cast<std::ptrdiff_t>(a + size),
                         bytes.begin() + static_cast<std::ptrdiff_t>(b));
        if (a == b || bytes == sound) continue;
        const auto copy = disk_->clone();
        write(*copy, path, bytes);
        judge(*copy, {path}, path + ": pages at " + std::to_string(a) + " and " + std::to_string(b) + " exchanged");
      }
    }
    for (const std::string& other : files_) {
      if (other == path || kind_of(other) != kind_of(path)) continue;
      if (!whole_run() && random.below(6) != 0) continue;
      const Bytes foreign = disk_->read_whole(other).value();
      for (const std::size_t size : {512, 4096, 65536}) {
        const std::size_t at = random.below(sound.size() / size + 1) * size;
        if (at >= foreign.size() || at >= sound.size()) continue;
        Bytes bytes = sound;
        const std::size_t count = std::min({size, sound.size() - at, foreign.size() - at});
        std::copy_n(foreign.begin() + static_cast<std::ptrdiff_t>(at), count,
                    bytes.begin() + static_cast<std::ptrdiff_t>(at));
        if (bytes == sound) continue;
        const auto copy = disk_->clone();
        write(*copy, path, bytes);
        judge(*copy, {path},
              path + " has " + std::to_string(count) + " bytes of " + other + " at " + std::to_string(at));
      }
    }
  }
  report("exchanged and stale pages");
  EXPECT_GT(trials_, 100U);
}

TEST_F(FileRot, TruncationAndGarbageAtTheEndAreNoticed) {
  SeededRandom random(6);
  for (const std::string& path : files_) {
    const Bytes sound = disk_->read_whole(path).value();
    const auto copy = disk_->clone();
    std::size_t quiet = 0;  // zeros in a row before this byte
    for (std::size_t size = 0; size < sound.size(); ++size) {
      quiet = sound[size] == std::byte{0} ? quiet + 1 : 0;
      const bool wanted = whole_run() > 1 || (whole_run() == 1 && quiet < 12);
      if (!wanted && size % 4096 != 0 && random.below(400) != 0) continue;
      write(*copy, path, Bytes(sound.begin(), sound.begin() + static_cast<std::ptrdiff_t>(size)));
      judge(*copy, {path}, path + " cut at " + std::to_string(size));
    }
    for (const std::size_t more : {1, 8, 512, 4096, 70'000}) {
      for (const bool zeros : {true, false}) {
        Bytes longer = sound;
        for (std::size_t i = 0; i < more; ++i) {
          longer.push_back(zeros ? std::byte{0} : static_cast<std::byte>(1 + random.below(255)));
        }
        write(*copy, path, longer);
        judge(*copy, {path}, path + " with " + std::to_string(more) + (zeros ? " zeros" : " bytes") + " behind it");
      }
    }
  }
  report("truncation, garbage behind");
  EXPECT_GT(trials_, 100U);
}

TEST_F(FileRot, MissingAndEmptyFilesAreNoticed) {
  for (const std::string& path : files_) {
    const auto gone = disk_->clone();
    ASSERT_TRUE(gone->remove(path).ok());
    judge(*gone, {path}, path + " removed", Rot::gone);
    const auto empty = disk_->clone();
    write(*empty, path, {});
    judge(*empty, {path}, path + " emptied");
  }
  report("missing and empty files");
}

TEST_F(FileRot, FilesInEachOthersPlaceAreNoticed) {
  SeededRandom random(7);
  for (std::size_t a = 0; a < files_.size(); ++a) {
    for (std::size_t b = a + 1; b < files_.size(); ++b) {
      if (!whole_run() && random.below(4) != 0) continue;
      const auto copy = disk_->clone();
      const Bytes first = disk_->read_whole(files_[a]).value();
      write(*copy, files_[a], disk_->read_whole(files_[b]).value());
      write(*copy, files_[b], first);
      judge(*copy, {files_[a], files_[b]}, files_[a] + " and " + files_[b] + " exchanged");
    }
  }
  report("files exchanged");
  EXPECT_GT(trials_, 50U);
}

// verify_on_open: with `everything`, damage that a lazy open leaves to the first reader costs nothing as long as the
// older image and its log hold the same.
TEST_F(FileRot, AnOpenThatVerifiesEverythingFallsBackInsteadOfFailingLater) {
  std::uint64_t lazily_refused = 0;
  for (const std::string& path : files_) {
    if (storage::parse_name(file_name(path)).kind != storage::FileKind::extent) continue;
    const auto copy = disk_->clone();
    if (!copy->corrupt(path, 4096 + 3, std::byte{16}).ok()) continue;
    const StoreAnswers lazy = ask_everything(*copy, VerifyOnOpen::metadata);
    const StoreAnswers eager = ask_everything(*copy, VerifyOnOpen::everything);
    for (const auto& [name, sound] : ask_everything(*disk_).collections) {
      const bool failed = !lazy.collections.at(name).status.ok();
      lazily_refused += failed ? 1 : 0;
      const CollectionAnswers& now = eager.collections.at(name);
      if (now.status.ok()) {
        EXPECT_EQ(sound.hash, now.hash) << path;
        if (failed) EXPECT_TRUE(now.fell_back) << path;
      } else {
        // An extent that both images name.
        EXPECT_NE(std::string::npos, now.status.to_string().find(file_name(path))) << now.status.to_string();
      }
    }
  }
  EXPECT_GT(lazily_refused, 0U) << "nothing was left to a reader: the test tests nothing";
}

}  // namespace
}  // namespace holdfast::testing
