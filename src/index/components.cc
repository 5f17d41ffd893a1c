#include "index/components.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace holdfast::index {
namespace {

/// Through a buffer of the element's type, since `to` may stand at any address.
template <class Element, class Convert>
simd::Conversion convert(std::span<const float> vector, std::byte* to, Convert one) noexcept {
  constexpr std::size_t kAtOnce = 256;
  std::array<Element, kAtOnce> buffer;
  simd::Conversion worst = simd::Conversion::exact;
  for (std::size_t begin = 0; begin < vector.size(); begin += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, vector.size() - begin);
    worst = std::max(worst, one(vector.data() + begin, count, buffer.data()));
    std::memcpy(to + begin * sizeof(Element), buffer.data(), count * sizeof(Element));
  }
  return worst;
}

}  // namespace

simd::Conversion encode_components(ComponentType type, std::span<const float> vector, std::byte* to) noexcept {
  static_assert(simd::Conversion::exact < simd::Conversion::rounded &&
                simd::Conversion::rounded < simd::Conversion::out_of_range);
  switch (type) {
    case ComponentType::f32: break;
    case ComponentType::f16: return convert<std::uint16_t>(vector, to, simd::to_f16);
    case ComponentType::bf16: return convert<std::uint16_t>(vector, to, simd::to_bf16);
    case ComponentType::i8: return convert<std::int8_t>(vector, to, simd::to_i8);
    case ComponentType::u8: return convert<std::uint8_t>(vector, to, simd::to_u8);
  }
  std::memcpy(to, vector.data(), vector.size_bytes());
  return simd::Conversion::exact;
}

void decode_components(ComponentType type, const void* from, std::size_t dimension, float* to) noexcept {
  if (type == ComponentType::f32) {
    std::memcpy(to, from, dimension * sizeof(float));
  } else {
    row_kernels(type).decode(from, dimension, to);
  }
}

}  // namespace holdfast::index
