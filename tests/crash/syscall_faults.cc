#include "crash/syscall_faults.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

namespace holdfast::testing {
namespace {

thread_local ArmedSyscalls* armed = nullptr;

}  // namespace

const char* to_string(Syscall call) noexcept {
  constexpr const char* kNames[] = {"open",      "opendir", "readdir", "pread", "pwrite",  "ftruncate", "fallocate",
                                    "fdatasync", "fsync",   "fstat",   "stat",  "statvfs", "rename",    "link",
                                    "renameat2", "unlink",  "mkdir",   "rmdir", "fcntl",   "mmap",      "getrandom"};
  return kNames[static_cast<std::size_t>(call)];
}

bool takes_room(Syscall call) noexcept {
  switch (call) {
    case Syscall::open:
    case Syscall::pwrite:
    case Syscall::fallocate:
    case Syscall::fdatasync:
    case Syscall::rename:
    case Syscall::link:
    case Syscall::mkdir: return true;
    default: return false;
  }
}

bool makes_descriptor(Syscall call) noexcept { return call == Syscall::open || call == Syscall::opendir; }
bool transfers(Syscall call) noexcept { return call == Syscall::pread || call == Syscall::pwrite; }

ArmedSyscalls::ArmedSyscalls(const SyscallPlan& plan) : plan_(plan) { armed = this; }
ArmedSyscalls::~ArmedSyscalls() { armed = nullptr; }

int ArmedSyscalls::next(Syscall call, std::size_t* bytes) {
  const std::uint64_t index = calls_.size();
  calls_.push_back(call);
  if (index < plan_.index || failed_ >= plan_.times) return 0;
  if (plan_.which != nullptr && !plan_.which(call)) return 0;
  if (plan_.cut && !cut_done_) {
    if (bytes == nullptr || *bytes < 2) return 0;
    cut_done_ = true;
    ++hits_;
    *bytes /= 2;
    return 0;  // the caller goes on with the rest
  }
  if (plan_.error == 0) return 0;
  ++failed_;
  ++hits_;
  return plan_.error;
}

namespace {

/// Whether the call is to fail; errno is set then.
bool fails(Syscall call, std::size_t* bytes = nullptr) {
  if (armed == nullptr) return false;
  const int error = armed->next(call, bytes);
  if (error != 0) errno = error;
  return error != 0;
}

}  // namespace
}  // namespace holdfast::testing

using holdfast::testing::fails;
using holdfast::testing::Syscall;

extern "C" {

int __real_open(const char*, int, ...);
int __wrap_open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return fails(Syscall::open) ? -1 : __real_open(path, flags, mode);
}
DIR* __real_opendir(const char*);
DIR* __wrap_opendir(const char* path) { return fails(Syscall::opendir) ? nullptr : __real_opendir(path); }
dirent* __real_readdir(DIR*);
dirent* __wrap_readdir(DIR* directory) { return fails(Syscall::readdir) ? nullptr : __real_readdir(directory); }
ssize_t __real_pread(int, void*, std::size_t, off_t);
ssize_t __wrap_pread(int fd, void* to, std::size_t bytes, off_t offset) {
  return fails(Syscall::pread, &bytes) ? -1 : __real_pread(fd, to, bytes, offset);
}
ssize_t __real_pwrite(int, const void*, std::size_t, off_t);
ssize_t __wrap_pwrite(int fd, const void* from, std::size_t bytes, off_t offset) {
  return fails(Syscall::pwrite, &bytes) ? -1 : __real_pwrite(fd, from, bytes, offset);
}
int __real_ftruncate(int, off_t);
int __wrap_ftruncate(int fd, off_t size) { return fails(Syscall::ftruncate) ? -1 : __real_ftruncate(fd, size); }
int __real_fallocate(int, int, off_t, off_t);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t size) {
  return fails(Syscall::fallocate) ? -1 : __real_fallocate(fd, mode, offset, size);
}
int __real_fdatasync(int);
int __wrap_fdatasync(int fd) { return fails(Syscall::fdatasync) ? -1 : __real_fdatasync(fd); }
int __real_fsync(int);
int __wrap_fsync(int fd) { return fails(Syscall::fsync) ? -1 : __real_fsync(fd); }
int __real_fstat(int, struct stat*);
int __wrap_fstat(int fd, struct stat* info) { return fails(Syscall::fstat) ? -1 : __real_fstat(fd, info); }
int __real_stat(const char*, struct stat*);
int __wrap_stat(const char* path, struct stat* info) { return fails(Syscall::stat) ? -1 : __real_stat(path, info); }
int __real_statvfs(const char*, struct statvfs*);
int __wrap_statvfs(const char* path, struct statvfs* info) {
  return fails(Syscall::statvfs) ? -1 : __real_statvfs(path, info);
}
int __real_rename(const char*, const char*);
int __wrap_rename(const char* from, const char* to) { return fails(Syscall::rename) ? -1 : __real_rename(from, to); }
int __real_link(const char*, const char*);
int __wrap_link(const char* from, const char* to) { return fails(Syscall::link) ? -1 : __real_link(from, to); }
int __real_renameat2(int, const char*, int, const char*, unsigned);
int __wrap_renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) {
  return fails(Syscall::renameat2) ? -1 : __real_renameat2(from_fd, from, to_fd, to, flags);
}
int __real_unlink(const char*);
int __wrap_unlink(const char* path) { return fails(Syscall::unlink) ? -1 : __real_unlink(path); }
int __real_mkdir(const char*, mode_t);
int __wrap_mkdir(const char* path, mode_t mode) { return fails(Syscall::mkdir) ? -1 : __real_mkdir(path, mode); }
int __real_rmdir(const char*);
int __wrap_rmdir(const char* path) { return fails(Syscall::rmdir) ? -1 : __real_rmdir(path); }
int __real_fcntl(int, int, ...);
int __wrap_fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return fails(Syscall::fcntl) ? -1 : __real_fcntl(fd, command, argument);
}
void* __real_mmap(void*, std::size_t, int, int, int, off_t);
void* __wrap_mmap(void* at, std::size_t bytes, int protection, int flags, int fd, off_t offset) {
  // Memory without a file is the allocator's.
  return fd >= 0 && fails(Syscall::mmap) ? MAP_FAILED : __real_mmap(at, bytes, protection, flags, fd, offset);
}
ssize_t __real_getrandom(void*, std::size_t, unsigned);
ssize_t __wrap_getrandom(void* to, std::size_t bytes, unsigned flags) {
  return fails(Syscall::getrandom) ? -1 : __real_getrandom(to, bytes, flags);
}

}  // extern "C"
