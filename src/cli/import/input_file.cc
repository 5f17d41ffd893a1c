#include "cli/import/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace holdfast::cli {
namespace {

Status system_error(const std::string& path, const char* action, int error) {
  const StatusCode code = error == ENOENT ? StatusCode::not_found : StatusCode::io_error;
  const char* advice = error == ENOENT ? "check the path" : "check the file and its permissions";
  return {code, path + ": cannot " + action + " (" + std::strerror(error) + "): " + advice};
}

}  // namespace

Result<InputFile> InputFile::open(const std::string& path) {
  // O_NONBLOCK: a pipe without a writer is refused below instead of blocking here.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return system_error(path, "open", errno);
  InputFile file(path, descriptor);
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return system_error(path, "read its size", errno);
  if (!S_ISREG(info.st_mode)) return file.wrong("is no regular file: give the path of a file on disk");
  file.size_ = static_cast<std::uint64_t>(info.st_size);
  file.modified_ns_ = info.st_mtim.tv_sec * std::int64_t{1'000'000'000} + info.st_mtim.tv_nsec;
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      modified_ns_(other.modified_ns_) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status InputFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path_, "read", errno);
    if (n == 0) {
      return wrong("ends at byte " + std::to_string(offset + done) + ", in the middle of its data: the file is " +
                   "truncated or still being written; copy it again");
    }
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Status InputFile::wrong(const std::string& what) const { return {StatusCode::invalid_argument, path_ + ": " + what}; }

}  // namespace holdfast::cli
