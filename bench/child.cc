#include "bench/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "bench/report.h"

namespace holdfast::bench {

Child::Child(const std::vector<std::string>& arguments) {
  start(std::filesystem::read_symlink("/proc/self/exe").string(), arguments, false);
}

Child::Child(const std::string& program, const std::vector<std::string>& arguments) {
  std::signal(SIGPIPE, SIG_IGN);  // a child that has ended is noticed by write_line()
  start(program, arguments, true);
}

void Child::start(const std::string& program, const std::vector<std::string>& arguments, bool with_input) {
  std::array<int, 2> out{};
  std::array<int, 2> in{-1, -1};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || (with_input && ::pipe2(in.data(), O_CLOEXEC) != 0)) {
    fail(std::string("pipe: ") + std::strerror(errno));
  }
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  if (with_input) ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  const int error = ::posix_spawnp(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  output_ = out[0];
  if (with_input) {
    ::close(in[0]);
    input_ = in[1];
  }
  if (error == 0) return;
  pid_ = -1;
  if (!with_input) fail("cannot start " + program + ": " + std::strerror(error));
}

Child::~Child() {
  if (pid_ >= 0) {
    kill();
    wait();
  }
  ::close(output_);
  if (input_ >= 0) ::close(input_);
}

std::size_t Child::read(std::span<char> buffer) {
  while (true) {
    const ssize_t got = ::read(output_, buffer.data(), buffer.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) fail(std::string("reading from a child: ") + std::strerror(errno));
  }
}

std::string Child::read_all() {
  std::string all;
  std::array<char, 4096> buffer;
  while (const std::size_t got = read(buffer)) all.append(buffer.data(), got);
  return all;
}

std::optional<std::string> Child::read_line() {
  std::array<char, 1 << 16> buffer;
  std::size_t searched = 0;
  while (true) {
    const auto end = unread_.find('\n', searched);
    if (end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    searched = unread_.size();
    const std::size_t got = read(buffer);
    if (got == 0) return std::nullopt;
    unread_.append(buffer.data(), got);
  }
}

bool Child::write_line(const std::string& line) {
  const std::string text = line + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t put = ::write(input_, text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    done += static_cast<std::size_t>(put);
  }
  return true;
}

void Child::kill() { ::kill(pid_, SIGKILL); }

bool Child::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace holdfast::bench
