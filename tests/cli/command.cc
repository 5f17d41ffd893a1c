#include "cli/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sstream>

namespace holdfast::cli::test {
namespace {

/// Appends what can be read; false at the end of the stream.
bool read_some(int descriptor, std::string& out) {
  char buffer[4096];
  const ssize_t n = ::read(descriptor, buffer, sizeof buffer);
  if (n > 0) out.append(buffer, static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && errno == EINTR);
}

void read_both(int out, std::string& out_text, int err, std::string& err_text) {
  pollfd streams[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string* texts[2] = {&out_text, &err_text};
  for (int open = 2; open > 0;) {
    if (::poll(streams, 2, -1) < 0) continue;  // EINTR
    for (int i = 0; i < 2; ++i) {
      if (streams[i].fd >= 0 && streams[i].revents != 0 && !read_some(streams[i].fd, *texts[i])) {
        streams[i].fd = -1;
        --open;
      }
    }
  }
}

}  // namespace

std::vector<Json> CommandResult::json_lines() const {
  std::vector<Json> values;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) values.push_back(Json::parse(line));
  return values;
}

Json CommandResult::json() const { return Json::parse(out); }

bool CommandResult::is_one_error_line() const {
  return err.starts_with("holdfast: ") && err.ends_with('\n') && err.find('\n') == err.size() - 1;
}

CommandResult holdfast(const std::vector<std::string>& arguments) { return RunningCommand(arguments).wait(); }

RunningCommand::RunningCommand(const std::vector<std::string>& arguments) {
  std::vector<char*> argv{const_cast<char*>(HOLDFAST_COMMAND)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  int out[2], err[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) std::abort();
  pid_ = ::fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

RunningCommand::~RunningCommand() {
  if (!waited_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(out_);
  ::close(err_);
}

bool RunningCommand::next_error_line(std::string& line) {
  for (;;) {
    if (const std::size_t end = err_buffer_.find('\n'); end != std::string::npos) {
      line = err_buffer_.substr(0, end);
      err_buffer_.erase(0, end + 1);
      return true;
    }
    if (!read_some(err_, err_buffer_)) return false;
  }
}

void RunningCommand::signal(int number) const { ::kill(pid_, number); }

CommandResult RunningCommand::wait() {
  CommandResult result;
  result.err = std::move(err_buffer_);
  read_both(out_, result.out, err_, result.err);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  waited_ = true;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace holdfast::cli::test
