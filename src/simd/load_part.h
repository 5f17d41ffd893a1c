// Loads a few bytes and zeros without reading past them, for instruction sets that have no loads under a mask.
//
// Local to the file that includes it (kernel_table.h says why).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace holdfast::simd {
namespace {

struct SixteenBytes {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

template <class Word>
[[gnu::always_inline]] inline std::uint64_t word_at(const unsigned char* from) noexcept {
  Word word;
  std::memcpy(&word, from, sizeof(Word));
  return word;
}

/// The first word and the last one of `count` bytes, which overlap: the bits that both have are the same.
template <class Word>
[[gnu::always_inline]] inline std::uint64_t ends_of(const unsigned char* from, std::size_t count) noexcept {
  return word_at<Word>(from) | word_at<Word>(from + count - sizeof(Word)) << 8 * (count - sizeof(Word));
}

/// `count` (1..15) bytes.
[[gnu::always_inline]] inline SixteenBytes load_part(const unsigned char* from, std::size_t count) noexcept {
  if (count > 8) {
    return {word_at<std::uint64_t>(from), word_at<std::uint64_t>(from + count - 8) >> 8 * (16 - count)};
  }
  if (count >= 4) return {ends_of<std::uint32_t>(from, count), 0};
  if (count >= 2) return {ends_of<std::uint16_t>(from, count), 0};
  return {*from, 0};
}

}  // namespace
}  // namespace holdfast::simd
