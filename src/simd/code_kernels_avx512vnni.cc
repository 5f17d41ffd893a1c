// Integer kernels over compact codes for AVX-512 with VNNI, and with BITALG for the one-bit codes (dispatch takes
// `dot_bits` from the table below where that is absent: Cascade Lake).
//
// vpdpbusd multiplies 64 unsigned bytes with 64 signed ones and adds each four products to one of 16 lanes of 32 bits,
// without saturation: one instruction for 64 dimensions of a row (C1). Eight rows keep eight accumulators; their
// latency of 5 cycles hides behind each other, so one accumulator is enough for a row.
#include <immintrin.h>

#include "simd/code_kernel_table.h"
#include "simd/code_rows.h"

namespace holdfast::simd::avx512vnni {
namespace {

/// The first `count` of 64 bytes; all of them if there are more.
__mmask64 bytes_mask(std::size_t count) noexcept { return count >= 64 ? ~0ull : (1ull << count) - 1; }

struct ByteRow {
  explicit ByteRow(const std::uint8_t* first) noexcept : x(first) {}
  const std::uint8_t* x;
  __m512i sum = _mm512_setzero_si512();
};

struct BitRow {
  explicit BitRow(const std::uint64_t* first) noexcept : x(first) {}
  const std::uint64_t* x;
  __m512i code = _mm512_setzero_si512();
  __m512i sum = _mm512_setzero_si512();
};

/// The sum of sixteen lanes.
template <class Row>
std::int32_t sum_of(const Row& row) noexcept {
  const __m256i eight = _mm256_add_epi32(_mm512_castsi512_si256(row.sum), _mm512_extracti64x4_epi64(row.sum, 1));
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
}

/// The sums of four times sixteen lanes. Transposed on the way, so that most of the work is shared.
template <class Row>
void sums_of(const Row& a, const Row& b, const Row& c, const Row& d, std::int32_t out[4]) noexcept {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a.sum, b.sum), _mm512_unpackhi_epi32(a.sum, b.sum));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c.sum, d.sum), _mm512_unpackhi_epi32(c.sum, d.sum));
  const __m512i abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i two = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                   _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1)));
}

struct DotU8 {
  using Code = std::uint8_t;
  using Row = ByteRow;
  static constexpr bool kEight = true;

  const std::int8_t* query;
  std::size_t dim;

  template <class... Rows>
  [[gnu::always_inline]] void run(Rows&... r) const noexcept {
    std::size_t i = 0;
    for (; i + 64 <= dim; i += 64) {
      const __m512i q = _mm512_loadu_si512(query + i);
      ((r.sum = _mm512_dpbusd_epi32(r.sum, _mm512_loadu_si512(r.x + i), q)), ...);
    }
    if (i < dim) {
      const __mmask64 mask = bytes_mask(dim - i);
      const __m512i q = _mm512_maskz_loadu_epi8(mask, query + i);
      ((r.sum = _mm512_dpbusd_epi32(r.sum, _mm512_maskz_loadu_epi8(mask, r.x + i), q)), ...);
    }
  }
};

/// Two blocks to a register: the low nibbles are dimensions 0..31 of the one and of the other, the high ones 32..63.
struct DotU4 {
  using Code = std::uint8_t;
  using Row = ByteRow;
  static constexpr bool kEight = true;

  const std::int8_t* query;
  std::size_t dim;

  /// The components 0..63 in `first` and 64..127 in `second`, in the order of the low and of the high nibbles.
  struct Pair {
    Pair(__m512i first, __m512i second) noexcept
        : low(_mm512_shuffle_i64x2(first, second, 0x44)), high(_mm512_shuffle_i64x2(first, second, 0xEE)) {}
    __m512i low;
    __m512i high;
  };
  static __m512i add(__m512i sum, __m512i codes, const Pair& q) noexcept {
    const __m512i nibble = _mm512_set1_epi8(15);
    sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(codes, nibble), q.low);
    return _mm512_dpbusd_epi32(sum, _mm512_and_si512(_mm512_srli_epi16(codes, 4), nibble), q.high);
  }

  template <class... Rows>
  [[gnu::always_inline]] void run(Rows&... r) const noexcept {
    std::size_t i = 0;
    for (; i + 128 <= dim; i += 128) {
      const Pair q(_mm512_loadu_si512(query + i), _mm512_loadu_si512(query + i + 64));
      ((r.sum = add(r.sum, _mm512_loadu_si512(r.x + i / 2), q)), ...);
    }
    if (i + 64 < dim) {  // a whole block and a part of the last one, which the rows hold whole
      const Pair q(_mm512_loadu_si512(query + i), _mm512_maskz_loadu_epi8(bytes_mask(dim - i - 64), query + i + 64));
      ((r.sum = add(r.sum, _mm512_loadu_si512(r.x + i / 2), q)), ...);
    } else if (i < dim) {
      const Pair q(_mm512_maskz_loadu_epi8(bytes_mask(dim - i), query + i), _mm512_setzero_si512());
      const __mmask8 half = 15;
      ((r.sum = add(r.sum, _mm512_maskz_loadu_epi64(half, r.x + i / 2), q)), ...);
    }
  }
};

/// Counts the ones of each byte (0..8), and weighs them with 2^b by vpdpbusd: the weight is its unsigned side.
struct DotBits {
  using Code = std::uint64_t;
  using Row = BitRow;
  static constexpr bool kEight = true;

  const std::uint64_t* planes;
  int bits;
  std::size_t words;

  template <class... Rows>
  [[gnu::always_inline]] void add(__mmask8 mask, const std::uint64_t* plane, Rows&... r) const noexcept {
    for (int b = 0; b < bits; ++b, plane += words) {
      const __m512i p = _mm512_maskz_loadu_epi64(mask, plane);
      const __m512i weight = _mm512_set1_epi8(static_cast<char>(1u << static_cast<unsigned>(b)));
      ((r.sum = _mm512_dpbusd_epi32(r.sum, weight, _mm512_popcnt_epi8(_mm512_and_si512(r.code, p)))), ...);
    }
  }

  template <class... Rows>
  [[gnu::always_inline]] void run(Rows&... r) const noexcept {
    std::size_t w = 0;
    for (; w + 8 <= words; w += 8) {
      ((r.code = _mm512_loadu_si512(r.x + w)), ...);
      add(0xFF, planes + w, r...);
    }
    if (w < words) {
      const auto mask = static_cast<__mmask8>((1u << (words - w)) - 1u);
      ((r.code = _mm512_maskz_loadu_epi64(mask, r.x + w)), ...);
      add(mask, planes + w, r...);
    }
  }
};

void dot_u8(const std::int8_t* query, const std::uint8_t* const* codes, std::size_t count, std::size_t dim,
            std::int32_t* out) noexcept {
  for_rows(DotU8{query, dim}, codes, count, out);
}

void dot_u4(const std::int8_t* query, const std::uint8_t* const* codes, std::size_t count, std::size_t dim,
            std::int32_t* out) noexcept {
  for_rows(DotU4{query, dim}, codes, count, out);
}

void dot_bits(const std::uint64_t* planes, int bits, const std::uint64_t* const* codes, std::size_t count,
              std::size_t words, std::int32_t* out) noexcept {
  for_rows(DotBits{planes, bits, words}, codes, count, out);
}

}  // namespace

extern const CodeKernels kCodeTable = {"avx512vnni", dot_u8, dot_u4, dot_bits};

}  // namespace holdfast::simd::avx512vnni
