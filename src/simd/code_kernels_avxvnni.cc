// Integer kernels over compact codes for AVX2 with AVX-VNNI, which processors without AVX-512 have (Alder Lake and
// later).
//
// As code_kernels_avx2.cc, with vpdpbusd (u8 * s8, four products to a lane of 32 bits, no saturation) in place of what
// stands in for it there. One-bit codes gain nothing: that entry is the one of AVX2.
#include <immintrin.h>

#include <cstring>

#include "simd/code_kernel_table.h"
#include "simd/code_rows.h"

namespace holdfast::simd::avxvnni {
namespace {

constexpr std::size_t kLanes = 32;

__m256i load(const void* from) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }

/// `count` (1..31) bytes and zeros.
__m256i load_short(const void* from, std::size_t count) noexcept {
  alignas(32) unsigned char copy[kLanes] = {};
  std::memcpy(copy, from, count);
  return load(copy);
}

/// The last `count` (1..31) of 32 bytes.
__m256i last_bytes(std::size_t count) noexcept {
  const __m256i place = _mm256_setr_epi8(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12,
                                         11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(count)), place);
}

struct ByteRow {
  explicit ByteRow(const std::uint8_t* first) noexcept : x(first) {}
  const std::uint8_t* x;
  __m256i sum = _mm256_setzero_si256();
};

/// The sum of eight lanes.
std::int32_t sum_of(const ByteRow& row) noexcept {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(row.sum), _mm256_extracti128_si256(row.sum, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
}

/// The sums of four times eight lanes. Transposed on the way, so that most of the work is shared.
void sums_of(const ByteRow& a, const ByteRow& b, const ByteRow& c, const ByteRow& d, std::int32_t out[4]) noexcept {
  const __m256i abcd = _mm256_hadd_epi32(_mm256_hadd_epi32(a.sum, b.sum), _mm256_hadd_epi32(c.sum, d.sum));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                   _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1)));
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
    for (; i + kLanes <= dim; i += kLanes) {
      const __m256i q = load(query + i);
      ((r.sum = _mm256_dpbusd_avx_epi32(r.sum, load(r.x + i), q)), ...);
    }
    if (i == dim) return;
    if (dim > kLanes) {
      const std::size_t from = dim - kLanes;
      const __m256i q = _mm256_and_si256(load(query + from), last_bytes(dim - i));
      ((r.sum = _mm256_dpbusd_avx_epi32(r.sum, load(r.x + from), q)), ...);
    } else {
      const __m256i q = load_short(query, dim);
      ((r.sum = _mm256_dpbusd_avx_epi32(r.sum, load_short(r.x, dim), q)), ...);
    }
  }
};

struct DotU4 {
  using Code = std::uint8_t;
  using Row = ByteRow;
  static constexpr bool kEight = true;

  const std::int8_t* query;
  std::size_t dim;

  static __m256i add(__m256i sum, __m256i codes, __m256i q_low, __m256i q_high) noexcept {
    const __m256i nibble = _mm256_set1_epi8(15);
    sum = _mm256_dpbusd_avx_epi32(sum, _mm256_and_si256(codes, nibble), q_low);
    return _mm256_dpbusd_avx_epi32(sum, _mm256_and_si256(_mm256_srli_epi16(codes, 4), nibble), q_high);
  }

  template <class... Rows>
  [[gnu::always_inline]] void run(Rows&... r) const noexcept {
    std::size_t i = 0;
    for (; i + kNibbleBlock <= dim; i += kNibbleBlock) {
      const __m256i q_low = load(query + i);
      const __m256i q_high = load(query + i + kLanes);
      ((r.sum = add(r.sum, load(r.x + i / 2), q_low, q_high)), ...);
    }
    if (i < dim) {  // the rows hold the last block whole, the query does not
      alignas(32) std::int8_t last[kNibbleBlock] = {};
      std::memcpy(last, query + i, dim - i);
      const __m256i q_low = load(last);
      const __m256i q_high = load(last + kLanes);
      ((r.sum = add(r.sum, load(r.x + i / 2), q_low, q_high)), ...);
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

}  // namespace

extern const CodeKernels kCodeTable = {"avxvnni", dot_u8, dot_u4, nullptr};

}  // namespace holdfast::simd::avxvnni
