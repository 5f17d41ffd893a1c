// Queries made ready sixteen components at a time: a lane of a register is a lane of the sums.
#include <immintrin.h>

#include "simd/query_kernels.h"

namespace holdfast::simd::avx512 {
namespace {

static_assert(kQueryLanes == 16);

/// Those of the sixteen components from `i` on that there are.
__mmask16 part_of(std::size_t dim, std::size_t i) noexcept {
  return static_cast<__mmask16>(dim - i >= 16 ? 0xFFFFU : (1U << (dim - i)) - 1U);
}

/// query * scale - center * shift
__m512 components(const QueryGrid& of, __m512 query, __m512 center) noexcept {
  return _mm512_sub_ps(_mm512_mul_ps(query, _mm512_set1_ps(of.scale)), _mm512_mul_ps(center, _mm512_set1_ps(of.shift)));
}

float widest(const QueryGrid& of) noexcept {
  __m512 lanes = _mm512_setzero_ps();
  for (std::size_t i = 0; i < of.dim; i += 16) {
    const __mmask16 part = part_of(of.dim, i);
    const __m512 component =
        components(of, _mm512_maskz_loadu_ps(part, of.query + i), _mm512_maskz_loadu_ps(part, of.center + i));
    const __m512 size = _mm512_abs_ps(_mm512_mul_ps(component, _mm512_maskz_loadu_ps(part, of.step + i)));
    lanes = _mm512_mask_max_ps(lanes, part, size, lanes);  // the second operand if one is no number
  }
  return _mm512_reduce_max_ps(lanes);
}

void round(const QueryGrid& of, float t, std::int8_t* weights, QuerySums& sums) noexcept {
  const __m512 shift = _mm512_set1_ps(12582912.0F);  // as in the scalar kernel
  const __m512 inverse_t = _mm512_set1_ps(1.0F / t);
  const __m512 most = _mm512_set1_ps(127.5F);
  __m512 zeros = _mm512_setzero_ps();
  __m512 norms = _mm512_setzero_ps();
  __m512 errors = _mm512_setzero_ps();
  __m512 offsets = _mm512_setzero_ps();
  for (std::size_t i = 0; i < of.dim; i += 16) {
    const __mmask16 part = part_of(of.dim, i);
    const __m512 query = _mm512_maskz_loadu_ps(part, of.query + i);
    const __m512 center = _mm512_maskz_loadu_ps(part, of.center + i);
    const __m512 component = components(of, query, center);
    const __m512 exact = _mm512_mul_ps(_mm512_mul_ps(component, _mm512_maskz_loadu_ps(part, of.step + i)), inverse_t);
    const __mmask16 inside = _mm512_cmp_ps_mask(_mm512_abs_ps(exact), most, _CMP_LE_OQ);
    const __m512 weight = _mm512_maskz_sub_ps(inside, _mm512_add_ps(exact, shift), shift);
    _mm512_mask_cvtepi32_storeu_epi8(weights + i, part, _mm512_cvttps_epi32(weight));
    zeros = _mm512_mask_add_ps(zeros, part, zeros, _mm512_mul_ps(_mm512_maskz_loadu_ps(part, of.zero + i), weight));
    const __m512 stands_for =
        _mm512_mul_ps(_mm512_mul_ps(weight, _mm512_set1_ps(t)), _mm512_maskz_loadu_ps(part, of.inverse_step + i));
    norms = _mm512_mask_add_ps(norms, part, norms, _mm512_mul_ps(stands_for, stands_for));
    const __m512 error = _mm512_sub_ps(stands_for, component);
    errors = _mm512_mask_add_ps(errors, part, errors, _mm512_mul_ps(error, error));
    offsets = _mm512_mask_add_ps(offsets, part, offsets, _mm512_mul_ps(center, query));
  }
  _mm512_storeu_ps(sums.zeros, zeros);
  _mm512_storeu_ps(sums.norms, norms);
  _mm512_storeu_ps(sums.errors, errors);
  _mm512_storeu_ps(sums.offsets, offsets);
}

}  // namespace

extern const QueryKernels kQueryTable = {"avx512", widest, round};

}  // namespace holdfast::simd::avx512
