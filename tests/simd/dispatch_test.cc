// Which table is chosen, by name and by the environment.
#include "simd/dispatch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace holdfast::simd {
namespace {

constexpr Kernels kWorst = {"scalar", nullptr, nullptr, nullptr, nullptr};
constexpr Kernels kBest = {"avx2", nullptr, nullptr, nullptr, nullptr};
constexpr const Kernels* kTwo[] = {&kWorst, &kBest};

TEST(ChooseKernels, TakesTheBestWithoutAName) {
  for (const std::string_view name : {"", "auto"}) {
    const Choice choice = choose_kernels(name, kTwo);
    EXPECT_EQ(choice.table, &kBest);
    EXPECT_EQ(choice.forced, ForcedName::honoured);
  }
}

TEST(ChooseKernels, HonoursAName) {
  EXPECT_EQ(choose_kernels("scalar", kTwo).table, &kWorst);
  EXPECT_EQ(choose_kernels("scalar", kTwo).forced, ForcedName::honoured);
  EXPECT_EQ(choose_kernels("avx2", kTwo).table, &kBest);
}

TEST(ChooseKernels, TellsUnsupportedFromUnknown) {
  for (const std::string_view name : {"avx512", "neon"}) {
    EXPECT_EQ(choose_kernels(name, kTwo).table, &kBest);
    EXPECT_EQ(choose_kernels(name, kTwo).forced, ForcedName::unsupported);
  }
  for (const std::string_view name : {"AVX2", "avx", "avx2 ", "sse", "0"}) {
    EXPECT_EQ(choose_kernels(name, kTwo).table, &kBest);
    EXPECT_EQ(choose_kernels(name, kTwo).forced, ForcedName::unknown) << name;
  }
}

TEST(AvailableKernels, ScalarFirstAndComplete) {
  const auto tables = available_kernels();
  ASSERT_FALSE(tables.empty());
  EXPECT_STREQ(tables[0]->name, "scalar");
  for (const Kernels* table : tables) {
    EXPECT_NE(table->l2, nullptr);
    EXPECT_NE(table->dot, nullptr);
    EXPECT_NE(table->l2_x4, nullptr);
    EXPECT_NE(table->dot_x4, nullptr);
  }
#if defined(__aarch64__)
  EXPECT_STREQ(tables.back()->name, "neon");
#endif
}

/// Exits with 0 if the process, started with this value, uses `expected` and reports an error that holds `error`.
[[noreturn]] void check_environment(const char* value, std::string_view expected, std::string_view error) {
  if (value == nullptr) {
    unsetenv("HOLDFAST_KERNELS");
  } else {
    setenv("HOLDFAST_KERNELS", value, 1);
  }
  if (kernels().name != expected) std::exit(1);
  const Status status = kernels_error();
  if (status.ok() != error.empty()) std::exit(2);
  if (status.message().find(error) == std::string_view::npos) std::exit(3);
  if (!status.ok() && status.code() != StatusCode::invalid_argument) std::exit(4);
  setenv("HOLDFAST_KERNELS", "something else", 1);  // decided once: this changes nothing
  if (kernels().name != expected || kernels_error().to_string() != status.to_string()) std::exit(5);
  std::exit(0);
}

/// The decision is made once per process, so each case runs in a process of its own ("threadsafe" death tests start
/// the test program anew).
class KernelsEnvironment : public ::testing::Test {
 protected:
  KernelsEnvironment() { ::testing::GTEST_FLAG(death_test_style) = "threadsafe"; }
  static std::string_view best() { return available_kernels().back()->name; }
};

TEST_F(KernelsEnvironment, UnsetEmptyOrAuto) {
  for (const char* value : {static_cast<const char*>(nullptr), "", "auto"}) {
    EXPECT_EXIT(check_environment(value, best(), ""), ::testing::ExitedWithCode(0), "");
  }
}

TEST_F(KernelsEnvironment, EveryAvailableName) {
  for (const Kernels* table : available_kernels()) {
    EXPECT_EXIT(check_environment(table->name, table->name, ""), ::testing::ExitedWithCode(0), "") << table->name;
  }
}

TEST_F(KernelsEnvironment, UnknownName) {
  EXPECT_EXIT(check_environment("sse9", best(), "HOLDFAST_KERNELS=sse9 is not known"), ::testing::ExitedWithCode(0),
              "");
  const std::string endless(100000, 'x');
  EXPECT_EXIT(check_environment(endless.c_str(), best(), "xxx"), ::testing::ExitedWithCode(0), "");
}

TEST_F(KernelsEnvironment, UnsupportedName) {
#if defined(__x86_64__)
  EXPECT_EXIT(check_environment("neon", best(), "neon is not supported"), ::testing::ExitedWithCode(0), "");
#else
  EXPECT_EXIT(check_environment("avx512", best(), "avx512 is not supported"), ::testing::ExitedWithCode(0), "");
#endif
}

}  // namespace
}  // namespace holdfast::simd
