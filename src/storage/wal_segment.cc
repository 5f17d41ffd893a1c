#include "storage/wal_segment.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/plant.h"
#include "base/try.h"

namespace holdfast::storage {
namespace {

constexpr std::uint64_t kFillBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kCopyBytes = std::uint64_t{1} << 20;

Status fill_and_sync(os::File& file, std::uint64_t bytes) {
  const Bytes zeros(static_cast<std::size_t>(std::min(bytes, kFillBytes)));
  for (std::uint64_t at = 0; at < bytes; at += zeros.size()) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), bytes - at));
    Status written = file.write_at(at, ByteSpan(zeros).first(piece));
    if (!written.ok()) return written;
  }
  return file.sync();
}

/// Copies [kSegmentHeaderBytes, end) of `from`.
Status copy_frames(const os::File& from, os::File& to, std::uint64_t end) {
  Bytes piece(static_cast<std::size_t>(std::min(kCopyBytes, end)));
  for (std::uint64_t at = kSegmentHeaderBytes; at < end;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), end - at));
    HF_ASSIGN(const std::size_t count, from.read_at(at, std::span(piece).first(want)));
    if (count != want) return {StatusCode::io_error, "a log segment became shorter while it was copied"};
    HF_TRY(to.write_at(at, ByteSpan(piece).first(count)));
    at += count;
  }
  return {};
}

}  // namespace

StepFailure make_zero_filled(os::FileSystem& fs, const std::string& path, std::uint64_t bytes, SegmentFile& out) {
  Status removed = fs.remove(path);
  if (!removed.ok() && removed.code() != StatusCode::not_found) return {std::move(removed), false};
  auto created = fs.create(path);
  if (!created.ok()) return {created.status(), false};
  // Power fails here, or at any write below: a temporary file of any content, removed by the next open.
  Status filled = fill_and_sync(**created, bytes);
  if (!filled.ok()) {
    fs.remove(path).ignore();  // best effort: it is garbage either way, and the first error is the one to report
    const bool fatal = filled.code() != StatusCode::disk_full;
    return {std::move(filled), fatal};
  }
  out = SegmentFile{std::move(created).value(), path, bytes};
  return {};
}

Status copy_valid_part(os::FileSystem& fs, const std::string& from, const std::string& to, std::uint64_t valid_bytes) {
  HF_ASSIGN(const auto found, fs.open(from, os::FileSystem::Access::read));
  std::array<std::byte, kSegmentHeaderBytes> sector;
  HF_ASSIGN(const std::size_t count, found->read_at(0, sector));
  SegmentHeader header;
  if (decode_segment_header(ByteSpan(sector).first(count), header) != HeaderState::valid) {
    return {StatusCode::data_damaged, from + " at 0: the header changed since the log was read"};
  }
  header.file_bytes = align_up(valid_bytes, kBlockBytes);
  encode_segment_header(header, sector);
  HF_ASSIGN(const auto copy, fs.create(to));
  HF_TRY(copy->write_at(0, sector));
  HF_TRY(copy_frames(*found, *copy, valid_bytes));
  HF_TRY(copy->truncate(header.file_bytes));  // zeros to the end of the group
  return HF_PLANTED(sealed_copy_is_not_synced) ? Status() : copy->sync();
}

}  // namespace holdfast::storage
