#include "crash/loop_mount.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace holdfast::testing {
namespace {

/// Small, so that a cut costs little; xfs takes nothing smaller.
constexpr off_t kExt4Bytes = off_t{192} << 20;
constexpr off_t kXfsBytes = off_t{320} << 20;

std::string error_of(const std::string& what) { return what + ": " + std::strerror(errno); }

/// Runs a command with its output thrown away. Empty if it ends with 0.
std::string run(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return error_of("fork");
  if (pid == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, STDOUT_FILENO);
    ::dup2(null, STDERR_FILENO);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return "there is no " + command[0];
  return command[0] + " failed, status " + std::to_string(status);
}

/// Mounts of this process are its own from here on.
std::string leave_mount_namespace() {
  static bool left = false;
  if (left) return {};
  if (::unshare(CLONE_NEWNS) != 0) return error_of("a mount namespace of its own");
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return error_of("private mounts");
  left = true;
  return {};
}

}  // namespace

LoopMount::LoopMount(std::string type, std::string image, std::string place)
    : type_(std::move(type)), image_(std::move(image)), place_(std::move(place)) {}

LoopMount::~LoopMount() { (void)unmount(); }

std::string LoopMount::make() {
  if (::geteuid() != 0) return "it needs root";
  if (std::string wrong = leave_mount_namespace(); !wrong.empty()) return wrong;
  const int file = ::open(image_.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return error_of(image_);
  const bool sized = ::ftruncate(file, type_ == "xfs" ? kXfsBytes : kExt4Bytes) == 0;
  ::close(file);
  if (!sized) return error_of(image_);
  const std::string quiet_and_force = type_ == "xfs" ? "-qf" : "-qF";
  if (std::string wrong = run({"mkfs." + type_, quiet_and_force, image_}); !wrong.empty()) return wrong;
  return ::mkdir(place_.c_str(), 0700) == 0 || errno == EEXIST ? std::string() : error_of(place_);
}

std::string LoopMount::mount() {
  std::string wrong = run({"mount", "-t", type_, "-o", "loop", image_, place_});
  mounted_ = wrong.empty();
  return wrong.empty() ? wrong : "no loop mount: " + wrong;
}

std::string LoopMount::unmount() {
  if (!std::exchange(mounted_, false)) return {};
  // Also detaches the loop device, which goes with its last user.
  return ::umount2(place_.c_str(), 0) == 0 ? std::string() : error_of("umount " + place_);
}

}  // namespace holdfast::testing
