#include "support/oracle.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/random.h"
#include "base/try.h"
#include "engine/verify.h"
#include "support/backup_oracle.h"
#include "support/true_distance.h"
#include "support/workload.h"

namespace holdfast::testing {
namespace {

Status wrong(std::string what) { return {StatusCode::internal, std::move(what)}; }

/// From the nearest of the point's vectors.
double best_distance(Metric metric, const ModelPoint& point, std::span<const float> query) {
  double best = true_distance(metric, std::span(point.vector).first(query.size()), query);
  for (std::uint32_t value = 1; value < point.values; ++value) {
    const auto vector = std::span(point.vector).subspan(value * query.size(), query.size());
    best = std::min(best, true_distance(metric, vector, query));
  }
  return best;
}

bool close_to(double a, double b) { return std::abs(a - b) <= 1e-4 + 1e-5 * std::abs(b); }

/// The true answers to one query, for all searches that ask it.
class Truth {
 public:
  Truth(const ModelVersion& expected, std::span<const float> query) : query_(query) {
    points_.reserve(expected.points.size());
    for (const auto& [id, point] : expected.points) {
      points_.push_back({id, &point, best_distance(expected.config.metric, point, query), false});
      distances_.push_back(points_.back().distance);
    }
    std::sort(distances_.begin(), distances_.end());
  }

  std::string check(const Collection& collection, const SearchOptions& options) {
    const auto hits = collection.search(query_, options);
    if (!hits.ok()) return "search: " + hits.status().to_string();
    if (std::string problem = check_hits(*hits); !problem.empty()) return problem;
    const std::size_t wanted = std::min<std::size_t>(options.k, points_.size());
    if (hits->size() != wanted) {
      return "search found " + std::to_string(hits->size()) + " of " + std::to_string(wanted) + " points";
    }
    for (std::size_t i = 0; i < wanted; ++i) {
      if (!close_to((*hits)[i].distance, distances_[i])) {
        return "search missed the neighbor number " + std::to_string(i);
      }
    }
    return "";
  }

 private:
  struct Known {
    PointId id;
    const ModelPoint* point;
    double distance;
    bool met;
  };

  /// The hits are points of the model at their true distance, nearest first, none twice.
  std::string check_hits(const Hits& hits) {
    for (Known& known : points_) known.met = false;
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const bool in_order = i == 0 || !(hits[i].distance < hits[i - 1].distance);
      if (const char* problem = check_hit(hits[i], in_order); *problem != 0) {
        return "hit " + hits[i].id.to_string() + " at " + std::to_string(hits[i].distance) + problem;
      }
    }
    return "";
  }
  const char* check_hit(const Hit& hit, bool in_order) {
    const auto known = std::lower_bound(points_.begin(), points_.end(), hit.id,
                                        [](const Known& point, PointId id) { return point.id < id; });
    if (known == points_.end() || !(known->id == hit.id)) return " is a ghost";
    if (std::exchange(known->met, true)) return " comes twice";
    if (!close_to(hit.distance, known->distance)) return " has another distance";
    if (hit.value >= known->point->values) return " has no such value";
    if (hit.payload != known->point->payload) return " has another payload";
    return in_order ? "" : " is out of order";
  }

