// Distances of a float32 query to a row of any element type for NEON (Advanced SIMD, part of every aarch64). For the
// files that fill the tables of this instruction set.
//
// Order of additions, the same in both entries and for every element type because all are the template `run` (K1, T1):
//   - four accumulators of 4 lanes per row; component i goes to accumulator (i / 4) mod 4, lane i mod 4;
//   - what is left after the last block of 16: whole blocks of 4 to accumulators 0, 1, 2, and the last 1..3 components,
//     padded with zeros in a register (K2), to accumulator 3;
//   - (acc0 + acc1) + (acc2 + acc3), then (lane0 + lane2) + (lane1 + lane3).
//
// An `Element` has `load(row, i)`, elements i..i+3 as float32, and `load_part(row, i, count)`, the first 1..3 of them
// and zeros. All here is local to the file that includes it (kernel_table.h says why).
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstring>

#ifdef __FAST_MATH__
#error "Kernels need IEEE arithmetic: -ffast-math breaks invariant K1"
#endif

namespace holdfast::simd::neon {
namespace {

constexpr std::size_t kLanes = 4;
constexpr std::size_t kBlock = 4 * kLanes;

struct F32 {
  static float32x4_t load(const unsigned char* row, std::size_t i) noexcept {
    return vreinterpretq_f32_u8(vld1q_u8(row + i * sizeof(float)));  // of any alignment
  }
  static float32x4_t load_part(const unsigned char* row, std::size_t i, std::size_t count) noexcept {
    float padded[kLanes] = {};
    std::memcpy(padded, row + i * sizeof(float), count * sizeof(float));
    return vld1q_f32(padded);
  }
};

struct L2 {
  static float32x4_t add(float32x4_t sum, float32x4_t q, float32x4_t x) noexcept {
    const float32x4_t difference = vsubq_f32(q, x);
    return vfmaq_f32(sum, difference, difference);
  }
};
struct Dot {
  static float32x4_t add(float32x4_t sum, float32x4_t q, float32x4_t x) noexcept { return vfmaq_f32(sum, q, x); }
};

/// One row and its partial sums.
struct Row {
  explicit Row(const void* first) noexcept : x(static_cast<const unsigned char*>(first)) {}

  const unsigned char* x;
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

/// Accumulates one or four rows against one query. Always inlined, so that the partial sums live in registers.
template <class Element, class Op, class... Rows>
[[gnu::always_inline]] inline void run(const float* q, std::size_t dim, Rows&... r) noexcept {
  std::size_t i = 0;
  for (; i + kBlock <= dim; i += kBlock) {
    const float32x4_t q0 = vld1q_f32(q + i);
    ((r.s0 = Op::add(r.s0, q0, Element::load(r.x, i))), ...);
    const float32x4_t q1 = vld1q_f32(q + i + kLanes);
    ((r.s1 = Op::add(r.s1, q1, Element::load(r.x, i + kLanes))), ...);
    const float32x4_t q2 = vld1q_f32(q + i + 2 * kLanes);
    ((r.s2 = Op::add(r.s2, q2, Element::load(r.x, i + 2 * kLanes))), ...);
    const float32x4_t q3 = vld1q_f32(q + i + 3 * kLanes);
    ((r.s3 = Op::add(r.s3, q3, Element::load(r.x, i + 3 * kLanes))), ...);
  }
  if (i + kLanes <= dim) {
    const float32x4_t q0 = vld1q_f32(q + i);
    ((r.s0 = Op::add(r.s0, q0, Element::load(r.x, i))), ...);
    i += kLanes;
    if (i + kLanes <= dim) {
      const float32x4_t q1 = vld1q_f32(q + i);
      ((r.s1 = Op::add(r.s1, q1, Element::load(r.x, i))), ...);
      i += kLanes;
      if (i + kLanes <= dim) {
        const float32x4_t q2 = vld1q_f32(q + i);
        ((r.s2 = Op::add(r.s2, q2, Element::load(r.x, i))), ...);
        i += kLanes;
      }
    }
  }
  if (i < dim) {
    const float32x4_t q3 = F32::load_part(reinterpret_cast<const unsigned char*>(q), i, dim - i);
    ((r.s3 = Op::add(r.s3, q3, Element::load_part(r.x, i, dim - i))), ...);
  }
}

template <class Element, class Op>
float distance(const float* query, const void* row, std::size_t dim) noexcept {
  Row r(row);
  run<Element, Op>(query, dim, r);
  return r.total();
}

/// T: void, or the type of the elements.
template <class Element, class Op, class T>
void distance_x4(const float* query, const T* const rows[4], std::size_t dim, float out[4]) noexcept {
  Row r0(rows[0]);
  Row r1(rows[1]);
  Row r2(rows[2]);
  Row r3(rows[3]);
  run<Element, Op>(query, dim, r0, r1, r2, r3);
  out[0] = r0.total();
  out[1] = r1.total();
  out[2] = r2.total();
  out[3] = r3.total();
}

}  // namespace
}  // namespace holdfast::simd::neon
