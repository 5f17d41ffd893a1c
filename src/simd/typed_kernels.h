// Distances to rows that are stored as f16, bf16, i8 or u8.
//
// Invariants
//  T1. A row kernel gives the same bits as the float32 kernel of the same instruction set (kernels.h) gives for the
//      decoded row: elements are converted as they are loaded, which is exact, and then go through the same additions.
//      So K1 holds, and whoever decodes a row first (to search with a stored vector, say) gets the same distances.
//  T2. No alignment and no multiple of anything is required, not even that of the element; nothing past `dim` elements
//      is read. Speed asks for rows on cache lines.
//  T3. Components are finite. Sums are kept in float32: the result is within k u / (1 - k u) times the sum of the
//  terms'
//      magnitudes, k = dim / 8 + 10, u = 2^-24, of the exact one (Higham, Accuracy and Stability of Numerical
//      Algorithms, section 4.2), and dim 2^-149 for what underflows. Instructions that would do more at once do not
//      keep this: those of AVX512-FP16 add in half precision (11 bits, overflow at 65,504), vdpbf16ps wants the query
//      rounded to 8 bits.
//  T4. A distance of two rows of bytes is the exact integer, rounded to float once: the same in every table, below 2^24
//      without any error. REQUIRES dim <= kBytePairDimensionMax. Several times as fast as a row kernel, so a query of
//      whole numbers is worth converting first (convert.h says if that was exact).
#pragma once

#include <span>

#include "simd/typed_kernel_table.h"

namespace holdfast::simd {

/// The tables that this process uses, chosen as, and together with, simd::kernels().
[[nodiscard]] const TypedKernels& typed_kernels() noexcept;
[[nodiscard]] const BytePairKernels& byte_pair_kernels() noexcept;

/// Every table that this machine can run, scalar first. For tests and benchmarks.
[[nodiscard]] std::span<const TypedKernels* const> available_typed_kernels() noexcept;
[[nodiscard]] std::span<const BytePairKernels* const> available_byte_pair_kernels() noexcept;

}  // namespace holdfast::simd
