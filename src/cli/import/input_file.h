// A regular file that is read at offsets, never as a whole.
//
// Every error is one sentence that names the path and ends with what to do. Files that shrink while they are read
// give "truncated", never a short block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "holdfast/status.h"

namespace holdfast::cli {

class InputFile {
 public:
  /// Errors: not_found, invalid_argument (a directory, a pipe), io_error.
  [[nodiscard]] static Result<InputFile> open(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Last modification, nanoseconds since the epoch.
  [[nodiscard]] std::int64_t modified_ns() const noexcept { return modified_ns_; }

  /// Fills `out` from `offset` on, or fails.
  [[nodiscard]] Status read_at(std::uint64_t offset, std::span<std::byte> out) const;

  /// "path: what" as an invalid_argument: the file is not what it claims to be.
  [[nodiscard]] Status wrong(const std::string& what) const;

 private:
  InputFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
  std::uint64_t size_ = 0;
  std::int64_t modified_ns_ = 0;
};

}  // namespace holdfast::cli
