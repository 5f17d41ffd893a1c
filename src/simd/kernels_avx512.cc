// Distance kernels for AVX-512 (only the F part of it: every machine with 512-bit registers has that).
//
// Order of additions, the same in both entries because both are the template `run` (K1):
//   - four accumulators of 16 lanes per vector; component i goes to accumulator (i / 16) mod 4, lane i mod 16;
//   - what is left after the last block of 64: whole blocks of 16 to accumulators 0, 1, 2, and the last
//     1..15 components, loaded under a mask (K2), to accumulator 3;
//   - (acc0 + acc1) + (acc2 + acc3), then halves onto each other: 16 -> 8 -> 4 -> 2 -> 1 lanes.
// Four accumulators hide the latency of the fused multiply-add (4 cycles) in the single entry; four vectors take 16 of
// the 32 registers.
#include <immintrin.h>

#include "simd/kernel_table.h"

#ifdef __FAST_MATH__
#error "Kernels need IEEE arithmetic: -ffast-math breaks invariant K1"
#endif

namespace holdfast::simd::avx512 {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kBlock = 4 * kLanes;

__m512 load(const float* from) noexcept { return _mm512_loadu_ps(from); }

struct L2 {
  static __m512 add(__m512 sum, __m512 q, __m512 x) noexcept {
    const __m512 difference = _mm512_sub_ps(q, x);
    return _mm512_fmadd_ps(difference, difference, sum);
  }
};
struct Dot {
  static __m512 add(__m512 sum, __m512 q, __m512 x) noexcept { return _mm512_fmadd_ps(q, x, sum); }
};

/// One vector and its partial sums.
struct Vector {
  explicit Vector(const float* first) noexcept : x(first) {}

  const float* x;
  __m512 s0 = _mm512_setzero_ps();
  __m512 s1 = _mm512_setzero_ps();
  __m512 s2 = _mm512_setzero_ps();
  __m512 s3 = _mm512_setzero_ps();

  /// Four lanes are left; the two entries add those in the same order, each in its own way.
  [[nodiscard]] __m128 to_four() const noexcept {
    const __m512d all = _mm512_castps_pd(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
    const __m256 low = _mm256_castpd_ps(_mm512_castpd512_pd256(all));
    const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(all, 1));
    const __m256 eight = _mm256_add_ps(low, high);
    return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  }
};

/// Accumulates one or four vectors against one query. Always inlined, so that the partial sums live in registers.
template <class Op, class... Vectors>
[[gnu::always_inline]] inline void run(const float* q, std::size_t dim, Vectors&... v) noexcept {
  std::size_t i = 0;
  for (; i + kBlock <= dim; i += kBlock) {
    const __m512 q0 = load(q + i);
    ((v.s0 = Op::add(v.s0, q0, load(v.x + i))), ...);
    const __m512 q1 = load(q + i + kLanes);
    ((v.s1 = Op::add(v.s1, q1, load(v.x + i + kLanes))), ...);
    const __m512 q2 = load(q + i + 2 * kLanes);
    ((v.s2 = Op::add(v.s2, q2, load(v.x + i + 2 * kLanes))), ...);
    const __m512 q3 = load(q + i + 3 * kLanes);
    ((v.s3 = Op::add(v.s3, q3, load(v.x + i + 3 * kLanes))), ...);
  }
  if (i + kLanes <= dim) {
    const __m512 q0 = load(q + i);
    ((v.s0 = Op::add(v.s0, q0, load(v.x + i))), ...);
    i += kLanes;
    if (i + kLanes <= dim) {
      const __m512 q1 = load(q + i);
      ((v.s1 = Op::add(v.s1, q1, load(v.x + i))), ...);
      i += kLanes;
      if (i + kLanes <= dim) {
        const __m512 q2 = load(q + i);
        ((v.s2 = Op::add(v.s2, q2, load(v.x + i))), ...);
        i += kLanes;
      }
    }
  }
  if (i < dim) {
    const auto mask = static_cast<__mmask16>((1u << (dim - i)) - 1u);
    const __m512 q3 = _mm512_maskz_loadu_ps(mask, q + i);
    ((v.s3 = Op::add(v.s3, q3, _mm512_maskz_loadu_ps(mask, v.x + i))), ...);
  }
}

template <class Op>
float distance(const float* a, const float* b, std::size_t dim) noexcept {
  Vector v0(b);
  run<Op>(a, dim, v0);
  const __m128 four = v0.to_four();
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

template <class Op>
void distance_x4(const float* query, const float* const vectors[4], std::size_t dim, float out[4]) noexcept {
  Vector v0(vectors[0]);
  Vector v1(vectors[1]);
  Vector v2(vectors[2]);
  Vector v3(vectors[3]);
  run<Op>(query, dim, v0, v1, v2, v3);
  __m128 lane0 = v0.to_four();
  __m128 lane1 = v1.to_four();
  __m128 lane2 = v2.to_four();
  __m128 lane3 = v3.to_four();
  _MM_TRANSPOSE4_PS(lane0, lane1, lane2, lane3);
  _mm_storeu_ps(out, _mm_add_ps(_mm_add_ps(lane0, lane2), _mm_add_ps(lane1, lane3)));
}

}  // namespace

extern const Kernels kTable = {"avx512", distance<L2>, distance<Dot>, distance_x4<L2>, distance_x4<Dot>};

}  // namespace holdfast::simd::avx512
