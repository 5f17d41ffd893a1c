#include "storage/wal_head.h"

#include <cstring>

#include "base/try.h"
#include "storage/envelope.h"
#include "storage/file_names.h"

namespace holdfast::storage {
namespace {

// Body: uuid of the collection (16), first lsn of the newest segment (8).
constexpr EnvelopeFormat kHeadFormat{
    .magic = 0x0A444857444C4648,  // "HFLDWHD\n"
    .version = 1,
    .limit_bytes = 4096,
    .what = "pointer to the newest log segment",
};

std::string path_of(const std::string& directory) { return os::join(directory, kLogHeadFile); }
std::string temporary_of(const std::string& directory) { return path_of(directory) + ".tmp"; }

}  // namespace

Result<std::optional<Lsn>> read_log_head(os::FileSystem& fs, const std::string& directory, const Uuid& collection) {
  const std::string path = path_of(directory);
  auto file = os::read_file(fs, path, kHeadFormat.limit_bytes);
  if (file.status().code() == StatusCode::not_found) return std::optional<Lsn>();
  HF_TRY(file.status());
  HF_ASSIGN(const ByteSpan body, open_envelope(*file, path, kHeadFormat));
  ByteReader reader(body);
  ByteSpan owner;
  Lsn newest = 0;
  if (!reader.get_bytes(collection.size(), owner) || !reader.get(newest) || reader.remaining() != 0) {
    return damaged_file(path, kEnvelopeBytes + reader.position(), "it breaks off or goes on where it should not");
  }
  if (std::memcmp(owner.data(), collection.data(), owner.size()) != 0) {
    return damaged_file(path, kEnvelopeBytes, "it belongs to the log of another collection");
  }
  return std::optional<Lsn>(newest);
}

StepFailure prepare_log_head(os::FileSystem& fs, const std::string& directory, const Uuid& collection, Lsn newest) {
  const std::string path = temporary_of(directory);
  if (Status removed = fs.remove(path); !removed.ok() && removed.code() != StatusCode::not_found) {
    return {std::move(removed), false};
  }
  Bytes body;
  put_bytes(body, std::as_bytes(std::span(collection)));
  put(body, newest);
  const auto bytes = make_envelope(path, kHeadFormat, body);
  if (!bytes.ok()) return {bytes.status(), false};
  const auto file = fs.create(path);
  if (!file.ok()) return {file.status(), false};
  Status written = (*file)->write_at(0, *bytes);
  // Power fails here: a temporary file of any content, removed by the next open.
  if (written.ok()) written = (*file)->sync();
  if (written.ok()) return {};
  fs.remove(path).ignore();  // best effort: the first error is the one to report
  const bool fatal = written.code() != StatusCode::disk_full;
  return {std::move(written), fatal};
}

Status rename_log_head(os::FileSystem& fs, const std::string& directory) {
  Status renamed = fs.rename(temporary_of(directory), path_of(directory));
  if (!renamed.ok()) fs.remove(temporary_of(directory)).ignore();  // best effort: it is garbage
  return renamed;
}

Status write_log_head(os::FileSystem& fs, const std::string& directory, const Uuid& collection,
                      std::optional<Lsn> newest) {
  if (newest) {
    HF_TRY(prepare_log_head(fs, directory, collection, *newest).status);
    HF_TRY(rename_log_head(fs, directory));
  } else if (Status removed = fs.remove(path_of(directory)); !removed.ok() && removed.code() != StatusCode::not_found) {
    return removed;
  }
  return fs.sync_directory(directory);
}

}  // namespace holdfast::storage
