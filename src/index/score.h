// Distances of many rows at once: the inner loop of walks and scans. Inside this room, and for the engine's streams.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "index/aligned_room.h"
#include "index/code_table.h"
#include "index/short_codes.h"
#include "index/vector_table.h"
#include "simd/code_kernels.h"

namespace holdfast::index {

inline void prefetch_row(const void* row, std::size_t stride) noexcept {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kLinesAhead = 16;  // of a row; the rest is left to the processor's own prefetcher
  constexpr int kIntoSecondLevel = 2;      // cache for rows: a few of them would fill the first
  const auto* const line = static_cast<const char*>(row);
  const std::size_t bytes = std::min(stride, kLinesAhead * kLine);
  for (std::size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(line + at, 0, kIntoSecondLevel);
}

/// Distances of `slots`, four at a time, the rows of the next four on their way from memory; `use(slot, distance)` in
/// the order of `slots`. Rows are checked first, all at once (VectorTable, V4): one branch for the list.
template <class Use>
void score(const VectorTable& vectors, const Query& query, const Slot* slots, std::size_t count, Use use) {
  if (vectors.has_unchecked()) [[unlikely]] {
    for (std::size_t i = 0; i < count; ++i) vectors.check(slots[i]);
  }
  const std::size_t stride = vectors.stride();
  const std::size_t ahead = std::min<std::size_t>(count, 4);
  for (std::size_t i = 0; i < ahead; ++i) prefetch_row(vectors.address(slots[i]), stride);
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const void* const rows[4] = {vectors.address(slots[i]), vectors.address(slots[i + 1]),
                                 vectors.address(slots[i + 2]), vectors.address(slots[i + 3])};
    for (std::size_t next = i + 4; next < std::min(i + 8, count); ++next)
      prefetch_row(vectors.address(slots[next]), stride);
    float distances[4];
    query.distance_x4(rows, distances);
    for (std::size_t j = 0; j < 4; ++j) use(slots[i + j], distances[j]);
  }
  if (count - i == 1) {
    use(slots[i], query.distance(vectors.address(slots[i])));
  } else if (i < count) {  // two or three: four with the last one repeated are faster than one by one
    const void* const last = vectors.address(slots[count - 1]);
    const void* const rows[4] = {vectors.address(slots[i]), vectors.address(slots[i + 1]), last, last};
    float distances[4];
    query.distance_x4(rows, distances);
    for (std::size_t j = 0; i + j < count; ++j) use(slots[i + j], distances[j]);
  }
}

inline auto dot_of(const CodeTable& /*codes*/) noexcept { return simd::code_kernels().dot_u8; }
inline auto dot_of(const ShortCodes& codes) noexcept { return codes.dot(); }

/// Approximate distances of `slots` by their codes, into `distances`. Fetches all rows, then compares them.
template <class Codes>
void score_codes(const Codes& codes, const CodeQuery& query, const Slot* slots, std::size_t count,
                 float* distances) noexcept {
  constexpr std::size_t kAtOnce = 64;
  constexpr std::size_t kLinesAhead = 4;  // of a row; the kernel asks for the rest as it goes
  const std::size_t lines = std::min(codes.stride() / 64, kLinesAhead);
  const bool norms_apart = codes.norms_apart();
  const auto dot = dot_of(codes);
  const std::size_t components = codes.components();
  decltype(codes.at(0)) rows[kAtOnce];
  const std::uint8_t* addresses[kAtOnce];
  std::int32_t dots[kAtOnce];
  for (std::size_t begin = 0; begin < count; begin += kAtOnce) {
    const std::size_t part = std::min(count - begin, kAtOnce);
    for (std::size_t i = 0; i < part; ++i) {
      rows[i] = codes.at(slots[begin + i]);
      addresses[i] = rows[i].codes;
      for (std::size_t line = 0; line < lines; ++line) __builtin_prefetch(rows[i].codes + line * 64);
      if (norms_apart) __builtin_prefetch(rows[i].norm);
    }
    dot(query.weights, addresses, part, components, dots);
    for (std::size_t i = 0; i < part; ++i) {
      float norm = 0;
      std::memcpy(&norm, rows[i].norm, sizeof norm);
      distances[begin + i] = query.distance(norm, dots[i]);
    }
  }
}

/// Kernels read the query over and over: gives them one that starts on a cache line.
inline const float* aligned_copy(const float* vector, std::uint32_t dimension, std::vector<float>& buffer) {
  float* const at = aligned_room(dimension, buffer);
  std::copy_n(vector, dimension, at);
  return at;
}

}  // namespace holdfast::index
