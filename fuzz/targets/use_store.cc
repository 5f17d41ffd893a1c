#include "fuzz/targets/use_store.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "engine/options.h"
#include "engine/verify.h"
#include "holdfast/database.h"
#include "support/oracle.h"

namespace holdfast::fuzz {

namespace {

using testing::ModelVersion;
using testing::SimFileSystem;
using testing::VersionRef;

constexpr std::uint64_t kProbeId = 0x5EED5EED5EED5EED;

/// What reading, or refusing to read, a store of any bytes may answer.
bool is_refusal(const Status& status) {
  switch (status.code()) {
    case StatusCode::data_damaged:
    case StatusCode::unsupported_format:
    case StatusCode::not_a_store:
    case StatusCode::resource_exhausted: return true;
    default: return false;
  }
}

std::string with(const std::string& where, const Status& status) { return where + ": " + status.to_string(); }

std::string check_hits(const Collection& collection, const Result<Hits>& hits, const VersionRef& content,
                       std::size_t limit) {
  if (!hits.ok()) return is_refusal(hits.status()) ? "" : with("search", hits.status());
  if (hits->size() > limit) return "more hits than were asked for";
  std::set<PointId> ids;
  for (const Hit& hit : *hits) {
    if (!ids.insert(hit.id).second) return "id " + hit.id.to_string() + " is found twice";
    if (content != nullptr && !content->points.contains(hit.id)) return "a ghost: id " + hit.id.to_string();
    if (content == nullptr && collection.get(hit.id).status().code() == StatusCode::not_found) return "a ghost";
  }
  return "";
}

std::string search_everything(const Collection& collection, const VersionRef& content) {
  const Snapshot snapshot = collection.snapshot();
  const std::vector<float> query(collection.config().dimension, 0.5F);
  for (const bool exact : {false, true}) {
    SearchOptions options;
    options.k = 1'000;
    options.exact = exact;
    if (auto problem = check_hits(collection, snapshot.search(query, options), content, options.k); !problem.empty()) {
      return (exact ? "exactly: " : "by graph: ") + problem;
    }
  }
  RangeOptions range;
  range.radius = 1.0F;
  if (auto problem = check_hits(collection, snapshot.search_range(query, range), content, ~std::size_t{0});
      !problem.empty()) {
    return "by range: " + problem;
  }
  auto cursor = snapshot.cursor(query);
  if (!cursor.ok()) return is_refusal(cursor.status()) ? "" : with("cursor", cursor.status());
  std::set<PointId> ids;
  for (int pieces = 0; pieces < 200 && !cursor->exhausted(); ++pieces) {
    const auto hits = cursor->next(16);
    if (!hits.ok()) return is_refusal(hits.status()) ? "" : with("cursor", hits.status());
    for (const Hit& hit : *hits) {
      if (!ids.insert(hit.id).second) return "the cursor finds id " + hit.id.to_string() + " twice";
    }
  }
  return "";
}

/// NaN, which no writer lets in but a forged image may hold, is equal to nothing.
VersionRef comparable(const ModelVersion& content) {
  auto version = std::make_shared<ModelVersion>(content);
  for (auto& [id, point] : version->points) {
    std::replace_if(
        point.vector.begin(), point.vector.end(), [](float x) { return std::isnan(x); }, 0.0F);
  }
  return version;
}

/// What a collection holds; null if some of it cannot be read. An inconsistency is a problem.
VersionRef content_of(const Collection& collection, std::string& problem) {
  auto content = testing::observe(collection);
  if (content.ok()) return comparable(**content);
  if (!is_refusal(content.status())) problem = with("reading", content.status());
  return nullptr;
}

std::string use_collection(Collection& collection, bool sound, VersionRef& left) {
  std::string problem;
  const VersionRef found = content_of(collection, problem);
  if (problem.empty()) problem = search_everything(collection, found);
  if (!problem.empty() && sound) return "as found: " + problem;
  WriteBatch batch;
  batch.upsert(kProbeId, std::vector<float>(collection.config().dimension, 0.25F), R"({"probe":1})");
  if (found != nullptr && !found->points.empty() && found->points.begin()->first != PointId(kProbeId)) {
    batch.erase(found->points.begin()->first);
  }
  const auto receipt = collection.write(batch);
  if (!receipt.ok()) return is_refusal(receipt.status()) ? "" : with("write", receipt.status());
  // A graph of any bytes may not be mendable; that is said, and nothing else suffers.
  collection.wait_until_indexed().ignore();
  collection.vacuum().ignore();
  if (auto wrong = search_everything(collection, nullptr); !wrong.empty() && sound) return "in use: " + wrong;
  const Status status = collection.checkpoint();
  if (!status.ok() && !is_refusal(status)) return with("checkpoint", status);
  problem.clear();
  left = content_of(collection, problem);
  if (!sound) left = nullptr;
  return sound ? problem : "";
}

engine::EngineOptions options_on(SimFileSystem& fs) {
  engine::EngineOptions options = testing::small_store(fs);
  options.open.create_if_missing = false;
  return options;
}

using Contents = std::map<std::string, VersionRef>;

std::string use_database(Database& database, bool sound, Contents& contents) {
  for (const QuarantinedCollection& closed : database.quarantined()) {
    if (!is_refusal(closed.status)) return with("collection " + closed.name, closed.status);
  }
  for (const std::string& name : database.collections()) {
    auto collection = database.collection(name);
    if (!collection.ok()) return with("collection " + name, collection.status());
    if (std::string problem = use_collection(*collection, sound, contents[name]); !problem.empty()) return problem;
  }
  const Status closed = database.close();
  return closed.ok() || is_refusal(closed) ? "" : with("close", closed);
}

}  // namespace

std::string use_store(SimFileSystem& fs) {
  const auto verified = engine::verify_store(fs, kStorePath, {});
  if (!verified.ok() && !is_refusal(verified.status()) && verified.status().code() != StatusCode::not_found)
    return with("verify", verified.status());
  // What contradicts itself behind right checksums is forged. Open reads too little to notice all of that (ADR 14), but
  // verify must: where it finds nothing, answers have to be right.
  const bool sound = verified.ok() && !verified->damaged();
  Contents contents;
  {
    auto database = Database::open_with(kStorePath, options_on(fs));
    if (!database.ok()) return is_refusal(database.status()) ? "" : with("open", database.status());
    if (std::string problem = use_database(*database, sound, contents); !problem.empty()) return problem;
  }
  auto again = Database::open_with(kStorePath, options_on(fs));
  if (!again.ok()) return with("open again", again.status());
  for (const auto& [name, expected] : contents) {
    if (expected == nullptr) continue;
    auto collection = again->collection(name);
    if (!collection.ok()) return with("opened again, collection " + name, collection.status());
    std::string problem;
    const VersionRef found = content_of(*collection, problem);
    if (!problem.empty()) return "opened again: " + problem;
    if (found == nullptr) continue;
    if (auto other = testing::difference(expected, found); !other.empty()) return "opened again: " + other;
  }
  return "";
}

}  // namespace holdfast::fuzz
