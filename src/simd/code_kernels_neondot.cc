// Integer kernels over compact codes for NEON with the dot product instructions (Armv8.2 and later: Neoverse N1,
// Apple).
//
// sdot multiplies signed with signed bytes and adds each four products to a lane of 32 bits. 8-bit codes are made
// signed by turning their highest bit, which takes 128 off each; 128 times the sum of the query, added up beside the
// rows, goes back on top at the end. Either part is below 2^31 by itself (C1). (usdot would do without, but needs
// another extension and saves one instruction in three.) One-bit codes gain nothing: that entry is the one of NEON.
#include <arm_neon.h>

#include <cstring>

#include "simd/code_kernel_table.h"
#include "simd/code_rows.h"

namespace holdfast::simd::neondot {
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

std::int32_t sum_of(const ByteRow& row) noexcept { return vaddvq_s32(row.sum); }

void sums_of(const ByteRow& a, const ByteRow& b, const ByteRow& c, const ByteRow& d, std::int32_t out[4]) noexcept {
  vst1q_s32(out, vpaddq_s32(vpaddq_s32(a.sum, b.sum), vpaddq_s32(c.sum, d.sum)));
}

struct DotU8 {
  using Code = std::uint8_t;
  using Row = ByteRow;
  static constexpr bool kEight = true;

  const std::int8_t* query;
  std::size_t dim;

  static int32x4_t add(int32x4_t sum, uint8x16_t codes, int8x16_t q) noexcept {
    return vdotq_s32(sum, vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(128))), q);
  }

  template <class... Rows>
  [[gnu::always_inline]] void run(Rows&... r) const noexcept {
    const int8x16_t k64 = vdupq_n_s8(64);  // 128 is no signed byte
    int32x4_t back = vdupq_n_s32(0);       // 64 times the sum of the query
    std::size_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) {
      const int8x16_t q = vld1q_s8(query + i);
      back = vdotq_s32(back, k64, q);
      ((r.sum = add(r.sum, vld1q_u8(r.x + i), q)), ...);
    }
    if (i < dim && dim > kLanes) {
      const std::size_t from = dim - kLanes;
      const int8x16_t q = vandq_s8(vld1q_s8(query + from), last_bytes(dim - i));
      back = vdotq_s32(back, k64, q);
      ((r.sum = add(r.sum, vld1q_u8(r.x + from), q)), ...);
    } else if (i < dim) {
      std::int8_t copy[kLanes] = {};
      std::memcpy(copy, query, dim);
      const int8x16_t q = vld1q_s8(copy);
      back = vdotq_s32(back, k64, q);
      ((r.sum = add(r.sum, load_short(r.x, dim), q)), ...);
    }
    back = vshlq_n_s32(back, 1);
    ((r.sum = vaddq_s32(r.sum, back)), ...);
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
    sum = vdotq_s32(sum, vreinterpretq_s8_u8(vandq_u8(first, nibble)), q[0]);
    sum = vdotq_s32(sum, vreinterpretq_s8_u8(vandq_u8(second, nibble)), q[1]);
    sum = vdotq_s32(sum, vreinterpretq_s8_u8(vshrq_n_u8(first, 4)), q[2]);
    return vdotq_s32(sum, vreinterpretq_s8_u8(vshrq_n_u8(second, 4)), q[3]);
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

void dot_u8(const std::int8_t* query, const std::uint8_t* const* codes, std::size_t count, std::size_t dim,
            std::int32_t* out) noexcept {
  for_rows(DotU8{query, dim}, codes, count, out);
}

void dot_u4(const std::int8_t* query, const std::uint8_t* const* codes, std::size_t count, std::size_t dim,
            std::int32_t* out) noexcept {
  for_rows(DotU4{query, dim}, codes, count, out);
}

}  // namespace

extern const CodeKernels kCodeTable = {"neondot", dot_u8, dot_u4, nullptr};

}  // namespace holdfast::simd::neondot
