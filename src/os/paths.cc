// The free helpers of file_system.h: written against the seam, so they run on every FileSystem.
#include <algorithm>

#include "base/plant.h"
#include "base/try.h"
#include "os/file_system.h"

namespace holdfast::os {

std::string join(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (path.empty() || path.back() != '/') path += '/';
  path += name;
  return path;
}

std::string parent(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  const std::size_t last = path.find_last_not_of('/', slash);
  return std::string(last == std::string_view::npos ? "/" : path.substr(0, last + 1));
}

namespace {

Status write_new_file(FileSystem& fs, const std::string& path, ByteSpan bytes) {
  HF_ASSIGN(const std::unique_ptr<File> file, fs.create(path));
  HF_TRY(file->write_at(0, bytes));
  return HF_PLANTED(file_is_named_before_it_is_synced) ? Status() : file->sync();
}

}  // namespace

Status write_file_atomically(FileSystem& fs, const std::string& path, ByteSpan bytes) {
  const std::string temporary = HF_PLANTED(file_is_written_in_place) ? path : path + ".tmp";
  // A crash may have left one behind; it was never named by anything, so its content is worthless.
  Status removed = HF_PLANTED(stale_temporary_file_stays) ? Status() : fs.remove(temporary);
  if (!removed.ok() && removed.code() != StatusCode::not_found) return removed;

  Status status = write_new_file(fs, temporary, bytes);
  // Power fails here: `path` is as before, and the temporary file is an orphan of any length.
  if (status.ok()) status = fs.rename(temporary, path);
  if (!status.ok()) {
    fs.remove(temporary).ignore();  // best effort: the first error is the one to report
    return status;
  }
  // Power fails here: `path` is old or new, both whole.
  return HF_PLANTED(renamed_name_is_not_synced) ? Status() : fs.sync_directory(parent(path));
}

namespace {

Result<std::uint64_t> copy_bytes(const File& from, File& to) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  HF_ASSIGN(const std::uint64_t size, from.size());
  Bytes piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, size)));
  std::uint64_t at = 0;
  while (at < size) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size - at));
    HF_ASSIGN(const std::size_t count, from.read_at(at, std::span(piece).first(want)));
    if (count == 0) break;  // it became shorter; whoever knows what the file is will notice
    HF_TRY(to.write_at(at, ByteSpan(piece).first(count)));
    at += count;
  }
  HF_TRY(to.sync());
  return at;
}

}  // namespace

Result<std::uint64_t> copy_file(FileSystem& fs, const std::string& from, const std::string& to) {
  HF_ASSIGN(const std::unique_ptr<File> source, fs.open(from, FileSystem::Access::read));
  HF_ASSIGN(const std::unique_ptr<File> copy, fs.create(to));
  auto copied = copy_bytes(*source, *copy);
  if (!copied.ok()) fs.remove(to).ignore();  // best effort: the first error is the one to report
  return copied;
}

Result<Bytes> read_file(FileSystem& fs, const std::string& path, std::uint64_t limit) {
  HF_ASSIGN(const std::unique_ptr<File> file, fs.open(path, FileSystem::Access::read));
  HF_ASSIGN(const std::uint64_t size, file->size());
  if (size > limit) {
    return Status(StatusCode::data_damaged, "read " + path + ": it has " + std::to_string(size) +
                                                " bytes, more than the " + std::to_string(limit) +
                                                " that such a file can have");
  }
  Bytes bytes(static_cast<std::size_t>(size));
  HF_ASSIGN(const std::size_t count, file->read_at(0, bytes));
  bytes.resize(count);  // shorter if it was truncated meanwhile
  return bytes;
}

}  // namespace holdfast::os
