// Stores of every released format open with the answers that they gave when they were written (golden_store.h).
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "engine/options.h"
#include "golden/golden_store.h"
#include "holdfast/admin.h"
#include "support/temp_dir.h"

namespace holdfast::testing {
namespace {

namespace fs = std::filesystem;

engine::EngineOptions quiet() {
  engine::EngineOptions options;
  options.background = false;  // the indexer would move the meters
  options.open.create_if_missing = false;
  options.open.verify_on_open = VerifyOnOpen::everything;
  return options;
}

class GoldenStore : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const fs::path source = fs::path(HOLDFAST_GOLDEN_DIRECTORY) / GetParam();
    path_ = temp_ / "store";
    fs::copy(source / "store", path_, fs::copy_options::recursive);
    std::ifstream(source / "answers.json") >> expected_;
  }

  TempDir temp_;
  std::string path_;
  nlohmann::json expected_;
};

TEST_P(GoldenStore, OpensWithTheSameAnswers) {
  for (int i = 0; i < 2; ++i) {  // the second time after a clean close
    auto database = Database::open_with(path_, quiet());
    ASSERT_TRUE(database.ok()) << database.status().to_string();
    ASSERT_TRUE(database->quarantined().empty()) << database->quarantined().front().status.to_string();
    const auto answers = ask_golden_store(*database);
    ASSERT_TRUE(answers.ok()) << answers.status().to_string();
    nlohmann::json expected = expected_;
    if (i > 0) {  // closing made a checkpoint
      for (auto& [name, collection] : expected.items()) {
        collection["stats"]["checkpoint_lsn"] = collection["stats"]["last_lsn"];
      }
    }
    EXPECT_EQ("", difference(expected, *answers));
    for (const char* name : {"numbers", "uuids"}) {
      const RecoveryReport& report = database->collection(name)->recovery_report();
      EXPECT_EQ(i > 0, report.frames_replayed == 0) << name << ": " << report.to_string();
      EXPECT_TRUE(report.notes.empty());
    }
    ASSERT_TRUE(database->close().ok());
  }
  if (!HasFailure()) std::printf("golden store %s: opens with the same answers\n", GetParam().c_str());
}

TEST_P(GoldenStore, IsWholeAndTakesWrites) {
  const auto report = verify(path_);
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  EXPECT_FALSE(report->damaged()) << report->findings.front().message;
  auto database = Database::open_with(path_, quiet());
  ASSERT_TRUE(database.ok()) << database.status().to_string();
  auto numbers = database->collection("numbers");
  ASSERT_TRUE(numbers.ok());
  ASSERT_TRUE(numbers->upsert(1'000, std::vector<float>{1, 2, 3, 4, 5, 6}).ok());
  ASSERT_TRUE(numbers->wait_until_indexed().ok());
  ASSERT_TRUE(database->close().ok());
  database = Database::open_with(path_, quiet());
  ASSERT_TRUE(database.ok());
  EXPECT_EQ(expected_["numbers"]["stats"]["points"].get<std::uint64_t>() + 1,
            database->collection("numbers")->snapshot().size());
  if (!HasFailure()) std::printf("golden store %s: whole, takes writes\n", GetParam().c_str());
}

INSTANTIATE_TEST_SUITE_P(Formats, GoldenStore, ::testing::Values("v1", "v2", "v3", "v4"),
                         [](const auto& format) { return format.param; });

}  // namespace
}  // namespace holdfast::testing
