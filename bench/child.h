// A second process of this program, whose standard output is read here: for opening a store in a process that has
// done nothing else yet, and for killing a writer.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace holdfast::bench {

class Child {
 public:
  /// Runs this very program with other arguments.
  explicit Child(const std::vector<std::string>& arguments);
  /// Kills what still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Up to `buffer.size()` bytes of its output; 0 once it has ended.
  [[nodiscard]] std::size_t read(std::span<char> buffer);
  [[nodiscard]] std::string read_all();
  /// SIGKILL.
  void kill();
  /// True if it ended by itself with status 0.
  bool wait();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace holdfast::bench
