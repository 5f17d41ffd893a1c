#include "support/workload.h"

#include <algorithm>
#include <array>
#include <set>

namespace holdfast::testing {
namespace {

constexpr std::uint64_t kNumbers = 20;
constexpr std::uint64_t kUuids = 4;
constexpr std::array<Metric, 3> kMetrics{Metric::l2, Metric::cosine, Metric::inner_product};
/// All of which hold the workload's vectors exactly (random_vector()). Half of the collections are of float32.
constexpr std::array<ComponentType, 6> kTypes{ComponentType::f32, ComponentType::i8,  ComponentType::f32,
                                              ComponentType::f16, ComponentType::f32, ComponentType::bf16};

std::string random_payload(SeededRandom& random, bool large) {
  if (random.below(4) == 0) return "";
  std::size_t filler = random.below(24);
  if (large && random.below(12) == 0) filler = 600 + random.below(9'000);
  if (large && random.below(60) == 0) filler = 20'000;  // larger than a segment
  return R"({"v":)" + std::to_string(random.below(1'000'000)) + R"(,"text":")" + std::string(filler, 'x') + "\"}";
}

class Generator {
 public:
  Generator(std::uint64_t seed, const WorkloadShape& shape) : random_(seed), shape_(shape) {
    for (std::uint32_t i = 0; i < shape.collections; ++i) {
      CollectionConfig config;
      config.dimension = 4 + static_cast<std::uint32_t>(random_.below(5));
      config.metric = kMetrics[(seed + i) % kMetrics.size()];
      config.type = kTypes[(seed / kMetrics.size() + i) % kTypes.size()];
      config.m = 6;
      config.ef_construction = 32;
      configs_.push_back(config);
      names_.push_back(std::string(1, static_cast<char>('a' + i)));
    }
  }

  std::vector<Step> run() {
    steps_.push_back(create(0));
    while (steps_.size() < shape_.steps) steps_.push_back(next());
    return std::move(steps_);
  }

 private:
  Step next() {
    if (existing_.empty() || (existing_.size() < names_.size() && random_.below(6) == 0)) {
      for (std::size_t i = 0; i < names_.size(); ++i) {
        if (!existing_.contains(i)) return create(i);
      }
    }
    const std::size_t which = *std::next(existing_.begin(), static_cast<long>(random_.below(existing_.size())));
    Step step;
    step.collection = names_[which];
    // Churn shows in what happens between two checkpoints: there, indexing and vacuum take the place of some of them.
    const std::uint64_t dice = random_.below(100);
    if (dice < (shape_.churn ? 58 : 66)) {
      fill(step, which);
    } else if (dice < (shape_.churn ? 65 : 76)) {
      step.kind = Step::Kind::checkpoint;
    } else if (dice < (shape_.churn ? 77 : 83)) {
      step.kind = Step::Kind::index;
    } else if (dice < (shape_.churn ? 90 : 88)) {
      step.kind = Step::Kind::vacuum;
    } else if (shape_.backups && dice < 91) {
      step.kind = Step::Kind::backup;
    } else if (dice < 94) {
      step.kind = Step::Kind::reopen;
      step.checkpoint_on_close = random_.below(2) == 0;
    } else if (dice < 95) {
      step.kind = Step::Kind::flush;
    } else {
      step.kind = Step::Kind::drop;
      existing_.erase(which);
    }
    return step;
  }

  Step create(std::size_t which) {
    existing_.insert(which);
    Step step;
    step.kind = Step::Kind::create;
    step.collection = names_[which];
    step.config = configs_[which];
    return step;
  }

