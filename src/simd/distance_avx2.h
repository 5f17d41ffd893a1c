// Distances of a float32 query to a row of any element type for AVX2 with fused multiply-add. For the files that fill
// the tables of this instruction set.
//
// Order of additions, the same in both entries and for every element type because all are the template `run` (K1, T1):
//   - four accumulators of 8 lanes per row; component i goes to accumulator (i / 8) mod 4, lane i mod 8;
//   - what is left after the last block of 32: whole blocks of 8 to accumulators 0, 1, 2, and the last 1..7 components,
//     and zeros (K2), to accumulator 3;
//   - (acc0 + acc1) + (acc2 + acc3), then halves onto each other: 8 -> 4 -> 2 -> 1 lanes.
// Sixteen registers hold the accumulators of two rows and what they need beside them, not of four: `_x4` is two passes
// over two rows each. Two accumulators for each of four rows would load the query half as often, but leave the single
// entry waiting for its own additions. The query's four loads of a block come first: from L2 that is a seventh faster
// than each before its use.
//
// An `Element` has `load(row, i)`, elements i..i+7 as float32, and `load_part(row, i, count)`, the first 1..7 of them
// and zeros. All here is local to the file that includes it (kernel_table.h says why).
#pragma once

#include <immintrin.h>

#include <cstddef>

#ifdef __FAST_MATH__
#error "Kernels need IEEE arithmetic: -ffast-math breaks invariant K1"
#endif

namespace holdfast::simd::avx2 {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kBlock = 4 * kLanes;

/// A load that stays one load: GCC would repeat it for every row (and take a third longer over l2_x4).
__m256 load_once(const float* from) noexcept {
  __m256 loaded = _mm256_loadu_ps(from);
  asm("" : "+x"(loaded));
  return loaded;
}

/// The first `count` (1..7) of eight lanes.
__m256i mask_of(std::size_t count) noexcept {
  alignas(32) static constexpr int kWindow[2 * kLanes] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kWindow + kLanes - count));
}

struct F32 {
  static __m256 load(const unsigned char* row, std::size_t i) noexcept {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(row + i * sizeof(float)));
  }
  static __m256 load_part(const unsigned char* row, std::size_t i, std::size_t count) noexcept {
    return _mm256_maskload_ps(reinterpret_cast<const float*>(row + i * sizeof(float)), mask_of(count));
  }
};

struct L2 {
  static __m256 add(__m256 sum, __m256 q, __m256 x) noexcept {
    const __m256 difference = _mm256_sub_ps(q, x);
    return _mm256_fmadd_ps(difference, difference, sum);
  }
};
struct Dot {
  static __m256 add(__m256 sum, __m256 q, __m256 x) noexcept { return _mm256_fmadd_ps(q, x, sum); }
};

/// One row and its partial sums.
struct Row {
  explicit Row(const void* first) noexcept : x(static_cast<const unsigned char*>(first)) {}

  const unsigned char* x;
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

/// Accumulates one or two rows against one query. Always inlined, so that the partial sums live in registers.
template <class Element, class Op, class... Rows>
[[gnu::always_inline]] inline void run(const float* q, std::size_t dim, Rows&... r) noexcept {
  std::size_t i = 0;
  for (; i + kBlock <= dim; i += kBlock) {
    const __m256 q0 = load_once(q + i);
    const __m256 q1 = load_once(q + i + kLanes);
    const __m256 q2 = load_once(q + i + 2 * kLanes);
    const __m256 q3 = load_once(q + i + 3 * kLanes);
    ((r.s0 = Op::add(r.s0, q0, Element::load(r.x, i))), ...);
    ((r.s1 = Op::add(r.s1, q1, Element::load(r.x, i + kLanes))), ...);
    ((r.s2 = Op::add(r.s2, q2, Element::load(r.x, i + 2 * kLanes))), ...);
    ((r.s3 = Op::add(r.s3, q3, Element::load(r.x, i + 3 * kLanes))), ...);
  }
  if (i + kLanes <= dim) {
    const __m256 q0 = load_once(q + i);
    ((r.s0 = Op::add(r.s0, q0, Element::load(r.x, i))), ...);
    i += kLanes;
    if (i + kLanes <= dim) {
      const __m256 q1 = load_once(q + i);
      ((r.s1 = Op::add(r.s1, q1, Element::load(r.x, i))), ...);
      i += kLanes;
      if (i + kLanes <= dim) {
        const __m256 q2 = load_once(q + i);
        ((r.s2 = Op::add(r.s2, q2, Element::load(r.x, i))), ...);
        i += kLanes;
      }
    }
  }
  if (i < dim) {
    const __m256 q3 = _mm256_maskload_ps(q + i, mask_of(dim - i));
    ((r.s3 = Op::add(r.s3, q3, Element::load_part(r.x, i, dim - i))), ...);
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
  Row r2(rows[2]);
  run<Element, Op>(query, dim, r0, r2);
  const __m256 fours_02 = fours_of(r0.total(), r2.total());
  Row r1(rows[1]);
  Row r3(rows[3]);
  run<Element, Op>(query, dim, r1, r3);
  const __m256 fours_13 = fours_of(r1.total(), r3.total());
  _mm_storeu_ps(out, sums_of(fours_02, fours_13));
}

}  // namespace
}  // namespace holdfast::simd::avx2
