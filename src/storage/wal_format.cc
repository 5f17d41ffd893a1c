#include "storage/wal_format.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/checksum.h"
#include "base/plant.h"

namespace holdfast::storage {
namespace {

// Segment header.
constexpr std::uint64_t kSegmentMagic = 0x0A4C4157444C4648;  // "HFLDWAL\n"
constexpr std::size_t kMagicAt = 0;
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kHeaderChecksumAt = 16;
constexpr std::size_t kCollectionAt = 24;
constexpr std::size_t kFirstLsnAt = 40;
constexpr std::size_t kSaltAt = 48;
constexpr std::size_t kPreviousLsnAt = 56;
constexpr std::size_t kPreviousChecksumAt = 64;
constexpr std::size_t kFileBytesAt = 72;
constexpr std::size_t kHeaderFieldsEnd = 80;
static_assert(kCollectionAt + sizeof(Uuid) == kFirstLsnAt);
static_assert(kFileBytesAt + sizeof(std::uint64_t) == kHeaderFieldsEnd && kHeaderFieldsEnd <= kSegmentHeaderBytes);
static_assert(kSegmentHeaderBytes % kBlockBytes == 0, "the first group starts at a block");

// Frame header.
constexpr std::size_t kFrameChecksumAt = 0;
constexpr std::size_t kLengthAt = 8;
constexpr std::size_t kTypeAt = 12;  // type u8, flags u8
constexpr std::size_t kHeaderCheckAt = 14;
constexpr std::size_t kLsnAt = 16;
constexpr std::size_t kSyncedLsnAt = 24;
constexpr std::size_t kPrevAt = 32;
static_assert(kLengthAt == kFrameChecksumAt + sizeof(std::uint64_t), "the checksum covers all that follows it");
static_assert(kPrevAt + sizeof(std::uint64_t) == kFrameHeaderBytes);
static_assert(kFrameHeaderBytes % kFrameAlignment == 0 && kBlockBytes % kFrameAlignment == 0);

std::uint64_t header_checksum(ByteSpan sector) noexcept {
  std::array<std::byte, kSegmentHeaderBytes> copy;
  std::memcpy(copy.data(), sector.data(), copy.size());
  store<std::uint64_t>(copy.data() + kHeaderChecksumAt, 0);
  return checksum64(copy);
}

std::uint16_t header_check(const std::byte* frame, std::uint64_t salt) noexcept {
  constexpr std::size_t kCovered = kFrameHeaderBytes - kLengthAt;
  std::array<std::byte, kCovered> copy;
  std::memcpy(copy.data(), frame + kLengthAt, kCovered);
  store<std::uint16_t>(copy.data() + (kHeaderCheckAt - kLengthAt), 0);
  return static_cast<std::uint16_t>(checksum64(copy, salt));
}

}  // namespace

void encode_segment_header(const SegmentHeader& header, std::span<std::byte, kSegmentHeaderBytes> out) noexcept {
  std::fill(out.begin(), out.end(), std::byte{0});
  std::byte* p = out.data();
  store<std::uint64_t>(p + kMagicAt, kSegmentMagic);
  store<std::uint32_t>(p + kVersionAt, header.version);
  std::memcpy(p + kCollectionAt, header.collection.data(), header.collection.size());
  store<std::uint64_t>(p + kFirstLsnAt, header.first_lsn);
  store<std::uint64_t>(p + kSaltAt, header.salt);
  store<std::uint64_t>(p + kPreviousLsnAt, header.previous.lsn);
  store<std::uint64_t>(p + kPreviousChecksumAt, header.previous.checksum);
  store<std::uint64_t>(p + kFileBytesAt, header.file_bytes);
  store<std::uint64_t>(p + kHeaderChecksumAt, header_checksum(out));
}

HeaderState decode_segment_header(ByteSpan bytes, SegmentHeader& header) noexcept {
  if (bytes.size() < kSegmentHeaderBytes) return HeaderState::damaged;
  bytes = bytes.first(kSegmentHeaderBytes);
  const std::byte* p = bytes.data();
  if (load<std::uint64_t>(p + kMagicAt) != kSegmentMagic) return HeaderState::damaged;
  if (load<std::uint64_t>(p + kHeaderChecksumAt) != header_checksum(bytes)) return HeaderState::damaged;
  header.version = load<std::uint32_t>(p + kVersionAt);
  if (header.version != kWalFormatVersion) return HeaderState::newer_version;
  std::memcpy(header.collection.data(), p + kCollectionAt, header.collection.size());
  header.first_lsn = load<std::uint64_t>(p + kFirstLsnAt);
  header.salt = load<std::uint64_t>(p + kSaltAt);
  header.previous.lsn = load<std::uint64_t>(p + kPreviousLsnAt);
  header.previous.checksum = load<std::uint64_t>(p + kPreviousChecksumAt);
  header.file_bytes = load<std::uint64_t>(p + kFileBytesAt);
  // Before the first frame of all there is none, and so none with a checksum.
  const bool sane = header.first_lsn != 0 && header.previous.lsn == header.first_lsn - 1 &&
                    (header.previous.lsn != 0 || header.previous.checksum == 0);
  return sane ? HeaderState::valid : HeaderState::damaged;
}

std::uint64_t encode_frame_header(const FrameHeader& header, std::uint64_t salt, std::span<std::byte> out) noexcept {
  assert(out.size() == kFrameHeaderBytes + header.length);
  if (HF_PLANTED(frame_checksum_is_not_seeded)) salt = 0;
  std::byte* p = out.data();
  store<std::uint32_t>(p + kLengthAt, header.length);
  store<std::uint16_t>(p + kTypeAt, static_cast<std::uint16_t>(header.type));  // flags: the high byte, zero
  store<std::uint64_t>(p + kLsnAt, header.lsn);
  store<std::uint64_t>(p + kSyncedLsnAt, header.synced_lsn);
  store<std::uint64_t>(p + kPrevAt, header.prev);
  store<std::uint16_t>(p + kHeaderCheckAt, header_check(p, salt));
  const std::uint64_t checksum = checksum64(out.subspan(kLengthAt), salt);
  store<std::uint64_t>(p + kFrameChecksumAt, checksum);
  return checksum;
}

std::optional<FrameHeader> decode_frame(ByteSpan segment, std::uint64_t offset, std::uint64_t salt) noexcept {
  if (offset > segment.size() || segment.size() - offset < kFrameHeaderBytes) return std::nullopt;
  if (HF_PLANTED(frame_checksum_is_not_seeded)) salt = 0;
  const std::byte* p = segment.data() + offset;
  // Cheap tests first: most candidates of a scan end here.
  const auto type = load<std::uint16_t>(p + kTypeAt);
  if (type != static_cast<std::uint16_t>(FrameType::batch) && type != static_cast<std::uint16_t>(FrameType::mark)) {
    return std::nullopt;
  }
  FrameHeader header;
  header.length = load<std::uint32_t>(p + kLengthAt);
  if (header.length > segment.size() - offset - kFrameHeaderBytes) return std::nullopt;
  header.lsn = load<std::uint64_t>(p + kLsnAt);
  header.synced_lsn = load<std::uint64_t>(p + kSyncedLsnAt);
  if (header.synced_lsn >= header.lsn) return std::nullopt;  // nothing is durable before it is written
  if (load<std::uint16_t>(p + kHeaderCheckAt) != header_check(p, salt)) return std::nullopt;
  header.checksum = load<std::uint64_t>(p + kFrameChecksumAt);
  const ByteSpan covered = segment.subspan(offset + kLengthAt, kFrameHeaderBytes - kLengthAt + header.length);
  if (header.checksum != checksum64(covered, salt) && !HF_PLANTED(frame_checksum_is_ignored)) return std::nullopt;
  header.type = static_cast<FrameType>(type);
  header.prev = load<std::uint64_t>(p + kPrevAt);
  return header;
}

}  // namespace holdfast::storage
