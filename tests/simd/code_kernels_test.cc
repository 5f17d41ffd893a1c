// C1: every table of integer kernels against plain arithmetic in 64 bits, for every tail, alignment and count of rows.
#include "simd/code_kernels.h"

#include <gtest/gtest.h>

#include <bit>

#include "simd/code_cases.h"

namespace holdfast::simd::testing {
namespace {

constexpr std::uint64_t kSeed = 20240521;

/// Every tail of every table (the widest works in blocks of 128), what people use, and the longest.
std::vector<std::size_t> code_dimensions() {
  std::vector<std::size_t> all;
  for (std::size_t dim = 0; dim <= 200; ++dim) all.push_back(dim);
  for (std::size_t dim : {255, 256, 257, 300, 784, 960, 1536, 4095, 65'536}) all.push_back(dim);
  all.push_back(kCodeDimensionMax);
  return all;
}

std::int64_t reference_u8(std::span<const std::int8_t> query, const std::uint8_t* code) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < query.size(); ++i) sum += code[i] * query[i];
  return sum;
}

std::int64_t reference_u4(std::span<const std::int8_t> query, const std::uint8_t* code) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < query.size(); ++i) {
    const std::uint8_t byte = code[i / 64 * 32 + i % 32];
    sum += (i % 64 < 32 ? byte % 16 : byte / 16) * query[i];
  }
  return sum;
}

std::int64_t reference_bits(std::span<const std::uint64_t> planes, int bits, std::span<const std::uint64_t> code) {
  std::int64_t sum = 0;
  for (int b = 0; b < bits; ++b) {
    for (std::size_t w = 0; w < code.size(); ++w) {
      sum += std::int64_t{std::popcount(code[w] & planes[static_cast<std::size_t>(b) * code.size() + w])} << b;
    }
  }
  return sum;
}

class CodeKernelsTest : public ::testing::TestWithParam<const CodeKernels*> {
 protected:
  const CodeKernels& table_ = *GetParam();

  /// `count` rows that each begin at another place of a block of 64 bytes, one query; every result against `reference`.
  template <class ReferenceOf>
  void check_bytes(DotBytes dot, std::size_t row_bytes, std::size_t dim, std::size_t count, Fill fill,
                   std::size_t alignment, ReferenceOf reference) {
    SCOPED_TRACE("dim " + std::to_string(dim) + ", count " + std::to_string(count) + ", fill " +
                 std::to_string(static_cast<int>(fill)) + ", alignment " + std::to_string(alignment));
    SeededRandom random(kSeed + dim);
    const std::size_t stride = row_bytes + 65;
    std::vector<std::uint8_t> memory(count * stride + 128);
    fill_codes(memory, fill, random);
    std::vector<std::int8_t> query_memory(dim + 128);
    fill_query(query_memory, fill, random);
    const std::size_t to_line = -reinterpret_cast<std::uintptr_t>(memory.data()) % 64;
    const std::size_t query_to_line = -reinterpret_cast<std::uintptr_t>(query_memory.data()) % 64;
    const std::span<const std::int8_t> query(query_memory.data() + query_to_line + alignment, dim);
    std::vector<const std::uint8_t*> codes(count);
    for (std::size_t j = 0; j < count; ++j)
      codes[j] = memory.data() + to_line + (alignment + j * stride) % (count * stride);
    std::vector<std::int32_t> out(count + 2, -7);
    dot(query.data(), codes.data(), count, dim, out.data() + 1);
    ASSERT_EQ(out.front(), -7);
    ASSERT_EQ(out.back(), -7);
    for (std::size_t j = 0; j < count; ++j) ASSERT_EQ(out[j + 1], reference(query, codes[j])) << "row " << j;
  }

  void check_both(std::size_t dim, std::size_t count, Fill fill, std::size_t alignment) {
    check_bytes(table_.dot_u8, bytes_u8(dim), dim, count, fill, alignment, reference_u8);
    check_bytes(table_.dot_u4, bytes_u4(dim), dim, count, fill, alignment, reference_u4);
  }

