// holdfast verify and repair from end to end, on a real disk: exit codes, JSON, what is printed before and after.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/command.h"
#include "cli/import_files.h"

namespace holdfast::cli::test {
namespace {

namespace fs = std::filesystem;

class RepairCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "rows.fbin", bin_bytes<float>(random_rows(50, 8, 3)));
    ASSERT_EQ(holdfast({"import", store_, "points", folder_ / "rows.fbin", "--create", "--first-id", "100"}).exit_code,
              0);
  }
  /// The only file below the store whose path contains `part`.
  fs::path file(const std::string& part) const {
    fs::path found;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(store_)) {
      const bool aside = entry.path().string().find("/repair-") != std::string::npos;
      if (entry.is_regular_file() && !aside && entry.path().string().find(part) != std::string::npos) {
        found = std::max(found, entry.path());
      }
    }
    EXPECT_FALSE(found.empty()) << part;
    return found;
  }
  static void flip(const fs::path& path, std::streamoff offset) {
    std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(offset);
    const char byte = static_cast<char>(stream.get() ^ 4);
    stream.seekp(offset);
    stream.put(byte);
    ASSERT_TRUE(stream.good());
  }

  TempDir folder_;
  std::string store_ = folder_ / "store";
};

TEST_F(RepairCommand, ASoundStore) {
  const CommandResult plan = holdfast({"repair", store_});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_EQ(plan.out, "sound: nothing to repair\n");
  const CommandResult json = holdfast({"repair", store_, "--yes-all", "--json"});
  EXPECT_EQ(json.exit_code, 0);
  EXPECT_EQ(
      json.json(),
      Json({{"sound", true}, {"steps", Json::array()}, {"hopeless", Json::array()}, {"set_aside", Json::array()}}));
  EXPECT_EQ(holdfast({"verify", store_, "--json"}).json()["level"], "full");
  const CommandResult fast = holdfast({"verify", store_, "--fast", "--json"});
  EXPECT_EQ(fast.exit_code, 0);
  EXPECT_EQ(fast.json()["level"], "fast");
  EXPECT_EQ(fast.json()["points"], 50);
}

TEST_F(RepairCommand, ExplainsBeforeItActs) {
  flip(file("/manifest-"), 100);
  const CommandResult verified = holdfast({"verify", store_, "--json"});
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_EQ(verified.json()["findings"][0]["offset"], 24);
  const CommandResult plan = holdfast({"repair", store_});
  EXPECT_EQ(plan.exit_code, 1);
  EXPECT_NE(plan.out.find("--drop-checkpoint (not chosen)"), std::string::npos) << plan.out;
  EXPECT_NE(plan.out.find("loses: nothing"), std::string::npos) << plan.out;
  EXPECT_EQ(holdfast({"repair", store_, "--lossless", "--dry-run"}).exit_code, 1);
  EXPECT_EQ(holdfast({"verify", store_}).exit_code, 1) << "nothing was changed so far";

  const CommandResult done = holdfast({"repair", store_, "-c", "points", "--drop-checkpoint"});
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  EXPECT_NE(done.out.find("--drop-checkpoint (done)"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("set aside: repair-1"), std::string::npos) << done.out;
  EXPECT_TRUE(fs::exists(fs::path(store_) / "repair-1" / "REPORT"));
  EXPECT_EQ(holdfast({"verify", store_}).exit_code, 0);
  EXPECT_EQ(holdfast({"get", store_, "149"}).exit_code, 0);
}

TEST_F(RepairCommand, NamesWhatIsLostById) {
  // Another image that shares every extent, so that nothing stands in for them.
  ASSERT_EQ(holdfast({"checkpoint", store_}).exit_code, 0);
  write_file(folder_ / "one.jsonl", "{\"id\":1,\"vector\":[1,0,0,0,0,0,0,0]}\n");
  ASSERT_EQ(holdfast({"import", store_, "points", folder_ / "one.jsonl"}).exit_code, 0);
  for (const fs::directory_entry& entry : fs::directory_iterator(file("/manifest-").parent_path())) {
    if (entry.is_regular_file() && entry.path() != file("/manifest-")) flip(entry.path(), 50);
  }
  const Json before = holdfast({"repair", store_, "--yes-all", "--dry-run", "--json"}).json();
  EXPECT_EQ(before["steps"][0]["salvage"], "drop-checkpoint");
  // The vectors of all points stand in one page: find it by its size.
  fs::path vectors;
  for (const fs::directory_entry& entry : fs::directory_iterator(file(".ext").parent_path())) {
    if (fs::file_size(entry.path()) == 4096 + 50 * 64 + 8 + 48) vectors = entry.path();
  }
  ASSERT_FALSE(vectors.empty());
  flip(vectors, 5000);
  const CommandResult done = holdfast({"repair", store_, "--yes-all", "--json"});
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  const Json report = done.json();
  ASSERT_EQ(report["steps"].size(), 2U) << report.dump();
  const Json& drop = report["steps"][1];
  EXPECT_EQ(drop["salvage"], "drop-points");
  EXPECT_TRUE(drop["done"].get<bool>());
  EXPECT_EQ(drop["lost"]["ids"].size(), 50U);  // the log still says what 1 is
  EXPECT_EQ(drop["lost"]["ids"][49], 149);
  EXPECT_EQ(holdfast({"get", store_, "1"}).exit_code, 0);
  EXPECT_EQ(holdfast({"verify", store_}).exit_code, 0);
  EXPECT_EQ(holdfast({"get", store_, "149"}).exit_code, 1);
}

TEST_F(RepairCommand, WrongUsage) {
  EXPECT_EQ(holdfast({"repair", folder_ / "nothing"}).exit_code, 3);
  EXPECT_EQ(holdfast({"repair", store_, "-c", "other"}).exit_code, 2);
  EXPECT_EQ(holdfast({"repair", store_, "--metric", "manhattan"}).exit_code, 2);
  EXPECT_EQ(holdfast({"repair"}).exit_code, 2);
  EXPECT_EQ(holdfast({"repair", store_, "--fix"}).exit_code, 2);
  const CommandResult both = holdfast({"repair", store_, "--cut-log", "--skip-frames"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_NE(both.err.find("exclude each other"), std::string::npos) << both.err;
  const CommandResult help = holdfast({"repair", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* salvage : {"--drop-checkpoint", "--trim-log", "--rebuild-graph", "--drop-points", "--cut-log",
                              "--skip-frames", "--roll-back", "--rebuild-manifest", "--rebuild-catalog", "Example"}) {
    EXPECT_NE(help.out.find(salvage), std::string::npos) << salvage;
  }
}

}  // namespace
}  // namespace holdfast::cli::test
