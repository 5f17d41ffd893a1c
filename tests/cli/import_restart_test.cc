// An import that is stopped at any instant and run again: nothing doubled, nothing missing, nothing read twice.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "cli/command.h"
#include "cli/import_files.h"
#include "holdfast/database.h"

namespace holdfast::cli::test {
namespace {

constexpr std::uint64_t kSeed = 17;
constexpr std::size_t kRows = 4000;
constexpr std::size_t kDimension = 16;

class ImportRestart : public ::testing::Test {
 protected:
  void SetUp() override { write_file(file_, bin_bytes<float>(rows_)); }

  [[nodiscard]] std::vector<std::string> import(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"import",  store_, "points",         file_, "--create",
                                       "--batch", "25",   "--report-every", "0",   "--no-index"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  /// Lets the import run until it has reported `rows` rows; true if it still runs.
  static bool wait_for_rows(RunningCommand& command, std::uint64_t rows, std::uint64_t& reported) {
    constexpr std::string_view kLabel = "importing: ";
    for (std::string line; command.next_error_line(line);) {
      if (!line.starts_with(kLabel)) continue;
      reported = std::stoull(line.substr(kLabel.size()));
      if (reported >= rows) return true;
    }
    return false;
  }
  /// Rows 0..count-1 are there with their vectors and nothing else is.
  void expect_exactly(std::uint64_t count) {
    OpenOptions options;
    options.create_if_missing = false;
    const Result<Database> database = Database::open(store_, options);
    ASSERT_TRUE(database.ok()) << database.status().to_string();
    const Result<Collection> points = database->collection("points");
    ASSERT_TRUE(points.ok());
    const CollectionStats stats = points->stats();
    EXPECT_EQ(stats.points, count);
    EXPECT_EQ(stats.dead_slots, 0U) << "a row was written twice";
    for (std::uint64_t id = 0; id < count; ++id) {
      const Result<Point> point = points->get(id);
      ASSERT_TRUE(point.ok()) << id << ": " << point.status().to_string();
      ASSERT_EQ(point->vector, rows_[id]) << id;
    }
  }
  std::uint64_t stored_rows() {
    OpenOptions options;
    options.create_if_missing = false;
    const Result<Database> database = Database::open(store_, options);
    EXPECT_TRUE(database.ok()) << database.status().to_string();
    return database.ok() ? database->collection("points").value().stats().points : 0;
  }

  TempDir folder_;
  std::string store_ = folder_ / "store";
  std::string file_ = folder_ / "rows.fbin";
  Rows rows_ = random_rows(kRows, kDimension, kSeed);
};

TEST_F(ImportRestart, ContinuesAfterKill) {
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937_64 random(kSeed);
  std::uint64_t stored = 0;
  int kills = 0;
  for (; kills < 6; ++kills) {
    RunningCommand command(import());
    std::uint64_t reported = 0;
    if (!wait_for_rows(command, stored + 25 * (1 + random() % 20), reported)) break;
    command.signal(SIGKILL);
    EXPECT_EQ(command.wait().exit_code, 128 + SIGKILL);
    const std::uint64_t now = stored_rows();
    EXPECT_GE(now, reported) << "an acknowledged batch is lost";
    EXPECT_EQ(now % 25, 0U) << "a batch is there in part";
    stored = now;
    expect_exactly(stored);
  }
  EXPECT_GE(kills, 3);
  const CommandResult last = holdfast(import());
  ASSERT_EQ(last.exit_code, 0) << last.err;
  EXPECT_NE(last.err.find("continuing after "), std::string::npos) << last.err;
  expect_exactly(kRows);
}

TEST_F(ImportRestart, StopsCleanlyOnInterrupt) {
  for (const int number : {SIGINT, SIGTERM}) {
    RunningCommand command(import());
    std::uint64_t reported = 0;
    ASSERT_TRUE(wait_for_rows(command, (number == SIGINT ? 1 : 2) * kRows / 4, reported));
    command.signal(number);
    command.signal(SIGTERM);  // as timeout(1) does: one request that arrives twice
    const CommandResult result = command.wait();
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_NE(result.err.find("run the same command again to go on"), std::string::npos) << result.err;
    const std::uint64_t stored = stored_rows();
    EXPECT_GE(stored, reported);
    EXPECT_LT(stored, kRows);
    expect_exactly(stored);
  }
  ASSERT_EQ(holdfast(import()).exit_code, 0);
  expect_exactly(kRows);
}

TEST_F(ImportRestart, DoesNothingWhenComplete) {
  ASSERT_EQ(holdfast(import()).exit_code, 0);
  const CommandResult again = holdfast(import());
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_NE(again.out.find("is imported already (4,000 rows)"), std::string::npos) << again.out;
  expect_exactly(kRows);

  ASSERT_EQ(holdfast({"delete", store_, "7"}).exit_code, 0);
  EXPECT_EQ(holdfast(import()).exit_code, 0);
  EXPECT_EQ(stored_rows(), kRows - 1);  // what was deleted after the import stays deleted
  EXPECT_EQ(holdfast(import({"--restart"})).exit_code, 0);
  EXPECT_EQ(stored_rows(), kRows);
}

TEST_F(ImportRestart, LimitIsAPartOfTheSameImport) {
  ASSERT_EQ(holdfast(import({"--limit", "110"})).exit_code, 0);
  expect_exactly(110);
  EXPECT_NE(holdfast(import({"--limit", "100"})).out.find("already"), std::string::npos);
  ASSERT_EQ(holdfast(import({"--limit", "333"})).exit_code, 0);
  expect_exactly(333);
  ASSERT_EQ(holdfast(import()).exit_code, 0);
  expect_exactly(kRows);
}

TEST_F(ImportRestart, OtherReadingsAreOtherImports) {
  ASSERT_EQ(holdfast(import({"--limit", "100"})).exit_code, 0);
  ASSERT_EQ(holdfast(import({"--limit", "100", "--first-id", "10000"})).exit_code, 0);
  EXPECT_EQ(stored_rows(), 200U);
  rows_[0][0] += 1;  // an edited file is another file: its rows replace those of the same ids
  write_file(file_, bin_bytes<float>(rows_));
  ASSERT_EQ(holdfast(import({"--limit", "100"})).exit_code, 0);
  EXPECT_EQ(stored_rows(), 200U);
  EXPECT_EQ(holdfast({"get", store_, "0", "--json"}).json()["vector"].get<std::vector<float>>(), rows_[0]);
}

TEST_F(ImportRestart, LinesContinueToo) {
  std::string lines;
  for (std::size_t i = 0; i < kRows; ++i) {
    Json line{{"id", i}, {"vector", rows_[i]}, {"payload", {{"n", i}}}};
    lines += line.dump() + (i % 3 == 0 ? "\n\n" : "\n");
  }
  file_ = write_file(folder_ / "rows.jsonl", lines);
  RunningCommand command(import());
  std::uint64_t reported = 0;
  ASSERT_TRUE(wait_for_rows(command, kRows / 3, reported));
  command.signal(SIGKILL);
  command.wait();
  ASSERT_EQ(holdfast(import()).exit_code, 0);
  expect_exactly(kRows);
  EXPECT_EQ(holdfast({"get", store_, "3999", "--json"}).json()["payload"], Json({{"n", 3999}}));
}

}  // namespace
}  // namespace holdfast::cli::test