  void fill(Step& step, std::size_t which) {
    const std::uint64_t operations = random_.below(shape_.churn ? 2 : 3) == 0 ? 1 + random_.below(8) : 1;
    std::set<PointId> used;
    for (std::uint64_t i = 0; i < operations; ++i) {
      const PointId id = workload_ids()[random_.below(workload_ids().size())];
      if (!used.insert(id).second) continue;
      const std::uint32_t dimension = configs_[which].dimension;
      if (random_.below(shape_.churn ? 3 : 4) == 0) {
        step.batch.erase(id);
      } else if (random_.below(6) == 0) {
        const auto values = 2 + static_cast<std::uint32_t>(random_.below(3));
        std::vector<float> vectors;
        for (std::uint32_t value = 0; value < values; ++value) {
          const std::vector<float> one = random_vector(random_, dimension);
          vectors.insert(vectors.end(), one.begin(), one.end());
        }
        step.batch.upsert_values(id, vectors, values, random_payload(random_, shape_.large));
      } else {  // one after the other: the order in which arguments are evaluated is the compiler's choice
        const std::vector<float> vector = random_vector(random_, dimension);
        step.batch.upsert(id, vector, random_payload(random_, shape_.large));
      }
    }
    if (operations > 1 && random_.below(2) == 0) {
      const std::string& key = workload_markers()[random_.below(workload_markers().size())];
      step.batch.set_marker(key, random_.below(4) == 0 ? "" : std::to_string(random_.below(1'000'000)));
    }
    if (shape_.weak_durability)
      step.durability = static_cast<Durability>(random_.below(5) == 0 ? 0 : 1 + random_.below(2));
  }

  SeededRandom random_;
  const WorkloadShape shape_;
  std::vector<CollectionConfig> configs_;
  std::vector<std::string> names_;
  std::set<std::size_t> existing_;
  std::vector<Step> steps_;
};

}  // namespace

std::string Step::to_string() const {
  switch (kind) {
    case Kind::create: return "create " + collection;
    case Kind::drop: return "drop " + collection;
    case Kind::flush: return "flush " + collection;
    case Kind::checkpoint: return "checkpoint " + collection;
    case Kind::index: return "index " + collection;
    case Kind::vacuum: return "vacuum " + collection;
    case Kind::backup: return "backup";
    case Kind::reopen: return checkpoint_on_close ? "reopen with checkpoint" : "reopen";
    case Kind::write: break;
  }
  std::string text = "write " + collection + ":";
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const WriteBatch::Operation operation = batch.operation(i);
    if (operation.kind == WriteBatch::Kind::marker) text += " !" + std::string(operation.key);
    if (operation.kind == WriteBatch::Kind::upsert) text += " +" + operation.id.to_string();
    if (operation.values > 1) text += "x" + std::to_string(operation.values);
    if (operation.kind == WriteBatch::Kind::erase) text += " -" + operation.id.to_string();
  }
  return durability ? text + " (" + std::string(holdfast::to_string(*durability)) + ")" : text;
}

std::vector<Step> make_workload(std::uint64_t seed, const WorkloadShape& shape) { return Generator(seed, shape).run(); }

std::vector<float> random_vector(SeededRandom& random, std::uint32_t dimension) {
  std::vector<float> vector(dimension);
  for (float& component : vector) component = static_cast<float>(random.below(41)) - 20.0F;
  if (std::all_of(vector.begin(), vector.end(), [](float x) { return x == 0.0F; })) vector[0] = 1.0F;
  return vector;
}

const std::vector<PointId>& workload_ids() {
  static const std::vector<PointId> ids = [] {
    std::vector<PointId> all;
    for (std::uint64_t i = 1; i <= kNumbers; ++i) all.emplace_back(i);
    for (std::uint64_t i = 1; i <= kUuids; ++i) all.push_back(PointId::from_parts(PointId::Kind::uuid, mix64(i), i));
    return all;
  }();
  return ids;
}

const std::vector<std::string>& workload_markers() {
  static const std::vector<std::string> keys{"m0", "m1", "m2"};
  return keys;
}

PointId probe_id() { return {std::uint64_t{1'000'000}}; }

}  // namespace holdfast::testing
