// What the kernel tests run over: dimensions, patterns of values, and a reference in double precision.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "simd/kernels.h"

namespace holdfast::simd::testing {

/// Every tail length of every table (the widest works in blocks of 64), and dimensions that people use.
inline std::vector<std::size_t> dimensions() {
  std::vector<std::size_t> all;
  for (std::size_t dim = 0; dim <= 131; ++dim) all.push_back(dim);
  for (std::size_t dim : {255, 256, 257, 300, 784, 960, 1280}) all.push_back(dim);
  return all;
}

enum class Pattern {
  uniform,       // [-1, 1)
  bytes,         // whole numbers 0..255: sums are exact
  magnitudes,    // 2^-60 .. 2^60, where the order of additions shows most
  denormal,      // below the smallest normal number
  huge,          // sums overflow
  signed_zeros,  // +0 and -0
  cancelling,    // +x, -x in turn
};
inline constexpr std::array kPatterns = {Pattern::uniform,   Pattern::bytes, Pattern::magnitudes,
                                         Pattern::denormal,  Pattern::huge,  Pattern::signed_zeros,
                                         Pattern::cancelling};

inline std::string_view to_string(Pattern pattern) {
  constexpr std::string_view kNames[] = {"uniform", "bytes",        "magnitudes", "denormal",
                                         "huge",    "signed_zeros", "cancelling"};
  return kNames[static_cast<std::size_t>(pattern)];
}

inline float value(Pattern pattern, std::size_t i, SeededRandom& random) {
  const auto uniform = static_cast<float>(random.unit() * 2 - 1);
  switch (pattern) {
    case Pattern::uniform: return uniform;
    case Pattern::bytes: return static_cast<float>(random.below(256));
    case Pattern::magnitudes: return std::ldexp(uniform, static_cast<int>(random.below(121)) - 60);
    case Pattern::denormal: return std::ldexp(uniform, -127);
    case Pattern::huge: return std::copysign(std::numeric_limits<float>::max(), uniform);
    case Pattern::signed_zeros: return std::copysign(0.0f, uniform);
    case Pattern::cancelling: return i % 2 == 0 ? 1e10f + uniform : -1e10f + uniform;
  }
  return 0;
}

inline void fill(std::span<float> vector, Pattern pattern, SeededRandom& random) {
  for (std::size_t i = 0; i < vector.size(); ++i) vector[i] = value(pattern, i, random);
}

inline std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

/// The exact value (to double precision) and how far a float result may be from it.
struct Reference {
  double exact = 0;
  double tolerance = 0;
};

/// The bound: a term is rounded at most 3 times before it is added (difference, counted twice by the square, and
/// product), and then passes through at most ceil(dim / 8) + 6 additions, since every table keeps eight or more partial
/// sums. So the error is at most k u / (1 - k u) times the sum of the terms' magnitudes, with k = dim / 8 + 10 and
/// u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2); each product may underflow, too.
inline Reference reference(std::span<const float> a, std::span<const float> b, bool l2) {
  double magnitude = 0;
  Reference result;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    const double term = l2 ? difference * difference : static_cast<double>(a[i]) * static_cast<double>(b[i]);
    result.exact += term;
    magnitude += std::abs(term);
  }
  const double k = static_cast<double>(a.size()) / 8 + 10;
  const double u = 0x1.0p-24;
  result.tolerance = k * u / (1 - k * u) * magnitude + static_cast<double>(a.size()) * 0x1.0p-149;
  return result;
}

}  // namespace holdfast::simd::testing
