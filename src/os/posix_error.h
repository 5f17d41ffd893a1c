// What the posix files of this room share: errno to Status, retry after EINTR, an owned file descriptor.
// Not for other rooms.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "holdfast/status.h"

namespace holdfast::os {

/// "<operation> <path>: <strerror>", with advice where the user can do something about it.
/// ENOSPC and EDQUOT -> disk_full, ENOENT -> not_found, EEXIST and ENOTEMPTY -> already_exists, else io_error.
[[nodiscard]] Status error_status(std::string_view operation, std::string_view path, int error);

/// Calls until it is not interrupted. Only EINTR is ever retried: an EIO of fsync is reported once by the kernel and
/// would be answered by success the second time.
template <class Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

/// Closes at destruction. The outcome of close is of no interest: what must be durable was synced before.
class FileDescriptor {
 public:
  FileDescriptor() noexcept = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_ = -1;
};

/// open(2), O_CLOEXEC, EINTR retried; new files get mode 0644 (less the umask).
[[nodiscard]] Result<FileDescriptor> open_descriptor(std::string_view operation, const std::string& path, int flags);

}  // namespace holdfast::os
