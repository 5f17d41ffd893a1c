// Distances of two rows of bytes for AVX2.
//
// The bytes of a register are taken apart into the even and the odd ones, 16 bits each, which vpmaddwd squares or
// multiplies and adds in pairs to lanes of 32 bits. Squares are those of the distance of two bytes, 0..255, which is a
// byte itself. Lanes wrap modulo 2^32; the result fits (kBytePairDimensionMax).
//
// What is left of a row behind its last whole register is the end of its last 32 bytes, which are loaded again and what
// has been counted set to zero; nothing past the row is read (T2).
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "simd/typed_kernel_table.h"

namespace holdfast::simd::avx2 {
namespace {

constexpr std::size_t kLanes = 32;

__m256i load(const unsigned char* from) noexcept { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }

/// The bytes from..dim-1 (1..31 of them) of a row, and zeros.
__m256i load_tail(const unsigned char* row, std::size_t from, std::size_t dim) noexcept {
  if (dim < kLanes) {
    alignas(32) unsigned char copy[kLanes] = {};
    std::memcpy(copy, row, dim);
    return load(copy);
  }
  const __m256i place = _mm256_setr_epi8(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12,
                                         11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m256i last = _mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(dim - from)), place);
  return _mm256_and_si256(load(row + dim - kLanes), last);
}

struct I8 {
  using Sum = std::int32_t;
  static __m256i even(__m256i bytes) noexcept { return _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8); }
  static __m256i odd(__m256i bytes) noexcept { return _mm256_srai_epi16(bytes, 8); }
  static __m256i between(__m256i a, __m256i b) noexcept {
    return _mm256_sub_epi8(_mm256_max_epi8(a, b), _mm256_min_epi8(a, b));
  }
};
struct U8 {
  using Sum = std::uint32_t;
  static __m256i even(__m256i bytes) noexcept { return _mm256_and_si256(bytes, _mm256_set1_epi16(255)); }
  static __m256i odd(__m256i bytes) noexcept { return _mm256_srli_epi16(bytes, 8); }
  static __m256i between(__m256i a, __m256i b) noexcept {
    return _mm256_sub_epi8(_mm256_max_epu8(a, b), _mm256_min_epu8(a, b));
  }
};

/// An operation prepares some bytes of `a` once for all rows.
template <class Type>
struct L2 {
  using Sum = std::uint32_t;
  explicit L2(__m256i bytes) noexcept : a(bytes) {}
  [[nodiscard]] __m256i add(__m256i sum, __m256i b) const noexcept {
    const __m256i apart = Type::between(a, b);
    const __m256i even = U8::even(apart);
    const __m256i odd = U8::odd(apart);
    return _mm256_add_epi32(_mm256_add_epi32(sum, _mm256_madd_epi16(even, even)), _mm256_madd_epi16(odd, odd));
  }
  __m256i a;
};
template <class Type>
struct Dot {
  using Sum = typename Type::Sum;
  explicit Dot(__m256i bytes) noexcept : even(Type::even(bytes)), odd(Type::odd(bytes)) {}
  [[nodiscard]] __m256i add(__m256i sum, __m256i b) const noexcept {
    return _mm256_add_epi32(_mm256_add_epi32(sum, _mm256_madd_epi16(even, Type::even(b))),
                            _mm256_madd_epi16(odd, Type::odd(b)));
  }
  __m256i even;
  __m256i odd;
};

struct Row {
  explicit Row(const void* first) noexcept : x(static_cast<const unsigned char*>(first)) {}
  const unsigned char* x;
  __m256i sum = _mm256_setzero_si256();
};

template <class Op, class... Rows>
[[gnu::always_inline]] inline void run(const unsigned char* a, std::size_t dim, Rows&... r) noexcept {
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    const Op op(load(a + i));
    ((r.sum = op.add(r.sum, load(r.x + i))), ...);
  }
  if (i < dim) {
    const Op op(load_tail(a, i, dim));
    ((r.sum = op.add(r.sum, load_tail(r.x, i, dim))), ...);
  }
}

/// The sum of eight lanes.
std::uint32_t sum_of(__m256i eight) noexcept {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1))));
}

/// The sums of four times eight lanes.
__m128i sums_of(__m256i a, __m256i b, __m256i c, __m256i d) noexcept {
  const __m256i abcd = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  return _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1));
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

extern const BytePairKernels kPairTable = {"avx2", kPairs<I8>, kPairs<U8>};

}  // namespace holdfast::simd::avx2
