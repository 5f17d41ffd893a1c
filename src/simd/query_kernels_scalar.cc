// Queries made ready without vector instructions: the reference, and what machines without AVX-512 run.
#include "simd/query_kernels.h"

namespace holdfast::simd::scalar {
namespace {

float size_of(float x) noexcept { return x < 0 ? -x : x; }

/// To the nearest whole number, to the even one of two; |x| < 2^22.
float rounded(float x) noexcept {
  constexpr float kShift = 12582912.0F;  // 1.5 * 2^23: whole numbers are one unit in the last place apart there
  return (x + kShift) - kShift;
}

/// one(i, lane) for every component. Lanes of their own, so that the compiler may keep them in registers.
template <class One>
void for_lanes(std::size_t dim, One one) noexcept {
  std::size_t i = 0;
  for (; i + kQueryLanes <= dim; i += kQueryLanes) {
    for (std::size_t lane = 0; lane < kQueryLanes; ++lane) one(i + lane, lane);
  }
  for (std::size_t lane = 0; i < dim; ++i, ++lane) one(i, lane);
}

float widest(const QueryGrid& of) noexcept {
  float lanes[kQueryLanes] = {};
  for_lanes(of.dim, [&](std::size_t i, std::size_t lane) {
    const float size = size_of((of.query[i] * of.scale - of.center[i] * of.shift) * of.step[i]);
    lanes[lane] = lanes[lane] < size ? size : lanes[lane];
  });
  float widest = 0;
  for (const float lane : lanes) widest = widest < lane ? lane : widest;
  return widest;
}

void round(const QueryGrid& of, float t, std::int8_t* weights, QuerySums& sums) noexcept {
  // Nothing that is written lies among what is read: to the compiler, a byte could be part of anything.
  const float* __restrict const query = of.query;
  const float* __restrict const center = of.center;
  const float* __restrict const step = of.step;
  const float* __restrict const inverse_step = of.inverse_step;
  const float* __restrict const zero = of.zero;
  std::int8_t* __restrict const out = weights;
  const float scale = of.scale;
  const float shift = of.shift;
  const float inverse_t = 1.0F / t;
  float zeros[kQueryLanes] = {};
  float norms[kQueryLanes] = {};
  float errors[kQueryLanes] = {};
  float offsets[kQueryLanes] = {};
  for_lanes(of.dim, [&](std::size_t i, std::size_t lane) {
    const float component = query[i] * scale - center[i] * shift;
    const float exact = component * step[i] * inverse_t;
    const float weight = size_of(exact) <= 127.5F ? rounded(exact) : 0.0F;  // or t is infinite
    out[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(weight));
    zeros[lane] += zero[i] * weight;
    const float stands_for = weight * t * inverse_step[i];
    norms[lane] += stands_for * stands_for;
    errors[lane] += (stands_for - component) * (stands_for - component);
    offsets[lane] += center[i] * query[i];
  });
  for (std::size_t lane = 0; lane < kQueryLanes; ++lane) {
    sums.zeros[lane] = zeros[lane];
    sums.norms[lane] = norms[lane];
    sums.errors[lane] = errors[lane];
    sums.offsets[lane] = offsets[lane];
  }
}

}  // namespace

extern const QueryKernels kQueryTable = {"scalar", widest, round};

}  // namespace holdfast::simd::scalar
