// Distances of two rows of bytes for AVX-512 (F and BW).
//
// The bytes of a register are taken apart into the even and the odd ones, 16 bits each, which vpmaddwd squares or
// multiplies and adds in pairs to lanes of 32 bits. Squares are those of the distance of two bytes, 0..255, which is a
// byte itself. Lanes wrap modulo 2^32; the result fits (kBytePairDimensionMax).
#include <immintrin.h>

#include <cstdint>

#include "simd/typed_kernel_table.h"

namespace holdfast::simd::avx512 {
namespace {

constexpr std::size_t kLanes = 64;

__m512i load(const unsigned char* from) noexcept { return _mm512_loadu_si512(from); }

struct I8 {
  using Sum = std::int32_t;
  static __m512i even(__m512i bytes) noexcept { return _mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8); }
  static __m512i odd(__m512i bytes) noexcept { return _mm512_srai_epi16(bytes, 8); }
  static __m512i between(__m512i a, __m512i b) noexcept {
    return _mm512_sub_epi8(_mm512_max_epi8(a, b), _mm512_min_epi8(a, b));
  }
};
struct U8 {
  using Sum = std::uint32_t;
  static __m512i even(__m512i bytes) noexcept { return _mm512_and_si512(bytes, _mm512_set1_epi16(255)); }
  static __m512i odd(__m512i bytes) noexcept { return _mm512_srli_epi16(bytes, 8); }
  static __m512i between(__m512i a, __m512i b) noexcept {
    return _mm512_sub_epi8(_mm512_max_epu8(a, b), _mm512_min_epu8(a, b));
  }
};

/// An operation prepares some bytes of `a` once for all rows.
template <class Type>
struct L2 {
  using Sum = std::uint32_t;
  explicit L2(__m512i bytes) noexcept : a(bytes) {}
  [[nodiscard]] __m512i add(__m512i sum, __m512i b) const noexcept {
    const __m512i apart = Type::between(a, b);
    const __m512i even = U8::even(apart);
    const __m512i odd = U8::odd(apart);
    return _mm512_add_epi32(_mm512_add_epi32(sum, _mm512_madd_epi16(even, even)), _mm512_madd_epi16(odd, odd));
  }
  __m512i a;
};
template <class Type>
struct Dot {
  using Sum = typename Type::Sum;
  explicit Dot(__m512i bytes) noexcept : even(Type::even(bytes)), odd(Type::odd(bytes)) {}
  [[nodiscard]] __m512i add(__m512i sum, __m512i b) const noexcept {
    return _mm512_add_epi32(_mm512_add_epi32(sum, _mm512_madd_epi16(even, Type::even(b))),
                            _mm512_madd_epi16(odd, Type::odd(b)));
  }
  __m512i even;
  __m512i odd;
};

struct Row {
  explicit Row(const void* first) noexcept : x(static_cast<const unsigned char*>(first)) {}
  const unsigned char* x;
  __m512i sum = _mm512_setzero_si512();
};

template <class Op, class... Rows>
[[gnu::always_inline]] inline void run(const unsigned char* a, std::size_t dim, Rows&... r) noexcept {
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    const Op op(load(a + i));
    ((r.sum = op.add(r.sum, load(r.x + i))), ...);
  }
  if (i < dim) {
    const __mmask64 mask = (1ull << (dim - i)) - 1;
    const Op op(_mm512_maskz_loadu_epi8(mask, a + i));
    ((r.sum = op.add(r.sum, _mm512_maskz_loadu_epi8(mask, r.x + i))), ...);
  }
}

/// The sum of sixteen lanes.
std::uint32_t sum_of(__m512i sixteen) noexcept {
  const __m256i eight = _mm256_add_epi32(_mm512_castsi512_si256(sixteen), _mm512_extracti64x4_epi64(sixteen, 1));
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1))));
}

/// The sums of four times sixteen lanes. Transposed on the way, so that most of the work is shared.
__m128i sums_of(__m512i a, __m512i b, __m512i c, __m512i d) noexcept {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  const __m512i abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i two = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
}

template <class Op>
float distance(const void* a, const void* b, std::size_t dim) noexcept {
  Row row(b);
  run<Op>(static_cast<const unsigned char*>(a), dim, row);
  return static_cast<float>(static_cast<typename Op::Sum>(sum_of(row.sum)));
}

template <class Op>
void distance_x4(const void* a, const void* const rows[4], std::size_t dim, float out[4]) noexcept {
  Row r0(rows[0]);
  Row r1(rows[1]);
  Row r2(rows[2]);
  Row r3(rows[3]);
  run<Op>(static_cast<const unsigned char*>(a), dim, r0, r1, r2, r3);
  std::uint32_t sums[4];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), sums_of(r0.sum, r1.sum, r2.sum, r3.sum));
  for (int j = 0; j < 4; ++j) out[j] = static_cast<float>(static_cast<typename Op::Sum>(sums[j]));
}

template <class Type>
constexpr BytePairs kPairs = {distance<L2<Type>>, distance<Dot<Type>>, distance_x4<L2<Type>>, distance_x4<Dot<Type>>};

}  // namespace

extern const BytePairKernels kPairTable = {"avx512", kPairs<I8>, kPairs<U8>};

}  // namespace holdfast::simd::avx512
