// Vectors of float32 into the element types that rows are stored in. (Back: RowKernels::decode.)
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::simd {

/// What became of a vector's components.
enum class Conversion {
  exact,         ///< every one is what it was
  rounded,       ///< at least one was rounded, to nearest, ties to even (a small one to zero, perhaps)
  out_of_range,  ///< at least one has no finite value (f16, bf16) or none at all (i8, u8) there, or was not finite
};

/// Writes `dim` elements. In place of a component that is out of range the floating-point formats hold an infinity or
/// NaN, the others the nearest end of their range, or 0 for NaN. -0 becomes the 0 of i8 and u8, exactly.
[[nodiscard]] Conversion to_f16(const float* from, std::size_t dim, std::uint16_t* to) noexcept;
[[nodiscard]] Conversion to_bf16(const float* from, std::size_t dim, std::uint16_t* to) noexcept;
[[nodiscard]] Conversion to_i8(const float* from, std::size_t dim, std::int8_t* to) noexcept;
[[nodiscard]] Conversion to_u8(const float* from, std::size_t dim, std::uint8_t* to) noexcept;

}  // namespace holdfast::simd
