// What the bytes of an image must satisfy before lists are read from them (graph_image.cc has the format).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/coding.h"
#include "base/ids.h"
#include "holdfast/status.h"

namespace holdfast::index {

struct SlotRange {
  Slot begin;
  Slot end;
};
/// The slots of a chunk below `end`; {0, 0} if there are none.
[[nodiscard]] SlotRange rows_of_chunk(std::uint32_t chunk, Slot end) noexcept;

/// data_damaged. `offset` is within the bytes of the chunk.
[[nodiscard]] Status lists_damaged(std::uint32_t chunk, std::size_t offset, const std::string& what);

/// Whether the level-0 rows [first, first + rows) of `data` hold nothing but counts and links in range. `row_numbers`:
/// 1 + 2M.
Status check_level0_rows(std::uint32_t chunk, ByteSpan data, std::size_t first, std::size_t rows,
                         std::size_t row_numbers, Slot slot_end);

}  // namespace holdfast::index
