// The bytes of the log (twin document: docs/format/log.md).
//
// A segment file is a header sector of 4096 bytes and then groups. All integers are little-endian.
//
//   segment header                            frame
//   offset size field                         offset size field
//        0    8 magic "HFLDWAL\n"                  0    8 checksum of bytes [8, 40 + length), seeded with the salt
//        8    4 format version                     8    4 length of the body
//       12    4 zero                              12    1 type: 1 batch, 2 mark
//       16    8 checksum of the 4096 bytes        13    1 flags, zero
//               with this field zero              14    2 header check: low 16 bits of the salted checksum of
//       24   16 collection uuid                           bytes [8, 40) with this field zero
//       40    8 first lsn                         16    8 lsn
//       48    8 salt                              24    8 synced_lsn
//       56    8 lsn of the frame before           32    8 prev: checksum of the frame before
//       64    8 checksum of the frame before      40      body
//       72    8 bytes of the file
//       80      zero
//
// A group starts at a multiple of 4096 and is padded with zeros to one; frames inside it start at multiples of 8.
//
// Why a header check, when the checksum covers the header too: resynchronising tries every multiple of 8. Without it,
// a body that looks like headers with long lengths would make that quadratic; with it, only one wrong candidate in
// 65536 costs a checksum of its body, and nobody can aim at it without knowing the salt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/coding.h"
#include "base/ids.h"

namespace holdfast::storage {

enum class FrameType : std::uint8_t { batch = 1, mark = 2 };

/// The last frame of a log; {0, 0} for a log without one.
struct LogEnd {
  Lsn lsn = 0;
  std::uint64_t checksum = 0;
  friend bool operator==(const LogEnd&, const LogEnd&) = default;
};

inline constexpr std::uint64_t kBlockBytes = 4096;
inline constexpr std::uint64_t kFrameAlignment = 8;
inline constexpr std::size_t kSegmentHeaderBytes = 4096;
inline constexpr std::size_t kFrameHeaderBytes = 40;
inline constexpr std::uint32_t kWalFormatVersion = 1;
/// A body longer than this is refused by the writer.
inline constexpr std::uint64_t kMaxFrameBody = std::uint64_t{1} << 30;

[[nodiscard]] constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t to) noexcept {
  return (value + to - 1) / to * to;
}
/// What a frame with such a body takes inside a group.
[[nodiscard]] constexpr std::uint64_t frame_bytes(std::uint64_t body) noexcept {
  return align_up(kFrameHeaderBytes + body, kFrameAlignment);
}

struct SegmentHeader {
  std::uint32_t version = kWalFormatVersion;
  Uuid collection{};
  Lsn first_lsn = 0;
  std::uint64_t salt = 0;
  LogEnd previous;               ///< where the segment before ended
  std::uint64_t file_bytes = 0;  ///< the file never was shorter since its name is visible
};

enum class HeaderState : std::uint8_t { valid, damaged, newer_version };

/// Writes all kSegmentHeaderBytes of `out`.
void encode_segment_header(const SegmentHeader& header, std::span<std::byte, kSegmentHeaderBytes> out) noexcept;
/// `bytes` may have any length. The checksum decides before the version is believed.
[[nodiscard]] HeaderState decode_segment_header(ByteSpan bytes, SegmentHeader& header) noexcept;

struct FrameHeader {
  std::uint64_t checksum = 0;
  std::uint32_t length = 0;
  FrameType type = FrameType::batch;
  Lsn lsn = 0;
  Lsn synced_lsn = 0;
  std::uint64_t prev = 0;
};

/// Writes the header of a frame whose body already stands at out[40 ..); returns its checksum.
/// REQUIRES out.size() == kFrameHeaderBytes + header.length.
std::uint64_t encode_frame_header(const FrameHeader& header, std::uint64_t salt, std::span<std::byte> out) noexcept;

/// The frame at `offset` of a segment, if every byte of it is right. It says nothing about the frame's neighbors.
[[nodiscard]] std::optional<FrameHeader> decode_frame(ByteSpan segment, std::uint64_t offset,
                                                      std::uint64_t salt) noexcept;

}  // namespace holdfast::storage
