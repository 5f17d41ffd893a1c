#include "crash/kill_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace holdfast::testing {
namespace {

using Kind = KillEvent::Kind;
using Clock = std::chrono::steady_clock;

/// In the child: becomes the worker.
[[noreturn]] void become_worker(const KillStore& store, std::uint64_t seed, const KillPlan& plan, int pipe) {
  std::vector<std::string> arguments{"kill_worker",
                                     store.path,
                                     std::to_string(seed),
                                     std::to_string(pipe),
                                     store.backup.empty() ? "-" : store.backup,
                                     store.mount.empty() ? "-" : store.mount};
  if (plan.point) {
    arguments.push_back(std::to_string(static_cast<std::uint32_t>(*plan.point)));
    arguments.push_back(std::to_string(plan.passing));
    arguments.push_back(std::to_string(static_cast<std::uint32_t>(plan.manner)));
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::fcntl(pipe, F_SETFD, 0);
  // Behind a cut every call fails, and the worker says so; elsewhere an error is a finding.
  if (plan.manner != KillManner::kill) ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
  ::execv(HOLDFAST_KILL_WORKER, argv.data());
  ::_exit(127);
}

std::string name_of(const KillPlan& plan) {
  if (plan.point) return std::string("before ") + std::string(to_string(*plan.point));
  if (!plan.event) return "any";
  switch (*plan.event) {
    case Kind::opening: return "open";
    case Kind::closing: return "close";
    case Kind::checkpoint_begins: return "checkpoint";
    case Kind::vacuum_begins: return "vacuum";
    case Kind::backup_begins: return "backup";
    case Kind::create_begins: return "create";
    case Kind::drop_begins: return "drop";
    default: return "event";
  }
}

}  // namespace

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : otherwise;
}

bool KillPlan::in_recovery() const noexcept {
  if (point)
    return *point == KillPoint::seal_copied || *point == KillPoint::seal_named || *point == KillPoint::open_call;
  return event == Kind::opening;
}

KillPlan plan_kill(SeededRandom& random, KillManner manner) {
  KillPlan plan;
  plan.manner = manner;
  if (manner != KillManner::kill && random.below(4) == 0) plan.manner = KillManner::cut_flush;
  const bool backups = manner == KillManner::kill;  // a backup may hold what a power cut takes from the store
  plan.delay = std::chrono::microseconds(random.below(random.below(2) == 0 ? 200 : 5'000));
  if (random.below(2) == 0) {
    const auto point = static_cast<KillPoint>(random.below(kKillPoints));
    const bool in_backup = point == KillPoint::backup_copied || point == KillPoint::backup_swapped;
    plan.point = in_backup && !backups ? KillPoint::log_written : point;
    plan.passing = 1 + random.below(passings(*plan.point));
    plan.events = 1'500;  // patience, should it not get there
    return plan;
  }
  switch (random.below(10)) {
    case 0: plan.event = Kind::opening; break;  // in recovery
    case 1: plan.event = Kind::closing; break;  // in the last checkpoint, or the worker gets away
    case 2:
    case 3:
      plan.event = Kind::checkpoint_begins;
      plan.events = 1 + random.below(4);
      break;
    case 4: plan.event = Kind::vacuum_begins; break;
    case 5: plan.event = backups ? Kind::backup_begins : Kind::drop_begins; break;
    case 6: plan.event = random.below(2) == 0 ? Kind::create_begins : Kind::drop_begins; break;
    default: plan.events = 1 + random.below(1'000); break;
  }
  return plan;
}

LifeOutcome live(const KillStore& store, std::uint64_t seed, const KillPlan& plan, KillOracle& oracle) {
  std::array<int, 2> pipe{};
  EXPECT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const pid_t pid = ::fork();
  if (pid == 0) become_worker(store, seed, plan, pipe[1]);
  ::close(pipe[1]);
  EXPECT_GT(pid, 0);

  LifeOutcome life;
  oracle.begin_life(seed);
  std::uint64_t seen = 0;
  std::optional<Clock::time_point> deadline;
  bool ended_by_us = false;
  for (bool ended = pid < 0; !ended;) {
    std::optional<std::chrono::microseconds> timeout;
    if (deadline && !ended_by_us) {
      timeout = std::max(std::chrono::microseconds(0),
                         std::chrono::duration_cast<std::chrono::microseconds>(*deadline - Clock::now()));
    }
    // What it said before it died is still in the pipe after the kill, and counts.
    if (const auto event = receive(pipe[0], timeout, ended)) {
      oracle.follow(*event);
      if (event->kind == Kind::point_reached) {
        life.reached = to_string(static_cast<KillPoint>(event->number));
        life.cut = plan.manner != KillManner::kill;
      }
      seen += !plan.event || *plan.event == event->kind ? 1 : 0;
      if (seen >= plan.events && !deadline) deadline = Clock::now() + plan.delay;
    }
    if (deadline && !ended_by_us && Clock::now() >= *deadline) {
      if (plan.manner != KillManner::kill) {
        life.cut = true;
        EXPECT_TRUE(cut_power(store.mount.c_str(), plan.manner)) << "FS_IOC_SHUTDOWN: " << std::strerror(errno);
      }
      ::kill(pid, SIGKILL);
      ended_by_us = true;
    }
  }
  ::close(pipe[0]);
  ::waitpid(pid, &life.wait_status, 0);
  life.killed = WIFSIGNALED(life.wait_status) && WTERMSIG(life.wait_status) == SIGKILL;
  if ((life.killed || life.cut) && life.reached.empty()) life.reached = name_of(plan);
  return life;
}

std::string ReachedPoints::to_string() const {
  std::string text;
  for (const auto& [name, count] : counts_) text += (text.empty() ? "" : ", ") + name + " " + std::to_string(count);
  return "{" + text + "}";
}

}  // namespace holdfast::testing
