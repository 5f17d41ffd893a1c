#include "os/posix_error.h"

#include <fcntl.h>
#include <unistd.h>

#include <system_error>

namespace holdfast::os {
namespace {

StatusCode code_of(int error) noexcept {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return StatusCode::disk_full;
    case ENOENT: return StatusCode::not_found;
    case EEXIST:
    case ENOTEMPTY: return StatusCode::already_exists;
    default: return StatusCode::io_error;
  }
}

std::string_view advice_for(int error) noexcept {
  switch (error) {
    case ENOSPC: return "; free space on this file system or move the store to a larger one, then try again";
    case EDQUOT: return "; raise the disk quota or free space within it, then try again";
    case EMFILE: return "; raise the limit of open files (ulimit -n)";
    case ENFILE: return "; raise the system's limit of open files (fs.file-max)";
    case EACCES:
    case EPERM: return "; check the owner and the permissions";
    case EROFS: return "; remount the file system for writing";
    default: return "";
  }
}

}  // namespace

Status error_status(std::string_view operation, std::string_view path, int error) {
  std::string message;
  message.append(operation).append(" ").append(path).append(": ");
  message += std::generic_category().message(error);  // strerror, but safe with threads
  message += advice_for(error);
  return Status(code_of(error), std::move(message));
}

FileDescriptor::~FileDescriptor() {
  // Not retried on EINTR: on Linux the descriptor is gone by then and may already belong to another thread.
  if (fd_ >= 0) ::close(fd_);
}

Result<FileDescriptor> open_descriptor(std::string_view operation, const std::string& path, int flags) {
  constexpr mode_t kMode = 0644;
  const int fd = retry_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kMode); });
  if (fd < 0) return error_status(operation, path, errno);
  return FileDescriptor(fd);
}

}  // namespace holdfast::os
