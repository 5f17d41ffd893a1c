// Distances of many rows at once: the inner loop of walks and scans. Inside this room, and for the engine's streams.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "index/vector_table.h"

namespace holdfast::index {

inline void prefetch_row(const float* row, std::size_t stride) noexcept {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kLinesAhead = 16;  // of a row; the rest is left to the processor's own prefetcher
  constexpr int kIntoSecondLevel = 2;      // cache for rows: a few of them would fill the first
  const auto* const line = reinterpret_cast<const char*>(row);
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
    const float* const rows[4] = {vectors.address(slots[i]), vectors.address(slots[i + 1]),
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
    const float* const last = vectors.address(slots[count - 1]);
    const float* const rows[4] = {vectors.address(slots[i]), vectors.address(slots[i + 1]), last, last};
    float distances[4];
    query.distance_x4(rows, distances);
    for (std::size_t j = 0; i + j < count; ++j) use(slots[i + j], distances[j]);
  }
}

/// Kernels read the query over and over: gives them one that starts on a cache line. It lives as long as `buffer` is
/// not touched.
inline const float* aligned_copy(const float* vector, std::uint32_t dimension, std::vector<float>& buffer) {
  constexpr std::size_t kLineFloats = 64 / sizeof(float);
  if (buffer.size() < dimension + kLineFloats) buffer.resize(dimension + kLineFloats);
  const auto address = reinterpret_cast<std::uintptr_t>(buffer.data()) / sizeof(float);
  float* const at = buffer.data() + (kLineFloats - address % kLineFloats) % kLineFloats;
  std::copy_n(vector, dimension, at);
  return at;
}

}  // namespace holdfast::index
