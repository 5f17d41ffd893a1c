// Making a query ready for integer dot products (index/quantizer.h has the formulas): every component is scaled,
// rounded to 8 signed bits, and what the rounding leaves is summed up. For long vectors that is a good part of a quick
// search.
//
// Invariants
//  P1. Every table gives the same weights and the same sums, bit for bit: each of kQueryLanes lanes sums up every
//      kQueryLanes-th component, without contraction, and the caller adds the lanes in their order.
//  P2. No alignment is required; nothing past `dim` components is read or written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace holdfast::simd {

inline constexpr std::size_t kQueryLanes = 16;

/// A query and the grid that it is brought to, arrays of `dim` floats. Component i of the query means
/// query[i] * scale - center[i] * shift; `wanted`, its weight before rounding, is that times step[i].
struct QueryGrid {
  const float* query;
  const float* center;
  const float* step;
  const float* inverse_step;
  const float* zero;
  std::size_t dim;
  float scale;
  float shift;
};

/// By lanes.
struct QuerySums {
  float zeros[kQueryLanes];    ///< zero * weight
  float norms[kQueryLanes];    ///< (weight * t / step)^2
  float errors[kQueryLanes];   ///< (weight * t / step - component)^2
  float offsets[kQueryLanes];  ///< center * query
};

struct QueryKernels {
  const char* name;  ///< "scalar", "avx512"

  /// The largest |wanted|; what is no number does not count.
  float (*widest)(const QueryGrid& grid) noexcept;
  /// weights[i] = wanted / t, rounded to the nearest whole number, to the even one of two; 0 beyond 127.5.
  void (*round)(const QueryGrid& grid, float t, std::int8_t* weights, QuerySums& sums) noexcept;
};

/// The table that this process uses; chosen as simd::kernels().
[[nodiscard]] const QueryKernels& query_kernels() noexcept;
/// Every table that this machine can run, scalar first.
[[nodiscard]] std::span<const QueryKernels* const> available_query_kernels() noexcept;

namespace scalar {
extern const QueryKernels kQueryTable;
}
#if defined(__x86_64__)
namespace avx512 {
extern const QueryKernels kQueryTable;
}
#endif

}  // namespace holdfast::simd
