// The include rules on samples: each rule must be able to fail.
#include "house/include_rules.h"

#include <gtest/gtest.h>

namespace holdfast::house {
namespace {

std::size_t violations(std::string path, std::string_view include) {
  return check_includes(SourceFile::parse(std::move(path), "#include " + std::string(include) + "\n")).size();
}

TEST(IncludeRulesTest, RoomsIncludeWhatIsBelowThem) {
  EXPECT_EQ(violations("src/os/a.h", "\"base/coding.h\""), 0U);
  EXPECT_EQ(violations("src/storage/a.h", "\"os/file_system.h\""), 0U);
  EXPECT_EQ(violations("src/index/a.h", "\"simd/kernels.h\""), 0U);
  EXPECT_EQ(violations("src/engine/a.h", "\"index/graph.h\""), 0U);
  EXPECT_EQ(violations("src/engine/a.h", "\"holdfast/database.h\""), 0U);
  EXPECT_EQ(violations("src/base/a.h", "\"holdfast/status.h\""), 0U);
  EXPECT_EQ(violations("src/cli/a.cc", "\"holdfast/holdfast.hpp\""), 0U);
  EXPECT_EQ(violations("src/cli/a.cc", "<CLI/CLI.hpp>"), 0U);
}

TEST(IncludeRulesTest, RoomsIncludeNothingElse) {
  EXPECT_EQ(violations("src/base/a.h", "\"os/file_system.h\""), 1U);
  EXPECT_EQ(violations("src/base/a.h", "\"holdfast/database.h\""), 1U);
  EXPECT_EQ(violations("src/os/a.h", "\"storage/wal.h\""), 1U);
  EXPECT_EQ(violations("src/simd/a.h", "\"os/file_system.h\""), 1U);
  EXPECT_EQ(violations("src/storage/a.h", "\"index/graph.h\""), 1U) << "storage knows no graph";
  EXPECT_EQ(violations("src/index/a.h", "\"os/file_system.h\""), 1U) << "index never opens a file";
  EXPECT_EQ(violations("src/index/a.h", "\"storage/manifest.h\""), 1U);
  EXPECT_EQ(violations("src/query/a.h", "\"engine/view.h\""), 1U);
  EXPECT_EQ(violations("src/cli/a.cc", "\"engine/database_state.h\""), 1U);
  EXPECT_EQ(violations("src/cli/a.cc", "\"base/coding.h\""), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "\"support/model.h\""), 1U) << "src never includes tests";
  EXPECT_EQ(violations("src/attic/a.h", "<vector>"), 1U) << "an unknown room";
}

TEST(IncludeRulesTest, NamesAreWrittenInFull) {
  EXPECT_EQ(violations("src/os/a.cc", "\"a.h\""), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "<holdfast/types.h>"), 1U);
}

TEST(IncludeRulesTest, ForeignHeadersHaveOneRoom) {
  EXPECT_EQ(violations("src/base/checksum.cc", "<xxhash.h>"), 0U);
  EXPECT_EQ(violations("src/storage/a.cc", "<xxhash.h>"), 1U);
  EXPECT_EQ(violations("src/os/a.cc", "<sys/mman.h>"), 0U);
  EXPECT_EQ(violations("src/storage/a.cc", "<sys/mman.h>"), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "<unistd.h>"), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "<nlohmann/json.hpp>"), 0U);
  EXPECT_EQ(violations("src/index/a.cc", "<nlohmann/json.hpp>"), 1U);
}

TEST(IncludeRulesTest, SomeStandardHeadersHaveOneOwner) {
  EXPECT_EQ(violations("src/base/mutex.h", "<mutex>"), 0U);
  EXPECT_EQ(violations("src/engine/a.h", "<mutex>"), 1U);
  EXPECT_EQ(violations("src/engine/a.h", "<condition_variable>"), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "<iostream>"), 1U);
  EXPECT_EQ(violations("src/cli/a.cc", "<iostream>"), 0U);
  EXPECT_EQ(violations("src/engine/a.cc", "<fstream>"), 1U);
}

TEST(IncludeRulesTest, PublicHeadersAreStdOnly) {
  EXPECT_EQ(violations("include/holdfast/a.h", "<vector>"), 0U);
  EXPECT_EQ(violations("include/holdfast/a.h", "\"holdfast/types.h\""), 0U);
  EXPECT_EQ(violations("include/holdfast/a.h", "\"base/coding.h\""), 1U);
  EXPECT_EQ(violations("include/holdfast/a.h", "<nlohmann/json.hpp>"), 1U);
  EXPECT_EQ(violations("include/holdfast/a.h", "<unistd.h>"), 1U);
}

TEST(IncludeRulesTest, NamesFileAndLine) {
  const Violations found = check_includes(SourceFile::parse("src/base/a.h", "#pragma once\n#include \"os/b.h\"\n"));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].to_string().starts_with("src/base/a.h:2: ")) << found[0].to_string();
}

}  // namespace
}  // namespace holdfast::house
