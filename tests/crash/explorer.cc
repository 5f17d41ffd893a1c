#include "crash/explorer.h"

#include <cstdlib>

#include "base/checksum.h"

namespace holdfast::testing {
namespace {

using Boundary = CrashPolicy::Boundary;
using Fill = CrashPolicy::Fill;

constexpr std::uint64_t kSingleEffects = 4;

void hash_text(Checksum64& hash, const std::string& text) {
  hash.update(std::as_bytes(std::span(text.data(), text.size() + 1)));
}

}  // namespace

std::uint64_t fingerprint(const SimFileSystem& disk) {
  Checksum64 hash;
  for (const SimFileSystem::FileReport& file : disk.files()) {
    hash_text(hash, file.path);
    const std::uint64_t facts[] = {file.cached_size, file.unsynced, file.is_directory ? 1u : 0u};
    hash.update(std::as_bytes(std::span(facts)));
    if (file.is_directory) continue;
    if (const auto content = disk.read_whole(file.path); content.ok()) hash.update(*content);
  }
  return hash.digest();
}

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == 0 ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string Explorer::Crash::to_string() const {
  return kill ? "kill -9" : policy.to_string() + ", policy seed " + std::to_string(seed);
}

std::vector<Explorer::Crash> Explorer::crashes_of(const SimFileSystem& disk) {
  std::vector<Crash> crashes;
  const auto add = [&](const CrashPolicy& policy) { crashes.push_back({false, policy, random_.next()}); };
  crashes.push_back({true, {}, 0});
  add(CrashPolicy::lose_all());
  const std::uint64_t effects = disk.unsynced_effects();
  if (effects == 0) return crashes;  // nothing is at stake: every policy gives the same disk
  add(CrashPolicy::keep_all());
  for (std::uint64_t i = 0; i < std::min(effects, kSingleEffects); ++i) {
    const std::uint64_t n = effects <= kSingleEffects ? i : random_.below(effects);
    add(CrashPolicy::drop_one(n));
    add(CrashPolicy::keep_one(n));
  }
  for (std::uint32_t i = 0; i < options_.random_states_per_call; ++i) {
    const auto fill = static_cast<Fill>(random_.below(3));
    switch (i % 8) {
      case 0: add(CrashPolicy::random_subset(fill)); break;
      case 1: add(CrashPolicy::torn_write(Boundary::sector)); break;
      case 2: add(CrashPolicy::anything()); break;
      case 3: add(CrashPolicy::directory_subset()); break;
      case 4: add(CrashPolicy::torn_write(Boundary::byte)); break;
      case 5: add(CrashPolicy::size_without_data(fill)); break;
      case 6: add(CrashPolicy::directory_suffix()); break;
      default: add(CrashPolicy::anything()); break;
    }
  }
  return crashes;
}

void Explorer::explore(std::uint64_t seed) { explore(make_workload(seed, options_.shape), seed); }

void Explorer::explore(const std::vector<Step>& steps, std::uint64_t seed) {
  ++workloads_;
  random_ = SeededRandom(seed);
  seen_.clear();
  SimFileSystem disk(seed);
  engine::EngineOptions options = small_store(disk);
  options.open.durability = options_.shape.weak_durability ? Durability::none : Durability::sync;
  StoreDriver driver(options);
  std::string step_name = "open";
  step_ = 0;
  disk.on_call([&](const CallInfo& call) {
    ++calls_;
    if (done()) return;
    at_call(disk, driver.model(),
            "workload seed " + std::to_string(seed) + ", step " + std::to_string(step_) + " (" + step_name +
                "), before call " + std::to_string(call.index) + " (" + std::string(to_string(call.kind)) + " " +
                call.path + ")");
  });
  // Closing is no part of the workload, and the hook must not outlive what it refers to.
  struct Unhook {
    SimFileSystem& disk;
    ~Unhook() { disk.on_call(nullptr); }
  } const unhook{disk};
  const auto report = [&](const std::string& problem) {
    failures_.push_back("workload seed " + std::to_string(seed) + ", step " + std::to_string(step_) + " (" + step_name +
                        "), no crash: " + problem);
  };
  if (Status opened = driver.open(); !opened.ok()) return report(opened.to_string());
  for (const Step& step : steps) {
    if (done()) return;
    ++step_;
    step_name = step.to_string();
    const Status status = driver.run(step);
    if (!status.ok()) return report(status.to_string());
    if (!driver.problem().empty()) return report(driver.problem());
  }
  if (std::string problem = check_current(driver.database(), driver.model()); !problem.empty()) report(problem);
}

void Explorer::at_call(const SimFileSystem& disk, const Model& model, const std::string& where) {
  for (const Crash& crash : crashes_of(disk)) {
    if (done()) return;
    if (random_.below(100) >= options_.sample_percent) continue;
    ++produced_;
    const auto found = crash.kill ? disk.kill_process() : disk.crash(crash.policy, crash.seed);
    const std::uint64_t key = mix64(fingerprint(*found) ^ mix64(step_ * 2 + (crash.kill ? 1 : 0)));
    if (!seen_.insert(key).second) continue;
    const std::string place = where + ", " + crash.to_string();
    const Loss loss = crash.kill ? Loss::process : Loss::power;
    check(*found, model, loss, place, key);
    if (options_.recovery_sample != 0 && key % options_.recovery_sample == 0) {
      crash_recovery(*found, model, loss, place, options_.recovery_depth);
    }
  }
}

void Explorer::check(const SimFileSystem& found, const Model& model, Loss loss, const std::string& where,
                     std::uint64_t seed) {
  ++explored_;
  const auto disk = found.clone();
  const std::string problem = check_crash_state(*disk, model, loss, small_store(*disk), seed);
  if (!problem.empty()) failures_.push_back(where + ": " + problem);
}

void Explorer::crash_recovery(const SimFileSystem& found, const Model& model, Loss loss, const std::string& where,
                              std::uint32_t depth) {
  const auto disk = found.clone();
  disk->on_call([&](const CallInfo& call) {
    const std::vector<Crash> crashes = crashes_of(*disk);
    // The first level is exhaustive over the calls; below it, calls are drawn.
    if (depth < options_.recovery_depth && random_.below(4) != 0) return;
    for (std::size_t i = 0; i < 4 && !done(); ++i) {
      const Crash& crash = crashes[random_.below(crashes.size())];
      const auto next = crash.kill ? disk->kill_process() : disk->crash(crash.policy, crash.seed);
      const Loss worst = crash.kill ? loss : Loss::power;
      const std::uint64_t key = mix64(fingerprint(*next) ^ mix64(step_ * 2 + (worst == Loss::process ? 1 : 0)));
      ++produced_;
      if (!seen_.insert(key).second) continue;
      const std::string place = where + "; then in recovery before call " + std::to_string(call.index) + " (" +
                                std::string(to_string(call.kind)) + " " + call.path + "), " + crash.to_string();
      ++in_recovery_;
      check(*next, model, worst, place, key);
      if (depth > 1) crash_recovery(*next, model, worst, place, depth - 1);
    }
  });
  const auto database = Database::open_with(kStorePath, small_store(*disk));
  disk->on_call(nullptr);  // closing is a workload's business
  if (!database.ok()) failures_.push_back(where + ": " + database.status().to_string());
}

}  // namespace holdfast::testing
