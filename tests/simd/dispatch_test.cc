// Which table is chosen, by name and by the environment.
#include "simd/dispatch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

namespace holdfast::simd {
namespace {

constexpr std::string_view kTwo[] = {"scalar", "avx2"};

TEST(ChooseTier, TakesTheBestWithoutAName) {
  for (const std::string_view name : {"", "auto"}) {
    const Choice choice = choose_tier(name, kTwo);
    EXPECT_EQ(choice.tier, "avx2");
    EXPECT_EQ(choice.forced, ForcedName::honoured);
  }
}

TEST(ChooseTier, HonoursAName) {
  EXPECT_EQ(choose_tier("scalar", kTwo).tier, "scalar");
  EXPECT_EQ(choose_tier("scalar", kTwo).forced, ForcedName::honoured);
  EXPECT_EQ(choose_tier("avx2", kTwo).tier, "avx2");
}

TEST(ChooseTier, TellsUnsupportedFromUnknown) {
  for (const std::string_view name : {"avxvnni", "avx512", "avx512vnni", "neon", "neondot"}) {
    EXPECT_EQ(choose_tier(name, kTwo).tier, "avx2");
    EXPECT_EQ(choose_tier(name, kTwo).forced, ForcedName::unsupported);
  }
  for (const std::string_view name : {"AVX2", "avx", "avx2 ", "sse", "0"}) {
    EXPECT_EQ(choose_tier(name, kTwo).tier, "avx2");
    EXPECT_EQ(choose_tier(name, kTwo).forced, ForcedName::unknown) << name;
  }
}

TEST(BestUpTo, TakesTheNextLowerTableWhereThereIsNone) {
  constexpr Kernels kWorst = {"scalar", nullptr, nullptr, nullptr, nullptr};
  constexpr Kernels kMiddle = {"avx2", nullptr, nullptr, nullptr, nullptr};
  constexpr Kernels kBest = {"avx512", nullptr, nullptr, nullptr, nullptr};
  const Kernels* const three[] = {&kWorst, &kMiddle, &kBest};
  EXPECT_STREQ(best_up_to<Kernels>("scalar", three).name, "scalar");
  EXPECT_STREQ(best_up_to<Kernels>("avx2", three).name, "avx2");
  EXPECT_STREQ(best_up_to<Kernels>("avxvnni", three).name, "avx2");
  EXPECT_STREQ(best_up_to<Kernels>("avx512", three).name, "avx512");
  EXPECT_STREQ(best_up_to<Kernels>("avx512vnni", three).name, "avx512");
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

TEST(AvailableCodeKernels, ScalarFirstAndComplete) {
  const auto tables = available_code_kernels();
  ASSERT_FALSE(tables.empty());
  EXPECT_STREQ(tables[0]->name, "scalar");
  for (const CodeKernels* table : tables) {
    EXPECT_NE(table->dot_u8, nullptr) << table->name;
    EXPECT_NE(table->dot_u4, nullptr) << table->name;
    EXPECT_NE(table->dot_bits, nullptr) << table->name;
  }
#if defined(__aarch64__)
  EXPECT_GE(tables.size(), 2u);
#endif
}

TEST(AvailableTypedKernels, AreThoseOfTheFloatKernels) {
  // T1 speaks of the table of the same name.
  const auto tables = available_typed_kernels();
  ASSERT_EQ(tables.size(), available_kernels().size());
  for (std::size_t i = 0; i < tables.size(); ++i) {
    EXPECT_STREQ(tables[i]->name, available_kernels()[i]->name);
    for (const RowKernels* rows :
         {&tables[i]->f32, &tables[i]->f16, &tables[i]->bf16, &tables[i]->i8, &tables[i]->u8}) {
      EXPECT_NE(rows->l2, nullptr);
      EXPECT_NE(rows->dot, nullptr);
      EXPECT_NE(rows->l2_x4, nullptr);
      EXPECT_NE(rows->dot_x4, nullptr);
      EXPECT_NE(rows->decode, nullptr);
    }
  }
}

TEST(AvailableBytePairKernels, ScalarFirstAndComplete) {
  const auto tables = available_byte_pair_kernels();
  ASSERT_FALSE(tables.empty());
  EXPECT_STREQ(tables[0]->name, "scalar");
  for (const BytePairKernels* table : tables) {
    for (const BytePairs* pairs : {&table->i8, &table->u8}) {
      EXPECT_NE(pairs->l2, nullptr);
      EXPECT_NE(pairs->dot, nullptr);
      EXPECT_NE(pairs->l2_x4, nullptr);
      EXPECT_NE(pairs->dot_x4, nullptr);
    }
  }
}

TEST(AvailableTiers, AreTheNamesOfTheTablesInOrder) {
  const auto tiers = available_tiers();
  ASSERT_FALSE(tiers.empty());
  EXPECT_EQ(tiers.front(), "scalar");
  for (std::size_t i = 1; i < tiers.size(); ++i) EXPECT_LT(rank_of(tiers[i - 1]), rank_of(tiers[i]));
  for (const Kernels* table : available_kernels()) EXPECT_EQ(std::ranges::count(tiers, table->name), 1);
  for (const CodeKernels* table : available_code_kernels()) EXPECT_EQ(std::ranges::count(tiers, table->name), 1);
  for (const TypedKernels* table : available_typed_kernels()) EXPECT_EQ(std::ranges::count(tiers, table->name), 1);
  for (const BytePairKernels* table : available_byte_pair_kernels()) {
    EXPECT_EQ(std::ranges::count(tiers, table->name), 1);
  }
}

/// The tables of the process are the best of each family up to `tier`.
bool uses(std::string_view tier) {
  return &kernels() == &best_up_to(tier, available_kernels()) &&
         &code_kernels() == &best_up_to(tier, available_code_kernels()) &&
         &typed_kernels() == &best_up_to(tier, available_typed_kernels()) &&
         &byte_pair_kernels() == &best_up_to(tier, available_byte_pair_kernels());
}

/// Exits with 0 if the process, started with this value, uses `expected` and reports an error that holds `error`.
[[noreturn]] void check_environment(const char* value, std::string_view expected, std::string_view error) {
  if (value == nullptr) {
    unsetenv("HOLDFAST_KERNELS");
  } else {
    setenv("HOLDFAST_KERNELS", value, 1);
  }
  if (!uses(expected)) std::exit(1);
  const Status status = kernels_error();
  if (status.ok() != error.empty()) std::exit(2);
  if (status.message().find(error) == std::string_view::npos) std::exit(3);
  if (!status.ok() && status.code() != StatusCode::invalid_argument) std::exit(4);
  setenv("HOLDFAST_KERNELS", "something else", 1);  // decided once: this changes nothing
  if (!uses(expected) || kernels_error().to_string() != status.to_string()) std::exit(5);
  std::exit(0);
}

/// The decision is made once per process, so each case runs in a process of its own ("threadsafe" death tests start
/// the test program anew).
class KernelsEnvironment : public ::testing::Test {
 protected:
  KernelsEnvironment() { ::testing::GTEST_FLAG(death_test_style) = "threadsafe"; }
  static std::string_view best() { return available_tiers().back(); }
};

TEST_F(KernelsEnvironment, UnsetEmptyOrAuto) {
  for (const char* value : {static_cast<const char*>(nullptr), "", "auto"}) {
    EXPECT_EXIT(check_environment(value, best(), ""), ::testing::ExitedWithCode(0), "");
  }
}

TEST_F(KernelsEnvironment, EveryAvailableName) {
  for (const std::string_view tier : available_tiers()) {
    EXPECT_EXIT(check_environment(tier.data(), tier, ""), ::testing::ExitedWithCode(0), "") << tier;
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
