// The ban list on samples: each ban must be able to fail, and must not fire on its neighbours.
#include "house/ban_list.h"

#include <gtest/gtest.h>

namespace holdfast::house {
namespace {

std::size_t violations(std::string path, std::string_view text) {
  return check_bans(SourceFile::parse(std::move(path), text)).size();
}

TEST(BanListTest, TheLibraryNeverPrints) {
  EXPECT_EQ(violations("src/engine/a.cc", "std::cout << 1;"), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "std::printf(text);"), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "fprintf (stderr, text);"), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "std::snprintf(text, 3, format);"), 0U);
  EXPECT_EQ(violations("src/cli/a.cc", "std::printf(text);"), 0U);
  EXPECT_EQ(violations("tests/os/a_test.cc", "std::printf(text);"), 0U);
}

TEST(BanListTest, TheLibraryNeverEndsTheProcess) {
  EXPECT_EQ(violations("src/engine/a.cc", "std::abort();"), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "_exit(1);"), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "on_exit(1); room.exit(1);"), 0U);
  EXPECT_EQ(violations("src/base/a.cc", "std::terminate();"), 0U);
}

TEST(BanListTest, NoExceptions) {
  EXPECT_EQ(violations("src/storage/a.cc", "if (bad) throw 1;"), 1U);
  EXPECT_EQ(violations("src/storage/a.cc", "// never throws, does not throw\n\"throw\";"), 0U);
  EXPECT_EQ(violations("src/storage/a.cc", "try { f(); } catch (...) {}"), 0U);
}

TEST(BanListTest, NobodySleeps) {
  EXPECT_EQ(violations("src/engine/a.cc", "std::this_thread::sleep_for(1ms);"), 1U);
  EXPECT_EQ(violations("tests/engine/a_test.cc", "std::this_thread::sleep_for(1ms);"), 1U);
  EXPECT_EQ(violations("tests/engine/a_test.cc", "::usleep(3);"), 1U);
  EXPECT_EQ(violations("tests/engine/a_test.cc", "condition.wait_for(mutex, 1ms);"), 0U);
}

TEST(BanListTest, RandomnessIsSeeded) {
  EXPECT_EQ(violations("tests/engine/a_test.cc", "int x = rand();"), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "std::random_device device;"), 1U);
  EXPECT_EQ(violations("src/engine/a.cc", "operand(1); rng.rand(2);"), 0U);
}

TEST(BanListTest, NamespaceStdStaysWhereItIs) {
  EXPECT_EQ(violations("tests/engine/a_test.cc", "using namespace std;"), 1U);
  EXPECT_EQ(violations("tests/engine/a_test.cc", "using namespace std::chrono_literals;"), 0U);
}

TEST(BanListTest, HeadersAreGuarded) {
  EXPECT_EQ(violations("src/engine/a.h", "int x;\n"), 1U);
  EXPECT_EQ(violations("src/engine/a.h", "// #pragma once\n"), 1U);
  EXPECT_EQ(violations("src/engine/a.h", "// A story.\n#pragma once\n"), 0U);
  EXPECT_EQ(violations("src/engine/a.cc", "int x;\n"), 0U);
}

TEST(BanListTest, FilesStaySmall) {
  std::string text;
  for (std::size_t i = 0; i < kMaxLines; ++i) text += ";\n";
  EXPECT_EQ(violations("src/engine/a.cc", text), 0U);
  EXPECT_EQ(violations("src/engine/a.cc", text + ";\n"), 1U);
}

}  // namespace
}  // namespace holdfast::house
