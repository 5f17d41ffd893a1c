// The bytes of a simulated file: 4 KiB pages, shared between all copies until one of them writes.
//
//  1. A null page reads as zeros; a page that is written full of zeros becomes null again. A zero-filled log segment
//     costs nothing.
//  2. Bytes of the last page beyond size() are zero, so that growing exposes zeros.
//  3. A page knows its digest once somebody has asked for it; whoever edits the page makes it forget (SimContent is the
//     only editor). So comparing disks costs what changed between them, not what they hold.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/coding.h"
#include "support/cow.h"

namespace holdfast::testing {

inline constexpr std::uint64_t kSectorSize = 512;
inline constexpr std::uint64_t kPageSize = 4096;

struct Page {
  std::array<std::byte, kPageSize> bytes;
  /// Of the bytes; 0: not known. Relaxed: it is a function of the bytes, which whoever holds the page sees.
  mutable std::atomic<std::uint64_t> digest{0};

  Page() : bytes{} {}
  /// REQUIRES kPageSize bytes.
  explicit Page(ByteSpan whole) { std::memcpy(bytes.data(), whole.data(), kPageSize); }
  Page(const Page& other) : bytes(other.bytes) {}  // a copy is made in order to be edited
  Page& operator=(const Page&) = delete;
  ~Page() = default;
};
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
  /// Equal for equal bytes, different for different ones (64 bits of it).
  [[nodiscard]] std::uint64_t digest() const;
  /// The same for one page; null is a page of zeros.
  [[nodiscard]] static std::uint64_t digest(const PageRef& page);

 private:
  static constexpr std::uint64_t kPagesPerNode = 64;
  using Node = std::array<PageRef, kPagesPerNode>;

  PageRef& slot(std::uint64_t number);
  void write_in_page(std::uint64_t number, std::size_t begin, ByteSpan bytes);

  std::uint64_t size_ = 0;
  std::vector<Cow<Node>> nodes_;  // null: 64 pages of zeros
};

}  // namespace holdfast::testing
