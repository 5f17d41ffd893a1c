// The one door to the disk. Everything that Holdfast reads or writes goes through FileSystem, so that tests can
// put a simulated disk behind it and take the power away at any call.
//
// Semantics (those of Linux; see docs/architecture.md):
//  - write_at reaches the page cache only. sync (fdatasync) makes the file's data and size durable.
//  - create, rename, link, exchange and remove change the directory in memory; they are durable after sync_directory of
//    the parent.
//  - EINTR and short transfers are handled here; callers see all or an error.
// Errors map to StatusCode: ENOSPC/EDQUOT -> disk_full, ENOENT -> not_found, EEXIST -> already_exists, else io_error.
// Messages name the operation and the path.
//
// Threading: FileSystem is thread-safe. A File may be used by several threads for reads and maps; write_at, truncate
// and sync of one File are serialised by its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "holdfast/status.h"

namespace holdfast::os {

/// How a file is mapped.
enum class Mapping : std::uint8_t {
  read_only = 0,
  /// Bytes may be written, which changes neither the file nor another mapping of it: the written pages are copies.
  private_writable = 1,
};

/// Bytes of a whole file; valid until destroyed, even if the file is removed meanwhile.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  virtual ~MappedFile() = default;
  [[nodiscard]] ByteSpan bytes() const noexcept { return bytes_; }
  /// The same and the room behind it; empty unless it is private_writable.
  [[nodiscard]] std::span<std::byte> writable() const noexcept { return writable_; }

 protected:
  ByteSpan bytes_;
  std::span<std::byte> writable_;
};

class File {
 public:
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;

  [[nodiscard]] virtual Result<std::uint64_t> size() const = 0;
  /// Fills `out` from `offset`; returns how many bytes there were before the end of the file.
  [[nodiscard]] virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const = 0;
  /// Writes all of `bytes`; extends the file if needed. On error any prefix may have been written.
  virtual Status write_at(std::uint64_t offset, ByteSpan bytes) = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  /// Makes the file at least `size` bytes long and sets the space aside: all of it, or an error (the size may have
  /// changed then). The new bytes read as zeros. invalid_argument where the file system cannot set space aside.
  virtual Status allocate(std::uint64_t size) = 0;
  /// fdatasync: data and size are durable when it returns ok. After an error the state of the file's unsynced
  /// pages is unknown; calling it again proves nothing.
  virtual Status sync() = 0;
  /// The whole file as it is now. An empty file gives an empty span. With private_writable, what may be written is at
  /// least `room` bytes long: zeroed memory that belongs to no file follows the file's bytes.
  [[nodiscard]] virtual Result<std::unique_ptr<MappedFile>> map(Mapping mapping, std::uint64_t room) const = 0;
  [[nodiscard]] Result<std::unique_ptr<MappedFile>> map(Mapping mapping = Mapping::read_only) const {
    return map(mapping, 0);
  }
};

/// Held until destroyed.
class FileLock {
 public:
  FileLock() = default;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  virtual ~FileLock() = default;
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
  friend bool operator==(const DirectoryEntry&, const DirectoryEntry&) = default;
};

/// Paths are '/'-separated strings, as given by the caller.
class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  /// A new empty file; already_exists if there is one.
  [[nodiscard]] virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;
  enum class Access : std::uint8_t { read, read_write };
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path, Access access) = 0;
  /// Replaces `to` atomically if it exists (file or directory rename).
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  /// Another name, `to`, for the file `from`: the same bytes, until both names are removed. already_exists if `to` is
  /// there; invalid_argument if it cannot be done between these paths (another file system, or one without hard
  /// links): copy instead.
  virtual Status link(const std::string& from, const std::string& to) = 0;
  /// The two names of one directory change places, atomically; both must exist. invalid_argument if this file system
  /// cannot.
  virtual Status exchange(const std::string& a, const std::string& b) = 0;
  virtual Status remove(const std::string& path) = 0;
  /// One level; already_exists if it exists.
  virtual Status create_directory(const std::string& path) = 0;
  /// Must be empty.
  virtual Status remove_directory(const std::string& path) = 0;
  virtual Status sync_directory(const std::string& path) = 0;
  /// Entries in name order, without "." and "..".
  [[nodiscard]] virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;
  [[nodiscard]] virtual Result<bool> exists(const std::string& path) = 0;
  /// Exclusive lock (OFD lock and in-process registry) on a file that is created if missing and never deleted.
  /// Writes the holder's pid into it. already_open (message names the pid) if somebody holds it.
  [[nodiscard]] virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  /// Unpredictable bits for salts and uuids (deterministic in simulation).
  [[nodiscard]] virtual std::uint64_t random_u64() = 0;
  /// Bytes that an unprivileged writer may still allocate.
  [[nodiscard]] virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
};

/// The real one. Never destroyed.
[[nodiscard]] FileSystem& posix_file_system();

/// `directory + "/" + name`.
[[nodiscard]] std::string join(std::string_view directory, std::string_view name);
/// The parent directory of a path ("." if it has none).
[[nodiscard]] std::string parent(std::string_view path);

/// temp file, write, sync, rename over `path`, sync of the parent directory. The rename is the commit point:
/// after an error `path` is either as before or new, never torn.
Status write_file_atomically(FileSystem& fs, const std::string& path, ByteSpan bytes);
/// A new file `to` with the bytes of `from` as they are now, synced; its name is not. Returns how many bytes.
/// already_exists; on any other failure nothing is left of `to`, as far as the file system lets go.
[[nodiscard]] Result<std::uint64_t> copy_file(FileSystem& fs, const std::string& from, const std::string& to);
/// The whole file; `limit` guards against absurd sizes (data_damaged if it is larger).
[[nodiscard]] Result<Bytes> read_file(FileSystem& fs, const std::string& path, std::uint64_t limit);

}  // namespace holdfast::os
