// The shapes of the tables for rows that are not float32, and the tables of each instruction set.
//
// Apart from typed_kernels.h for the reason given in kernel_table.h.
#pragma once

#include <cstddef>

namespace holdfast::simd {

/// A float32 query against rows of one element type.
struct RowKernels {
  /// sum (query_i - row_i)^2
  float (*l2)(const float* query, const void* row, std::size_t dim) noexcept;
  /// sum query_i row_i
  float (*dot)(const float* query, const void* row, std::size_t dim) noexcept;
  /// Four rows against one query: out[j] = l2(query, rows[j]). Shares the loads of the query.
  void (*l2_x4)(const float* query, const void* const rows[4], std::size_t dim, float out[4]) noexcept;
  void (*dot_x4)(const float* query, const void* const rows[4], std::size_t dim, float out[4]) noexcept;
  /// The row as float32. Exact: every element type is a subset.
  void (*decode)(const void* row, std::size_t dim, float* out) noexcept;
};

struct TypedKernels {
  const char* name;  ///< "scalar", "avx2", "avx512", "neon"
  RowKernels f32;    ///< the functions of simd::Kernels, for those who treat all types alike
  RowKernels f16;    ///< IEEE 754 binary16
  RowKernels bf16;   ///< the upper half of a float32
  RowKernels i8;
  RowKernels u8;
};

/// Two rows of bytes: computed in integers without any error, then rounded to float once.
struct BytePairs {
  float (*l2)(const void* a, const void* b, std::size_t dim) noexcept;
  float (*dot)(const void* a, const void* b, std::size_t dim) noexcept;
  void (*l2_x4)(const void* a, const void* const rows[4], std::size_t dim, float out[4]) noexcept;
  void (*dot_x4)(const void* a, const void* const rows[4], std::size_t dim, float out[4]) noexcept;
};

/// The longest rows whose sums fit 32 bits without a sign: 66,051 * 255^2 < 2^32 (and 66,051 * 128^2 < 2^31).
inline constexpr std::size_t kBytePairDimensionMax = 66'051;

struct BytePairKernels {
  const char* name;  ///< "scalar", "avx2", "avx512", "avx512vnni", "neon"
  BytePairs i8;
  BytePairs u8;
};

namespace scalar {
extern const TypedKernels kTypedTable;
extern const BytePairKernels kPairTable;
}  // namespace scalar
#if defined(__x86_64__)
namespace avx2 {
extern const TypedKernels kTypedTable;
extern const BytePairKernels kPairTable;
}  // namespace avx2
namespace avx512 {
extern const TypedKernels kTypedTable;
extern const BytePairKernels kPairTable;
}  // namespace avx512
namespace avx512vnni {
extern const BytePairKernels kPairTable;
}
#elif defined(__aarch64__)
namespace neon {
extern const TypedKernels kTypedTable;
extern const BytePairKernels kPairTable;
}  // namespace neon
#endif

}  // namespace holdfast::simd
