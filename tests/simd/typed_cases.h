// What the tests of the typed kernels run over: element types, and rows of them with the float32 that they stand for.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "simd/half.h"
#include "simd/kernel_cases.h"
#include "simd/typed_kernels.h"

namespace holdfast::simd::testing {

struct ElementType {
  std::string_view name;
  const RowKernels TypedKernels::*kernels;
  std::size_t bytes;
  float (*value)(const unsigned char* element);  ///< by the definition of the type, one element
};

/// By the definition: (-1)^sign 2^(exponent - 15) 1.fraction, subnormal 2^-14 0.fraction.
inline float f16_value(std::uint16_t half) {
  const int exponent = half >> 10 & 31;
  const int fraction = half & 1023;
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                        : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return half >> 15 != 0 ? -magnitude : magnitude;
}

template <class Stored>
Stored stored(const unsigned char* element) {
  Stored value;
  std::memcpy(&value, element, sizeof(value));
  return value;
}

inline constexpr ElementType kElementTypes[] = {
    {"f32", &TypedKernels::f32, 4, [](const unsigned char* e) { return stored<float>(e); }},
    {"f16", &TypedKernels::f16, 2, [](const unsigned char* e) { return f16_value(stored<std::uint16_t>(e)); }},
    {"bf16", &TypedKernels::bf16, 2,
     [](const unsigned char* e) { return std::bit_cast<float>(std::uint32_t{stored<std::uint16_t>(e)} << 16); }},
    {"i8", &TypedKernels::i8, 1, [](const unsigned char* e) { return static_cast<float>(stored<std::int8_t>(e)); }},
    {"u8", &TypedKernels::u8, 1, [](const unsigned char* e) { return static_cast<float>(*e); }},
};

/// How the elements of a row are drawn.
enum class Draw {
  any_bits,  ///< any finite element
  moderate,  ///< floating point: between 2^-8 and 1 in magnitude, so that no term drowns in another
};

/// A row of finite elements, and what they stand for.
struct TypedRow {
  TypedRow(const ElementType& type, std::size_t dim, Draw draw, SeededRandom& random) : bytes(dim * type.bytes) {
    for (std::size_t i = 0; i < dim; ++i) {
      unsigned char* const element = bytes.data() + i * type.bytes;
      do {
        for (std::size_t b = 0; b < type.bytes; ++b) element[b] = static_cast<unsigned char>(random.below(256));
        value = is_finite(type, element) ? type.value(element) : 0;
      } while (!is_finite(type, element) ||
               (draw == Draw::moderate && type.bytes > 1 && (std::abs(value) > 1 || std::abs(value) < 0x1p-8f)));
      values.push_back(value);
    }
  }
  static bool is_finite(const ElementType& type, const unsigned char* element) {
    if (type.name == "f16") return (stored<std::uint16_t>(element) & 0x7c00) != 0x7c00;
    return std::isfinite(type.value(element));
  }
  std::vector<unsigned char> bytes;
  std::vector<float> values;

 private:
  float value = 0;
};

}  // namespace holdfast::simd::testing