  const std::span<const float> query_;
  std::vector<Known> points_;  // by id
  std::vector<double> distances_;
};

std::string with_context(const std::string& context, const std::string& problem) {
  return problem.empty() ? "" : context + ": " + problem;
}

/// Upserts the probe into every collection; the model then holds it.
std::string write_probe(const Database& database, Model& model) {
  for (auto& [name, expected] : model) {
    if (expected.current() == nullptr) continue;
    auto collection = database.collection(name);
    if (!collection.ok()) return collection.status().to_string();
    WriteBatch batch;
    std::vector<float> vector(expected.current()->config.dimension, 3.0F);
    batch.upsert(probe_id(), vector, R"({"probe":true})");
    batch.erase(workload_ids().front());
    const auto receipt = collection->write(batch);
    if (!receipt.ok()) return "the write after recovery: " + receipt.status().to_string();
    expected.begin(apply_batch(*expected.current(), batch));
    expected.acknowledge(true);
  }
  return "";
}

/// Takes the dead out of the graphs and gives their rows to new versions, which no reader may mistake for the old ones.
std::string reuse_rows(const Database& database, Model& model, std::uint64_t seed) {
  SeededRandom random(seed);
  for (auto& [name, expected] : model) {
    if (expected.current() == nullptr) continue;
    auto collection = database.collection(name);
    if (!collection.ok()) return collection.status().to_string();
    if (Status vacuumed = collection->vacuum(); !vacuumed.ok()) return "vacuum: " + vacuumed.to_string();
    for (int i = 0; i < 3; ++i) {
      WriteBatch batch;
      const std::size_t first = random.below(workload_ids().size());
      for (std::size_t j = 0; j < 3; ++j) {
        const PointId id = workload_ids()[(first + j) % workload_ids().size()];
        if (i == 1 && j == 0) {
          batch.erase(id);
        } else {
          batch.upsert(id, random_vector(random, expected.current()->config.dimension), R"({"again":true})");
        }
      }
      const auto receipt = collection->write(batch);
      if (!receipt.ok()) return "a write after vacuum: " + receipt.status().to_string();
      expected.begin(apply_batch(*expected.current(), batch));
      expected.acknowledge(true);
    }
  }
  return with_context("rows used again after recovery", check_current(database, model));
}

/// What `holdfast verify` says about the closed store.
std::string check_by_verify(SimFileSystem& disk) {
  const auto report = engine::verify_store(disk, kStorePath, {});
  if (!report.ok()) return "verify: " + report.status().to_string();
  for (const VerifyFinding& finding : report->findings) {
    const bool unreachable = finding.message.find("not reached") != std::string::npos;
    if (finding.severity == VerifyFinding::Severity::damage || unreachable) {
      return "verify: " + finding.collection + " " + finding.file + ": " + finding.message;
    }
  }
  return "";
}

/// A pure crash is no damage.
std::string check_reports(const Database& database) {
  for (const QuarantinedCollection& broken : database.quarantined()) {
    return "collection '" + broken.name + "' is quarantined: " + broken.status.to_string();
  }
  for (const std::string& name : database.collections()) {
    const auto collection = database.collection(name);
    if (!collection.ok()) return collection.status().to_string();
    const RecoveryReport& report = collection->recovery_report();
    if (report.fell_back) return "'" + name + "' fell back to an older checkpoint";
    if (!report.notes.empty()) return "'" + name + "' reports damage: " + report.notes.front();
  }
  return "";
}

}  // namespace

Result<VersionRef> observe(const Collection& collection) {
  const Snapshot snapshot = collection.snapshot();
  auto version = std::make_shared<ModelVersion>();
  version->config = collection.config();
  std::uint64_t next = 0;
  HF_ASSIGN(const std::vector<PointId> ids, snapshot.ids(0, 1'000'000, &next));
  for (const PointId id : ids) {
    HF_ASSIGN(const Point point, snapshot.get(id));
    if (!version->points.emplace(id, ModelPoint{point.vector, point.payload, point.values}).second) {
      return wrong("id " + id.to_string() + " is listed twice");
    }
  }
  if (snapshot.size() != ids.size()) {
    return wrong("size() is " + std::to_string(snapshot.size()) + ", ids() lists " + std::to_string(ids.size()));
  }
  for (const PointId id : workload_ids()) {
    if (!version->points.contains(id) && snapshot.get(id).ok()) {
      return wrong("get() finds id " + id.to_string() + ", ids() does not");
    }
  }
  for (const std::string& key : workload_markers()) {
    if (auto value = collection.marker(key)) version->markers[key] = *value;
  }
  return VersionRef(std::move(version));
}

Result<VersionRef> observe(const Database& database, const std::string& name) {
  const std::vector<std::string> names = database.collections();
  if (std::find(names.begin(), names.end(), name) == names.end()) return VersionRef();
  HF_ASSIGN(const Collection collection, database.collection(name));
  return observe(collection);
}

std::string check_searches(const Collection& collection, const ModelVersion& expected, std::uint64_t seed) {
  SeededRandom random(seed);
  const auto all = static_cast<std::uint32_t>(expected.points.size() + 10);
  const std::vector<float> query = random_vector(random, expected.config.dimension);
  Truth truth(expected, query);
  const auto exact = [&](std::uint32_t k) {
    return truth.check(collection, {.k = k, .ef = 0, .with_payload = true, .exact = true});
  };
  if (auto problem = exact(all); !problem.empty()) return with_context("exact", problem);
  if (auto problem = exact(3); !problem.empty()) return with_context("exact, k = 3", problem);
  const SearchOptions by_graph{.k = all, .ef = 200, .with_payload = true, .exact = false};
  if (auto problem = truth.check(collection, by_graph); !problem.empty()) return with_context("graph", problem);
  // Ghosts: whoever was deleted or replaced is asked for where it was last.
  for (const auto& [id, vectors] : expected.former) {
    Truth there(expected, std::span(vectors).first(expected.config.dimension));
    for (const SearchOptions& options : {by_graph, SearchOptions{.k = all, .with_payload = true, .exact = true}}) {
      if (auto problem = there.check(collection, options); !problem.empty()) {
        return with_context("former vector of id " + id.to_string() + (options.exact ? ", exact" : ", graph"), problem);
      }
    }
  }
  if (expected.points.empty()) return "";
  // A point is found with its own vector (another point may have the same one).
  const auto own = std::next(expected.points.begin(), static_cast<long>(random.below(expected.points.size())));
  Truth around(expected, std::span(own->second.vector).first(expected.config.dimension));
  const std::string problem = around.check(collection, by_graph);
  return problem.empty() ? "" : with_context("own vector of id " + own->first.to_string(), problem);
}

