#include "demo_watch.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "demo_events.h"
#include "progress_bar.h"

namespace demo {
namespace {

using holdfast::Result;
using holdfast::Status;
using holdfast::StatusCode;
using Clock = std::chrono::steady_clock;

Status system_error(const char* call) {
  return {StatusCode::io_error, std::string(call) + ": " + std::strerror(errno)};
}

/// The child process and the reading end of its pipe. The destructor leaves neither behind.
class Child {
 public:
  static Result<Child> start(const Paths& paths, const std::filesystem::path& wordnet_directory) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return system_error("pipe2");
    const std::string descriptor = std::to_string(pipe[1]);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody is left to watch it if this process goes
      if (::getppid() != parent) ::_exit(127);
      ::fcntl(pipe[1], F_SETFD, 0);
      ::execl("/proc/self/exe", "wordnet_demo", "ingest", "--dir", paths.directory.c_str(), "--wordnet",
              wordnet_directory.c_str(), "--event-pipe", descriptor.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(pipe[1]);
    if (pid < 0) {
      ::close(pipe[0]);
      return system_error("fork");
    }
    return Child(pid, pipe[0]);
  }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), pipe_(std::exchange(other.pipe_, -1)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ > 0) {
      kill_now();
      (void)wait_for_end();
    }
    if (pipe_ >= 0) ::close(pipe_);
  }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] int pipe() const noexcept { return pipe_; }
  void kill_now() const noexcept { ::kill(pid_, SIGKILL); }
  /// The wait status.
  int wait_for_end() noexcept {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  Child(pid_t pid, int pipe) noexcept : pid_(pid), pipe_(pipe) {}
  pid_t pid_;
  int pipe_;
};

void follow(const Event& event, RunResult& run) {
  run.seen_event = true;
  switch (event.kind) {
    case EventKind::about_to_write: run.in_batch = true; break;
    case EventKind::acknowledged:
      run.in_batch = false;
      run.acknowledged = event.begin + event.count;
      run.growing = event.growing;
      break;
    case EventKind::checkpoint_begins: run.in_checkpoint = true; break;
    case EventKind::checkpoint_ends: run.in_checkpoint = false; break;
    case EventKind::finished: break;
  }
}

bool has_come(const Kill& kill, const Event& event, const RunResult& run, std::uint64_t total) {
  if (static_cast<double>(run.acknowledged) < kill.at * static_cast<double>(total)) return false;
  switch (kill.moment) {
    case Moment::anything: return true;
    case Moment::writing_a_batch: return event.kind == EventKind::about_to_write;
    case Moment::writing_a_checkpoint: return event.kind == EventKind::checkpoint_begins;
  }
  return true;
}

}  // namespace

std::vector<Kill> plan_kills(unsigned count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto unit = [&random] { return static_cast<double>(random() >> 11) * 0x1.0p-53; };
  constexpr std::array kMoments{Moment::writing_a_checkpoint, Moment::anything, Moment::writing_a_batch};
  std::vector<Kill> kills;
  for (unsigned i = 0; i < count; ++i) {
    const Moment moment = kMoments[i % kMoments.size()];
    // A batch takes a millisecond or a few, a checkpoint tens of them.
    const double delay_us_max = moment == Moment::writing_a_batch ? 3'000 : 30'000;
    kills.push_back({.at = 0.1 + 0.8 * (i + unit()) / count,
                     .moment = moment,
                     .delay = std::chrono::microseconds(static_cast<std::int64_t>(unit() * delay_us_max))});
  }
  return kills;
}

Result<RunResult> run_ingest(const Paths& paths, const std::filesystem::path& wordnet_directory, Record& record,
                             std::uint64_t start, std::uint64_t total, const Kill* kill) {
  auto child = Child::start(paths, wordnet_directory);
  if (!child.ok()) return child.status();
  RunResult run;
  run.pid = child->pid();
  run.acknowledged = start;
  ProgressBar progress("ingesting", start, total);
  std::optional<Clock::time_point> deadline;
  bool finished = false;
  bool ended = false;
  while (!ended) {
    std::optional<std::chrono::microseconds> timeout;
    if (deadline && !run.killed) {
      timeout = std::max(std::chrono::microseconds(0),
                         std::chrono::duration_cast<std::chrono::microseconds>(*deadline - Clock::now()));
    }
    // After the kill, what it had said before is still in the pipe, and counts.
    const std::optional<Event> event = receive_event(child->pipe(), timeout, ended);
    if (event) {
      follow(*event, run);
      finished = event->kind == EventKind::finished;
      if (Status status = record.note(*event); !status.ok()) return status;
      progress.update(run.acknowledged);
      if (kill != nullptr && !deadline && has_come(*kill, *event, run, total)) deadline = Clock::now() + kill->delay;
    }
    if (deadline && !run.killed && Clock::now() >= *deadline) {
      child->kill_now();
      run.killed = true;
    }
  }
  progress.finish();
  const int status = child->wait_for_end();
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && run.killed) return run;
  run.killed = false;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && finished) return run;
  return Status(StatusCode::internal, "the ingesting process ended by itself, wait status " + std::to_string(status));
}

}  // namespace demo
