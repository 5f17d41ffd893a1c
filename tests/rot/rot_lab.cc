#include "rot/rot_lab.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <stdexcept>

#include "base/random.h"
#include "engine/verify.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::testing {
namespace {

constexpr std::uint64_t kIds = 24;

engine::EngineOptions options_for(os::FileSystem& disk, VerifyOnOpen level) {
  engine::EngineOptions options;
  options.fs = &disk;
  options.background = false;
  options.open.log_segment_bytes = 16 * 1024;
  options.open.checkpoint_on_close = false;
  options.open.indexing_threads = 1;
  options.open.verify_on_open = level;
  return options;
}

void must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.to_string());
}

std::vector<float> vector_of(std::uint64_t seed, std::uint32_t dimension, std::uint32_t values = 1) {
  SeededRandom random(seed * 7919 + 3);
  std::vector<float> vector(std::size_t{dimension} * values);
  for (float& x : vector) x = static_cast<float>(random.unit() * 2 - 1);
  return vector;
}

/// Points [begin, end): every fifth has three vectors, every third no payload, one in seven a UUID beside it.
void put(Collection& collection, std::uint64_t begin, std::uint64_t end, std::uint64_t seed) {
  WriteBatch batch;
  for (std::uint64_t id = begin; id < end; ++id) {
    const std::string payload = id % 3 == 0 ? "" : R"({"seed":)" + std::to_string(seed + id) + "}";
    const std::uint32_t values = id % 5 == 0 ? 3 : 1;
    batch.upsert_values(id, vector_of(seed + id, collection.config().dimension, values), values, payload);
    if (id % 7 == 0) {
      batch.upsert(PointId::parse("00000000-0000-4000-8000-0000000000" + std::to_string(10 + id)).value(),
                   vector_of(seed + id + 500, collection.config().dimension), payload);
    }
  }
  must(collection.write(batch).status());
}

/// Two images and a log behind them.
void fill(Collection& collection, std::uint64_t points) {
  put(collection, 1, points, 1000);
  must(collection.wait_until_indexed());
  WriteBatch marker;
  marker.set_marker("progress", "half");
  marker.erase(2);
  must(collection.write(marker).status());
  must(collection.checkpoint());
  put(collection, 3, 6, 2000);
  must(collection.erase(4).status());
  must(collection.vacuum());
  must(collection.wait_until_indexed());
  must(collection.checkpoint());
  put(collection, points, points + 3, 3000);
  must(collection.erase(points).status());
  must(collection.erase(7).status());
  marker.clear();
  marker.set_marker("progress", "all");
  must(collection.write(marker).status());
}

std::uint64_t hash_text(std::uint64_t hash, std::string_view text) {
  hash = mix64(hash ^ text.size());
  for (const char c : text) hash = mix64(hash ^ static_cast<unsigned char>(c));
  return hash;
}

std::uint64_t hash_id(std::uint64_t hash, PointId id) {
  return mix64(mix64(hash ^ id.low()) ^ id.high() ^ (id.is_uuid() ? 1 : 0));
}

std::uint64_t hash_point(std::uint64_t hash, const Point& point) {
  hash = mix64(hash_id(hash, point.id) ^ point.values);
  for (const float x : point.vector) hash = mix64(hash ^ std::bit_cast<std::uint32_t>(x));
  return hash_text(hash, point.payload);
}

/// Equal distances may come in the order of rows, which an older image with a longer log need not repeat.
std::uint64_t hash_hits(std::uint64_t hash, Hits hits) {
  std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
  });
  hash = mix64(hash ^ hits.size());
  for (const Hit& hit : hits) {
    hash = hash_id(hash, hit.id);
    hash = mix64(hash ^ std::bit_cast<std::uint32_t>(hit.distance) ^ (std::uint64_t{hit.value} << 32));
    hash = hash_text(hash, hit.payload);
  }
  return hash;
}

