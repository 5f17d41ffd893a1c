#include "conformance/conformance.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <tuple>

namespace holdfast::testing {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

std::string name_of(const Setting& setting) {
  std::string metric(to_string(setting.metric));
  if (setting.type != ComponentType::f32) metric = std::string(to_string(setting.type)) + "_" + metric;
  switch (setting.tier) {
    case Tier::growing: return metric + "_growing";
    case Tier::indexed: return metric + "_indexed";
    case Tier::reopened: return metric + "_reopened";
  }
  return metric;
}

const std::vector<Setting>& every_setting() {
  static const std::vector<Setting> settings = [] {
    std::vector<Setting> all;
    for (const Metric metric : {Metric::l2, Metric::inner_product, Metric::cosine}) {
      for (const Tier tier : {Tier::growing, Tier::indexed, Tier::reopened}) all.push_back({metric, tier});
    }
    return all;
  }();
  return settings;
}

const std::vector<Setting>& every_tier() {
  static const std::vector<Setting> settings{
      {Metric::l2, Tier::growing}, {Metric::l2, Tier::indexed}, {Metric::l2, Tier::reopened}};
  return settings;
}

const std::vector<Setting>& every_metric() {
  static const std::vector<Setting> settings{
      {Metric::l2, Tier::indexed}, {Metric::inner_product, Tier::indexed}, {Metric::cosine, Tier::indexed}};
  return settings;
}

const std::vector<Setting>& every_type() {
  static const std::vector<Setting> settings = [] {
    std::vector<Setting> all;
    for (const ComponentType type : {ComponentType::f16, ComponentType::bf16, ComponentType::i8, ComponentType::u8}) {
      for (const Setting& setting : every_setting()) all.push_back({setting.metric, setting.tier, type});
    }
    return all;
  }();
  return settings;
}

Vector whole_numbers(std::uint64_t seed, std::uint32_t dimension) {
  SeededRandom random(mix64(seed) + 17);
  Vector vector(dimension);
  for (float& x : vector) x = static_cast<float>(random.below(41)) - 20.0F;
  if (std::all_of(vector.begin(), vector.end(), [](float x) { return x == 0.0F; })) vector[0] = 1.0F;
  return vector;
}

Vector real_numbers(std::uint64_t seed, std::uint32_t dimension) {
  SeededRandom random(mix64(seed) + 29);
  Vector vector(dimension);
  for (float& x : vector) x = static_cast<float>(random.unit() * 2 - 1);
  return vector;
}

bool nearly(double a, double b) { return std::abs(a - b) <= 2e-6 + 2e-6 * std::abs(b); }

Store::Store() {
  options_.background = false;
  options_.open.durability = Durability::none;
  options_.open.indexing_threads = 2;
  options_.open.log_segment_bytes = std::uint64_t{1} << 20;
}

Store::~Store() = default;

Vector Store::vector_of(std::uint64_t seed) const {
  Vector vector = whole_numbers(seed, config_.dimension);
  if (config_.type != ComponentType::u8) return vector;
  for (float& x : vector) x += 20;
  return vector;
}

void Store::create(Metric metric, std::uint32_t dimension) {
  config_.metric = metric;
  config_.dimension = dimension;
  auto database = Database::open_with(directory_ / "store", options_);
  HF_OK(database);
  database_.emplace(std::move(database).value());
  auto collection = database_->create_collection("c", config_);
  HF_OK(collection);
  collection_.emplace(std::move(collection).value());
}

void Store::let_go() {
  collection_.reset();
  database_.reset();
}

void Store::let_rows_go() {
  for (const char* value : {"1", ""}) {
    WriteBatch batch;
    batch.set_marker("let rows go", value);
    HF_OK(collection().write(batch));
  }
}

void Store::reopen(bool checkpoint) {
  if (checkpoint) HF_OK(collection().checkpoint());
  HF_OK(database().close());
  reopen_closed();
}

void Store::reopen_closed() {
  let_go();
  auto database = Database::open_with(directory_ / "store", options_);
  HF_OK(database);
  database_.emplace(std::move(database).value());
  auto collection = database_->collection("c");
  HF_OK(collection);
  collection_.emplace(std::move(collection).value());
}

void Store::bring_to(Tier tier) {
  if (tier == Tier::growing) return;
  HF_OK(collection().wait_until_indexed());
  EXPECT_EQ(0u, collection().stats().growing);
  if (tier == Tier::indexed) return;
  reopen();
  EXPECT_EQ(0u, collection().recovery_report().frames_replayed);
  EXPECT_EQ(0u, collection().stats().growing) << "a checkpoint brings the graph back";
}

void Store::expect_sound() {
  HF_OK(collection().checkpoint());
  HF_OK(database().close());
  let_go();
  const auto report = verify(directory_ / "store");
  HF_OK(report);
  for (const VerifyFinding& finding : report->findings) {
    ADD_FAILURE() << "verify: " << finding.collection << " " << finding.file << ": " << finding.message;
  }
  EXPECT_EQ(truth_.size(), report->points_checked);
  reopen_closed();
}

void Store::put(PointId id, const Vector& vector, std::string_view payload) {
  HF_OK(collection().upsert(id, vector, payload));
  truth_[id] = {vector, 1, std::string(payload)};
}

void Store::put_values(PointId id, const Vector& vectors, std::uint32_t values, std::string_view payload) {
  WriteBatch batch;
  batch.upsert_values(id, vectors, values, payload);
  HF_OK(collection().write(batch));
  truth_[id] = {vectors, values, std::string(payload)};
}

void Store::erase(PointId id) {
  const auto receipt = collection().erase(id);
  HF_OK(receipt);
  EXPECT_EQ(truth_.erase(id), receipt->erased) << "id " << id.to_string();
}

void Store::fill(std::uint64_t first, std::uint64_t count) {
  WriteBatch batch;
  for (std::uint64_t id = first; id < first + count; ++id) {
    const Vector vector = vector_of(id);
    const std::string payload = id % 3 == 0 ? "" : R"({"n":)" + std::to_string(id) + "}";
    batch.upsert(id, vector, payload);
    truth_[id] = {vector, 1, payload};
    if (batch.size() == 1'000 || id + 1 == first + count) {
      HF_OK(collection().write(batch, {.bulk = true}));
      batch.clear();
    }
  }
}

std::vector<Neighbor> Store::neighbors(std::span<const float> query) const {
  std::vector<Neighbor> all;
  for (const auto& [id, point] : truth_) {
    Neighbor best{INFINITY, id, 0};
    for (std::uint32_t value = 0; value < point.values; ++value) {
      const auto vector = std::span(point.vectors).subspan(std::size_t{value} * query.size(), query.size());
      const double distance = true_distance(config_.metric, vector, query);
      if (distance < best.distance) best = {distance, id, value};
    }
    all.push_back(best);
  }
  std::sort(all.begin(), all.end(), [](const Neighbor& a, const Neighbor& b) {
    return std::tie(a.distance, a.id) < std::tie(b.distance, b.id);
  });
  return all;
}

double Store::true_distance_of(PointId id, std::span<const float> query) const {
  double best = INFINITY;
  const Written& point = truth_.at(id);
  for (std::uint32_t value = 0; value < point.values; ++value) {
    const auto vector = std::span(point.vectors).subspan(std::size_t{value} * query.size(), query.size());
    best = std::min(best, true_distance(config_.metric, vector, query));
  }
  return best;
}

AssertionResult Store::sensible(const Hits& hits, std::span<const float> query) const {
  std::set<PointId> seen;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const Hit& hit = hits[i];
    const auto point = truth_.find(hit.id);
    const std::string name = "hit " + std::to_string(i) + ", id " + hit.id.to_string() + ", ";
    if (point == truth_.end()) return AssertionFailure() << name << "is not alive";
    if (!seen.insert(hit.id).second) return AssertionFailure() << name << "comes twice";
    const double best = true_distance_of(hit.id, query);
    if (!nearly(hit.distance, best)) {
      return AssertionFailure() << name << "has distance " << hit.distance << " instead of " << best;
    }
    if (hit.value >= point->second.values) return AssertionFailure() << name << "has no value " << hit.value;
    const auto vector = std::span(point->second.vectors).subspan(std::size_t{hit.value} * query.size(), query.size());
    if (!nearly(true_distance(config_.metric, vector, query), best)) {
      return AssertionFailure() << name << "names value " << hit.value << ", which is not its nearest";
    }
    if (i > 0 && hit.distance < hits[i - 1].distance) return AssertionFailure() << name << "is out of order";
  }
  return AssertionSuccess();
}

