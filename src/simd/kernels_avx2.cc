// Distance kernels for AVX2 with fused multiply-add.
//
// Order of additions, the same in both entries because both are the template `run` (K1):
//   - four accumulators of 8 lanes per vector; component i goes to accumulator (i / 8) mod 4, lane i mod 8;
//   - what is left after the last block of 32: whole blocks of 8 to accumulators 0, 1, 2, and the last 1..7 components,
//     loaded under a mask (K2), to accumulator 3;
//   - (acc0 + acc1) + (acc2 + acc3), then halves onto each other: 8 -> 4 -> 2 -> 1 lanes.
// Sixteen registers hold the accumulators of two vectors and what they need beside them, not of four: `_x4` is two
// passes over two vectors each. Two accumulators for each of four vectors would load the query half as often, but leave
// the single entry waiting for its own additions. The query's four loads of a block come first: from L2 that is a
// seventh faster than each before its use.
#include <immintrin.h>

#include "simd/kernel_table.h"

#ifdef __FAST_MATH__
#error "Kernels need IEEE arithmetic: -ffast-math breaks invariant K1"
#endif

namespace holdfast::simd::avx2 {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kBlock = 4 * kLanes;

__m256 load(const float* from) noexcept { return _mm256_loadu_ps(from); }

/// A load that stays one load: GCC would repeat it for every vector (and take a third longer over l2_x4).
__m256 load_once(const float* from) noexcept {
  __m256 loaded = _mm256_loadu_ps(from);
  asm("" : "+x"(loaded));
  return loaded;
}

struct L2 {
  static __m256 add(__m256 sum, __m256 q, __m256 x) noexcept {
    const __m256 difference = _mm256_sub_ps(q, x);
    return _mm256_fmadd_ps(difference, difference, sum);
  }
};
struct Dot {
  static __m256 add(__m256 sum, __m256 q, __m256 x) noexcept { return _mm256_fmadd_ps(q, x, sum); }
};

/// One vector and its partial sums.
struct Vector {
  explicit Vector(const float* first) noexcept : x(first) {}

  const float* x;
  __m256 s0 = _mm256_setzero_ps();
  __m256 s1 = _mm256_setzero_ps();
  __m256 s2 = _mm256_setzero_ps();
  __m256 s3 = _mm256_setzero_ps();

  [[nodiscard]] __m256 total() const noexcept { return _mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)); }
};

/// The sum of eight lanes: 8 -> 4 -> 2 -> 1.
float sum_of(__m256 eight) noexcept {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/// The first step of `sum_of` for two vectors: four lanes of `a`, then four of `b`.
__m256 fours_of(__m256 a, __m256 b) noexcept {
  return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

/// The other steps for four vectors, by the same additions: ac = fours_of(a, c), bd = fours_of(b, d).
__m128 sums_of(__m256 ac, __m256 bd) noexcept {
  const __m256 two = _mm256_add_ps(_mm256_shuffle_ps(ac, bd, 0x44), _mm256_shuffle_ps(ac, bd, 0xEE));
  const __m128 ab = _mm256_castps256_ps128(two);    // a0+a2 a1+a3 b0+b2 b1+b3
  const __m128 cd = _mm256_extractf128_ps(two, 1);  // c0+c2 c1+c3 d0+d2 d1+d3
  return _mm_add_ps(_mm_shuffle_ps(ab, cd, 0x88), _mm_shuffle_ps(ab, cd, 0xDD));
}

/// The first `count` (1..7) of eight lanes.
__m256i mask_of(std::size_t count) noexcept {
  alignas(32) static constexpr int kWindow[2 * kLanes] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kWindow + kLanes - count));
}

/// Accumulates one or two vectors against one query. Always inlined, so that the partial sums live in registers.
template <class Op, class... Vectors>
[[gnu::always_inline]] inline void run(const float* q, std::size_t dim, Vectors&... v) noexcept {
  std::size_t i = 0;
  for (; i + kBlock <= dim; i += kBlock) {
    const __m256 q0 = load_once(q + i);
    const __m256 q1 = load_once(q + i + kLanes);
    const __m256 q2 = load_once(q + i + 2 * kLanes);
    const __m256 q3 = load_once(q + i + 3 * kLanes);
    ((v.s0 = Op::add(v.s0, q0, load(v.x + i))), ...);
    ((v.s1 = Op::add(v.s1, q1, load(v.x + i + kLanes))), ...);
    ((v.s2 = Op::add(v.s2, q2, load(v.x + i + 2 * kLanes))), ...);
    ((v.s3 = Op::add(v.s3, q3, load(v.x + i + 3 * kLanes))), ...);
  }
  if (i + kLanes <= dim) {
    const __m256 q0 = load_once(q + i);
    ((v.s0 = Op::add(v.s0, q0, load(v.x + i))), ...);
    i += kLanes;
    if (i + kLanes <= dim) {
      const __m256 q1 = load_once(q + i);
      ((v.s1 = Op::add(v.s1, q1, load(v.x + i))), ...);
      i += kLanes;
      if (i + kLanes <= dim) {
        const __m256 q2 = load_once(q + i);
        ((v.s2 = Op::add(v.s2, q2, load(v.x + i))), ...);
        i += kLanes;
      }
    }
  }
  if (i < dim) {
    const __m256i mask = mask_of(dim - i);
    const __m256 q3 = _mm256_maskload_ps(q + i, mask);
    ((v.s3 = Op::add(v.s3, q3, _mm256_maskload_ps(v.x + i, mask))), ...);
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
  Vector v2(vectors[2]);
  run<Op>(query, dim, v0, v2);
  const __m256 fours_02 = fours_of(v0.total(), v2.total());
  Vector v1(vectors[1]);
  Vector v3(vectors[3]);
  run<Op>(query, dim, v1, v3);
  const __m256 fours_13 = fours_of(v1.total(), v3.total());
  _mm_storeu_ps(out, sums_of(fours_02, fours_13));
}

}  // namespace

extern const Kernels kTable = {"avx2", distance<L2>, distance<Dot>, distance_x4<L2>, distance_x4<Dot>};

}  // namespace holdfast::simd::avx2
