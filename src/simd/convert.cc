// Loops that the compiler vectorises: what happened is collected in masks, not branched upon.
#include "simd/convert.h"

#include "simd/half.h"

namespace holdfast::simd {
namespace {

Conversion conversion(std::uint32_t rounded, std::uint32_t out_of_range) noexcept {
  if (out_of_range != 0) return Conversion::out_of_range;
  return rounded != 0 ? Conversion::rounded : Conversion::exact;
}

/// Beside it there is no room for a fraction: (x + kWhole) - kWhole is x, below 2^22 in magnitude, rounded.
constexpr float kWhole = 0x1.8p23f;

template <int kLeast, int kMost, class Byte>
Conversion to_bytes(const float* from, std::size_t dim, Byte* to) noexcept {
  // Half a unit outside of the range is still the end of it if that is the even neighbor.
  static_assert(kLeast % 2 == 0 && kMost % 2 != 0);
  constexpr auto kLow = static_cast<float>(kLeast);
  constexpr auto kHigh = static_cast<float>(kMost);
  std::uint32_t rounded = 0;
  std::uint32_t out_of_range = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    const float x = from[i];
    const std::uint32_t low = mask_if(x < kLow);
    const std::uint32_t high = mask_if(x > kHigh);
    const std::uint32_t nan = mask_if((bits_of(x) & 0x7fff'ffffu) > 0x7f80'0000u);
    const std::uint32_t inside = (low & bits_of(kLow)) | (high & bits_of(kHigh)) | (~(low | high | nan) & bits_of(x));
    const float whole = (float_of(inside) + kWhole) - kWhole;
    out_of_range |= nan | mask_if(x < kLow - 0.5f) | mask_if(x >= kHigh + 0.5f);
    rounded |= mask_if(whole != x);
    to[i] = static_cast<Byte>(static_cast<int>(whole));
  }
  return conversion(rounded, out_of_range);
}

}  // namespace

Conversion to_f16(const float* from, std::size_t dim, std::uint16_t* to) noexcept {
  std::uint32_t rounded = 0;
  std::uint32_t out_of_range = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    const std::uint16_t half = f32_to_f16(from[i]);
    rounded |= bits_of(f16_to_f32(half)) ^ bits_of(from[i]);
    out_of_range |= static_cast<std::uint32_t>((half & 0x7fffu) >= kF16Infinity);
    to[i] = half;
  }
  return conversion(rounded, out_of_range);
}

Conversion to_bf16(const float* from, std::size_t dim, std::uint16_t* to) noexcept {
  std::uint32_t rounded = 0;
  std::uint32_t out_of_range = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    const std::uint16_t half = f32_to_bf16(from[i]);
    rounded |= bits_of(bf16_to_f32(half)) ^ bits_of(from[i]);
    out_of_range |= static_cast<std::uint32_t>((half & 0x7fffu) >= kBf16Infinity);
    to[i] = half;
  }
  return conversion(rounded, out_of_range);
}

Conversion to_i8(const float* from, std::size_t dim, std::int8_t* to) noexcept {
  return to_bytes<-128, 127>(from, dim, to);
}

Conversion to_u8(const float* from, std::size_t dim, std::uint8_t* to) noexcept {
  return to_bytes<0, 255>(from, dim, to);
}

}  // namespace holdfast::simd
