// What a figure needs beside it: the machine, the disk, the memory of this process, and a clock.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace holdfast::bench {

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  [[nodiscard]] double ms() const { return seconds() * 1e3; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Processor time that this process has used, all threads together. Other programs hardly change it.
[[nodiscard]] double processor_seconds();
/// The same of the calling thread alone.
[[nodiscard]] double thread_processor_seconds();

/// Resident memory of this process in bytes.
struct Memory {
  std::uint64_t anonymous = 0;  ///< heap and stacks
  std::uint64_t file = 0;       ///< pages of mapped files
  [[nodiscard]] std::uint64_t total() const { return anonymous + file; }
};
[[nodiscard]] Memory resident_memory();
/// After the allocator gave back what it can: what is left is in use, or fragmentation.
[[nodiscard]] Memory trimmed_memory();

/// Processor, cores, kernel, memory, file system and device of `directory`, load, compiler, time (UTC).
[[nodiscard]] nlohmann::json describe_machine(const std::filesystem::path& directory);
/// The same as two lines of text.
[[nodiscard]] std::string machine_text(const nlohmann::json& machine);
/// Runnable processes, averaged over the last minute.
[[nodiscard]] double load_average();

/// A fresh directory under `parent`, removed with everything in it when the object goes.
class Scratch {
 public:
  explicit Scratch(const std::filesystem::path& parent);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  /// A path in it that does not exist yet.
  [[nodiscard]] std::filesystem::path fresh(const std::string& name);

 private:
  std::filesystem::path path_;
  int count_ = 0;
};

}  // namespace holdfast::bench
