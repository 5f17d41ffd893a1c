#include "cli/interrupt.h"

#include <atomic>
#include <csignal>
#include <ctime>

namespace holdfast::cli {
namespace {

// Written by the handler, on whichever thread it runs; the first is read by the commands. No other data depends on
// them.
std::atomic<int> stop_requested{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");
std::atomic<std::time_t> requested_at{0};

extern "C" void request_stop(int number) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);  // async-signal-safe
  if (stop_requested == 0) {
    requested_at = now.tv_sec;
    stop_requested = 1;
  } else if (now.tv_sec > requested_at + 1) {
    std::signal(number, SIG_DFL);
    std::raise(number);
  }
}

}  // namespace

void catch_interrupts() noexcept {
  struct sigaction action {};
  action.sa_handler = request_stop;
  action.sa_flags = SA_RESTART;
  ::sigaddset(&action.sa_mask, SIGINT);  // one at a time: the handler's own data needs no more
  ::sigaddset(&action.sa_mask, SIGTERM);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept { return stop_requested != 0; }

}  // namespace holdfast::cli
