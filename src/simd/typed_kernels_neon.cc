// Distances to rows of other types than float32 for NEON.
//
// Elements become float32 in the register that they are loaded into: f16 by fcvtl (part of every aarch64, unlike
// arithmetic in half precision), bf16 by a shift (it is the upper half of a float32), bytes by way of 32-bit integers.
#include "simd/distance_neon.h"
#include "simd/load_part.h"
#include "simd/typed_kernel_table.h"

namespace holdfast::simd::neon {
namespace {

/// How elements of 16 bits, and of 8, are loaded; a type says how four of them become float32.
template <class Type>
struct Of16Bits {
  static float32x4_t load(const unsigned char* row, std::size_t i) noexcept {
    return Type::widen(vreinterpret_u16_u8(vld1_u8(row + 2 * i)));
  }
  static float32x4_t load_part(const unsigned char* row, std::size_t i, std::size_t count) noexcept {
    return Type::widen(vcreate_u16(simd::load_part(row + 2 * i, 2 * count).low));
  }
};
template <class Type>
struct Of8Bits {
  static float32x4_t load(const unsigned char* row, std::size_t i) noexcept {
    return Type::widen(vcreate_u8(word_at<std::uint32_t>(row + i)));
  }
  static float32x4_t load_part(const unsigned char* row, std::size_t i, std::size_t count) noexcept {
    return Type::widen(vcreate_u8(simd::load_part(row + i, count).low));
  }
};

struct F16 : Of16Bits<F16> {
  static float32x4_t widen(uint16x4_t four) noexcept { return vcvt_f32_f16(vreinterpret_f16_u16(four)); }
};
struct Bf16 : Of16Bits<Bf16> {
  static float32x4_t widen(uint16x4_t four) noexcept { return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(four), 16)); }
};
struct I8 : Of8Bits<I8> {
  static float32x4_t widen(uint8x8_t bytes) noexcept {
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(bytes)))));
  }
};
struct U8 : Of8Bits<U8> {
  static float32x4_t widen(uint8x8_t bytes) noexcept { return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes)))); }
};

template <class Element>
void decode(const void* row, std::size_t dim, float* out) noexcept {
  const auto* const x = static_cast<const unsigned char*>(row);
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) vst1q_f32(out + i, Element::load(x, i));
  if (i < dim) {
    float last[kLanes];
    vst1q_f32(last, Element::load_part(x, i, dim - i));
    std::memcpy(out + i, last, (dim - i) * sizeof(float));
  }
}

template <class Element>
constexpr RowKernels kRows = {distance<Element, L2>, distance<Element, Dot>, distance_x4<Element, L2, void>,
                              distance_x4<Element, Dot, void>, decode<Element>};

}  // namespace

extern const TypedKernels kTypedTable = {"neon", kRows<F32>, kRows<F16>, kRows<Bf16>, kRows<I8>, kRows<U8>};

}  // namespace holdfast::simd::neon