AssertionResult Store::nearest(const Result<Hits>& hits, std::span<const float> query, std::size_t k) const {
  if (!hits.ok()) return AssertionFailure() << hits.status().to_string();
  if (AssertionResult result = sensible(*hits, query); !result) return result;
  if (hits->stopped != Stopped::no) return AssertionFailure() << "it stopped early";
  const std::vector<Neighbor> expected = neighbors(query);
  const std::size_t wanted = std::min(k, expected.size());
  if (hits->size() != wanted) return AssertionFailure() << hits->size() << " hits instead of " << wanted;
  for (std::size_t i = 0; i < wanted; ++i) {
    if (!nearly((*hits)[i].distance, expected[i].distance)) {
      return AssertionFailure() << "neighbor " << i << " has distance " << (*hits)[i].distance << ", but id "
                                << expected[i].id.to_string() << " has " << expected[i].distance;
    }
  }
  return AssertionSuccess();
}

void Store::expect_holds_truth(const Snapshot& snapshot, std::uint64_t seed) const {
  EXPECT_EQ(truth_.size(), snapshot.size());
  std::uint64_t next = 0;
  const auto ids = snapshot.ids(0, truth_.size() + 10, &next);
  HF_OK(ids);
  const std::set<PointId> listed(ids->begin(), ids->end());
  EXPECT_EQ(truth_.size(), ids->size());
  EXPECT_EQ(truth_.size(), listed.size());
  for (const auto& [id, written] : truth_) {
    EXPECT_TRUE(listed.contains(id)) << "id " << id.to_string();
    const auto point = snapshot.get(id);
    HF_OK(point);
    EXPECT_EQ(written.vectors, point->vector) << "id " << id.to_string();
    EXPECT_EQ(written.payload, point->payload) << "id " << id.to_string();
    EXPECT_EQ(written.values, point->values) << "id " << id.to_string();
  }
  std::size_t values = 0;
  for (const auto& [id, written] : truth_) values += written.values;
  const auto all = static_cast<std::uint32_t>(values + 10);
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Vector query = whole_numbers(mix64(seed) + i, config_.dimension);
    EXPECT_TRUE(nearest(snapshot.search(query, {.k = 7, .exact = true}), query, 7)) << "exact, seed " << seed;
    EXPECT_TRUE(nearest(snapshot.search(query, {.k = all, .exact = true}), query, all)) << "exact, seed " << seed;
    EXPECT_TRUE(nearest(snapshot.search(query, {.k = all, .ef = all}), query, all)) << "graph, seed " << seed;
  }
}

std::vector<PointId> ids_of(const Hits& hits) {
  std::vector<PointId> ids;
  for (const Hit& hit : hits) ids.push_back(hit.id);
  return ids;
}

AssertionResult identical(const Hits& a, const Hits& b) {
  if (a.size() != b.size()) return AssertionFailure() << a.size() << " and " << b.size() << " hits";
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].id != b[i].id || std::memcmp(&a[i].distance, &b[i].distance, sizeof(float)) != 0 ||
        a[i].payload != b[i].payload || a[i].value != b[i].value) {
      return AssertionFailure() << "hit " << i << ": id " << a[i].id.to_string() << " at " << a[i].distance
                                << " and id " << b[i].id.to_string() << " at " << b[i].distance;
    }
  }
  return AssertionSuccess();
}

}  // namespace holdfast::testing
