#include "crash/short_workloads.h"

#include <array>
#include <map>

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 4;
constexpr std::array<const char*, kOperations> kNames{"upsert", "batch",  "delete", "update", "checkpoint", "vacuum",
                                                      "index",  "create", "drop",   "backup", "reopen"};

/// Points are numbers that tell their place; squared distances are exact.
std::vector<float> vector_of(std::uint64_t id, std::size_t version) {
  return {static_cast<float>(id), static_cast<float>(version), 1.0F, -2.0F};
}
std::string payload_of(std::size_t version) { return R"({"v":)" + std::to_string(version) + "}"; }

/// Turns operations into steps, and knows which collections there are meanwhile.
class Composer {
 public:
  Step next(Operation operation) {
    ++version_;
    Step step;
    step.collection = created_.empty() ? "a" : created_.back();
    switch (operation) {
      case Operation::upsert: step.batch.upsert(10 + version_, vector_of(10 + version_, version_), "{}"); break;
      case Operation::batch: {
        std::vector<float> both = vector_of(1, version_);
        both.insert(both.end(), {9, static_cast<float>(version_), 9, 9});
        step.batch.upsert_values(std::uint64_t{1}, both, 2, payload_of(version_));
        step.batch.upsert(workload_ids().back(), vector_of(7, version_));
        step.batch.erase(std::uint64_t{3});
        step.batch.set_marker(workload_markers()[0], std::to_string(version_));
        break;
      }
      case Operation::erase: step.batch.erase(std::uint64_t{1}); break;
      case Operation::update: step.batch.upsert(std::uint64_t{1}, vector_of(1, version_), payload_of(version_)); break;
      case Operation::checkpoint: step.kind = Step::Kind::checkpoint; break;
      case Operation::vacuum: step.kind = Step::Kind::vacuum; break;
      case Operation::index: step.kind = Step::Kind::index; break;
      case Operation::create: return create();
      case Operation::drop:
        step.kind = Step::Kind::drop;
        if (!created_.empty()) created_.pop_back();
        break;
      case Operation::backup: step.kind = Step::Kind::backup; break;
      case Operation::reopen: step.kind = Step::Kind::reopen; break;
    }
    return step;
  }

  Step create() {
    Step step;
    step.kind = Step::Kind::create;
    step.config = {.dimension = kDimension, .metric = Metric::l2, .m = 6, .ef_construction = 32};
    step.collection = created_.empty() ? "a" : "b";
    if (created_.size() < 2) created_.push_back(step.collection);
    return step;
  }

 private:
  std::vector<std::string> created_;  // oldest first
  std::size_t version_ = 0;
};

std::vector<Step> base_of(Composer& composer) {
  std::vector<Step> steps{composer.create()};
  const auto add = [&](Step::Kind kind) -> Step& {
    steps.emplace_back();
    steps.back().kind = kind;
    steps.back().collection = "a";
    return steps.back();
  };
  WriteBatch& points = add(Step::Kind::write).batch;
  for (std::uint64_t id = 1; id <= 3; ++id) points.upsert(id, vector_of(id, 0), payload_of(0));
  add(Step::Kind::index);
  add(Step::Kind::checkpoint);
  add(Step::Kind::write).batch.erase(std::uint64_t{2});
  add(Step::Kind::write).batch.upsert(std::uint64_t{4}, vector_of(4, 0), payload_of(0));
  return steps;
}

}  // namespace

std::vector<Step> base_steps() {
  Composer composer;
  return base_of(composer);
}

std::vector<ShortWorkload> every_short_workload() {
  std::vector<ShortWorkload> all;
  std::size_t count = 1;
  for (std::size_t length = 0; length <= 3; ++length, count *= kOperations) {
    for (std::size_t number = 0; number < count; ++number) {
      ShortWorkload workload;
      Composer composer;
      (void)base_of(composer);
      for (std::size_t place = count / kOperations; place > 0; place /= kOperations) {
        const std::size_t letter = number / place % kOperations;
        workload.name += (workload.name.empty() ? "" : ", ") + std::string(kNames[letter]);
        workload.steps.push_back(composer.next(static_cast<Operation>(letter)));
      }
      all.push_back(std::move(workload));
    }
  }
  return all;
}

std::pair<std::vector<Step>, std::vector<Step>> split(const ShortWorkload& workload) {
  if (workload.steps.empty()) return {{}, base_steps()};
  std::vector<Step> before = base_steps();
  before.insert(before.end(), workload.steps.begin(), workload.steps.end() - 1);
  return {before, {workload.steps.back()}};
}

}  // namespace holdfast::testing
