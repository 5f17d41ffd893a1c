// Distance kernels for NEON (Advanced SIMD, part of every aarch64).
//
// Order of additions, the same in both entries because both are the template `run` (K1):
//   - four accumulators of 4 lanes per vector; component i goes to accumulator (i / 4) mod 4, lane i mod 4;
//   - what is left after the last block of 16: whole blocks of 4 to accumulators 0, 1, 2, and the last 1..3 components,
//     padded with zeros in a register (K2), to accumulator 3;
//   - (acc0 + acc1) + (acc2 + acc3), then (lane0 + lane2) + (lane1 + lane3).
#include <arm_neon.h>

#include "simd/kernel_table.h"

#ifdef __FAST_MATH__
#error "Kernels need IEEE arithmetic: -ffast-math breaks invariant K1"
#endif

namespace holdfast::simd::neon {
namespace {

constexpr std::size_t kLanes = 4;
constexpr std::size_t kBlock = 4 * kLanes;

float32x4_t load(const float* from) noexcept { return vld1q_f32(from); }

struct L2 {
  static float32x4_t add(float32x4_t sum, float32x4_t q, float32x4_t x) noexcept {
    const float32x4_t difference = vsubq_f32(q, x);
    return vfmaq_f32(sum, difference, difference);
  }
};
struct Dot {
  static float32x4_t add(float32x4_t sum, float32x4_t q, float32x4_t x) noexcept { return vfmaq_f32(sum, q, x); }
};

/// One vector and its partial sums.
struct Vector {
  explicit Vector(const float* first) noexcept : x(first) {}

  const float* x;
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

/// Accumulates one or four vectors against one query. Always inlined, so that the partial sums live in registers.
template <class Op, class... Vectors>
[[gnu::always_inline]] inline void run(const float* q, std::size_t dim, Vectors&... v) noexcept {
  std::size_t i = 0;
  for (; i + kBlock <= dim; i += kBlock) {
    const float32x4_t q0 = load(q + i);
    ((v.s0 = Op::add(v.s0, q0, load(v.x + i))), ...);
    const float32x4_t q1 = load(q + i + kLanes);
    ((v.s1 = Op::add(v.s1, q1, load(v.x + i + kLanes))), ...);
    const float32x4_t q2 = load(q + i + 2 * kLanes);
    ((v.s2 = Op::add(v.s2, q2, load(v.x + i + 2 * kLanes))), ...);
    const float32x4_t q3 = load(q + i + 3 * kLanes);
    ((v.s3 = Op::add(v.s3, q3, load(v.x + i + 3 * kLanes))), ...);
  }
  if (i + kLanes <= dim) {
    const float32x4_t q0 = load(q + i);
    ((v.s0 = Op::add(v.s0, q0, load(v.x + i))), ...);
    i += kLanes;
    if (i + kLanes <= dim) {
      const float32x4_t q1 = load(q + i);
      ((v.s1 = Op::add(v.s1, q1, load(v.x + i))), ...);
      i += kLanes;
      if (i + kLanes <= dim) {
        const float32x4_t q2 = load(q + i);
        ((v.s2 = Op::add(v.s2, q2, load(v.x + i))), ...);
        i += kLanes;
      }
    }
  }
  if (i < dim) {
    const float32x4_t q3 = load_tail(q + i, dim - i);
    ((v.s3 = Op::add(v.s3, q3, load_tail(v.x + i, dim - i))), ...);
  }
}

template <class Op>
float distance(const float* a, const float* b, std::size_t dim) noexcept {
  Vector v0(b);
  run<Op>(a, dim, v0);
  return v0.total();
}

template <class Op>
void distance_x4(const float* query, const float* const vectors[4], std::size_t dim, float out[4]) noexcept {
  Vector v0(vectors[0]);
  Vector v1(vectors[1]);
  Vector v2(vectors[2]);
  Vector v3(vectors[3]);
  run<Op>(query, dim, v0, v1, v2, v3);
  out[0] = v0.total();
  out[1] = v1.total();
  out[2] = v2.total();
  out[3] = v3.total();
}

}  // namespace

extern const Kernels kTable = {"neon", distance<L2>, distance<Dot>, distance_x4<L2>, distance_x4<Dot>};

}  // namespace holdfast::simd::neon
