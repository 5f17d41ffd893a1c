// Scratch memory that starts on a cache line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace holdfast::index {

/// `count` elements that start on a cache line. They live as long as `buffer` is not touched.
template <class T>
T* aligned_room(std::size_t count, std::vector<T>& buffer) {
  constexpr std::size_t kLine = 64 / sizeof(T);
  if (buffer.size() < count + kLine) buffer.resize(count + kLine);
  const auto address = reinterpret_cast<std::uintptr_t>(buffer.data()) / sizeof(T);
  return buffer.data() + (kLine - address % kLine) % kLine;
}

}  // namespace holdfast::index
