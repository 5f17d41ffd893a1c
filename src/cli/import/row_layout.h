// Where the rows of a binary vector file stand: the header of each format, parsed and checked against the file.
//
// npy       "\x93NUMPY", version u8 u8, header length (u16 in version 1, u32 in 2 and 3), a Python dictionary
//           {'descr': '<f4', 'fortran_order': False, 'shape': (rows, dimension), }, padding, then the rows
// fvecs     per row: dimension i32, then dimension f32          (INRIA TEXMEX)
// bvecs     per row: dimension i32, then dimension u8
// fbin ...  rows u32, dimension u32, then the rows              (big-ann-benchmarks: fbin f32, hbin f16, u8bin, i8bin)
//
// All integers little-endian.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cli/import/input_file.h"
#include "cli/import/vector_source.h"
#include "holdfast/status.h"

namespace holdfast::cli {

enum class ComponentType : std::uint8_t { f16, f32, f64, u8, i8 };

[[nodiscard]] constexpr std::uint32_t component_bytes(ComponentType type) noexcept {
  switch (type) {
    case ComponentType::f16: return 2;
    case ComponentType::f32: return 4;
    case ComponentType::f64: return 8;
    case ComponentType::u8:
    case ComponentType::i8: return 1;
  }
  return 1;
}

/// Rows of equal length, one after the other, to the end of the file.
struct RowLayout {
  std::uint64_t data_begin = 0;
  std::uint64_t rows = 0;
  std::uint32_t dimension = 0;
  ComponentType type = ComponentType::f32;
  std::uint32_t prefix_bytes = 0;  ///< 4: each row repeats its dimension (fvecs, bvecs)

  [[nodiscard]] std::uint64_t stride() const noexcept {
    return prefix_bytes + std::uint64_t{dimension} * component_bytes(type);
  }
};

/// ENSURES data_begin + rows * stride() == file.size() and 1 <= dimension <= kMaxDimension.
[[nodiscard]] Result<RowLayout> read_row_layout(const InputFile& file, SourceFormat format);

/// Widens packed little-endian components to float. REQUIRES packed.size() == out.size() * component_bytes(type).
void widen(ComponentType type, std::span<const std::byte> packed, std::span<float> out) noexcept;

/// The dictionary of an npy header. Public for the tests.
struct NpyHeader {
  std::string_view descr;
  bool fortran_order = false;
  std::uint64_t shape[2] = {0, 0};
  std::uint32_t dimensions = 0;  ///< entries of the shape; only the first two are kept
};
/// Errors: invalid_argument with what is wrong and what to do, without the file's name.
[[nodiscard]] Result<NpyHeader> parse_npy_header(std::string_view dictionary);

}  // namespace holdfast::cli
