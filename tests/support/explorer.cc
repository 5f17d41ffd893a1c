#include "support/explorer.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kAll = 10'000;

std::string call_text(const CallInfo& call) {
  return "before call " + std::to_string(call.index) + " (" + std::string(to_string(call.kind)) + " " + call.path + ")";
}

/// Equal for models that promise the same. By address: versions are shared between copies of the model.
std::uint64_t promise_of(const Model& model, Loss loss) {
  std::uint64_t hash = loss == Loss::process ? 1 : 2;
  for (const auto& [name, expected] : model) {
    for (const VersionRef& version : expected.possible(loss)) {
      hash = mix64(hash ^ reinterpret_cast<std::uintptr_t>(version.get()));
    }
  }
  return hash;
}

}  // namespace

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == 0 ? otherwise : std::strtoull(text, nullptr, 10);
}

void Explorer::explore(std::uint64_t seed) { explore({}, make_workload(seed, options_.shape), "", seed); }

void Explorer::explore(const std::vector<Step>& before, const std::vector<Step>& steps, const std::string& name,
                       std::uint64_t seed) {
  ++figures_.workloads;
  random_ = SeededRandom(seed);
  seen_.clear();
  moment_ = 0;
  SimFileSystem disk(seed);
  engine::EngineOptions options = small_store(disk);
  options.open.durability = options_.shape.weak_durability ? Durability::none : Durability::sync;
  StoreDriver driver(options);
  std::string step_name = "open";
  const auto where = [&] {
    return "workload " + name + (name.empty() ? "" : ", ") + "seed " + std::to_string(seed) + ", step " +
           std::to_string(moment_) + " (" + step_name + ")";
  };
  // Closing is no part of the workload, and the hook must not outlive what it refers to.
  struct Unhook {
    SimFileSystem& disk;
    ~Unhook() { disk.on_call(nullptr); }
  } const unhook{disk};
  const auto hook = [&] {
    disk.on_call([&](const CallInfo& call) {
      ++figures_.calls;
      if (!done()) at_call(disk, driver, where() + ", " + call_text(call));
    });
  };
  const auto report = [&](const std::string& problem) { failures_.push_back(where() + ", no crash: " + problem); };

  if (before.empty()) hook();
  if (Status opened = driver.open(); !opened.ok()) return report(opened.to_string());
  const auto run = [&](const Step& step) {
    ++moment_;
    step_name = step.to_string();
    const Status status = driver.run(step);
    if (!status.ok()) report(status.to_string());
    if (!driver.problem().empty()) report(driver.problem());
    return status.ok() && driver.problem().empty() && !done();
  };
  for (const Step& step : before) {
    if (!run(step)) return;
  }
  hook();
  for (const Step& step : steps) {
    if (!run(step)) return;
  }
  ++moment_;
  step_name = "the end";
  ++figures_.calls;
  at_call(disk, driver, where());
  if (std::string problem = check_current(driver.database(), driver.model()); !problem.empty()) report(problem);
}

void Explorer::at_call(const SimFileSystem& disk, const StoreDriver& driver, const std::string& where) {
  for (const Crash& crash : crashes_of(disk, options_.choice, random_)) {
    if (done()) return;
    if (options_.sample < kAll && random_.below(kAll) >= options_.sample) continue;
    auto found = crash.apply_to(disk);
    const std::string place = where + ", " + crash.to_string();
    Model settled;
    const Expectation expected{driver.model(), crash.loss(), &driver.backup(), &settled};
    const bool root = options_.recovery.one_in != 0 && random_.below(options_.recovery.one_in) == 0;
    if (!check(*found, expected, 0, place) || !root || done()) continue;
    if (settled.empty()) {  // it was questioned before, as the disk that some recovery left
      const auto copy = found->clone();
      if (auto problem = check_crash_state(*copy, expected, small_store(*copy), moment_); !problem.empty()) {
        return failures_.push_back(place + ": " + problem);
      }
    }
    // After a power loss there is nothing left to lose: recovery is bound to the version that it finds.
    crash_recovery({std::move(found), crash.loss(), place}, crash.kill ? driver.model() : settled, driver.backup());
  }
}

