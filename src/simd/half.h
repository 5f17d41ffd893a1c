// The two floating-point formats of 16 bits, one number at a time: f16 (IEEE 754 binary16: 5 bits of exponent, 10 of
// fraction) and bf16 (the upper half of a float32: 8 and 7).
//
// To 16 bits rounds to nearest, ties to even; what is too large becomes infinity (f16 from 65,520 on), NaN stays NaN.
// To float32 is exact. REQUIRES the processor's ordinary modes: round to nearest, subnormals not flushed.
//
// Always inlined, since kernel_table.h forbids shared copies; without branches, so that loops over them are vectorised.
#pragma once

#include <cstdint>

namespace holdfast::simd {

[[gnu::always_inline]] inline std::uint32_t bits_of(float value) noexcept {
  return __builtin_bit_cast(std::uint32_t, value);
}
[[gnu::always_inline]] inline float float_of(std::uint32_t bits) noexcept { return __builtin_bit_cast(float, bits); }

/// All ones if `condition`, else zero: a choice that compilers do not turn into a branch.
[[gnu::always_inline]] inline std::uint32_t mask_if(bool condition) noexcept {
  return 0u - static_cast<std::uint32_t>(condition);
}

inline constexpr std::uint32_t kF16Infinity = 0x7c00;
inline constexpr std::uint32_t kBf16Infinity = 0x7f80;

[[gnu::always_inline]] inline float f16_to_f32(std::uint16_t half) noexcept {
  const std::uint32_t magnitude = half & 0x7fffu;
  // As a float32 it is too small by the difference of the exponents' biases, 127 - 15, subnormal numbers too.
  const std::uint32_t scaled = bits_of(float_of(magnitude << 13) * 0x1p112f);
  const std::uint32_t special = mask_if(magnitude >= kF16Infinity) & 0x7f80'0000u;
  return float_of(scaled | special | (half & 0x8000u) << 16);
}

[[gnu::always_inline]] inline std::uint16_t f32_to_f16(float value) noexcept {
  constexpr std::uint32_t kSmallestNormal = 0x3880'0000;  // 2^-14
  constexpr std::uint32_t kTooLarge = 0x4780'0000;        // 2^16
  const std::uint32_t sign = bits_of(value) >> 16 & 0x8000u;
  const std::uint32_t magnitude = bits_of(value) & 0x7fff'ffffu;
  // Normal numbers: the other bias, and half a unit of the last place (less one if that place is even).
  const std::uint32_t large = mask_if(magnitude > kTooLarge);
  const std::uint32_t bounded = (large & kTooLarge) | (~large & magnitude);
  const std::uint32_t normal = (bounded - (112u << 23) + 0xfffu + (bounded >> 13 & 1u)) >> 13;
  // Subnormal ones are multiples of 2^-24, which is the last place of 0.5: the addition rounds.
  const std::uint32_t small = mask_if(magnitude < kSmallestNormal);
  const std::uint32_t subnormal = bits_of(float_of(small & magnitude) + 0.5f) - bits_of(0.5f);
  const std::uint32_t nan = mask_if(magnitude > 0x7f80'0000u);
  return static_cast<std::uint16_t>((small & subnormal) | (~small & normal) | (nan & 0x0200u) | sign);
}

[[gnu::always_inline]] inline float bf16_to_f32(std::uint16_t half) noexcept {
  return float_of(static_cast<std::uint32_t>(half) << 16);
}

[[gnu::always_inline]] inline std::uint16_t f32_to_bf16(float value) noexcept {
  const std::uint32_t bits = bits_of(value);
  const std::uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const std::uint32_t nan = mask_if((bits & 0x7fff'ffffu) > 0x7f80'0000u);
  return static_cast<std::uint16_t>((nan & (bits >> 16 | 0x40u)) | (~nan & rounded));
}

}  // namespace holdfast::simd
