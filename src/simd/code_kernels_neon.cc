// Integer kernels over compact codes for NEON (Advanced SIMD, part of every aarch64).
//
// 8-bit codes are widened to 16 bits and multiplied into lanes of 32; 4-bit codes stay in lanes of 16 for one block:
// 8 * 15 * 128 = 15,360 (C1). What is left of a row behind its last whole block is the end of its last 16 bytes, which
// are loaded again, while the query's part of what has been counted is set to zero (C2). Rows shorter than that go
// through a copy.
#include <arm_neon.h>

#include <cstring>

#include "simd/code_kernel_table.h"
#include "simd/code_rows.h"

namespace holdfast::simd::neon {
namespace {

constexpr std::size_t kLanes = 16;

/// The last `count` (1..15) of 16 bytes.
int8x16_t last_bytes(std::size_t count) noexcept {
  static constexpr std::int8_t kPlace[kLanes] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
  return vreinterpretq_s8_u8(vcltq_s8(vld1q_s8(kPlace), vdupq_n_s8(static_cast<std::int8_t>(count))));
}

struct ByteRow {
  explicit ByteRow(const std::uint8_t* first) noexcept : x(first) {}
  const std::uint8_t* x;
  int32x4_t sum = vdupq_n_s32(0);
};

struct BitRow {
  explicit BitRow(const std::uint64_t* first) noexcept : x(first) {}
  const std::uint64_t* x;
  uint8x16_t code = vdupq_n_u8(0);
  uint8x16_t ones = vdupq_n_u8(0);
  int32x4_t sum = vdupq_n_s32(0);
};

template <class Row>
std::int32_t sum_of(const Row& row) noexcept {
  return vaddvq_s32(row.sum);
}

template <class Row>
void sums_of(const Row& a, const Row& b, const Row& c, const Row& d, std::int32_t out[4]) noexcept {
  vst1q_s32(out, vpaddq_s32(vpaddq_s32(a.sum, b.sum), vpaddq_s32(c.sum, d.sum)));
}

struct DotU8 {
  using Code = std::uint8_t;
  using Row = ByteRow;
  static constexpr bool kEight = false;

  const std::int8_t* query;
  std::size_t dim;

  struct Query {
    explicit Query(int8x16_t bytes) noexcept : low(vmovl_s8(vget_low_s8(bytes))), high(vmovl_high_s8(bytes)) {}
    int16x8_t low;
    int16x8_t high;
  };
  static int32x4_t add(int32x4_t sum, uint8x16_t codes, const Query& q) noexcept {
    const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(codes)));
    const int16x8_t high = vreinterpretq_s16_u16(vmovl_high_u8(codes));
    sum = vmlal_s16(sum, vget_low_s16(low), vget_low_s16(q.low));
    sum = vmlal_high_s16(sum, low, q.low);
    sum = vmlal_s16(sum, vget_low_s16(high), vget_low_s16(q.high));
    return vmlal_high_s16(sum, high, q.high);
  }

  template <class... Rows>
  [[gnu::always_inline]] void run(Rows&... r) const noexcept {
    std::size_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) {
      const Query q(vld1q_s8(query + i));
      ((r.sum = add(r.sum, vld1q_u8(r.x + i), q)), ...);
    }
    if (i == dim) return;
    if (dim > kLanes) {
      const std::size_t from = dim - kLanes;
      const Query q(vandq_s8(vld1q_s8(query + from), last_bytes(dim - i)));
      ((r.sum = add(r.sum, vld1q_u8(r.x + from), q)), ...);
    } else {
      std::int8_t copy[kLanes] = {};
      std::memcpy(copy, query, dim);
      const Query q(vld1q_s8(copy));
      ((r.sum = add(r.sum, load_short(r.x, dim), q)), ...);
    }
  }

  /// `count` (1..15) bytes and zeros.
  static uint8x16_t load_short(const std::uint8_t* from, std::size_t count) noexcept {
    std::uint8_t copy[kLanes] = {};
    std::memcpy(copy, from, count);
    return vld1q_u8(copy);
  }
};

struct DotU4 {
  using Code = std::uint8_t;
  using Row = ByteRow;
  static constexpr bool kEight = false;