/// All searches with one query.
Status ask_with(const Snapshot& snapshot, std::span<const float> query, std::uint64_t& hash) {
  SearchOptions options;
  options.k = 1000;
  options.ef = 1000;
  options.with_payload = true;
  auto hits = snapshot.search(query, options);
  if (!hits.ok()) return hits.status();
  hash = hash_hits(hash, std::move(hits).value());
  options.exact = true;
  auto exact = snapshot.search(query, options);
  if (!exact.ok()) return exact.status();
  hash = hash_hits(hash, std::move(exact).value());
  RangeOptions range;
  range.radius = 0.75F;
  range.ef = 1000;
  auto near = snapshot.search_range(query, range);
  if (!near.ok()) return near.status();
  hash = hash_hits(hash, std::move(near).value());
  auto cursor = snapshot.cursor(query, {.ef = 1000});
  if (!cursor.ok()) return cursor.status();
  Hits all;
  while (!cursor->exhausted()) {
    auto some = cursor->next(7);
    if (!some.ok()) return some.status();
    if (some->empty()) break;
    all.insert(all.end(), some->begin(), some->end());
  }
  hash = hash_hits(hash, std::move(all));
  return {};
}

Status ask_points(const Collection& collection, const Snapshot& snapshot, std::uint64_t& hash) {
  std::uint64_t next = 0;
  auto points = snapshot.points(0, 100'000, &next);
  if (!points.ok()) return points.status();
  std::sort(points->begin(), points->end(), [](const Point& a, const Point& b) { return a.id < b.id; });
  hash = mix64(hash ^ points->size() ^ (snapshot.size() << 32));
  for (const Point& point : *points) hash = hash_point(hash, point);
  for (std::uint64_t id = 1; id < kIds + 4; ++id) {
    const auto point = collection.get(id);
    if (!point.ok() && point.status().code() != StatusCode::not_found) return point.status();
    hash = point.ok() ? hash_point(hash, *point) : mix64(hash + 1);
  }
  for (std::size_t i = 0; i < points->size(); ++i) {
    const Point& point = (*points)[i];
    const auto query = std::span(point.vector).first(collection.config().dimension);
    const auto distance = snapshot.distance(point.id, query);
    if (!distance.ok()) return distance.status();
    hash = mix64(hash ^ std::bit_cast<std::uint32_t>(*distance));
    if (i % 4 != 0) continue;
    if (Status status = ask_with(snapshot, query, hash); !status.ok()) return status;
  }
  return {};
}

bool names_offset(std::string_view message) {
  for (const std::string_view word : {" at ", "offset ", "byte "}) {
    for (std::size_t at = message.find(word); at != std::string_view::npos; at = message.find(word, at + 1)) {
      const std::size_t digit = at + word.size();
      if (digit < message.size() && std::isdigit(static_cast<unsigned char>(message[digit])) != 0) return true;
    }
  }
  return false;
}

}  // namespace

std::unique_ptr<SimFileSystem> make_rot_store() {
  auto disk = std::make_unique<SimFileSystem>(11);
  {
    auto database = Database::open_with(kRotStore, options_for(*disk, VerifyOnOpen::metadata));
    must(database.status());
    for (const auto& [name, metric, points] :
         {std::tuple("plane", Metric::l2, kIds), std::tuple("sphere", Metric::cosine, std::uint64_t{12})}) {
      CollectionConfig config;
      config.dimension = metric == Metric::l2 ? 4 : 3;
      config.metric = metric;
      config.type = metric == Metric::l2 ? ComponentType::f32 : ComponentType::f16;
      config.m = 3;
      config.ef_construction = 24;
      auto collection = database->create_collection(name, config);
      must(collection.status());
      fill(*collection, points);
    }
    must(database->close());
  }
  return disk->kill_process();
}

CollectionAnswers ask(const Collection& collection) {
  CollectionAnswers answers;
  answers.fell_back = collection.recovery_report().fell_back;
  const Snapshot snapshot = collection.snapshot();
  answers.status = ask_points(collection, snapshot, answers.hash);
  answers.hash = hash_text(answers.hash, collection.marker("progress").value_or("nothing"));
  answers.hash = mix64(answers.hash ^ snapshot.lsn());
  return answers;
}

StoreAnswers ask_everything(const SimFileSystem& disk, VerifyOnOpen level) {
  const auto copy = disk.clone();
  StoreAnswers answers;
  engine::EngineOptions options = options_for(*copy, level);
  options.open.create_if_missing = false;
  auto database = Database::open_with(kRotStore, options);
  answers.status = database.status();
  if (!database.ok()) return answers;
  for (const std::string& name : database->collections()) {
    auto collection = database->collection(name);
    if (collection.ok()) answers.collections[name] = ask(*collection);
  }
  for (const QuarantinedCollection& broken : database->quarantined()) {
    answers.collections[broken.name].status = broken.status;
  }
  return answers;
}

