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

using Clock = std::chrono::steady_clock;

void report(const char* name, const Explorer& explorer, Clock::time_point start) {
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::printf(
      "%s: states explored: %llu, workloads: %llu, seed: %llu (produced: %llu, in recovery: %llu, calls: %llu, "
      "%.1f s, %.0f states/s)\n",
      name, static_cast<unsigned long long>(explorer.explored()), static_cast<unsigned long long>(explorer.workloads()),
      static_cast<unsigned long long>(first_seed()), static_cast<unsigned long long>(explorer.produced()),
      static_cast<unsigned long long>(explorer.in_recovery()), static_cast<unsigned long long>(explorer.calls()),
      seconds, static_cast<double>(explorer.explored()) / seconds);
  for (const std::string& failure : explorer.failures()) ADD_FAILURE() << failure;
}

/// Explores workload after workload until `states` states are done; prints the figures.
void explore(const char* name, Explorer& explorer, std::uint64_t states) {
  const auto start = Clock::now();
  while (explorer.explored() < states && explorer.failures().empty()) {
    explorer.explore(first_seed() + explorer.workloads());
  }
  report(name, explorer, start);
}

/// Every kind of step that a workload can take, as the `n`-th letter of an alphabet.
constexpr std::uint64_t kLetters = 9;
Step letter(std::uint64_t n, std::uint64_t seed) {
  SeededRandom random(seed);
  Step step;
  step.collection = "a";
  const PointId one = workload_ids()[0];
  const PointId two = workload_ids()[1];
  switch (n) {
    case 0: step.batch.upsert(one, random_vector(random, 4), R"({"a":1})"); break;
    case 1:
      step.batch.upsert(one, random_vector(random, 4));
      step.batch.upsert(two, random_vector(random, 4), R"({"b":2})");
      step.batch.set_marker(workload_markers()[0], std::to_string(seed));
      break;
    case 2: step.batch.erase(one); break;
    case 3: step.kind = Step::Kind::checkpoint; break;
    case 4: step.kind = Step::Kind::index; break;
    case 5: step.kind = Step::Kind::reopen; break;
    case 6: step.kind = Step::Kind::vacuum; break;
    case 7: {
      std::vector<float> vectors = random_vector(random, 4);
      const std::vector<float> second = random_vector(random, 4);
      vectors.insert(vectors.end(), second.begin(), second.end());
      step.batch.upsert_values(one, vectors, 2, R"({"c":3})");
      break;
    }
    default: step.kind = Step::Kind::drop; break;
  }
  return step;
}

TEST(CrashExplorer, AcknowledgedWritesSurviveACrashAtEveryCall) {
  Explorer explorer({.shape = {}, .sample_percent = 30});
  explore("sync", explorer, main_states());
}

TEST(CrashExplorer, WeakDurabilityLosesOnlyASuffixOfWholeBatches) {
  Explorer explorer({.shape = {.weak_durability = true}, .sample_percent = 20});
  explore("interval and none", explorer, main_states() / 5);
}

TEST(CrashExplorer, ChurnAndVacuumLeaveNoGhostsAndResurrectNothing) {
  Explorer explorer({.shape = {.steps = 40, .collections = 1, .churn = true, .large = false}, .sample_percent = 20});
  explore("churn", explorer, main_states() / 4);
}

TEST(CrashExplorer, ChurnWithWeakDurabilityLosesOnlyASuffix) {
  Explorer explorer({.shape = {.steps = 40, .collections = 1, .weak_durability = true, .churn = true, .large = false},
                     .sample_percent = 20});
  explore("churn, interval and none", explorer, main_states() / 10);
}

TEST(CrashExplorer, EverySequenceOfThreeSteps) {
  Explorer explorer({.shape = {}, .random_states_per_call = 4, .sample_percent = kSlowdown > 1 ? 1u : 3u});
  const auto start = Clock::now();
  for (std::uint64_t n = 0; n < kLetters * kLetters * kLetters && explorer.failures().empty(); ++n) {
    Step create;
    create.kind = Step::Kind::create;
    create.collection = "a";
    create.config = {.dimension = 4, .metric = Metric::l2, .m = 6, .ef_construction = 32};
    const std::uint64_t seed = first_seed() * 1'000 + n;
    const bool used_after_drop = n % kLetters == kLetters - 1 || n / kLetters % kLetters == kLetters - 1;
    if (used_after_drop) continue;
    explorer.explore({create, letter(n % kLetters, seed), letter(n / kLetters % kLetters, seed + 1),
                      letter(n / kLetters / kLetters, seed + 2)},
                     seed);
  }
  report("sequences of three", explorer, start);
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