  const std::int8_t* query;
  std::size_t dim;

  static int32x4_t add(int32x4_t sum, const std::uint8_t* block, const int8x16_t q[4]) noexcept {
    const uint8x16_t nibble = vdupq_n_u8(15);
    const uint8x16_t first = vld1q_u8(block);
    const uint8x16_t second = vld1q_u8(block + kLanes);
    const int8x16_t codes[4] = {vreinterpretq_s8_u8(vandq_u8(first, nibble)),
                                vreinterpretq_s8_u8(vandq_u8(second, nibble)),
                                vreinterpretq_s8_u8(vshrq_n_u8(first, 4)), vreinterpretq_s8_u8(vshrq_n_u8(second, 4))};
    int16x8_t sixteen = vmull_s8(vget_low_s8(codes[0]), vget_low_s8(q[0]));
    sixteen = vmlal_high_s8(sixteen, codes[0], q[0]);
    for (int k = 1; k < 4; ++k) {
      sixteen = vmlal_s8(sixteen, vget_low_s8(codes[k]), vget_low_s8(q[k]));
      sixteen = vmlal_high_s8(sixteen, codes[k], q[k]);
    }
    return vpadalq_s16(sum, sixteen);
  }

  template <class... Rows>
  [[gnu::always_inline]] static void add_block(const std::int8_t* query, std::size_t at, Rows&... r) noexcept {
    const int8x16_t q[4] = {vld1q_s8(query), vld1q_s8(query + kLanes), vld1q_s8(query + 2 * kLanes),
                            vld1q_s8(query + 3 * kLanes)};
    ((r.sum = add(r.sum, r.x + at, q)), ...);
  }

  template <class... Rows>
  [[gnu::always_inline]] void run(Rows&... r) const noexcept {
    std::size_t i = 0;
    for (; i + kNibbleBlock <= dim; i += kNibbleBlock) add_block(query + i, i / 2, r...);
    if (i < dim) {  // the rows hold the last block whole, the query does not
      std::int8_t last[kNibbleBlock] = {};
      std::memcpy(last, query + i, dim - i);
      add_block(last, i / 2, r...);
    }
  }
};

/// Four planes fit into a byte, 8 * (1 + 2 + 4 + 8) = 120, before bytes are added up.
struct DotBits {
  using Code = std::uint64_t;
  using Row = BitRow;
  static constexpr bool kEight = false;
  static constexpr std::size_t kWords = 2;

  const std::uint64_t* planes;
  int bits;
  std::size_t words;

  /// Two words; the last one of an odd number, and a zero.
  static uint8x16_t load_words(const std::uint64_t* from, bool both) noexcept {
    return vreinterpretq_u8_u64(both ? vld1q_u64(from) : vcombine_u64(vld1_u64(from), vdup_n_u64(0)));
  }

  template <class... Rows>
  [[gnu::always_inline]] void add(bool both, const std::uint64_t* plane, Rows&... r) const noexcept {
    for (int first = 0; first < bits; first += 4) {
      const int behind = first + 4 < bits ? first + 4 : bits;
      ((r.ones = vdupq_n_u8(0)), ...);
      for (int b = behind - 1; b >= first; --b) {
        const uint8x16_t p = load_words(plane + static_cast<std::size_t>(b) * words, both);
        ((r.ones = vaddq_u8(vaddq_u8(r.ones, r.ones), vcntq_u8(vandq_u8(r.code, p)))), ...);
      }
      const int32x4_t shift = vdupq_n_s32(first);
      ((r.sum = vaddq_s32(r.sum, vshlq_s32(vreinterpretq_s32_u32(vpaddlq_u16(vpaddlq_u8(r.ones))), shift))), ...);
    }
  }

  template <class... Rows>
  [[gnu::always_inline]] void run(Rows&... r) const noexcept {
    for (std::size_t w = 0; w < words; w += kWords) {
      const bool both = w + kWords <= words;
      ((r.code = load_words(r.x + w, both)), ...);
      add(both, planes + w, r...);
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

extern const CodeKernels kCodeTable = {"neon", dot_u8, dot_u4, dot_bits};

}  // namespace holdfast::simd::neon
