#include "storage/extent_format.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/checksum.h"
#include "base/random.h"

namespace holdfast::storage {
namespace {

constexpr std::uint64_t kExtentMagic = 0x0A545845444C4648;  // "HFLDEXT\n"
constexpr std::uint64_t kFooterMagic = 0x0A444E45444C4648;  // "HFLDEND\n"

constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kChecksumAt = 16;
constexpr std::size_t kCollectionAt = 24;
constexpr std::size_t kNumberAt = 40;
constexpr std::size_t kSaltAt = 48;
constexpr std::size_t kFirstSlotAt = 56;
constexpr std::size_t kSlotCountAt = 60;
constexpr std::size_t kKindAt = 64;
constexpr std::size_t kFieldAt = 65;
constexpr std::size_t kGenerationAt = 72;
constexpr std::size_t kLsnAt = 80;
constexpr std::size_t kNoteAt = 88;
static_assert(kNoteAt + sizeof(ExtentOrigin::note) == 120);
static_assert(kCollectionAt + sizeof(Uuid) == kNumberAt);
static_assert(kFieldAt < kExtentHeaderBytes);
static_assert(kExtentDataOffset % 4096 == 0, "data is mappable at a page of memory");

constexpr std::size_t kFooterDataBytesAt = 8;
constexpr std::size_t kFooterPagesAt = 16;
constexpr std::size_t kFooterTableChecksumAt = 24;
constexpr std::size_t kFooterChecksumAt = 40;
static_assert(kFooterChecksumAt + sizeof(std::uint64_t) == kExtentFooterBytes);

std::uint64_t header_checksum(ByteSpan sector) noexcept {
  std::array<std::byte, kExtentHeaderBytes> copy;
  std::memcpy(copy.data(), sector.data(), copy.size());
  store<std::uint64_t>(copy.data() + kChecksumAt, 0);
  return checksum64(copy);
}

}  // namespace

void encode_extent_header(const ExtentHeader& header, std::span<std::byte, kExtentHeaderBytes> out) noexcept {
  std::fill(out.begin(), out.end(), std::byte{0});
  std::byte* p = out.data();
  store<std::uint64_t>(p, kExtentMagic);
  store<std::uint32_t>(p + kVersionAt, header.version);
  std::memcpy(p + kCollectionAt, header.collection.data(), header.collection.size());
  store<std::uint64_t>(p + kNumberAt, header.info.number);
  store<std::uint64_t>(p + kSaltAt, header.salt);
  store<std::uint32_t>(p + kFirstSlotAt, header.info.first_slot);
  store<std::uint32_t>(p + kSlotCountAt, header.info.slot_count);
  store<std::uint8_t>(p + kKindAt, header.info.kind);
  store<std::uint8_t>(p + kFieldAt, header.info.field);
  store<std::uint64_t>(p + kGenerationAt, header.origin.generation);
  store<std::uint64_t>(p + kLsnAt, header.origin.lsn);
  std::memcpy(p + kNoteAt, header.origin.note.data(), header.origin.note.size());
  store<std::uint64_t>(p + kChecksumAt, header_checksum(out));
}

ExtentPart decode_extent_header(ByteSpan bytes, ExtentHeader& header) noexcept {
  if (bytes.size() < kExtentHeaderBytes) return ExtentPart::damaged;
  const std::byte* p = bytes.data();
  if (load<std::uint64_t>(p) != kExtentMagic) return ExtentPart::damaged;
  if (load<std::uint64_t>(p + kChecksumAt) != header_checksum(bytes.first(kExtentHeaderBytes))) {
    return ExtentPart::damaged;
  }
  header.version = load<std::uint32_t>(p + kVersionAt);
  if (header.version != kExtentFormatVersion) return ExtentPart::newer_version;
  std::memcpy(header.collection.data(), p + kCollectionAt, header.collection.size());
  header.info.number = load<std::uint64_t>(p + kNumberAt);
  header.salt = load<std::uint64_t>(p + kSaltAt);
  header.info.first_slot = load<std::uint32_t>(p + kFirstSlotAt);
  header.info.slot_count = load<std::uint32_t>(p + kSlotCountAt);
  header.info.kind = load<std::uint8_t>(p + kKindAt);
  header.info.field = load<std::uint8_t>(p + kFieldAt);
  header.origin.generation = load<std::uint64_t>(p + kGenerationAt);
  header.origin.lsn = load<std::uint64_t>(p + kLsnAt);
  std::memcpy(header.origin.note.data(), p + kNoteAt, header.origin.note.size());
  return ExtentPart::valid;
}

void encode_extent_footer(const ExtentFooter& footer, std::span<std::byte, kExtentFooterBytes> out) noexcept {
  std::fill(out.begin(), out.end(), std::byte{0});
  std::byte* p = out.data();
  store<std::uint64_t>(p, kFooterMagic);
  store<std::uint64_t>(p + kFooterDataBytesAt, footer.data_bytes);
  store<std::uint64_t>(p + kFooterPagesAt, footer.pages);
  store<std::uint64_t>(p + kFooterTableChecksumAt, footer.checksum);
  store<std::uint64_t>(p + kFooterChecksumAt, checksum64(out.first(kFooterChecksumAt)));
}

bool decode_extent_footer(ByteSpan bytes, ExtentFooter& footer) noexcept {
  if (bytes.size() != kExtentFooterBytes) return false;
  const std::byte* p = bytes.data();
  if (load<std::uint64_t>(p) != kFooterMagic) return false;
  if (load<std::uint64_t>(p + kFooterChecksumAt) != checksum64(bytes.first(kFooterChecksumAt))) return false;
  footer.data_bytes = load<std::uint64_t>(p + kFooterDataBytesAt);
  footer.pages = load<std::uint64_t>(p + kFooterPagesAt);
  footer.checksum = load<std::uint64_t>(p + kFooterTableChecksumAt);
  return true;
}

std::uint64_t extent_page_seed(const ExtentHeader& header, std::uint64_t page) noexcept {
  const std::byte* uuid = reinterpret_cast<const std::byte*>(header.collection.data());
  std::uint64_t seed = mix64(header.salt);
  seed = mix64(seed ^ load<std::uint64_t>(uuid));
  seed = mix64(seed ^ load<std::uint64_t>(uuid + sizeof seed));
  seed = mix64(seed ^ header.info.number);
  return mix64(seed ^ page);
}

std::uint64_t extent_checksum(ByteSpan header_sector, ByteSpan page_table, std::uint64_t data_bytes) noexcept {
  return checksum64(page_table, checksum64(header_sector, data_bytes));
}

}  // namespace holdfast::storage
