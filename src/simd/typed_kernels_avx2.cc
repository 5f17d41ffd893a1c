// Distances to rows of other types than float32 for AVX2 with fused multiply-add and F16C.
//
// Elements become float32 in the register that they are loaded into: f16 by vcvtph2ps, bf16 by a shift (it is the upper
// half of a float32), bytes by way of 32-bit integers.
#include "simd/distance_avx2.h"
#include "simd/load_part.h"
#include "simd/typed_kernel_table.h"

namespace holdfast::simd::avx2 {
namespace {

__m128i load_16bit(const unsigned char* row, std::size_t i) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 2 * i));
}
__m128i load_8bit(const unsigned char* row, std::size_t i) noexcept {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row + i));
}
__m128i load_bytes(const unsigned char* from, std::size_t count) noexcept {
  const SixteenBytes bytes = load_part(from, count);
  return _mm_set_epi64x(static_cast<long long>(bytes.high), static_cast<long long>(bytes.low));
}

/// How elements of 16 bits, and of 8, are loaded; a type says how eight of them become float32.
template <class Type>
struct Of16Bits {
  static __m256 load(const unsigned char* row, std::size_t i) noexcept { return Type::widen(load_16bit(row, i)); }
  static __m256 load_part(const unsigned char* row, std::size_t i, std::size_t count) noexcept {
    return Type::widen(load_bytes(row + 2 * i, 2 * count));
  }
};
template <class Type>
struct Of8Bits {
  static __m256 load(const unsigned char* row, std::size_t i) noexcept { return Type::widen(load_8bit(row, i)); }
  static __m256 load_part(const unsigned char* row, std::size_t i, std::size_t count) noexcept {
    return Type::widen(load_bytes(row + i, count));
  }
};

struct F16 : Of16Bits<F16> {
  static __m256 widen(__m128i eight) noexcept { return _mm256_cvtph_ps(eight); }
};
struct Bf16 : Of16Bits<Bf16> {
  static __m256 widen(__m128i eight) noexcept {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(eight), 16));
  }
};
struct I8 : Of8Bits<I8> {
  static __m256 widen(__m128i eight) noexcept { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight)); }
};
struct U8 : Of8Bits<U8> {
  static __m256 widen(__m128i eight) noexcept { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(eight)); }
};

template <class Element>
void decode(const void* row, std::size_t dim, float* out) noexcept {
  const auto* const x = static_cast<const unsigned char*>(row);
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) _mm256_storeu_ps(out + i, Element::load(x, i));
  if (i < dim) _mm256_maskstore_ps(out + i, mask_of(dim - i), Element::load_part(x, i, dim - i));
}

template <class Element>
constexpr RowKernels kRows = {distance<Element, L2>, distance<Element, Dot>, distance_x4<Element, L2, void>,
                              distance_x4<Element, Dot, void>, decode<Element>};

}  // namespace

extern const TypedKernels kTypedTable = {"avx2", kRows<F32>, kRows<F16>, kRows<Bf16>, kRows<I8>, kRows<U8>};

}  // namespace holdfast::simd::avx2
