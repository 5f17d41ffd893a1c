// The bytes of a simulated file: 4 KiB pages, shared between all copies until one of them writes.
//
//  1. A null page reads as zeros; a page that is written full of zeros becomes null again. A zero-filled log segment
//     costs nothing.
//  2. Bytes of the last page beyond size() are zero, so that growing exposes zeros.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/coding.h"
#include "support/cow.h"

namespace holdfast::testing {

inline constexpr std::uint64_t kSectorSize = 512;
inline constexpr std::uint64_t kPageSize = 4096;

using Page = std::array<std::byte, kPageSize>;
using PageRef = Cow<Page>;

class SimContent {
 public:
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Returns how many bytes there were.
  std::size_t read(std::uint64_t offset, std::span<std::byte> out) const;
  /// Extends if needed.
  void write(std::uint64_t offset, ByteSpan bytes);
  void resize(std::uint64_t size);
  /// Null beyond the end.
  [[nodiscard]] PageRef page(std::uint64_t number) const;
  /// Bytes [begin, end) become those of `pages`, whose first is page `first_page`; cut at size().
  void copy_range(std::uint64_t first_page, std::span<const PageRef> pages, std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] Bytes whole() const;

 private:
  static constexpr std::uint64_t kPagesPerNode = 64;
  using Node = std::array<PageRef, kPagesPerNode>;

  PageRef& slot(std::uint64_t number);
  void write_in_page(std::uint64_t number, std::size_t begin, ByteSpan bytes);

  std::uint64_t size_ = 0;
  std::vector<Cow<Node>> nodes_;  // null: 64 pages of zeros
};

}  // namespace holdfast::testing