std::string check_current(const Database& database, const Model& model) {
  for (const auto& [name, expected] : model) {
    const auto found = observe(database, name);
    if (!found.ok()) return with_context(name, found.status().to_string());
    if (auto problem = difference(expected.current(), *found); !problem.empty()) return with_context(name, problem);
    if (expected.current() == nullptr) continue;
    const auto collection = database.collection(name);
    if (!collection.ok()) return collection.status().to_string();
    if (auto problem = check_searches(*collection, *expected.current(), expected.current()->points.size());
        !problem.empty()) {
      return with_context(name, problem);
    }
  }
  for (const std::string& name : database.collections()) {
    if (!model.contains(name)) return "there is a collection '" + name + "' that nobody made";
  }
  return "";
}

std::string settle(const Database& database, Model& model, Loss loss) {
  if (auto problem = check_reports(database); !problem.empty()) return problem;
  for (auto& [name, expected] : model) {
    const auto found = observe(database, name);
    if (!found.ok()) return with_context(name, found.status().to_string());
    std::string problem;
    const std::vector<VersionRef> possible = expected.possible(loss);
    const auto version = std::find_if(possible.rbegin(), possible.rend(), [&](const VersionRef& candidate) {
      problem = difference(candidate, *found);
      return problem.empty();
    });
    if (version == possible.rend()) {
      return with_context(name,
                          "none of " + std::to_string(possible.size()) + " possible versions; the oldest: " + problem);
    }
    expected.settle(*version);
  }
  return "";
}

std::string check_crash_state(SimFileSystem& disk, const Expectation& expected, const engine::EngineOptions& given,
                              std::uint64_t seed) {
  engine::EngineOptions options = given;
  options.fs = &disk;
  options.open.durability = Durability::sync;
  options.open.checkpoint_on_close = mix64(seed) % 4 == 0;
  Model found = expected.model;
  const bool backups =
      expected.backup != nullptr && expected.backup->begun && (expected.backup->in_flight || mix64(seed + 3) % 4 == 0);
  if (backups) {
    if (auto problem = check_backup_state(disk, *expected.backup, expected.loss, seed); !problem.empty())
      return problem;
  }
  BackupModel next_backup{true, false, true, {}};
  std::unique_ptr<SimFileSystem> later;
  {
    auto database = Database::open_with(kStorePath, options);
    if (!database.ok()) return "open: " + database.status().to_string();
    if (auto problem = settle(*database, found, expected.loss); !problem.empty()) return problem;
    if (expected.settled != nullptr) *expected.settled = found;
    if (auto problem = check_current(*database, found); !problem.empty()) return problem;
    if (auto problem = write_probe(*database, found); !problem.empty()) return problem;
    if (mix64(seed + 1) % 2 == 0) {
      if (auto problem = reuse_rows(*database, found, seed); !problem.empty()) return problem;
    }
    if (backups) {
      if (auto problem = make_next_backup(disk); !problem.empty()) return problem;
      next_backup.content = found;
    }
    switch (mix64(seed) % 4) {
      case 0:
        if (Status closed = database->close(); !closed.ok()) return "close: " + closed.to_string();
        [[fallthrough]];
      case 1: later = disk.crash(CrashPolicy::lose_all(), seed); break;
      case 2: later = disk.crash(CrashPolicy::anything(), seed); break;
      default: later = disk.kill_process(); break;
    }
  }
  options.fs = later.get();
  if (backups) {
    if (auto problem = check_backup_state(*later, next_backup, Loss::power, mix64(seed)); !problem.empty()) {
      return with_context("after the second loss", problem);
    }
  }
  if (auto problem = check_by_verify(*later); !problem.empty()) return problem;
  auto database = Database::open_with(kStorePath, options);
  if (!database.ok()) return "second open: " + database.status().to_string();
  // Everything was acknowledged: there is one possible version.
  if (auto problem = settle(*database, found, Loss::power); !problem.empty()) {
    return with_context("after the second loss", problem);
  }
  return with_context("after the second loss", check_current(*database, found));
}

engine::EngineOptions small_store(os::FileSystem& disk) {
  engine::EngineOptions options;
  options.fs = &disk;
  options.background = false;
  options.open.log_segment_bytes = 16 * 1024;
  options.open.checkpoint_on_close = false;
  options.open.indexing_threads = 1;
  return options;
}

}  // namespace holdfast::testing
