// Distances of a float32 query to a row of any element type for AVX-512 (F, BW and VL: every machine with 512-bit
// registers but the Xeon Phi). For the files that fill the tables of this instruction set.
//
// Order of additions, the same in both entries and for every element type because all are the template `run` (K1, T1):
//   - four accumulators of 16 lanes per row; component i goes to accumulator (i / 16) mod 4, lane i mod 16;
//   - what is left after the last block of 64: whole blocks of 16 to accumulators 0, 1, 2, and the last
//     1..15 components, loaded under a mask (K2), to accumulator 3;
//   - (acc0 + acc1) + (acc2 + acc3), then halves onto each other: 16 -> 8 -> 4 -> 2 -> 1 lanes.
// Four accumulators hide the latency of the fused multiply-add (4 cycles) in the single entry; four rows take 16 of the
// 32 registers.
//
// An `Element` has `load(row, i)`, elements i..i+15 as float32, and `load(row, i, mask)`, zeros where the mask has
// none. All here is local to the file that includes it (kernel_table.h says why).
#pragma once

#include <immintrin.h>

#include <cstddef>

#ifdef __FAST_MATH__
#error "Kernels need IEEE arithmetic: -ffast-math breaks invariant K1"
#endif

namespace holdfast::simd::avx512 {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kBlock = 4 * kLanes;

struct F32 {
  static __m512 load(const unsigned char* row, std::size_t i) noexcept {
    return _mm512_loadu_ps(row + i * sizeof(float));
  }
  static __m512 load(const unsigned char* row, std::size_t i, __mmask16 mask) noexcept {
    return _mm512_maskz_loadu_ps(mask, row + i * sizeof(float));
  }
};

struct L2 {
  static __m512 add(__m512 sum, __m512 q, __m512 x) noexcept {
    const __m512 difference = _mm512_sub_ps(q, x);
    return _mm512_fmadd_ps(difference, difference, sum);
  }
};
struct Dot {
  static __m512 add(__m512 sum, __m512 q, __m512 x) noexcept { return _mm512_fmadd_ps(q, x, sum); }
};

/// One row and its partial sums.
struct Row {
  explicit Row(const void* first) noexcept : x(static_cast<const unsigned char*>(first)) {}

  const unsigned char* x;
  __m512 s0 = _mm512_setzero_ps();
  __m512 s1 = _mm512_setzero_ps();
  __m512 s2 = _mm512_setzero_ps();
  __m512 s3 = _mm512_setzero_ps();

  [[nodiscard]] __m512 total() const noexcept { return _mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)); }
};

/// The sum of sixteen lanes: 16 -> 8 -> 4 -> 2 -> 1.
float sum_of(__m512 sixteen) noexcept {
  const __m512d pairs = _mm512_castps_pd(sixteen);
  const __m256 low = _mm256_castpd_ps(_mm512_castpd512_pd256(pairs));
  const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(pairs, 1));
  const __m256 eight = _mm256_add_ps(low, high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/// The sums of four times sixteen lanes, by the same additions as `sum_of`, two and then four vectors to a register.
/// In the comments a0..a3 are the quarters (four lanes each) of `a`.
__m128 sums_of(__m512 a, __m512 b, __m512 c, __m512 d) noexcept {
  const __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44),   // a0 a1 b0 b1
                                  _mm512_shuffle_f32x4(a, b, 0xEE));  // a2 a3 b2 b3
  const __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xEE));
  const __m512 four = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88),   // a0+a2 b0+b2 c0+c2 d0+d2
                                    _mm512_shuffle_f32x4(ab, cd, 0xDD));  // a1+a3 b1+b3 c1+c3 d1+d3
  const __m512 two = _mm512_add_ps(four, _mm512_permute_ps(four, 0x4E));  // lanes 2 3 0 1 of each quarter
  const __m512 one = _mm512_add_ps(two, _mm512_permute_ps(two, 0xB1));    // lanes 1 0 3 2
  const __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, one));
}

/// The first `count` (1..15) of sixteen lanes.
__mmask16 mask_of(std::size_t count) noexcept { return static_cast<__mmask16>((1u << count) - 1u); }

/// Accumulates one or four rows against one query. Always inlined, so that the partial sums live in registers.
template <class Element, class Op, class... Rows>
[[gnu::always_inline]] inline void run(const float* q, std::size_t dim, Rows&... r) noexcept {
  std::size_t i = 0;
  for (; i + kBlock <= dim; i += kBlock) {
    const __m512 q0 = _mm512_loadu_ps(q + i);
    ((r.s0 = Op::add(r.s0, q0, Element::load(r.x, i))), ...);
    const __m512 q1 = _mm512_loadu_ps(q + i + kLanes);
    ((r.s1 = Op::add(r.s1, q1, Element::load(r.x, i + kLanes))), ...);
    const __m512 q2 = _mm512_loadu_ps(q + i + 2 * kLanes);
    ((r.s2 = Op::add(r.s2, q2, Element::load(r.x, i + 2 * kLanes))), ...);
    const __m512 q3 = _mm512_loadu_ps(q + i + 3 * kLanes);
    ((r.s3 = Op::add(r.s3, q3, Element::load(r.x, i + 3 * kLanes))), ...);
  }
  if (i + kLanes <= dim) {
    const __m512 q0 = _mm512_loadu_ps(q + i);
    ((r.s0 = Op::add(r.s0, q0, Element::load(r.x, i))), ...);
    i += kLanes;
    if (i + kLanes <= dim) {
      const __m512 q1 = _mm512_loadu_ps(q + i);
      ((r.s1 = Op::add(r.s1, q1, Element::load(r.x, i))), ...);
      i += kLanes;
      if (i + kLanes <= dim) {
        const __m512 q2 = _mm512_loadu_ps(q + i);
        ((r.s2 = Op::add(r.s2, q2, Element::load(r.x, i))), ...);
        i += kLanes;
      }
    }
  }
  if (i < dim) {
    const __mmask16 mask = mask_of(dim - i);
    const __m512 q3 = _mm512_maskz_loadu_ps(mask, q + i);
    ((r.s3 = Op::add(r.s3, q3, Element::load(r.x, i, mask))), ...);
  }
}

template <class Element, class Op>
float distance(const float* query, const void* row, std::size_t dim) noexcept {
  Row r(row);
  run<Element, Op>(query, dim, r);
  return sum_of(r.total());
}

/// T: void, or the type of the elements.
template <class Element, class Op, class T>
void distance_x4(const float* query, const T* const rows[4], std::size_t dim, float out[4]) noexcept {
  Row r0(rows[0]);
  Row r1(rows[1]);
  Row r2(rows[2]);
  Row r3(rows[3]);
  run<Element, Op>(query, dim, r0, r1, r2, r3);
  _mm_storeu_ps(out, sums_of(r0.total(), r1.total(), r2.total(), r3.total()));
}

}  // namespace
}  // namespace holdfast::simd::avx512
