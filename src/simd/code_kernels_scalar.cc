// Integer kernels over compact codes in plain C++: what every other table must equal (C1).
#include "simd/code_kernel_table.h"

namespace holdfast::simd::scalar {
namespace {

void dot_u8(const std::int8_t* query, const std::uint8_t* const* codes, std::size_t count, std::size_t dim,
            std::int32_t* out) noexcept {
  for (std::size_t j = 0; j < count; ++j) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < dim; ++i) sum += codes[j][i] * query[i];
    out[j] = sum;
  }
}

void dot_u4(const std::int8_t* query, const std::uint8_t* const* codes, std::size_t count, std::size_t dim,
            std::int32_t* out) noexcept {
  constexpr std::size_t kHalf = kNibbleBlock / 2;
  for (std::size_t j = 0; j < count; ++j) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < dim; ++i) {
      const std::uint8_t pair = codes[j][i / kNibbleBlock * kNibbleBlockBytes + i % kHalf];
      sum += (i % kNibbleBlock < kHalf ? pair & 15 : pair >> 4) * query[i];
    }
    out[j] = sum;
  }
}

void dot_bits(const std::uint64_t* planes, int bits, const std::uint64_t* const* codes, std::size_t count,
              std::size_t words, std::int32_t* out) noexcept {
  for (std::size_t j = 0; j < count; ++j) {
    std::int32_t sum = 0;
    for (int b = 0; b < bits; ++b) {
      const std::uint64_t* const plane = planes + static_cast<std::size_t>(b) * words;
      std::int32_t ones = 0;
      for (std::size_t w = 0; w < words; ++w) ones += __builtin_popcountll(codes[j][w] & plane[w]);
      sum += ones << b;
    }
    out[j] = sum;
  }
}

}  // namespace

extern const CodeKernels kCodeTable = {"scalar", dot_u8, dot_u4, dot_bits};

}  // namespace holdfast::simd::scalar