  void check_bits(std::size_t words, int bits, std::size_t count, bool all_ones) {
    SCOPED_TRACE("words " + std::to_string(words) + ", bits " + std::to_string(bits) + ", count " +
                 std::to_string(count));
    SeededRandom random(kSeed + words);
    std::vector<std::uint64_t> planes(words * static_cast<std::size_t>(bits));
    for (auto& word : planes) word = all_ones ? ~0ull : random.next();
    std::vector<std::vector<std::uint64_t>> rows(count, std::vector<std::uint64_t>(words));
    std::vector<const std::uint64_t*> codes;
    for (auto& row : rows) {
      for (auto& word : row) word = all_ones ? ~0ull : random.next();
      codes.push_back(row.data());
    }
    std::vector<std::int32_t> out(count + 2, -7);
    table_.dot_bits(planes.data(), bits, codes.data(), count, words, out.data() + 1);
    ASSERT_EQ(out.front(), -7);
    ASSERT_EQ(out.back(), -7);
    for (std::size_t j = 0; j < count; ++j) ASSERT_EQ(out[j + 1], reference_bits(planes, bits, rows[j])) << "row " << j;
  }
};

INSTANTIATE_TEST_SUITE_P(Tables, CodeKernelsTest,
                         ::testing::ValuesIn(available_code_kernels().begin(), available_code_kernels().end()),
                         code_table_name);

TEST_P(CodeKernelsTest, IsExactForEveryDimension) {
  for (const std::size_t dim : code_dimensions()) {
    for (const Fill fill : kFills) check_both(dim, dim > 2000 ? 5 : 13, fill, 0);
    if (HasFatalFailure()) return;
  }
}

TEST_P(CodeKernelsTest, IsExactForEveryAlignment) {
  for (std::size_t alignment = 0; alignment < 64; ++alignment) {
    for (const std::size_t dim : {1, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 200}) {
      check_both(dim, 8, Fill::random, alignment);
    }
    if (HasFatalFailure()) return;
  }
}

TEST_P(CodeKernelsTest, IsExactForEveryCount) {
  for (std::size_t count = 0; count <= 40; ++count) {
    for (const std::size_t dim : {20, 64, 128, 150}) check_both(dim, count, Fill::random, 0);
    check_bits(8, 4, count, false);
    if (HasFatalFailure()) return;
  }
}

TEST_P(CodeKernelsTest, IsExactAtTheBounds) {
  // The sums that come closest to the ends of 32 bits: -2,147,483,520 and 2,130,706,305 (u8).
  for (const Fill fill : {Fill::largest_with_smallest, Fill::largest_with_largest}) {
    for (const std::size_t count : {1, 4, 8}) check_both(kCodeDimensionMax, count, fill, 0);
  }
  static_assert(kCodeDimensionMax * 255 * 128 <= 0x7fff'ffff && (kCodeDimensionMax + 1) * 255 * 128 > 0x7fff'ffff);
  static_assert(kCodeWordsMax * 64 * 255 <= 0x7fff'ffff && (kCodeWordsMax + 1) * 64 * 255 > 0x7fff'ffff);
  for (const std::size_t count : {1, 4, 8}) check_bits(kCodeWordsMax, kCodePlanesMax, count, true);
}

TEST_P(CodeKernelsTest, CountsEveryComponentOnce) {
  // Ones everywhere could hide a component taken for another; one component after the other cannot.
  for (const std::size_t dim : {1, 31, 33, 64, 65, 96, 100, 127, 128, 190, 200}) {
    std::vector<std::int8_t> query(dim);
    std::vector<std::uint8_t> u8(dim);
    std::vector<std::uint8_t> u4(bytes_u4(dim));
    for (std::size_t i = 0; i < dim; ++i) {
      u8[i] = static_cast<std::uint8_t>(i + 1);
      u4[i / 64 * 32 + i % 32] |= static_cast<std::uint8_t>((i * 7 % 15 + 1) << (i % 64 < 32 ? 0 : 4));
    }
    for (std::size_t i = 0; i < dim; ++i) {
      query[i] = -128;
      const std::uint8_t* const row8 = u8.data();
      const std::uint8_t* const row4 = u4.data();
      std::int32_t out = 0;
      table_.dot_u8(query.data(), &row8, 1, dim, &out);
      ASSERT_EQ(out, -128 * u8[i]) << "dim " << dim << ", component " << i;
      table_.dot_u4(query.data(), &row4, 1, dim, &out);
      ASSERT_EQ(out, -128 * static_cast<int>(i * 7 % 15 + 1)) << "dim " << dim << ", component " << i;
      query[i] = 0;
    }
  }
}

TEST_P(CodeKernelsTest, BitsAreExactForEveryLengthAndNumberOfPlanes) {
  for (int bits = 1; bits <= kCodePlanesMax; ++bits) {
    for (std::size_t words = 0; words <= 40; ++words) {
      check_bits(words, bits, 13, false);
      check_bits(words, bits, 4, true);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace holdfast::simd::testing
