#include "storage/wal_segment.h"

#include <algorithm>
#include <vector>

namespace holdfast::storage {
namespace {

constexpr std::uint64_t kFillBytes = std::uint64_t{1} << 20;

Status fill_and_sync(os::File& file, std::uint64_t bytes) {
  const Bytes zeros(static_cast<std::size_t>(std::min(bytes, kFillBytes)));
  for (std::uint64_t at = 0; at < bytes; at += zeros.size()) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), bytes - at));
    Status written = file.write_at(at, ByteSpan(zeros).first(piece));
    if (!written.ok()) return written;
  }
  return file.sync();
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

}  // namespace holdfast::storage
