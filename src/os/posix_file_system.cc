// FileSystem on Linux system calls.
//
//  1. Every descriptor is O_CLOEXEC; files are regular files (a directory, pipe or device is refused at open).
//  2. EINTR is retried and short transfers are continued here; nothing else is retried.
//  3. Reads, writes and maps are positioned: no descriptor has a file position that anybody relies on.
//
// Does not know: what any file means, or which call makes what durable in which order. That is the storage room's.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <utility>

#include "base/plant.h"
#include "base/random.h"
#include "base/try.h"
#include "os/file_system.h"
#include "os/posix_error.h"
#include "os/posix_lock.h"

namespace holdfast::os {
namespace {

class PosixMap final : public MappedFile {
 public:
  /// `mapped` bytes from `address` on, the first `size` of which are those of the file.
  void own(void* address, std::size_t mapped, std::size_t size, Mapping mapping) noexcept {
    address_ = address;
    mapped_ = mapped;
    bytes_ = ByteSpan(static_cast<const std::byte*>(address), size);
    if (mapping == Mapping::private_writable) writable_ = {static_cast<std::byte*>(address), mapped};
  }
  ~PosixMap() override {
    if (mapped_ != 0) ::munmap(address_, mapped_);
  }

 private:
  void* address_ = nullptr;
  std::size_t mapped_ = 0;
};

void* retry_map(void* at, std::size_t bytes, int protection, int flags, int fd) noexcept {
  void* address = nullptr;
  do {
    address = ::mmap(at, bytes, protection, flags, fd, 0);
  } while (address == MAP_FAILED && errno == EINTR);
  return address;
}

class PosixFile final : public File {
 public:
  PosixFile(FileDescriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::uint64_t> size() const override {
    struct stat info {};
    if (retry_interrupted([&] { return ::fstat(fd_.get(), &info); }) != 0) return error_status("stat", path_, errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t count = retry_interrupted(
          [&] { return ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done)); });
      if (count < 0) return error_status("read", path_, errno);
      if (count == 0) break;  // the end of the file
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  Status write_at(std::uint64_t offset, ByteSpan bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t count = retry_interrupted([&] {
        return ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      });
      if (count < 0) return error_status("write", path_, errno);
      if (HF_PLANTED(short_write_is_believed)) return {};
      if (count == 0) return error_status("write", path_, EIO);  // never for a regular file; no endless loop either way
      done += static_cast<std::size_t>(count);
    }
    return {};
  }

  Status truncate(std::uint64_t size) override {
    if (retry_interrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0) {
      return error_status("truncate", path_, errno);
    }
    return {};
  }

  Status allocate(std::uint64_t size) override {
    if (retry_interrupted([&] { return ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)); }) == 0) return {};
    const int error = errno;
    Status status = error_status("set space aside in", path_, error);
    if (error != EOPNOTSUPP && error != ENOSYS) return status;
    return Status(StatusCode::invalid_argument, std::string(status.message()));
  }

  Status sync() override {
    if (retry_interrupted([&] { return ::fdatasync(fd_.get()); }) != 0) return error_status("sync", path_, errno);
    return {};
  }

  using File::map;
  Result<std::unique_ptr<MappedFile>> map(Mapping mapping, std::uint64_t room) const override {
    HF_ASSIGN(const std::uint64_t size, this->size());
    auto map = std::make_unique<PosixMap>();  // first: a mapping without an owner would stay for ever
    // Of a private mapping only what is written takes memory: nothing is set aside for the rest.
    const bool writable = mapping == Mapping::private_writable;
    const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    const int flags = writable ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED;
    void* at = nullptr;
    if (writable && room > size) {
      at = retry_map(nullptr, room, protection, flags | MAP_ANONYMOUS, -1);
      if (at == MAP_FAILED) return error_status("map", path_, errno);
      map->own(at, room, 0, mapping);
    }
    if (size != 0) {
      void* const address = retry_map(at, size, protection, at == nullptr ? flags : flags | MAP_FIXED, fd_.get());
      if (address == MAP_FAILED) return error_status("map", path_, errno);
      map->own(address, at == nullptr ? size : room, size, mapping);
    }
    return std::unique_ptr<MappedFile>(std::move(map));
  }

 private:
  FileDescriptor fd_;
  std::string path_;
};

