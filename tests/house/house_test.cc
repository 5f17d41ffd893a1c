// The rules of the house, on the whole repository.
#include <gtest/gtest.h>

#include <string>

#include "holdfast/version.h"
#include "house/ban_list.h"
#include "house/include_rules.h"
#include "house/source_file.h"

namespace holdfast::house {
namespace {

using Check = Violations (*)(const SourceFile&);

/// Fewer files than this, and the walk went wrong rather than the repository shrank.
constexpr std::size_t kFewestFiles = 20;

void expect_clean(const std::vector<std::string>& folders, Check check) {
  const std::vector<SourceFile> files = SourceFile::load_all(HOLDFAST_SOURCE_DIR, folders);
  EXPECT_GE(files.size(), kFewestFiles) << "the sources were not found";
  for (const SourceFile& file : files) {
    for (const Violation& violation : check(file)) ADD_FAILURE() << violation.to_string();
  }
}

TEST(HouseTest, IncludesFollowTheTableOfRooms) { expect_clean({"include", "src"}, check_includes); }

TEST(HouseTest, NothingBannedIsDone) {
  expect_clean({"include", "src", "tests", "fuzz", "bench", "examples"}, check_bans);
}

TEST(HouseTest, HeaderAndBuildAgreeOnTheVersion) { EXPECT_STREQ(HOLDFAST_VERSION_STRING, HOLDFAST_PROJECT_VERSION); }

}  // namespace
}  // namespace holdfast::house