bool Explorer::check(const SimFileSystem& found, const Expectation& expected, std::uint32_t depth,
                     const std::string& where) {
  ++figures_.produced;
  const std::uint64_t seed = mix64(found.fingerprint() ^ mix64(moment_));
  bool is_new = false;
  const bool go_on = meet(seed ^ promise_of(expected.model, expected.loss), depth, &is_new);
  if (!is_new) return go_on;
  ++figures_.explored;
  if (depth > 0) ++figures_.in_recovery;
  const auto disk = found.clone();
  const std::string problem = check_crash_state(*disk, expected, small_store(*disk), seed);
  if (!problem.empty()) failures_.push_back(where + ": " + problem);
  return true;
}

bool Explorer::meet(std::uint64_t what, std::uint32_t depth, bool* is_new) {
  const auto [seen, first_time] = seen_.try_emplace(mix64(what), depth);
  if (is_new != nullptr) *is_new = first_time;
  return first_time || depth < std::exchange(seen->second, std::min(depth, seen->second));
}

void Explorer::crash_recovery(Found root, const Model& model, const BackupModel& backup) {
  ++figures_.roots;
  if (options_.recovery.exhaustive) root.disk->reseed(moment_ + 1);
  std::vector<Found> level;
  level.push_back(std::move(root));
  for (std::uint32_t depth = 1; depth <= options_.recovery.depth && !done(); ++depth) {
    std::vector<Found> next;
    for (const Found& found : level) {
      const Expectation expected{model, found.loss, &backup, nullptr};
      for (Found& deeper : crash_open(found, expected, depth)) next.push_back(std::move(deeper));
    }
    level = std::move(next);
  }
}

std::vector<Explorer::Found> Explorer::crash_open(const Found& found, const Expectation& expected,
                                                  std::uint32_t depth) {
  const RecoveryPlan& plan = options_.recovery;
  std::vector<Found> next;
  const auto disk = found.disk->clone();
  disk->on_call([&](const CallInfo& call) {
    if (!plan.exhaustive && depth > 1 && random_.below(4) != 0) return;
    if (plan.exhaustive) {
      const std::uint64_t passed = mix64(disk->fingerprint()) ^ promise_of(expected.model, expected.loss) ^ moment_;
      if (!meet(passed, depth, nullptr)) return;
    }
    CrashChoice choice = options_.choice;
    choice.every_single = choice.every_single || plan.exhaustive;
    choice.stale_blocks = !plan.exhaustive;
    if (plan.exhaustive) choice.drawn = 0;
    const std::vector<Crash> crashes = crashes_of(*disk, choice, random_);
    for (std::size_t i = 0; i < (plan.exhaustive ? crashes.size() : 4) && !done(); ++i) {
      const Crash& crash = plan.exhaustive ? crashes[i] : crashes[random_.below(crashes.size())];
      Found deeper{crash.apply_to(*disk), crash.kill ? found.loss : Loss::power,
                   found.where + "; then in recovery " + call_text(call) + ", " + crash.to_string()};
      if (plan.exhaustive) deeper.disk->reseed(moment_ + 1);
      Expectation now = expected;
      now.loss = deeper.loss;
      const bool go_on = check(*deeper.disk, now, depth, deeper.where);
      if (go_on && depth < plan.depth) next.push_back(std::move(deeper));
    }
  });
  const auto database = Database::open_with(kStorePath, small_store(*disk));
  disk->on_call(nullptr);  // closing is a workload's business
  if (!database.ok()) failures_.push_back(found.where + ": " + database.status().to_string());
  return next;
}

}  // namespace holdfast::testing
