#include "storage/wal_scan.h"

#include <algorithm>
#include <cstring>

#include "base/try.h"

namespace holdfast::storage {

Result<SegmentBytes> read_segment_bytes(const os::File& file) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
  HF_ASSIGN(const std::uint64_t size, file.size());
  SegmentBytes segment;
  if (size == 0) return segment;
  segment.memory_ = Pages::map(static_cast<std::size_t>(size), Pages::Size::huge);
  if (segment.memory_.empty()) return Status(StatusCode::resource_exhausted, "no memory to read a segment of the log");
  Bytes piece(static_cast<std::size_t>(std::min(size, kPiece)));
  while (segment.size_ < size) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size - segment.size_));
    HF_ASSIGN(const std::size_t count, file.read_at(segment.size_, std::span(piece).first(wanted)));
    const ByteSpan got = ByteSpan(piece).first(count);
    // What is all zeros stays as it was mapped, and takes no memory.
    if (find_nonzero(got, 0) != count) std::memcpy(segment.memory_.data() + segment.size_, got.data(), count);
    segment.size_ += count;
    if (count != wanted) break;  // shorter: it was cut meanwhile
  }
  return segment;
}

std::uint64_t find_nonzero(ByteSpan bytes, std::uint64_t from) noexcept {
  constexpr std::uint64_t kWord = sizeof(std::uint64_t);
  constexpr std::uint64_t kStride = 8 * kWord;
  const std::uint64_t size = bytes.size();
  std::uint64_t at = std::min(align_up(from, kWord), size);
  const std::byte* p = bytes.data();
  for (; at + kStride <= size; at += kStride) {
    std::uint64_t any = 0;
    for (std::uint64_t word = 0; word < kStride; word += kWord) any |= load<std::uint64_t>(p + at + word);
    if (any != 0) break;
  }
  for (; at + kWord <= size; at += kWord) {
    if (load<std::uint64_t>(p + at) != 0) return at;
  }
  for (std::uint64_t odd = at; odd < size; ++odd) {
    if (p[odd] != std::byte{0}) return at;
  }
  return size;
}

std::uint64_t end_of_nonzero(ByteSpan bytes, std::uint64_t from) noexcept {
  constexpr std::uint64_t kStride = 64;
  std::uint64_t end = bytes.size();
  const std::byte* p = bytes.data();
  while (end >= kStride && end - kStride >= from) {
    std::uint64_t any = 0;
    for (std::uint64_t word = 0; word < kStride; word += 8) any |= load<std::uint64_t>(p + end - kStride + word);
    if (any != 0) break;
    end -= kStride;
  }
  while (end > from && p[end - 1] == std::byte{0}) --end;
  return std::max(end, from);
}

std::optional<FoundFrame> find_frame(ByteSpan segment, std::uint64_t from, std::uint64_t to,
                                     std::uint64_t salt) noexcept {
  std::uint64_t at = align_up(from, kFrameAlignment);
  while (at < std::min<std::uint64_t>(to, segment.size()) && segment.size() - at >= kFrameHeaderBytes) {
    if (const auto header = decode_frame(segment, at, salt)) return FoundFrame{at, *header};
    at += kFrameAlignment;
    // A frame whose checksum is zero starts with a zero word: look one word ahead, where length and type stand.
    if (at + kFrameHeaderBytes <= segment.size() && load<std::uint64_t>(segment.data() + at) == 0) {
      const std::uint64_t next = find_nonzero(segment, at);
      at = std::max(at, next - std::min(next, kFrameAlignment));
    }
  }
  return std::nullopt;
}

}  // namespace holdfast::storage
