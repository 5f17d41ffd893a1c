// Distances of two rows of bytes for AVX-512 with VNNI.
//
// vpdpbusd multiplies unsigned with signed bytes and adds each four products to a lane of 32 bits; but here both sides
// have the same sign. So each byte x is seen in two ways that differ by 128, which one exclusive or makes: as u in
// 0..255 and as s = u - 128. (u8: u = x. i8: s = x.) With A = sum u_b s_b, Z = sum u_a s_b, B = 64 sum u:
//
//   dot of u8:  sum u_a u_b = Z + 2 B_a
//   dot of i8:  sum s_a s_b = sum u_b s_a - 128 sum s_a
//   l2 of both: sum (u_a - u_b)^2 = sum u_a^2 - 2 sum u_a u_b + sum u_b^2 = (A_a - 2 B_a) + (A_b + 2 B_b) - 2 Z
//
// so a row takes one exclusive or and one or three vpdpbusd per 64 dimensions, where taking bytes apart into words
// takes six or nine instructions (byte_pairs_avx512.cc). All is modulo 2^32, where the result fits. Behind a tail both
// views of a byte are those of a zero that was loaded; what they add, they add equally to both sides of a difference,
// or times zero.
#include <immintrin.h>

#include <cstdint>

#include "simd/typed_kernel_table.h"

namespace holdfast::simd::avx512vnni {
namespace {

constexpr std::size_t kLanes = 64;

/// The two views of 64 bytes.
struct I8 {
  using Sum = std::int32_t;
  explicit I8(__m512i bytes) noexcept : u(_mm512_xor_si512(bytes, _mm512_set1_epi8(-128))), s(bytes) {}
  __m512i u;
  __m512i s;
};
struct U8 {
  using Sum = std::uint32_t;
  explicit U8(__m512i bytes) noexcept : u(bytes), s(_mm512_xor_si512(bytes, _mm512_set1_epi8(-128))) {}
  __m512i u;
  __m512i s;
};

/// What an operation keeps: of `a` (once for all rows), and of a row.
template <class Type>
struct L2 {
  using Bytes = Type;
  using Sum = std::uint32_t;
  struct Of {
    __m512i squares = _mm512_setzero_si512();   // A
    __m512i ones = _mm512_setzero_si512();      // B
    __m512i products = _mm512_setzero_si512();  // Z
  };
  static void add_a(Of& of, const Type& a) noexcept {
    of.squares = _mm512_dpbusd_epi32(of.squares, a.u, a.s);
    of.ones = _mm512_dpbusd_epi32(of.ones, a.u, _mm512_set1_epi8(64));
  }
  static void add(Of& of, const Type& a, const Type& b) noexcept {
    add_a(of, b);
    of.products = _mm512_dpbusd_epi32(of.products, a.u, b.s);
  }
  static __m512i sum(const Of& a, const Of& b) noexcept {
    const __m512i twice = _mm512_sub_epi32(_mm512_sub_epi32(b.ones, a.ones), b.products);
    return _mm512_add_epi32(_mm512_add_epi32(a.squares, b.squares), _mm512_slli_epi32(twice, 1));
  }
};

template <class Type>
struct Dot;

template <>
struct Dot<U8> {
  using Bytes = U8;
  using Sum = std::uint32_t;
  struct Of {
    __m512i sum = _mm512_setzero_si512();  // of `a`: B
  };
  static void add_a(Of& of, const U8& a) noexcept { of.sum = _mm512_dpbusd_epi32(of.sum, a.u, _mm512_set1_epi8(64)); }
  static void add(Of& of, const U8& a, const U8& b) noexcept { of.sum = _mm512_dpbusd_epi32(of.sum, a.u, b.s); }
  static __m512i sum(const Of& a, const Of& b) noexcept { return _mm512_add_epi32(b.sum, _mm512_slli_epi32(a.sum, 1)); }
};

template <>
struct Dot<I8> {
  using Bytes = I8;
  using Sum = std::int32_t;
  struct Of {
    __m512i sum = _mm512_setzero_si512();  // of `a`: 128 sum s
  };
  static void add_a(Of& of, const I8& a) noexcept {
    of.sum = _mm512_dpbusd_epi32(of.sum, _mm512_set1_epi8(-128), a.s);  // 128 on the unsigned side
  }
  static void add(Of& of, const I8& a, const I8& b) noexcept { of.sum = _mm512_dpbusd_epi32(of.sum, b.u, a.s); }
  static __m512i sum(const Of& a, const Of& b) noexcept { return _mm512_sub_epi32(b.sum, a.sum); }
};

template <class Op>
struct Row {
  explicit Row(const void* first) noexcept : x(static_cast<const unsigned char*>(first)) {}
  const unsigned char* x;
  typename Op::Of of;
};

template <class Op, class... Rows>
[[gnu::always_inline]] inline void run(Row<Op>& a, std::size_t dim, Rows&... r) noexcept {
  using Bytes = typename Op::Bytes;
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    const Bytes bytes(_mm512_loadu_si512(a.x + i));
    Op::add_a(a.of, bytes);
    (Op::add(r.of, bytes, Bytes(_mm512_loadu_si512(r.x + i))), ...);
  }
  if (i < dim) {
    const __mmask64 mask = (1ull << (dim - i)) - 1;
    const Bytes bytes(_mm512_maskz_loadu_epi8(mask, a.x + i));
    Op::add_a(a.of, bytes);
    (Op::add(r.of, bytes, Bytes(_mm512_maskz_loadu_epi8(mask, r.x + i))), ...);
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
  Row<Op> ra(a);
  Row<Op> row(b);
  run<Op>(ra, dim, row);
  return static_cast<float>(static_cast<typename Op::Sum>(sum_of(Op::sum(ra.of, row.of))));
}

template <class Op>
void distance_x4(const void* a, const void* const rows[4], std::size_t dim, float out[4]) noexcept {
  Row<Op> ra(a);
  Row<Op> r0(rows[0]);
  Row<Op> r1(rows[1]);
  Row<Op> r2(rows[2]);
  Row<Op> r3(rows[3]);
  run<Op>(ra, dim, r0, r1, r2, r3);
  std::uint32_t sums[4];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums),
                   sums_of(Op::sum(ra.of, r0.of), Op::sum(ra.of, r1.of), Op::sum(ra.of, r2.of), Op::sum(ra.of, r3.of)));
  for (int j = 0; j < 4; ++j) out[j] = static_cast<float>(static_cast<typename Op::Sum>(sums[j]));
}

template <class Type>
constexpr BytePairs kPairs = {distance<L2<Type>>, distance<Dot<Type>>, distance_x4<L2<Type>>, distance_x4<Dot<Type>>};

}  // namespace

extern const BytePairKernels kPairTable = {"avx512vnni", kPairs<I8>, kPairs<U8>};

}  // namespace holdfast::simd::avx512vnni