std::vector<std::string> rot_files(const SimFileSystem& disk) {
  std::vector<std::string> paths;
  for (const auto& file : disk.files()) {
    const std::string name = file_name(file.path);
    if (file.is_directory || name == storage::kLockFile || name == storage::kReserveFile) continue;
    paths.push_back(file.path);
  }
  return paths;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string collection_of(const std::string& path) {
  const std::size_t begin = path.find("/c-");
  if (begin == std::string::npos) return {};
  const std::size_t end = path.find('/', begin + 1);
  return path.substr(begin + 1, end == std::string::npos ? end : end - begin - 1);
}

RotJudge::RotJudge(const SimFileSystem& sound) : sound_(ask_everything(sound)) {
  must(sound_.status);
  const auto copy = sound.clone();
  const auto catalog = storage::read_catalog(*copy, kRotStore);
  must(catalog.status());
  for (const storage::CatalogEntry& entry : catalog->collections) {
    directories_[entry.name] = storage::collection_directory_name(entry.uuid);
    must(sound_.collections.at(entry.name).status);
  }
}

std::string RotJudge::judge_error(const Status& status, const std::set<std::string>& changed, Rot rot) const {
  const std::string text = status.to_string();
  if (status.code() != StatusCode::data_damaged && status.code() != StatusCode::unsupported_format) {
    return "another error than damage: " + text;
  }
  const bool named = std::any_of(changed.begin(), changed.end(), [&](const std::string& path) {
    return text.find(file_name(path)) != std::string::npos;
  });
  const bool log = text.find(".log at ") != std::string::npos;
  if (!named && !(rot == Rot::gone && log)) return "the error does not name the file: " + text;
  if (!names_offset(text)) return "the error does not name an offset: " + text;
  return {};
}

std::string RotJudge::judge(const SimFileSystem& damaged, const std::set<std::string>& changed, Verdicts& verdicts,
                            Rot rot) const {
  const StoreAnswers answers = ask_everything(damaged);
  bool identical = true;
  if (!answers.status.ok()) {
    const bool catalog = std::any_of(changed.begin(), changed.end(),
                                     [](const std::string& path) { return file_name(path) == storage::kCatalogFile; });
    if (!catalog) return "the whole store was refused: " + answers.status.to_string();
    const bool gone = answers.status.code() == StatusCode::not_a_store;
    if (!gone) {
      if (std::string problem = judge_error(answers.status, changed, rot); !problem.empty()) return problem;
    }
    identical = false;
  } else {
    for (const auto& [name, sound] : sound_.collections) {
      const auto found = answers.collections.find(name);
      if (found == answers.collections.end()) return "collection " + name + " is silently gone";
      const CollectionAnswers& now = found->second;
      if (now.status.ok() && now.hash == sound.hash) continue;
      if (now.status.ok()) return "SILENT: collection " + name + " gives other answers, without an error";
      const std::string& directory = directories_.at(name);
      const bool own = std::any_of(changed.begin(), changed.end(),
                                   [&](const std::string& path) { return collection_of(path) == directory; });
      if (!own) return "damage elsewhere stops collection " + name + ": " + now.status.to_string();
      if (std::string problem = judge_error(now.status, changed, rot); !problem.empty()) return problem;
      identical = false;
    }
  }
  ++(identical ? verdicts.identical : verdicts.typed_errors);
  const auto copy = damaged.clone();
  const auto report = engine::verify_store(*copy, kRotStore, {});
  if (!report.ok()) {
    const StatusCode code = report.status().code();
    const bool typed = code == StatusCode::unsupported_format || code == StatusCode::not_a_store;
    return typed && !identical ? "" : "verify: " + report.status().to_string();
  }
  const bool seen = std::any_of(report->findings.begin(), report->findings.end(), [&](const VerifyFinding& finding) {
    return std::any_of(changed.begin(), changed.end(), [&](const std::string& path) {
      return finding.file.find(file_name(path)) != std::string::npos ||
             finding.message.find(file_name(path)) != std::string::npos;
    });
  });
  if (!identical && !report->damaged()) return "verify finds no damage where readers do";
  if (!seen && !identical && rot == Rot::changed) return "verify does not name the file";
  verdicts.unseen += seen ? 0 : 1;
  return {};
}

}  // namespace holdfast::testing
