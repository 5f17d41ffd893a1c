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
  return sum_of(v0.total());
}

template <class Op>
void distance_x4(const float* query, const float* const vectors[4], std::size_t dim, float out[4]) noexcept {
  Vector v0(vectors[0]);
  Vector v1(vectors[1]);
  Vector v2(vectors[2]);
  Vector v3(vectors[3]);
  run<Op>(query, dim, v0, v1, v2, v3);
  _mm_storeu_ps(out, sums_of(v0.total(), v1.total(), v2.total(), v3.total()));
}

}  // namespace

extern const Kernels kTable = {"avx512", distance<L2>, distance<Dot>, distance_x4<L2>, distance_x4<Dot>};

}  // namespace holdfast::simd::avx512
