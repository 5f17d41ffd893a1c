// Distance kernels for NEON (Advanced SIMD, part of every aarch64).
//
// Order of additions, the same in both entries because both are the template `run` (K1):
//   - four accumulators of 4 lanes per vector; component i goes to accumulator (i / 4) mod 4, lane i mod 4;
//   - what is left after the last block of 16: whole blocks of 4 to accumulators 0, 1, 2, and the last 1..3 components,
//     padded with zeros in a register (K2), to accumulator 3;
//   - (acc0 + acc1) + (acc2 + acc3), then (lane0 + lane2) + (lane1 + lane3).
#include <arm_neon.h>

#include <utility>

#include "simd/kernel_table.h"

#ifdef __FAST_MATH__
#error "Kernels need IEEE arithmetic: -ffast-math breaks invariant K1"
#endif

namespace holdfast::simd::neon {
namespace {

constexpr std::size_t kLanes = 4;
constexpr std::size_t kBlock = 4 * kLanes;

struct L2 {
  static float32x4_t add(float32x4_t sum, float32x4_t q, float32x4_t x) noexcept {
    const float32x4_t difference = vsubq_f32(q, x);
    return vfmaq_f32(sum, difference, difference);
  }
};
struct Dot {
  static float32x4_t add(float32x4_t sum, float32x4_t q, float32x4_t x) noexcept { return vfmaq_f32(sum, q, x); }
};

struct Sums {
  float32x4_t s0 = vdupq_n_f32(0);
  float32x4_t s1 = vdupq_n_f32(0);
  float32x4_t s2 = vdupq_n_f32(0);
  float32x4_t s3 = vdupq_n_f32(0);

  [[nodiscard]] float total() const noexcept {
    const float32x4_t four = vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
};

/// The last `count` (1..3) components and zeros.
float32x4_t load_tail(const float* from, std::size_t count) noexcept {
  float32x4_t tail = vld1q_lane_f32(from, vdupq_n_f32(0), 0);
  if (count > 1) tail = vld1q_lane_f32(from + 1, tail, 1);
  if (count > 2) tail = vld1q_lane_f32(from + 2, tail, 2);
  return tail;
}

/// Accumulates sizeof...(V) vectors against one query.
template <class Op, std::size_t... V>
inline void run(const float* q, const float* const* x, std::size_t dim, float* out,
                std::index_sequence<V...> /*unused*/) noexcept {
  Sums s[sizeof...(V)];  // a local array: with constant subscripts it lives in registers
  const float* const p[] = {x[V]...};
  std::size_t i = 0;
  for (; i + kBlock <= dim; i += kBlock) {
    const float32x4_t q0 = vld1q_f32(q + i);
    ((s[V].s0 = Op::add(s[V].s0, q0, vld1q_f32(p[V] + i))), ...);
    const float32x4_t q1 = vld1q_f32(q + i + kLanes);
    ((s[V].s1 = Op::add(s[V].s1, q1, vld1q_f32(p[V] + i + kLanes))), ...);
    const float32x4_t q2 = vld1q_f32(q + i + 2 * kLanes);
    ((s[V].s2 = Op::add(s[V].s2, q2, vld1q_f32(p[V] + i + 2 * kLanes))), ...);
    const float32x4_t q3 = vld1q_f32(q + i + 3 * kLanes);
    ((s[V].s3 = Op::add(s[V].s3, q3, vld1q_f32(p[V] + i + 3 * kLanes))), ...);
  }
  if (i + kLanes <= dim) {
    const float32x4_t q0 = vld1q_f32(q + i);
    ((s[V].s0 = Op::add(s[V].s0, q0, vld1q_f32(p[V] + i))), ...);
    i += kLanes;
    if (i + kLanes <= dim) {
      const float32x4_t q1 = vld1q_f32(q + i);
      ((s[V].s1 = Op::add(s[V].s1, q1, vld1q_f32(p[V] + i))), ...);
      i += kLanes;
      if (i + kLanes <= dim) {
        const float32x4_t q2 = vld1q_f32(q + i);
        ((s[V].s2 = Op::add(s[V].s2, q2, vld1q_f32(p[V] + i))), ...);
        i += kLanes;
      }
    }
  }
  if (i < dim) {
    const float32x4_t q3 = load_tail(q + i, dim - i);
    ((s[V].s3 = Op::add(s[V].s3, q3, load_tail(p[V] + i, dim - i))), ...);
  }
  ((out[V] = s[V].total()), ...);
}

template <class Op>
float distance(const float* a, const float* b, std::size_t dim) noexcept {
  float out = 0;
  run<Op>(a, &b, dim, &out, std::make_index_sequence<1>());
  return out;
}

template <class Op>
void distance_x4(const float* query, const float* const vectors[4], std::size_t dim, float out[4]) noexcept {
  run<Op>(query, vectors, dim, out, std::make_index_sequence<4>());
}

}  // namespace

extern const Kernels kTable = {"neon", distance<L2>, distance<Dot>, distance_x4<L2>, distance_x4<Dot>};

}  // namespace holdfast::simd::neon
