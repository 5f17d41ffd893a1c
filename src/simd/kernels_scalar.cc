// Distance kernels in plain C++: the reference of the other tables, and the table of machines that have none of them.
//
// A vector's sum is kept in eight partial sums, component i in partial sum i mod 8, which are added as a tree at the
// end. The order is written out, so the compiler may keep the eight in registers of four (SSE2, NEON) but not reorder
// them; nothing is fused (-ffp-contract=off). The single entry and `_x4` are the same template (K1).
#include "simd/kernel_table.h"

#ifdef __FAST_MATH__
#error "Kernels need IEEE arithmetic: -ffast-math breaks invariant K1"
#endif

namespace holdfast::simd::scalar {
namespace {

constexpr std::size_t kPartials = 8;

struct L2 {
  static float term(float a, float b) noexcept { return (a - b) * (a - b); }
};
struct Dot {
  static float term(float a, float b) noexcept { return a * b; }
};

template <class Op>
float distance(const float* a, const float* b, std::size_t dim) noexcept {
  float sums[kPartials] = {};
  std::size_t i = 0;
  for (; i + kPartials <= dim; i += kPartials) {
    for (std::size_t p = 0; p < kPartials; ++p) sums[p] += Op::term(a[i + p], b[i + p]);
  }
  for (std::size_t p = 0; i + p < dim; ++p) sums[p] += Op::term(a[i + p], b[i + p]);
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/// Sharing the query's loads gains nothing without registers to keep them in.
template <class Op>
void distance_x4(const float* query, const float* const vectors[4], std::size_t dim, float out[4]) noexcept {
  for (std::size_t v = 0; v < 4; ++v) out[v] = distance<Op>(query, vectors[v], dim);
}

}  // namespace

extern const Kernels kTable = {"scalar", distance<L2>, distance<Dot>, distance_x4<L2>, distance_x4<Dot>};

}  // namespace holdfast::simd::scalar
