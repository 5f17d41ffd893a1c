// The bytes of an extent (twin document: docs/format/extent.md). All integers are little-endian.
//
//   header sector (4096 bytes)                data, then zeros to a multiple of 8
//   offset size field                         page table: one u64 checksum per 64 KiB page of data
//        0    8 magic "HFLDEXT\n"             footer (48 bytes)
//        8    4 format version                offset size field
//       12    4 zero                               0    8 magic "HFLDEND\n"
//       16    8 checksum of the 4096 bytes         8    8 data bytes
//               with this field zero              16    8 pages
//       24   16 collection uuid                   24    8 checksum of header sector and page table
//       40    8 extent number                     32    8 zero
//       48    8 salt                              40    8 checksum of bytes [0, 40) of the footer
//       56    4 first slot
//       60    4 slot count
//       64    1 kind
//       65    1 field
//       66    6 zero
//       72    8 generation of the checkpoint that it was written for; 0: not noted
//       80    8 lsn of that checkpoint
//       88   32 a note of the engine
//      120      zero
//
// The length of the data stands in the footer, so that the file is written once, from front to back.
#pragma once

#include <cstdint>
#include <span>

#include "base/coding.h"
#include "storage/extent.h"

namespace holdfast::storage {

inline constexpr std::uint32_t kExtentFormatVersion = 1;
inline constexpr std::size_t kExtentHeaderBytes = kExtentDataOffset;
inline constexpr std::size_t kExtentFooterBytes = 48;
/// More than any file system holds; keeps sums of untrusted lengths from overflowing.
inline constexpr std::uint64_t kMaxExtentData = std::uint64_t{1} << 56;

struct ExtentHeader {
  std::uint32_t version = kExtentFormatVersion;
  Uuid collection{};
  std::uint64_t salt = 0;
  ExtentInfo info;  ///< without data_bytes and checksum
  ExtentOrigin origin;
};

struct ExtentFooter {
  std::uint64_t data_bytes = 0;
  std::uint64_t pages = 0;
  std::uint64_t checksum = 0;
};

enum class ExtentPart : std::uint8_t { valid, damaged, newer_version };

[[nodiscard]] constexpr std::uint64_t extent_pages(std::uint64_t data_bytes) noexcept {
  return (data_bytes + kExtentPageBytes - 1) / kExtentPageBytes;
}
[[nodiscard]] constexpr std::uint64_t extent_table_offset(std::uint64_t data_bytes) noexcept {
  return kExtentDataOffset + (data_bytes + 7) / 8 * 8;
}
/// REQUIRES data_bytes <= kMaxExtentData.
[[nodiscard]] constexpr std::uint64_t extent_file_bytes(std::uint64_t data_bytes) noexcept {
  return extent_table_offset(data_bytes) + extent_pages(data_bytes) * sizeof(std::uint64_t) + kExtentFooterBytes;
}

void encode_extent_header(const ExtentHeader& header, std::span<std::byte, kExtentHeaderBytes> out) noexcept;
[[nodiscard]] ExtentPart decode_extent_header(ByteSpan bytes, ExtentHeader& header) noexcept;
void encode_extent_footer(const ExtentFooter& footer, std::span<std::byte, kExtentFooterBytes> out) noexcept;
/// False if it is damaged.
[[nodiscard]] bool decode_extent_footer(ByteSpan bytes, ExtentFooter& footer) noexcept;

/// Seed of the checksum of one page: a page of another place, another extent, another collection or an earlier file of
/// the same name never validates here.
[[nodiscard]] std::uint64_t extent_page_seed(const ExtentHeader& header, std::uint64_t page) noexcept;
/// Ties the page table to the header: the `checksum` of ExtentInfo.
[[nodiscard]] std::uint64_t extent_checksum(ByteSpan header_sector, ByteSpan page_table,
                                            std::uint64_t data_bytes) noexcept;

}  // namespace holdfast::storage
