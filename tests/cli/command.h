// Runs the built command as its users do: another process, arguments, exit code, two streams.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace holdfast::cli::test {

using Json = nlohmann::json;

struct CommandResult {
  int exit_code = -1;  ///< 128 + signal if one ended it
  std::string out;
  std::string err;

  /// Each line of stdout as JSON.
  [[nodiscard]] std::vector<Json> json_lines() const;
  /// Stdout as one JSON value.
  [[nodiscard]] Json json() const;
  /// Whether stderr is one line that begins with "holdfast: ".
  [[nodiscard]] bool is_one_error_line() const;
};

/// Arguments without the program's name. Waits for the end.
CommandResult holdfast(const std::vector<std::string>& arguments);

/// A command that runs beside the test.
class RunningCommand {
 public:
  explicit RunningCommand(const std::vector<std::string>& arguments);
  RunningCommand(const RunningCommand&) = delete;
  RunningCommand& operator=(const RunningCommand&) = delete;
  /// Kills what still runs.
  ~RunningCommand();

  /// The next line of stderr without its end; false at the end. Blocks until there is one.
  bool next_error_line(std::string& line);
  void signal(int number) const;
  /// Reads the rest of both streams and waits.
  CommandResult wait();

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string err_buffer_;
  bool waited_ = false;
};

}  // namespace holdfast::cli::test
