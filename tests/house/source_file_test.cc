#include "house/source_file.h"

#include <gtest/gtest.h>

namespace holdfast::house {
namespace {

std::vector<std::string> code_of(std::string_view text) { return SourceFile::parse("src/base/a.cc", text).code; }

TEST(SourceFileTest, BlanksCommentsAndLiteralsInPlace) {
  EXPECT_EQ(code_of("a; // throw\nb;"), (std::vector<std::string>{"a;         ", "b;"}));
  EXPECT_EQ(code_of("a/* x\ny */b"), (std::vector<std::string>{"a    ", "    b"}));
  EXPECT_EQ(code_of("f(\"a\\\"b\", 'c', '\\'');"), (std::vector<std::string>{"f(      ,    ,     );"}));
  EXPECT_EQ(code_of("f(R\"x(\"throw)\")x\");"), (std::vector<std::string>{"f(R              );"}));
}

TEST(SourceFileTest, DigitSeparatorsOpenNoLiteral) {
  EXPECT_EQ(code_of("int n = 1'000'000; throw 1;"), (std::vector<std::string>{"int n = 1'000'000; throw 1;"}));
  EXPECT_EQ(code_of("x = 0xFF'FF; 'a'"), (std::vector<std::string>{"x = 0xFF'FF;    "}));
}

TEST(SourceFileTest, FindsIncludes) {
  const SourceFile file = SourceFile::parse("src/base/a.cc",
                                            "#include \"base/b.h\"\n"
                                            "// #include \"base/c.h\"\n"
                                            "#  include <vector>  // why\n");
  const std::vector<Include> found = file.includes();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "base/b.h");
  EXPECT_TRUE(found[0].quoted);
  EXPECT_EQ(found[1].name, "vector");
  EXPECT_FALSE(found[1].quoted);
  EXPECT_EQ(found[1].line, 3U);
}

TEST(SourceFileTest, KnowsItsRoom) {
  EXPECT_EQ(SourceFile::parse("src/engine/view.h", "").room(), "engine");
  EXPECT_EQ(SourceFile::parse("tests/engine/view_test.cc", "").room(), "");
  EXPECT_TRUE(SourceFile::parse("src/cli/main.cc", "").is_in("src/cli"));
  EXPECT_FALSE(SourceFile::parse("src/client/main.cc", "").is_in("src/cli"));
}

}  // namespace
}  // namespace holdfast::house
