// C2: nothing outside of rows, query and planes is read. Pages that may not be read before and behind them work in
// every build, heap blocks of the exact size under AddressSanitizer, and other neighbors would change a result.
#include <gtest/gtest.h>

#include <memory>

#include "simd/code_cases.h"
#include "simd/guarded_room.h"

namespace holdfast::simd::testing {
namespace {

constexpr std::uint64_t kSeed = 11;
constexpr std::size_t kRows = 13;  // a group of eight, one of four, one
constexpr std::size_t kDimensionMax = 300;

class CodeKernelBoundsTest : public ::testing::TestWithParam<const CodeKernels*> {
 protected:
  const CodeKernels& table_ = *GetParam();
};

INSTANTIATE_TEST_SUITE_P(Tables, CodeKernelBoundsTest,
                         ::testing::ValuesIn(available_code_kernels().begin(), available_code_kernels().end()),
                         code_table_name);

/// A query between guards and one room for each row.
struct Rooms {
  explicit Rooms(std::size_t bytes) : query(bytes) {
    for (auto& row : rows) row = std::make_unique<GuardedRoom>(bytes);
  }
  [[nodiscard]] bool usable() const {
    bool all = query.usable();
    for (const auto& row : rows) all = all && row->usable();
    return all;
  }
  GuardedRoom query;
  std::unique_ptr<GuardedRoom> rows[kRows];
};

TEST_P(CodeKernelBoundsTest, BytesReadNothingBeyondGuardPages) {
  Rooms rooms(kDimensionMax);
  ASSERT_TRUE(rooms.usable());
  const CodeKernels& scalar = *available_code_kernels()[0];
  const auto check = [&](DotBytes dot, DotBytes scalar_dot, std::size_t dim, std::size_t row_bytes) {
    SeededRandom random(kSeed + dim);
    std::vector<std::int8_t> query(dim);
    fill_query(query, Fill::random, random);
    std::vector<std::vector<std::uint8_t>> rows(kRows, std::vector<std::uint8_t>(row_bytes));
    for (auto& row : rows) fill_codes(row, Fill::random, random);
    for (const bool at_end : {false, true}) {
      const std::int8_t* const placed_query = rooms.query.put<std::int8_t>(query, at_end);
      const std::uint8_t* placed[kRows];
      for (std::size_t j = 0; j < kRows; ++j) placed[j] = rooms.rows[j]->put<std::uint8_t>(rows[j], at_end);
      std::int32_t expected[kRows];
      std::int32_t out[kRows];
      scalar_dot(placed_query, placed, kRows, dim, expected);
      dot(placed_query, placed, kRows, dim, out);
      for (std::size_t j = 0; j < kRows; ++j) ASSERT_EQ(out[j], expected[j]) << "dim " << dim << ", row " << j;
    }
  };
  for (std::size_t dim = 0; dim <= kDimensionMax; ++dim) {
    check(table_.dot_u8, scalar.dot_u8, dim, bytes_u8(dim));
    check(table_.dot_u4, scalar.dot_u4, dim, bytes_u4(dim));
    if (HasFatalFailure()) return;
  }
}

TEST_P(CodeKernelBoundsTest, BitsReadNothingBeyondGuardPages) {
  constexpr std::size_t kWordsMax = 40;
  Rooms rooms(kWordsMax * kCodePlanesMax * sizeof(std::uint64_t));
  ASSERT_TRUE(rooms.usable());
  for (std::size_t words = 0; words <= kWordsMax; ++words) {
    for (const int bits : {1, 3, 4, 5, 8}) {
      SeededRandom random(kSeed + words);
      std::vector<std::uint64_t> planes(words * static_cast<std::size_t>(bits));
      for (auto& word : planes) word = random.next();
      std::vector<std::vector<std::uint64_t>> rows(kRows, std::vector<std::uint64_t>(words));
      for (auto& row : rows) {
        for (auto& word : row) word = random.next();
      }
      for (const bool at_end : {false, true}) {
        const std::uint64_t* const placed_planes = rooms.query.put<std::uint64_t>(planes, at_end);
        const std::uint64_t* placed[kRows];
        for (std::size_t j = 0; j < kRows; ++j) placed[j] = rooms.rows[j]->put<std::uint64_t>(rows[j], at_end);
        std::int32_t expected[kRows];
        std::int32_t out[kRows];
        available_code_kernels()[0]->dot_bits(placed_planes, bits, placed, kRows, words, expected);
        table_.dot_bits(placed_planes, bits, placed, kRows, words, out);
        for (std::size_t j = 0; j < kRows; ++j) ASSERT_EQ(out[j], expected[j]) << "words " << words << ", row " << j;
      }
    }
  }
}

TEST_P(CodeKernelBoundsTest, ReadsNothingBeyondHeapBlocks) {
  for (std::size_t dim = 0; dim <= 200; ++dim) {
    SeededRandom random(kSeed + dim);
    const auto query = std::make_unique<std::int8_t[]>(dim);
    fill_query({query.get(), dim}, Fill::random, random);
    std::unique_ptr<std::uint8_t[]> blocks[kRows];
    const std::uint8_t* codes[kRows];
    for (std::size_t j = 0; j < kRows; ++j) {
      blocks[j] = std::make_unique<std::uint8_t[]>(bytes_u4(dim));
      codes[j] = blocks[j].get();
    }
    std::int32_t out[kRows];
    table_.dot_u4(query.get(), codes, kRows, dim, out);
    for (std::size_t j = 0; j < kRows; ++j) {
      blocks[j] = std::make_unique<std::uint8_t[]>(dim);
      codes[j] = blocks[j].get();
    }
    table_.dot_u8(query.get(), codes, kRows, dim, out);
    for (const std::int32_t sum : out) ASSERT_EQ(sum, 0) << "dim " << dim;
    std::unique_ptr<std::uint64_t[]> bit_blocks[kRows];
    const std::uint64_t* bit_codes[kRows];
    for (std::size_t j = 0; j < kRows; ++j) {
      bit_blocks[j] = std::make_unique<std::uint64_t[]>(dim);
      bit_codes[j] = bit_blocks[j].get();
    }
    const auto planes = std::make_unique<std::uint64_t[]>(dim * 3);
    table_.dot_bits(planes.get(), 3, bit_codes, kRows, dim, out);
    for (const std::int32_t sum : out) ASSERT_EQ(sum, 0) << "words " << dim;
  }
}

TEST_P(CodeKernelBoundsTest, IsNotTouchedByThePaddingOfTheLastBlock) {
  for (std::size_t dim = 1; dim <= 200; ++dim) {
    SeededRandom random(kSeed + dim);
    std::vector<std::int8_t> query(dim + 64, 127);
    std::vector<std::uint8_t> row(bytes_u4(dim), 255);
    std::int32_t expected = 0;
    const std::uint8_t* const code = row.data();
    available_code_kernels()[0]->dot_u4(query.data(), &code, 1, dim, &expected);
    ASSERT_EQ(expected, static_cast<std::int32_t>(dim) * 15 * 127);
    std::int32_t out = 0;
    table_.dot_u4(query.data(), &code, 1, dim, &out);
    ASSERT_EQ(out, expected) << "dim " << dim;
  }
}

}  // namespace
}  // namespace holdfast::simd::testing
