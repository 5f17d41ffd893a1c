// A second process, whose standard output is read here: this program, for opening a store in a process that has done
// nothing else yet and for killing a writer, or another one that takes commands on its standard input.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace holdfast::bench {

class Child {
 public:
  /// Runs this very program with other arguments.
  explicit Child(const std::vector<std::string>& arguments);
  /// Runs `program` (looked up in PATH), with a pipe for its standard input. A program that cannot be started is one
  /// that has ended.
  Child(const std::string& program, const std::vector<std::string>& arguments);
  /// Kills what still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Up to `buffer.size()` bytes of its output; 0 once it has ended.
  [[nodiscard]] std::size_t read(std::span<char> buffer);
  [[nodiscard]] std::string read_all();
  /// The next line of its output, without the end of line; nothing once it has ended. Not to be mixed with read().
  [[nodiscard]] std::optional<std::string> read_line();
  /// `line` and an end of line to its standard input. False if nobody reads there any more.
  [[nodiscard]] bool write_line(const std::string& line);
  /// SIGKILL.
  void kill();
  /// True if it ended by itself with status 0.
  bool wait();

 private:
  void start(const std::string& program, const std::vector<std::string>& arguments, bool with_input);

  pid_t pid_ = -1;
  int output_ = -1;
  int input_ = -1;
  std::string unread_;  // of read_line()
};

}  // namespace holdfast::bench
