// Distance kernels for NEON.
#include "simd/distance_neon.h"
#include "simd/kernel_table.h"

namespace holdfast::simd::neon {
namespace {

template <class Op>
float pair(const float* a, const float* b, std::size_t dim) noexcept {
  return distance<F32, Op>(a, b, dim);
}

}  // namespace

extern const Kernels kTable = {"neon", pair<L2>, pair<Dot>, distance_x4<F32, L2, float>, distance_x4<F32, Dot, float>};

}  // namespace holdfast::simd::neon
