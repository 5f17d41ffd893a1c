// The write path, checkpoints and recovery with a crash at every call of random workloads (tests/crash/explorer.h).
//   HOLDFAST_CRASH_STATES  states to explore in the main test (default 20,000; less under a sanitizer); the others
//                          explore a fifth of it
//   HOLDFAST_CRASH_SEED    seed of the first workload (default 1)
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "crash/explorer.h"

namespace holdfast::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kSlowdown = 10;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::uint64_t kSlowdown = 10;
#else
constexpr std::uint64_t kSlowdown = 1;
#endif
#else
constexpr std::uint64_t kSlowdown = 1;
#endif

std::uint64_t main_states() { return number_from_environment("HOLDFAST_CRASH_STATES", 20'000 / kSlowdown); }
std::uint64_t first_seed() { return number_from_environment("HOLDFAST_CRASH_SEED", 1); }

/// Explores workload after workload until `states` states are done; prints the figures.
void explore(const char* name, Explorer& explorer, std::uint64_t states) {
  const auto start = std::chrono::steady_clock::now();
  const std::uint64_t seed = first_seed();
  while (explorer.explored() < states && explorer.failures().empty()) explorer.explore(seed + explorer.workloads());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf(
      "%s: states explored: %llu, workloads: %llu, seed: %llu (produced: %llu, in recovery: %llu, calls: %llu, "
      "%.1f s, %.0f states/s)\n",
      name, static_cast<unsigned long long>(explorer.explored()), static_cast<unsigned long long>(explorer.workloads()),
      static_cast<unsigned long long>(seed), static_cast<unsigned long long>(explorer.produced()),
      static_cast<unsigned long long>(explorer.in_recovery()), static_cast<unsigned long long>(explorer.calls()),
      seconds, static_cast<double>(explorer.explored()) / seconds);
  for (const std::string& failure : explorer.failures()) ADD_FAILURE() << failure;
}

TEST(CrashExplorer, AcknowledgedWritesSurviveACrashAtEveryCall) {
  Explorer explorer({.shape = {}, .sample_percent = 30});
  explore("sync", explorer, main_states());
}

TEST(CrashExplorer, WeakDurabilityLosesOnlyASuffixOfWholeBatches) {
  Explorer explorer({.shape = {.weak_durability = true}, .sample_percent = 20});
  explore("interval and none", explorer, main_states() / 5);
}

TEST(CrashExplorer, CrashesDuringRecoveryAreLikeOneCrash) {
  Explorer explorer(
      {.shape = {}, .random_states_per_call = 4, .sample_percent = 10, .recovery_sample = 8, .recovery_depth = 1});
  explore("recovery, one deep", explorer, main_states() / 5);
}

TEST(CrashExplorer, CrashesDuringRecoveryThreeDeep) {
  Explorer explorer({.shape = {.steps = 16},
                     .random_states_per_call = 4,
                     .sample_percent = 10,
                     .recovery_sample = 20,
                     .recovery_depth = 3});
  explore("recovery, three deep", explorer, main_states() / 5);
}

}  // namespace
}  // namespace holdfast::testing
