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
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail(std::string("pipe: ") + std::strerror(errno));
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  const int error = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  output_ = ends[0];
  if (error != 0) fail("cannot start " + program + ": " + std::strerror(error));
}

Child::~Child() {
  if (pid_ >= 0) {
    kill();
    wait();
  }
  ::close(output_);
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

void Child::kill() { ::kill(pid_, SIGKILL); }

bool Child::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace holdfast::bench
