// Distances of two rows of bytes, in plain C++.
#include <cstdint>

#include "simd/typed_kernel_table.h"

namespace holdfast::simd::scalar {
namespace {

/// Whole numbers: the sum of squares, or of products, as unsigned or signed 32 bits.
template <class Byte>
float l2(const void* a, const void* b, std::size_t dim) noexcept {
  const auto* const x = static_cast<const Byte*>(a);
  const auto* const y = static_cast<const Byte*>(b);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < dim; ++i) sum += static_cast<std::uint32_t>((x[i] - y[i]) * (x[i] - y[i]));
  return static_cast<float>(sum);
}

template <class Byte, class Sum>
float dot(const void* a, const void* b, std::size_t dim) noexcept {
  const auto* const x = static_cast<const Byte*>(a);
  const auto* const y = static_cast<const Byte*>(b);
  Sum sum = 0;
  for (std::size_t i = 0; i < dim; ++i) sum += static_cast<Sum>(x[i] * y[i]);
  return static_cast<float>(sum);
}

template <float (*kSingle)(const void*, const void*, std::size_t) noexcept>
void four(const void* a, const void* const rows[4], std::size_t dim, float out[4]) noexcept {
  for (std::size_t j = 0; j < 4; ++j) out[j] = kSingle(a, rows[j], dim);
}

template <class Byte, class Sum>
constexpr BytePairs kPairs = {l2<Byte>, dot<Byte, Sum>, four<l2<Byte>>, four<dot<Byte, Sum>>};

}  // namespace

extern const BytePairKernels kPairTable = {"scalar", kPairs<std::int8_t, std::int32_t>,
                                           kPairs<std::uint8_t, std::uint32_t>};

}  // namespace holdfast::simd::scalar
