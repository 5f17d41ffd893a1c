// Two locks in one, because each alone has a gap:
//  - an OFD lock (open file description, fcntl(2)) keeps other processes out and is released by the kernel when the
//    holder dies, however it dies. Classic POSIX record locks are released as soon as *any* descriptor of the file is
//    closed in the process, and do not stop the process from locking twice.
//  - a registry of (device, inode) keeps this process out, also on file systems that emulate OFD locks badly, and
//    whatever name the file is reached by.
//
// Invariants:
//  1. The lock file is created if missing and never deleted: with unlink, two processes could hold locks on two
//     inodes of one name.
//  2. The file holds the pid of the last holder. It is information for the error message only; whether the lock is
//     held is decided by the kernel.
//  3. The kernel's lock is released before the registry's entry, so nobody in this process is told "free" too early.
#include "os/posix_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "base/plant.h"
#include "base/try.h"
#include "os/posix_error.h"

namespace holdfast::os {
namespace {

using InodeKey = std::pair<dev_t, ino_t>;

class LockRegistry {
 public:
  /// False if this process holds it already.
  bool insert(const InodeKey& key) HF_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return held_.insert(key).second;
  }
  void erase(const InodeKey& key) HF_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    held_.erase(key);
  }

 private:
  Mutex mutex_;
  std::set<InodeKey> held_ HF_GUARDED_BY(mutex_);
};

LockRegistry& registry() {
  static LockRegistry& instance = *new LockRegistry;  // never destroyed: a lock may be released by a static object
  return instance;
}

class Registration {
 public:
  explicit Registration(InodeKey key) noexcept : key_(key) {}
  Registration(Registration&& other) noexcept : key_(other.key_), active_(std::exchange(other.active_, false)) {}
  Registration& operator=(Registration&&) = delete;
  ~Registration() {
    if (active_) registry().erase(key_);
  }

 private:
  InodeKey key_;
  bool active_ = true;
};

class PosixLock final : public FileLock {
 public:
  PosixLock(Registration registration, FileDescriptor fd) noexcept
      : registration_(std::move(registration)), fd_(std::move(fd)) {}

 private:
  // Order matters (invariant 3): members are destroyed last to first, so the descriptor is closed first.
  Registration registration_;
  FileDescriptor fd_;
};

std::string read_pid(int fd) {
  char text[24];
  const ssize_t count = retry_interrupted([&] { return ::pread(fd, text, sizeof text, 0); });
  long pid = 0;
  if (count <= 0 || std::from_chars(text, text + count, pid).ec != std::errc() || pid <= 0) return "of unknown number";
  return std::to_string(pid);
}

Status write_pid(int fd, const std::string& path) {
  const std::string text = std::to_string(::getpid()) + "\n";
  // First the text, then the length: a reader never finds an empty file once there was a holder.
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = retry_interrupted(
        [&] { return ::pwrite(fd, text.data() + done, text.size() - done, static_cast<off_t>(done)); });
    if (count <= 0) return error_status("write the holder's pid into", path, count < 0 ? errno : EIO);
    done += static_cast<std::size_t>(count);
  }
  if (retry_interrupted([&] { return ::ftruncate(fd, static_cast<off_t>(text.size())); }) < 0) {
    return error_status("truncate", path, errno);
  }
  return {};
}

Status held_elsewhere(const std::string& path, int fd) {
  return Status(StatusCode::already_open,
                "lock " + path + ": held by process " + read_pid(fd) +
                    "; close the store there or end that process, then open it again (the lock goes with its holder, "
                    "deleting the file is never needed)");
}

Status held_here(const std::string& path) {
  return Status(StatusCode::already_open, "lock " + path + ": held by process " + std::to_string(::getpid()) +
                                              ", which is this one; share the handle that is open, or close it first");
}

}  // namespace

Result<std::unique_ptr<FileLock>> lock_posix_file(const std::string& path) {
  HF_ASSIGN(FileDescriptor fd, open_descriptor("lock", path, O_RDWR | O_CREAT | O_NONBLOCK));
  struct stat info {};
  if (retry_interrupted([&] { return ::fstat(fd.get(), &info); }) != 0) return error_status("lock", path, errno);
  const InodeKey key{info.st_dev, info.st_ino};
  if (!registry().insert(key) && !HF_PLANTED(lock_has_no_registry)) return held_here(path);
  Registration registration(key);

  struct flock request {};  // l_pid must be 0; start 0 and length 0 mean the whole file
  request.l_type = F_WRLCK;
  request.l_whence = SEEK_SET;
  if (!HF_PLANTED(kernel_lock_is_not_taken) &&
      retry_interrupted([&] { return ::fcntl(fd.get(), F_OFD_SETLK, &request); }) != 0) {
    if (errno == EAGAIN || errno == EACCES) return held_elsewhere(path, fd.get());
    return error_status("lock", path, errno);
  }
  // The pid is a courtesy; a full disk must not keep the owner from opening the store in order to empty it.
  if (Status written = write_pid(fd.get(), path); !written.ok() && written.code() != StatusCode::disk_full) {
    return written;
  }
  return std::unique_ptr<FileLock>(std::make_unique<PosixLock>(std::move(registration), std::move(fd)));
}

}  // namespace holdfast::os
