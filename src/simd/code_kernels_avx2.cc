// Integer kernels over compact codes for AVX2.
//
// Exact (C1) though vpmaddubsw, the obvious instruction, saturates (2 * 255 * 128 > 32,767): the bytes of a row are
// taken apart into the even and the odd ones, 16 bits each, and multiplied by vpmaddwd with components of the query
// that were taken apart alike, once for all rows. 4-bit codes do go through vpmaddubsw: 4 * 15 * 128 = 7,680.
//
// There are no loads of bytes under a mask. What is left of a row behind its last whole block is the end of its last 32
// bytes, which are loaded again, while the query's part of what has been counted is set to zero (C2). Rows shorter than
// that go through a copy.
#include <immintrin.h>

#include <cstring>

#include "simd/code_kernel_table.h"
#include "simd/code_rows.h"

namespace holdfast::simd::avx2 {
namespace {

constexpr std::size_t kLanes = 32;

__m256i load(const void* from) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }

/// `count` (1..31) bytes and zeros.
__m256i load_short(const void* from, std::size_t count) noexcept {
  alignas(32) unsigned char copy[kLanes] = {};
  std::memcpy(copy, from, count);
  return load(copy);
}

struct ByteRow {
  explicit ByteRow(const std::uint8_t* first) noexcept : x(first) {}
  const std::uint8_t* x;
  __m256i sum = _mm256_setzero_si256();
};

struct BitRow {
  explicit BitRow(const std::uint64_t* first) noexcept : x(first) {}
  const std::uint64_t* x;
  __m256i code = _mm256_setzero_si256();
  __m256i ones = _mm256_setzero_si256();
  __m256i sum = _mm256_setzero_si256();  ///< four lanes of 64 bits; the upper half of each stays zero
};

/// The sum of eight lanes.
template <class Row>
std::int32_t sum_of(const Row& row) noexcept {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(row.sum), _mm256_extracti128_si256(row.sum, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
}

/// The sums of four times eight lanes. Transposed on the way, so that most of the work is shared.
template <class Row>
void sums_of(const Row& a, const Row& b, const Row& c, const Row& d, std::int32_t out[4]) noexcept {
  const __m256i abcd = _mm256_hadd_epi32(_mm256_hadd_epi32(a.sum, b.sum), _mm256_hadd_epi32(c.sum, d.sum));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                   _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1)));
}

struct DotU8 {
  using Code = std::uint8_t;
  using Row = ByteRow;
  static constexpr bool kEight = false;

  const std::int8_t* query;
  std::size_t dim;

  /// Even and odd components, widened with their sign.
  struct Query {
    explicit Query(__m256i bytes) noexcept
        : even(_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8)), odd(_mm256_srai_epi16(bytes, 8)) {}
    __m256i even;
    __m256i odd;
  };
  static __m256i add(__m256i sum, __m256i codes, const Query& q) noexcept {
    const __m256i even = _mm256_and_si256(codes, _mm256_set1_epi16(255));
    const __m256i odd = _mm256_srli_epi16(codes, 8);
    return _mm256_add_epi32(_mm256_add_epi32(sum, _mm256_madd_epi16(even, q.even)), _mm256_madd_epi16(odd, q.odd));
  }

  template <class... Rows>
  [[gnu::always_inline]] void run(Rows&... r) const noexcept {
    std::size_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) {
      const Query q(load(query + i));
      ((r.sum = add(r.sum, load(r.x + i), q)), ...);
    }
    if (i == dim) return;
    if (dim > kLanes) {
      const std::size_t from = dim - kLanes;
      const Query q(_mm256_and_si256(load(query + from), last_bytes(dim - i)));
      ((r.sum = add(r.sum, load(r.x + from), q)), ...);
    } else {
      const Query q(load_short(query, dim));
      ((r.sum = add(r.sum, load_short(r.x, dim), q)), ...);
    }
  }

  /// The last `count` (1..31) of 32 bytes.
  static __m256i last_bytes(std::size_t count) noexcept {
    const __m256i place = _mm256_setr_epi8(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13,
                                           12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return _mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(count)), place);
  }
};

struct DotU4 {
  using Code = std::uint8_t;
  using Row = ByteRow;
  static constexpr bool kEight = false;

  const std::int8_t* query;
  std::size_t dim;

  static __m256i add(__m256i sum, __m256i codes, __m256i q_low, __m256i q_high) noexcept {
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i low = _mm256_maddubs_epi16(_mm256_and_si256(codes, nibble), q_low);
    const __m256i high = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(codes, 4), nibble), q_high);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_add_epi16(low, high), _mm256_set1_epi16(1)));
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

/// Counts the ones of each byte by looking up its nibbles (Mula, Kurz, Lemire: Faster Population Counts Using AVX2
/// Instructions, 2018). Four planes fit into a byte, 8 * (1 + 2 + 4 + 8) = 120, before bytes are added up by vpsadbw.
struct DotBits {
  using Code = std::uint64_t;
  using Row = BitRow;
  static constexpr bool kEight = false;
  static constexpr std::size_t kWords = 4;

  const std::uint64_t* planes;
  int bits;
  std::size_t words;

  static __m256i ones_of(__m256i bytes) noexcept {
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i ones = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                          0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    return _mm256_add_epi8(_mm256_shuffle_epi8(ones, _mm256_and_si256(bytes, nibble)),
                           _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble)));
  }
  static __m256i load_words(const std::uint64_t* from, __m256i mask) noexcept {
    return _mm256_maskload_epi64(reinterpret_cast<const long long*>(from), mask);
  }

  template <class... Rows>
  [[gnu::always_inline]] void add(__m256i mask, const std::uint64_t* plane, Rows&... r) const noexcept {
    for (int first = 0; first < bits; first += 4) {
      const int behind = first + 4 < bits ? first + 4 : bits;
      ((r.ones = _mm256_setzero_si256()), ...);
      for (int b = behind - 1; b >= first; --b) {
        const __m256i p = load_words(plane + static_cast<std::size_t>(b) * words, mask);
        ((r.ones = _mm256_add_epi8(_mm256_add_epi8(r.ones, r.ones), ones_of(_mm256_and_si256(r.code, p)))), ...);
      }
      const __m128i shift = _mm_cvtsi32_si128(first);
      const __m256i zero = _mm256_setzero_si256();
      ((r.sum = _mm256_add_epi64(r.sum, _mm256_sll_epi64(_mm256_sad_epu8(r.ones, zero), shift))), ...);
    }
  }

  template <class... Rows>
  [[gnu::always_inline]] void run(Rows&... r) const noexcept {
    std::size_t w = 0;
    for (; w + kWords <= words; w += kWords) {
      ((r.code = load(r.x + w)), ...);
      add(_mm256_set1_epi64x(-1), planes + w, r...);
    }
    if (w < words) {
      const __m256i left = _mm256_set1_epi64x(static_cast<long long>(words - w));
      const __m256i mask = _mm256_cmpgt_epi64(left, _mm256_setr_epi64x(0, 1, 2, 3));
      ((r.code = load_words(r.x + w, mask)), ...);
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

extern const CodeKernels kCodeTable = {"avx2", dot_u8, dot_u4, dot_bits};

}  // namespace holdfast::simd::avx2