Result<std::unique_ptr<File>> open_file(std::string_view operation, const std::string& path, int flags) {
  // O_NONBLOCK means nothing to a regular file, and keeps a pipe from hanging us until it is refused below.
  HF_ASSIGN(FileDescriptor fd, open_descriptor(operation, path, flags | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (retry_interrupted([&] { return ::fstat(fd.get(), &info); }) != 0) return error_status(operation, path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Status(StatusCode::io_error, std::string(operation) + " " + path + ": it is not a regular file");
  }
  return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
}

struct DirectoryCloser {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

bool is_directory(int directory_fd, const dirent& entry) noexcept {
  if (entry.d_type != DT_UNKNOWN && entry.d_type != DT_LNK) return entry.d_type == DT_DIR;
  struct stat info {};
  return ::fstatat(directory_fd, entry.d_name, &info, 0) == 0 && S_ISDIR(info.st_mode);
}

/// What this file system, or this pair of places, cannot do is invalid_argument: the caller has another way.
Status two_paths_error(std::string_view operation, const std::string& from, const std::string& to, int error) {
  Status status = error_status(operation, from + " and " + to, error);
  switch (error) {
    case EXDEV:   // two file systems
    case EPERM:   // no hard links here, or none to files of others (fs.protected_hardlinks)
    case EMLINK:  // the file has as many names as it can have
    case EINVAL:  // flags of renameat2 that the file system does not know
    case EOPNOTSUPP:
    case ENOSYS: return Status(StatusCode::invalid_argument, std::string(status.message()));
    default: return status;
  }
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> create(const std::string& path) override {
    return open_file("create", path, O_RDWR | O_CREAT | O_EXCL);
  }

  Result<std::unique_ptr<File>> open(const std::string& path, Access access) override {
    return open_file("open", path, access == Access::read ? O_RDONLY : O_RDWR);
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (retry_interrupted([&] { return ::rename(from.c_str(), to.c_str()); }) == 0) return {};
    const int error = errno;  // before the concatenation, which may allocate
    return error_status("rename", from + " to " + to, error);
  }

  Status link(const std::string& from, const std::string& to) override {
    if (retry_interrupted([&] { return ::link(from.c_str(), to.c_str()); }) == 0) return {};
    return two_paths_error("link", from, to, errno);
  }

  Status exchange(const std::string& a, const std::string& b) override {
    const auto swap = [&] { return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE); };
    if (retry_interrupted(swap) == 0) return {};
    return two_paths_error("exchange", a, b, errno);
  }

  Status remove(const std::string& path) override {
    if (retry_interrupted([&] { return ::unlink(path.c_str()); }) != 0) return error_status("remove", path, errno);
    return {};
  }

  Status create_directory(const std::string& path) override {
    constexpr mode_t kMode = 0755;
    if (retry_interrupted([&] { return ::mkdir(path.c_str(), kMode); }) != 0)
      return error_status("create directory", path, errno);
    return {};
  }

  Status remove_directory(const std::string& path) override {
    if (retry_interrupted([&] { return ::rmdir(path.c_str()); }) != 0)
      return error_status("remove directory", path, errno);
    return {};
  }

  Status sync_directory(const std::string& path) override {
    HF_ASSIGN(const FileDescriptor fd, open_descriptor("sync directory", path, O_RDONLY | O_DIRECTORY));
    if (retry_interrupted([&] { return ::fsync(fd.get()); }) != 0) return error_status("sync directory", path, errno);
    return {};
  }

  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    DIR* opened = nullptr;
    do {
      opened = ::opendir(path.c_str());  // O_CLOEXEC since glibc 2.4
    } while (opened == nullptr && errno == EINTR);
    const std::unique_ptr<DIR, DirectoryCloser> directory(opened);
    if (!directory) return error_status("list", path, errno);
    std::vector<DirectoryEntry> entries;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) {
        if (errno == EINTR) continue;
        if (errno != 0) return error_status("list", path, errno);
        break;
      }
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      entries.push_back({std::string(name), is_directory(::dirfd(directory.get()), *entry)});
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
  }

  Result<bool> exists(const std::string& path) override {
    struct stat info {};
    if (retry_interrupted([&] { return ::stat(path.c_str(), &info); }) == 0) return true;
    if (errno == ENOENT) return false;
    return error_status("stat", path, errno);
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return lock_posix_file(path); }

  std::uint64_t random_u64() override {
    std::uint64_t value = 0;
    const ssize_t count = retry_interrupted([&] { return ::getrandom(&value, sizeof value, 0); });
    if (count == static_cast<ssize_t>(sizeof value)) return value;
    // A kernel or sandbox without getrandom: still never the same twice, which is all that salts and uuids need.
    static std::atomic<std::uint64_t> calls{0};  // relaxed: only uniqueness matters, nothing is published through it
    const auto now = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    const std::uint64_t call = calls.fetch_add(1, std::memory_order_relaxed);
    return mix64(mix64(now) ^ mix64((static_cast<std::uint64_t>(::getpid()) << 32) + call));
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs info {};
    if (retry_interrupted([&] { return ::statvfs(path.c_str(), &info); }) != 0) {
      return error_status("measure free space of", path, errno);
    }
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem& instance = *new PosixFileSystem;  // never destroyed: handles may outlive static objects
  return instance;
}

}  // namespace holdfast::os
