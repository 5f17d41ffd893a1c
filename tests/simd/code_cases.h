// What the tests of the integer kernels run over: rows, queries and planes, in memory of any alignment.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "simd/code_kernels.h"

namespace holdfast::simd::testing {

using DotBytes = decltype(CodeKernels::dot_u8);

inline std::string code_table_name(const ::testing::TestParamInfo<const CodeKernels*>& table) {
  return table.param->name;
}

/// Bytes of a row of 8-bit and of 4-bit codes.
inline std::size_t bytes_u8(std::size_t dim) { return dim; }
inline std::size_t bytes_u4(std::size_t dim) { return (dim + kNibbleBlock - 1) / kNibbleBlock * kNibbleBlockBytes; }

/// What the bytes of a case are.
enum class Fill { random, largest_with_smallest, largest_with_largest, zeros };
inline constexpr Fill kFills[] = {Fill::random, Fill::largest_with_smallest, Fill::largest_with_largest, Fill::zeros};

inline void fill_codes(std::span<std::uint8_t> codes, Fill fill, SeededRandom& random) {
  for (auto& code : codes) {
    code = static_cast<std::uint8_t>(fill == Fill::random ? random.below(256) : fill == Fill::zeros ? 0 : 255);
  }
}

inline void fill_query(std::span<std::int8_t> query, Fill fill, SeededRandom& random) {
  for (auto& component : query) {
    const int value = fill == Fill::random                  ? static_cast<int>(random.below(256)) - 128
                      : fill == Fill::largest_with_smallest ? -128
                                                            : 127;
    component = static_cast<std::int8_t>(value);
  }
}

}  // namespace holdfast::simd::testing
