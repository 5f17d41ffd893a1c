// How large a run of the crash tests is, which part of it this process does, and what it says at its end.
//   HOLDFAST_CRASH_STATES      states to explore in all (default 10,000; a tenth of it under a sanitizer). From
//                              1,000,000 on the short workloads are explored exhaustively
//   HOLDFAST_CRASH_EXHAUSTIVE  1: explore them exhaustively whatever the number of states
//   HOLDFAST_CRASH_SEED        seed of the first workload (default 1)
//   HOLDFAST_CRASH_SHARD       "i/n": this is process i (from 0) of n, which share the work; each of them does its n-th
//                              of the states, on workloads that no other has
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "base/sanitizer.h"
#include "support/explorer.h"

namespace holdfast::testing {

inline constexpr std::uint64_t kSlowdown = HF_SANITIZED ? 10 : 1;

struct CrashLab {
  std::uint64_t states = number_from_environment("HOLDFAST_CRASH_STATES", 10'000 / kSlowdown);
  std::uint64_t seed = number_from_environment("HOLDFAST_CRASH_SEED", 1);
  bool exhaustive = states >= 1'000'000 || number_from_environment("HOLDFAST_CRASH_EXHAUSTIVE", 0) != 0;
  std::uint64_t shard = 0;
  std::uint64_t shards = 1;

  CrashLab() {
    const char* text = std::getenv("HOLDFAST_CRASH_SHARD");
    if (text == nullptr || *text == 0) return;
    char* slash = nullptr;
    shard = std::strtoull(text, &slash, 10);
    if (*slash == '/') shards = std::strtoull(slash + 1, nullptr, 10);
    if (shards == 0 || shard >= shards) {
      ADD_FAILURE() << "HOLDFAST_CRASH_SHARD is i/n with i < n, not " << text;
      shard = 0;
      shards = 1;
    }
  }
  [[nodiscard]] bool is_mine(std::uint64_t workload) const noexcept { return workload % shards == shard; }
};

/// Prints the figures on one line, and fails for every failure.
class CrashReport {
 public:
  CrashReport(const CrashLab& lab, const char* test) : lab_(lab), test_(test) {}

  void print(const Explorer& explorer) const {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const double busy = static_cast<double>(std::clock() - busy_start_) / CLOCKS_PER_SEC;
    const Explorer::Figures& figures = explorer.figures();
    const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    std::printf(
        "crash states: explored %llu, workloads %llu, calls %llu, produced %llu, in recovery %llu (of %llu roots), %s, "
        "shard %llu/%llu, seed %llu, %.1f s (%.1f s of it busy)\n",
        number(figures.explored), number(figures.workloads), number(figures.calls), number(figures.produced),
        number(figures.in_recovery), number(figures.roots), test_, number(lab_.shard), number(lab_.shards),
        number(lab_.seed), seconds, busy);
    for (const std::string& failure : explorer.failures()) ADD_FAILURE() << failure;
  }

 private:
  const CrashLab& lab_;
  const char* test_;
  std::clock_t busy_start_ = std::clock();
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace holdfast::testing
