// The types in which rows keep the components of their vectors (CollectionConfig::type), and the way between them and
// the float32 of the API.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/coding.h"
#include "holdfast/types.h"
#include "simd/convert.h"
#include "simd/typed_kernels.h"

namespace holdfast::index {

[[nodiscard]] constexpr std::size_t component_bytes(ComponentType type) noexcept {
  switch (type) {
    case ComponentType::f32: return 4;
    case ComponentType::f16:
    case ComponentType::bf16: return 2;
    case ComponentType::i8:
    case ComponentType::u8: return 1;
  }
  return 4;
}

/// The kernels for rows of that type.
[[nodiscard]] inline const simd::RowKernels& row_kernels(ComponentType type) noexcept {
  const simd::TypedKernels& all = simd::typed_kernels();
  switch (type) {
    case ComponentType::f32: break;
    case ComponentType::f16: return all.f16;
    case ComponentType::bf16: return all.bf16;
    case ComponentType::i8: return all.i8;
    case ComponentType::u8: return all.u8;
  }
  return all.f32;
}

/// Writes `vector.size()` components of that type to `to`, which needs no alignment. Float32 is copied.
simd::Conversion encode_components(ComponentType type, std::span<const float> vector, std::byte* to) noexcept;
/// The components as float32, exactly. REQUIRES room for `dimension` numbers.
void decode_components(ComponentType type, const void* from, std::size_t dimension, float* to) noexcept;

}  // namespace holdfast::index
