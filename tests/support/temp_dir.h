// A directory of the real file system that goes away with its object.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace holdfast::testing {

class TempDir {
 public:
  enum class On { disk, memory };
  /// Under $TMPDIR, else /tmp; in memory, where there is such a file system: for tests that sync much and mean none of
  /// it. Throws if that is impossible: a test without its directory means nothing.
  explicit TempDir(On on = On::disk) {
    std::error_code none;
    const std::filesystem::path memory = "/dev/shm";
    const bool in_memory = on == On::memory && std::filesystem::is_directory(memory, none) && !none;
    std::string pattern =
        ((in_memory ? memory : std::filesystem::temp_directory_path()) / "holdfast-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(), "mkdtemp " + pattern);
    }
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;  // a left-over directory must not turn a green test red
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace holdfast::testing
