#include "golden/golden_store.h"

#include <cmath>

#include "base/random.h"
#include "base/try.h"
#include "engine/options.h"

namespace holdfast::testing {
namespace {

using nlohmann::json;

constexpr std::uint32_t kDimension = 6;

std::vector<float> vector_of(std::uint64_t seed) {
  SeededRandom random(seed);
  std::vector<float> vector(kDimension);
  for (float& component : vector) component = static_cast<float>(random.below(200)) - 99.5F;
  return vector;
}

std::string payload_of(std::uint64_t n) {
  return n % 5 == 0 ? ""
                    : R"({"n":)" + std::to_string(n) + R"(,"text":"line )" + std::to_string(mix64(n) % 1'000) + "\"}";
}

/// What every type of components holds: whole numbers for i8.
std::vector<float> vector_for(const Collection& collection, std::uint64_t seed) {
  std::vector<float> vector = vector_of(seed);
  if (collection.config().type == ComponentType::i8) {
    for (float& component : vector) component = std::floor(component);
  }
  return vector;
}

Status fill(Collection& collection, bool uuids) {
  const auto id = [&](std::uint64_t n) {
    return uuids ? PointId::from_parts(PointId::Kind::uuid, mix64(n), mix64(n + 1'000)) : PointId(n);
  };
  const auto put = [&](std::uint64_t first, std::uint64_t end, std::uint64_t seed) -> Status {
    WriteBatch batch;
    for (std::uint64_t n = first; n < end; ++n)
      batch.upsert(id(n), vector_for(collection, seed + n), payload_of(seed + n));
    batch.set_marker("filled", std::to_string(end));
    return collection.write(batch).status();
  };
  HF_TRY(put(1, 41, 0));
  HF_TRY(collection.wait_until_indexed());
  HF_TRY(collection.checkpoint());
  for (std::uint64_t n = 3; n < 41; n += 7) HF_TRY(collection.erase(id(n)).status());
  HF_TRY(put(10, 15, 5'000));  // updates
  HF_TRY(put(41, 61, 0));
  HF_TRY(collection.wait_until_indexed());
  // Since version 2: points with several vectors, a vacuum, and rows that are used again.
  WriteBatch several;
  for (std::uint64_t n = 200; n < 206; ++n) {
    std::vector<float> vectors;
    const auto values = static_cast<std::uint32_t>(n % 3 + 1);
    for (std::uint32_t value = 0; value < values; ++value) {
      const std::vector<float> one = vector_for(collection, n * 100 + value);
      vectors.insert(vectors.end(), one.begin(), one.end());
    }
    several.upsert_values(id(n), vectors, values, payload_of(n));
  }
  HF_TRY(collection.write(several).status());
  HF_TRY(collection.wait_until_indexed());
  HF_TRY(collection.vacuum());
  HF_TRY(collection.erase(id(201)).status());
  HF_TRY(put(61, 65, 0));  // in the image, but not in its graph
  HF_TRY(collection.checkpoint());
  // Since version 4: few rows change, and the checkpoint patches.
  HF_TRY(put(30, 33, 6'000));
  HF_TRY(collection.checkpoint());
  // The tail: only the log has it.
  HF_TRY(put(65, 75, 0));
  HF_TRY(collection.erase(id(50)).status());
  HF_TRY(put(20, 22, 9'000));
  HF_TRY(collection.upsert(id(3), vector_for(collection, 77'777), R"({"back":true})").status());
  WriteBatch markers;
  markers.set_marker("source", "golden");
  return collection.write(markers).status();
}

/// Enough nodes for codes, which the second image names again; some rows were used again since.
Status fill_with_codes(Collection& collection) {
  for (std::uint64_t first = 0; first < 1'100; first += 100) {
    WriteBatch batch;
    for (std::uint64_t n = first; n < first + 100; ++n) batch.upsert(PointId(n), vector_of(n), "");
    HF_TRY(collection.write(batch).status());
  }
  HF_TRY(collection.wait_until_indexed());
  HF_TRY(collection.checkpoint());
  for (std::uint64_t n = 5; n < 1'100; n += 100) HF_TRY(collection.erase(PointId(n)).status());
  HF_TRY(collection.vacuum());
  for (std::uint64_t n = 1'100; n < 1'105; ++n)
    HF_TRY(collection.upsert(PointId(n), vector_of(n), payload_of(n)).status());
  HF_TRY(collection.wait_until_indexed());
  return collection.checkpoint();
}

json to_json(const Hits& hits) {
  json list = json::array();
  for (const Hit& hit : hits) {
    list.push_back({{"id", hit.id.to_string()}, {"distance", hit.distance}, {"payload", hit.payload}});
  }
  return list;
}

Result<json> ask(const Collection& collection) {
  json answers;
  const CollectionConfig& config = collection.config();
  answers["config"] = {{"dimension", config.dimension},
                       {"metric", to_string(config.metric)},
                       {"m", config.m},
                       {"ef_construction", config.ef_construction}};
  if (config.type != ComponentType::f32) answers["config"]["type"] = to_string(config.type);
  const CollectionStats stats = collection.stats();
  answers["stats"] = {{"points", stats.points},     {"slots", stats.slots},
                      {"growing", stats.growing},   {"graph_nodes", stats.graph_nodes},
                      {"last_lsn", stats.last_lsn}, {"checkpoint_lsn", stats.checkpoint_lsn}};
  for (const char* key : {"filled", "source"}) answers["markers"][key] = collection.marker(key).value_or("");
  const Snapshot snapshot = collection.snapshot();
  std::uint64_t next = 0;
  HF_ASSIGN(const std::vector<PointId> ids, snapshot.ids(0, 10'000, &next));
  for (const PointId id : ids) {
    HF_ASSIGN(const Point point, snapshot.get(id));
    answers["points"].push_back({{"id", id.to_string()}, {"vector", point.vector}, {"payload", point.payload}});
  }
  for (std::uint64_t n = 1; n <= 5; ++n) {
    const std::vector<float> query = vector_of(100'000 + n);
    HF_ASSIGN(const Hits exact, snapshot.search(query, {.k = 10, .ef = 0, .with_payload = true, .exact = true}));
    HF_ASSIGN(const Hits near, snapshot.search(query, {.k = 10, .ef = 60, .with_payload = true, .exact = false}));
    answers["searches"].push_back({{"exact", to_json(exact)}, {"graph", to_json(near)}});
  }
  return answers;
}

}  // namespace

Result<Database> write_golden_store(const std::filesystem::path& path) {
  engine::EngineOptions options;
  options.background = false;
  options.open.log_segment_bytes = 16 * 1024;
  HF_ASSIGN(Database database, Database::open_with(path, options));
  CollectionConfig config{.dimension = kDimension, .metric = Metric::l2, .m = 4, .ef_construction = 40};
  HF_ASSIGN(Collection numbers, database.create_collection("numbers", config));
  HF_TRY(fill(numbers, false));
  config.metric = Metric::cosine;
  HF_ASSIGN(Collection uuids, database.create_collection("uuids", config));
  HF_TRY(fill(uuids, true));
  // Since version 4: rows that are not float32.
  config.type = ComponentType::f16;
  HF_ASSIGN(Collection halves, database.create_collection("halves", config));
  HF_TRY(fill(halves, false));
  config.metric = Metric::l2;
  config.type = ComponentType::i8;
  HF_ASSIGN(Collection bytes, database.create_collection("bytes", config));
  HF_TRY(fill(bytes, true));
  config.type = ComponentType::f32;
  HF_ASSIGN(Collection coded, database.create_collection("coded", config));
  HF_TRY(fill_with_codes(coded));
  return database;
}

Result<json> ask_golden_store(const Database& database) {
  json answers;
  for (const std::string& name : database.collections()) {
    HF_ASSIGN(const Collection collection, database.collection(name));
    HF_ASSIGN(answers[name], ask(collection));
  }
  return answers;
}

std::string difference(const json& expected, const json& found) {
  if (expected.is_number_float() || found.is_number_float()) {
    if (!expected.is_number() || !found.is_number()) return ": a number is missing";
    const double a = expected.get<double>(), b = found.get<double>();
    return std::abs(a - b) <= 1e-5 + 1e-6 * std::abs(a) ? "" : ": " + expected.dump() + " became " + found.dump();
  }
  if (expected.type() != found.type() && !(expected.is_number() && found.is_number())) return ": another type";
  if (!expected.is_structured()) {
    return expected == found ? "" : ": " + expected.dump() + " became " + found.dump();
  }
  if (expected.size() != found.size()) {
    return ": " + std::to_string(expected.size()) + " entries became " + std::to_string(found.size());
  }
  for (const auto& [key, value] : expected.items()) {
    const json* other = nullptr;
    if (expected.is_array()) {
      other = &found[static_cast<std::size_t>(std::stoul(key))];
    } else if (found.contains(key)) {
      other = &found[key];
    }
    if (other == nullptr) return "/" + key + ": is missing";
    if (std::string inner = difference(value, *other); !inner.empty()) {
      std::string way = "/";
      way += key;
      return way + inner;
    }
  }
  return "";
}

}  // namespace holdfast::testing
