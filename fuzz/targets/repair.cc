#include "fuzz/targets/repair.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/checksum.h"
#include "storage/envelope.h"
#include "storage/extent_format.h"
#include "storage/file_names.h"
#include "storage/manifest.h"
#include "storage/wal_format.h"
#include "storage/wal_scan.h"

namespace holdfast::fuzz {

namespace {

using storage::kExtentFooterBytes;
using storage::kExtentHeaderBytes;
using storage::kExtentPageBytes;
using storage::kFrameAlignment;
using storage::kFrameHeaderBytes;
using storage::kSegmentHeaderBytes;

// Places in segments and extents (wal_format.h, extent_format.h); both headers have their checksum at the same one.
constexpr std::size_t kHeaderChecksumAt = 16;
constexpr std::size_t kSaltAt = 48;
constexpr std::size_t kPreviousChecksumAt = 64;
constexpr std::size_t kFrameLengthAt = 8;
constexpr std::size_t kFrameTypeAt = 12;
constexpr std::size_t kHeaderCheckAt = 14;
constexpr std::size_t kFrameLsnAt = 16;
constexpr std::size_t kPrevAt = 32;
constexpr std::size_t kEnvelopeLengthAt = 16;
constexpr std::size_t kEnvelopeChecksumAt = 24;
constexpr std::size_t kFooterDataBytesAt = 8;
constexpr std::size_t kFooterPagesAt = 16;
constexpr std::size_t kFooterTableChecksumAt = 24;
constexpr std::size_t kFooterChecksumAt = 40;

void repair_header(std::span<std::byte> sector) {
  store<std::uint64_t>(sector.data() + kHeaderChecksumAt, 0);
  store<std::uint64_t>(sector.data() + kHeaderChecksumAt, checksum64(sector));
}

void follow(std::byte* checksum, const Renamed& renamed) {
  if (const auto found = renamed.find(load<std::uint64_t>(checksum)); found != renamed.end()) {
    store(checksum, found->second);
  }
}

/// Bytes of the frame at `at`, checks apart; 0 if nothing there looks like one.
std::size_t frame_length(const Bytes& file, std::size_t at) {
  if (file.size() - at < kFrameHeaderBytes) return 0;
  const std::byte* p = file.data() + at;
  const auto type = load<std::uint16_t>(p + kFrameTypeAt);
  const auto length = load<std::uint32_t>(p + kFrameLengthAt);
  if (type < 1 || type > 2 || load<Lsn>(p + kFrameLsnAt) == 0) return 0;
  return length <= file.size() - at - kFrameHeaderBytes ? kFrameHeaderBytes + length : 0;
}

}  // namespace

void repair_segment(Bytes& file, Renamed& renamed) {
  if (file.size() < kSegmentHeaderBytes) return;
  follow(file.data() + kPreviousChecksumAt, renamed);
  repair_header(std::span(file).first(kSegmentHeaderBytes));
  const auto salt = load<std::uint64_t>(file.data() + kSaltAt);
  for (std::size_t at = kSegmentHeaderBytes; at + kFrameHeaderBytes <= file.size();) {
    const std::size_t length = frame_length(file, at);
    if (length == 0) {
      at = std::max<std::size_t>(at + kFrameAlignment,
                                 storage::find_nonzero(file, at) / kFrameAlignment * kFrameAlignment);
      continue;
    }
    std::byte* p = file.data() + at;
    follow(p + kPrevAt, renamed);
    const std::span<std::byte> covered(p + kFrameLengthAt, length - kFrameLengthAt);
    store<std::uint16_t>(p + kHeaderCheckAt, 0);
    const std::uint64_t check = checksum64(covered.first(kFrameHeaderBytes - kFrameLengthAt), salt);
    store(p + kHeaderCheckAt, static_cast<std::uint16_t>(check));
    const auto old = load<std::uint64_t>(p);
    const std::uint64_t checksum = checksum64(covered, salt);
    if (old != checksum) renamed[old] = checksum;
    store(p, checksum);
    at += storage::align_up(length, kFrameAlignment);
  }
}

std::optional<storage::ExtentInfo> repair_extent(Bytes& file) {
  if (file.size() < kExtentHeaderBytes + kExtentFooterBytes) return {};
  repair_header(std::span(file).first(kExtentHeaderBytes));
  storage::ExtentHeader header;
  if (storage::decode_extent_header(file, header) != storage::ExtentPart::valid) return {};
  std::byte* const footer = file.data() + file.size() - kExtentFooterBytes;
  const auto data_bytes = load<std::uint64_t>(footer + kFooterDataBytesAt);
  if (data_bytes > file.size() || storage::extent_file_bytes(data_bytes) != file.size()) return {};
  const std::uint64_t pages = storage::extent_pages(data_bytes);
  std::byte* const table = file.data() + storage::extent_table_offset(data_bytes);
  for (std::uint64_t page = 0; page < pages; ++page) {
    const std::uint64_t offset = page * kExtentPageBytes;
    const ByteSpan bytes = ByteSpan(file).subspan(storage::kExtentDataOffset + offset,
                                                  std::min<std::uint64_t>(kExtentPageBytes, data_bytes - offset));
    store(table + page * sizeof(std::uint64_t), checksum64(bytes, storage::extent_page_seed(header, page)));
  }
  const std::uint64_t checksum = storage::extent_checksum(ByteSpan(file).first(kExtentHeaderBytes),
                                                          ByteSpan(table, pages * sizeof(std::uint64_t)), data_bytes);
  store(footer + kFooterPagesAt, pages);
  store(footer + kFooterTableChecksumAt, checksum);
  store(footer + kFooterChecksumAt, checksum64(ByteSpan(footer, kFooterChecksumAt)));
  storage::ExtentInfo info = header.info;
  info.data_bytes = data_bytes;
  info.checksum = checksum;
  return info;
}

void repair_envelope(Bytes& file) {
  if (file.size() < storage::kEnvelopeBytes) return;
  store<std::uint64_t>(file.data() + kEnvelopeLengthAt, file.size() - storage::kEnvelopeBytes);
  store<std::uint64_t>(file.data() + kEnvelopeChecksumAt, 0);
  const std::uint64_t head = checksum64(ByteSpan(file).first(storage::kEnvelopeBytes));
  store(file.data() + kEnvelopeChecksumAt, checksum64(ByteSpan(file).subspan(storage::kEnvelopeBytes), head));
}

namespace {

/// What the manifest says of extents and of the log's end follows them.
void repair_manifest(BundledFile& file, std::uint64_t generation, const std::vector<storage::ExtentInfo>& extents,
                     const Renamed& renamed) {
  repair_envelope(file.bytes);
  testing::SimFileSystem fs(1);
  const std::string path = "/" + storage::manifest_name(generation);
  if (!fs.write_whole(path, file.bytes).ok()) return;
  auto manifest = storage::read_manifest(fs, "/", generation);
  if (!manifest.ok()) return;
  for (storage::ExtentInfo& named : manifest->extents) {
    for (const storage::ExtentInfo& extent : extents) {
      if (extent.number != named.number) continue;
      named.data_bytes = extent.data_bytes;
      named.checksum = extent.checksum;
    }
  }
  if (const auto found = renamed.find(manifest->log_checksum); found != renamed.end()) {
    manifest->log_checksum = found->second;
  }
  if (storage::write_manifest(fs, "/", *manifest).ok()) file.bytes = fs.read_whole(path).value();
}

storage::ParsedName parse_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return storage::parse_name(std::string_view(path).substr(slash == std::string::npos ? 0 : slash + 1));
}

}  // namespace

void repair_store(Bundle& bundle) {
  using storage::FileKind;
  std::stable_sort(bundle.begin(), bundle.end(),
                   [](const BundledFile& a, const BundledFile& b) { return a.name < b.name; });
  Renamed renamed;
  std::vector<storage::ExtentInfo> extents;
  for (BundledFile& file : bundle) {
    const FileKind kind = parse_path(file.name).kind;
    if (kind == FileKind::segment) repair_segment(file.bytes, renamed);
    if (kind == FileKind::catalog || kind == FileKind::log_head) repair_envelope(file.bytes);
    if (kind != FileKind::extent) continue;
    if (const auto info = repair_extent(file.bytes)) extents.push_back(*info);
  }
  for (BundledFile& file : bundle) {
    const storage::ParsedName parsed = parse_path(file.name);
    if (parsed.kind == FileKind::manifest) repair_manifest(file, parsed.number, extents, renamed);
  }
}

}  // namespace holdfast::fuzz
