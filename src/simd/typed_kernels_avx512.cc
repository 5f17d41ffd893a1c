// Distances to rows of other types than float32 for AVX-512 (F, BW and VL).
//
// Elements become float32 in the register that they are loaded into: f16 by vcvtph2ps, bf16 by a shift (it is the upper
// half of a float32), bytes by way of 32-bit integers.
#include "simd/distance_avx512.h"
#include "simd/typed_kernel_table.h"

namespace holdfast::simd::avx512 {
namespace {

__m256i load_16bit(const unsigned char* row, std::size_t i) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 2 * i));
}
__m256i load_16bit(const unsigned char* row, std::size_t i, __mmask16 mask) noexcept {
  return _mm256_maskz_loadu_epi16(mask, row + 2 * i);
}
__m128i load_8bit(const unsigned char* row, std::size_t i) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + i));
}
__m128i load_8bit(const unsigned char* row, std::size_t i, __mmask16 mask) noexcept {
  return _mm_maskz_loadu_epi8(mask, row + i);
}

/// `mask` is there or not: all elements, or some and zeros.
struct F16 {
  template <class... Mask>
  static __m512 load(const unsigned char* row, std::size_t i, Mask... mask) noexcept {
    return _mm512_cvtph_ps(load_16bit(row, i, mask...));
  }
};
struct Bf16 {
  template <class... Mask>
  static __m512 load(const unsigned char* row, std::size_t i, Mask... mask) noexcept {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_16bit(row, i, mask...)), 16));
  }
};
struct I8 {
  template <class... Mask>
  static __m512 load(const unsigned char* row, std::size_t i, Mask... mask) noexcept {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_8bit(row, i, mask...)));
  }
};
struct U8 {
  template <class... Mask>
  static __m512 load(const unsigned char* row, std::size_t i, Mask... mask) noexcept {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(load_8bit(row, i, mask...)));
  }
};

template <class Element>
void decode(const void* row, std::size_t dim, float* out) noexcept {
  const auto* const x = static_cast<const unsigned char*>(row);
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) _mm512_storeu_ps(out + i, Element::load(x, i));
  if (i < dim) {
    const __mmask16 mask = mask_of(dim - i);
    _mm512_mask_storeu_ps(out + i, mask, Element::load(x, i, mask));
  }
}

template <class Element>
constexpr RowKernels kRows = {distance<Element, L2>, distance<Element, Dot>, distance_x4<Element, L2, void>,
                              distance_x4<Element, Dot, void>, decode<Element>};

}  // namespace

extern const TypedKernels kTypedTable = {"avx512", kRows<F32>, kRows<F16>, kRows<Bf16>, kRows<I8>, kRows<U8>};

}  // namespace holdfast::simd::avx512
