// Distances to rows of other types than float32, in plain C++.
#include <cstdint>

#include "simd/distance_scalar.h"
#include "simd/half.h"
#include "simd/typed_kernel_table.h"

namespace holdfast::simd::scalar {
namespace {

struct F16 {
  static float at(const unsigned char* row, std::size_t i) noexcept {
    return f16_to_f32(stored_at<std::uint16_t>(row, i));
  }
};
struct Bf16 {
  static float at(const unsigned char* row, std::size_t i) noexcept {
    return bf16_to_f32(stored_at<std::uint16_t>(row, i));
  }
};
struct I8 {
  static float at(const unsigned char* row, std::size_t i) noexcept {
    return static_cast<float>(stored_at<std::int8_t>(row, i));
  }
};
struct U8 {
  static float at(const unsigned char* row, std::size_t i) noexcept { return static_cast<float>(row[i]); }
};

template <class Element>
void decode(const void* row, std::size_t dim, float* out) noexcept {
  for (std::size_t i = 0; i < dim; ++i) out[i] = Element::at(static_cast<const unsigned char*>(row), i);
}

template <class Element>
constexpr RowKernels kRows = {distance<Element, L2>, distance<Element, Dot>, distance_x4<Element, L2, void>,
                              distance_x4<Element, Dot, void>, decode<Element>};

}  // namespace

extern const TypedKernels kTypedTable = {"scalar", kRows<F32>, kRows<F16>, kRows<Bf16>, kRows<I8>, kRows<U8>};

}  // namespace holdfast::simd::scalar
