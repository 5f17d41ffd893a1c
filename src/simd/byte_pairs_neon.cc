// Distances of two rows of bytes for NEON.
//
// Bytes multiply to 16 bits, where one product fits, and are added in pairs to lanes of 32. Squares are those of the
// distance of two bytes, 0..255, which is a byte itself. Lanes wrap modulo 2^32; the result fits
// (kBytePairDimensionMax).
#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "simd/typed_kernel_table.h"

namespace holdfast::simd::neon {
namespace {

constexpr std::size_t kLanes = 16;

/// The bytes from..dim-1 (1..15 of them) of a row, and zeros: the end of its last 16 bytes, if it has so many.
uint8x16_t load_tail(const unsigned char* row, std::size_t from, std::size_t dim) noexcept {
  if (dim < kLanes) {
    unsigned char copy[kLanes] = {};
    std::memcpy(copy, row, dim);
    return vld1q_u8(copy);
  }
  static constexpr std::uint8_t kPlace[kLanes] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
  const uint8x16_t last = vcltq_u8(vld1q_u8(kPlace), vdupq_n_u8(static_cast<std::uint8_t>(dim - from)));
  return vandq_u8(vld1q_u8(row + dim - kLanes), last);
}

uint32x4_t add_products(uint32x4_t sum, uint8x16_t a, uint8x16_t b) noexcept {
  sum = vpadalq_u16(sum, vmull_u8(vget_low_u8(a), vget_low_u8(b)));
  return vpadalq_u16(sum, vmull_high_u8(a, b));
}

struct I8 {
  using Sum = std::int32_t;
  static uint8x16_t between(uint8x16_t a, uint8x16_t b) noexcept {
    return vreinterpretq_u8_s8(vabdq_s8(vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b)));
  }
  static uint32x4_t add_dot(uint32x4_t sum, uint8x16_t a, uint8x16_t b) noexcept {
    const int8x16_t x = vreinterpretq_s8_u8(a);
    const int8x16_t y = vreinterpretq_s8_u8(b);
    int32x4_t lanes = vpadalq_s16(vreinterpretq_s32_u32(sum), vmull_s8(vget_low_s8(x), vget_low_s8(y)));
    lanes = vpadalq_s16(lanes, vmull_high_s8(x, y));
    return vreinterpretq_u32_s32(lanes);
  }
};
struct U8 {
  using Sum = std::uint32_t;
  static uint8x16_t between(uint8x16_t a, uint8x16_t b) noexcept { return vabdq_u8(a, b); }
  static uint32x4_t add_dot(uint32x4_t sum, uint8x16_t a, uint8x16_t b) noexcept { return add_products(sum, a, b); }
};

template <class Type>
struct L2 {
  using Sum = std::uint32_t;
  static uint32x4_t add(uint32x4_t sum, uint8x16_t a, uint8x16_t b) noexcept {
    const uint8x16_t apart = Type::between(a, b);
    return add_products(sum, apart, apart);
  }
};
template <class Type>
struct Dot {
  using Sum = typename Type::Sum;
  static uint32x4_t add(uint32x4_t sum, uint8x16_t a, uint8x16_t b) noexcept { return Type::add_dot(sum, a, b); }
};

struct Row {
  explicit Row(const void* first) noexcept : x(static_cast<const unsigned char*>(first)) {}
  const unsigned char* x;
  uint32x4_t sum = vdupq_n_u32(0);
};

template <class Op, class... Rows>
[[gnu::always_inline]] inline void run(const unsigned char* a, std::size_t dim, Rows&... r) noexcept {
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    const uint8x16_t bytes = vld1q_u8(a + i);
    ((r.sum = Op::add(r.sum, bytes, vld1q_u8(r.x + i))), ...);
  }
  if (i < dim) {
    const uint8x16_t bytes = load_tail(a, i, dim);
    ((r.sum = Op::add(r.sum, bytes, load_tail(r.x, i, dim))), ...);
  }
}

template <class Op>
float result_of(const Row& row) noexcept {
  return static_cast<float>(static_cast<typename Op::Sum>(vaddvq_u32(row.sum)));
}

template <class Op>
float distance(const void* a, const void* b, std::size_t dim) noexcept {
  Row row(b);
  run<Op>(static_cast<const unsigned char*>(a), dim, row);
  return result_of<Op>(row);
}

template <class Op>
void distance_x4(const void* a, const void* const rows[4], std::size_t dim, float out[4]) noexcept {
  Row r0(rows[0]);
  Row r1(rows[1]);
  Row r2(rows[2]);
  Row r3(rows[3]);
  run<Op>(static_cast<const unsigned char*>(a), dim, r0, r1, r2, r3);
  out[0] = result_of<Op>(r0);
  out[1] = result_of<Op>(r1);
  out[2] = result_of<Op>(r2);
  out[3] = result_of<Op>(r3);
}

template <class Type>
constexpr BytePairs kPairs = {distance<L2<Type>>, distance<Dot<Type>>, distance_x4<L2<Type>>, distance_x4<Dot<Type>>};

}  // namespace

extern const BytePairKernels kPairTable = {"neon", kPairs<I8>, kPairs<U8>};

}  // namespace holdfast::simd::neon
