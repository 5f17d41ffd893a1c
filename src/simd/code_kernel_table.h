// The shape of a table of integer kernels over compact codes, and the table of each instruction set.
//
// Apart from code_kernels.h for the reason given in kernel_table.h. What the files share beside it is code_rows.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::simd {

/// 8-bit and 4-bit rows: the longest one whose sum cannot leave 32 bits, 65,793 * 255 * 128 < 2^31.
inline constexpr std::size_t kCodeDimensionMax = 65'793;
/// Bit planes of a query, and the longest row for them: 131,586 * 64 * 255 < 2^31.
inline constexpr int kCodePlanesMax = 8;
inline constexpr std::size_t kCodeWordsMax = 131'586;

/// 4-bit rows: a block of 64 dimensions takes 32 bytes; byte j holds dimension j low and dimension j + 32 high.
inline constexpr std::size_t kNibbleBlock = 64;
inline constexpr std::size_t kNibbleBlockBytes = 32;

struct CodeKernels {
  const char* name;  ///< "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "neondot"

  /// out[j] = sum_i codes[j][i] * query[i]. REQUIRES: dim <= kCodeDimensionMax.
  void (*dot_u8)(const std::int8_t* query, const std::uint8_t* const* codes, std::size_t count, std::size_t dim,
                 std::int32_t* out) noexcept;
  /// The same for 4-bit codes. `query` has `dim` components; a row has ceil(dim / 64) whole blocks, and what the last
  /// one holds behind `dim` does not count. REQUIRES: dim <= kCodeDimensionMax.
  void (*dot_u4)(const std::int8_t* query, const std::uint8_t* const* codes, std::size_t count, std::size_t dim,
                 std::int32_t* out) noexcept;
  /// One-bit codes and a query of `bits` bit planes (RaBitQ: Gao and Long, SIGMOD 2024, section 3.3.2):
  /// out[j] = sum_b 2^b popcount(codes[j] & plane b). Plane b is the `words` words from planes + b * words.
  /// REQUIRES: 1 <= bits <= kCodePlanesMax, words <= kCodeWordsMax.
  void (*dot_bits)(const std::uint64_t* planes, int bits, const std::uint64_t* const* codes, std::size_t count,
                   std::size_t words, std::int32_t* out) noexcept;
};

/// A table leaves an entry null if the next lower table of its architecture has nothing to gain:
/// available_code_kernels() fills it in from there.
namespace scalar {
extern const CodeKernels kCodeTable;
}
#if defined(__x86_64__)
namespace avx2 {
extern const CodeKernels kCodeTable;
}
namespace avxvnni {
extern const CodeKernels kCodeTable;
}
namespace avx512 {
extern const CodeKernels kCodeTable;
}
namespace avx512vnni {
extern const CodeKernels kCodeTable;
}
#elif defined(__aarch64__)
namespace neon {
extern const CodeKernels kCodeTable;
}
namespace neondot {
extern const CodeKernels kCodeTable;
}
#endif

}  // namespace holdfast::simd
