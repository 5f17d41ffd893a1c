// Finding frames in bytes that may hold anything.
//
// A scan tries every multiple of 8 and never leaves the file; it is linear in the file's size (see wal_format.h for
// why) and passes over zeros at the speed of memory, because most of a segment's tail is zeros.
#pragma once

#include <cstdint>
#include <optional>

#include "base/coding.h"
#include "base/pages.h"
#include "os/file_system.h"
#include "storage/wal_format.h"

namespace holdfast::storage {

/// All bytes of a segment.
class SegmentBytes {
 public:
  [[nodiscard]] ByteSpan bytes() const noexcept { return {memory_.data(), size_}; }

 private:
  friend Result<SegmentBytes> read_segment_bytes(const os::File& file);
  Pages memory_;
  std::size_t size_ = 0;
};
/// Read, not mapped: of a sector that the disk cannot read, and of a file that becomes shorter, a mapping would be a
/// signal. Takes as much memory as the file has bytes that are not zero: a segment is filled with zeros when it is
/// made. io_error, resource_exhausted.
[[nodiscard]] Result<SegmentBytes> read_segment_bytes(const os::File& file);

/// First offset >= from (a multiple of 8) of an 8-byte word that is not zero, or of the odd bytes at the end;
/// bytes.size() if there is none.
[[nodiscard]] std::uint64_t find_nonzero(ByteSpan bytes, std::uint64_t from) noexcept;
/// One past the last byte in [from, size) that is not zero; `from` if there is none.
[[nodiscard]] std::uint64_t end_of_nonzero(ByteSpan bytes, std::uint64_t from) noexcept;

struct FoundFrame {
  std::uint64_t offset = 0;
  FrameHeader header;
  [[nodiscard]] std::uint64_t end() const noexcept { return offset + kFrameHeaderBytes + header.length; }
};

/// The first valid frame that begins in [from, to), wherever it stands and whatever its lsn.
[[nodiscard]] std::optional<FoundFrame> find_frame(ByteSpan segment, std::uint64_t from, std::uint64_t to,
                                                   std::uint64_t salt) noexcept;

}  // namespace holdfast::storage
