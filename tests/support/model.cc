#include "support/model.h"

#include <utility>

namespace holdfast::testing {

VersionRef empty_version(const CollectionConfig& config) {
  auto version = std::make_shared<ModelVersion>();
  version->config = config;
  return version;
}

VersionRef apply_batch(const ModelVersion& version, const WriteBatch& batch) {
  auto next = std::make_shared<ModelVersion>(version);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const WriteBatch::Operation operation = batch.operation(i);
    switch (operation.kind) {
      case WriteBatch::Kind::upsert:
        if (const auto old = next->points.find(operation.id); old != next->points.end()) {
          next->former[operation.id] = old->second.vector;
        }
        next->points[operation.id] = {
            {operation.vector.begin(), operation.vector.end()}, std::string(operation.payload), operation.values};
        break;
      case WriteBatch::Kind::erase:
        if (const auto old = next->points.find(operation.id); old != next->points.end()) {
          next->former[operation.id] = old->second.vector;
          next->points.erase(old);
        }
        break;
      case WriteBatch::Kind::marker:
        if (operation.payload.empty()) {
          next->markers.erase(std::string(operation.key));
        } else {
          next->markers[std::string(operation.key)] = operation.payload;
        }
        break;
    }
  }
  return next;
}

std::string difference(const VersionRef& expected, const VersionRef& found) {
  if (expected == nullptr && found == nullptr) return "";
  if (expected == nullptr) return "the collection is there";
  if (found == nullptr) return "the collection is missing";
  if (!(expected->config == found->config)) return "the configuration differs";
  for (const auto& [id, point] : expected->points) {
    const auto other = found->points.find(id);
    if (other == found->points.end()) return "id " + id.to_string() + " is missing";
    if (other->second.values != point.values) return "id " + id.to_string() + " has another number of vectors";
    if (other->second.vector != point.vector) return "id " + id.to_string() + " has another vector";
    if (other->second.payload != point.payload) {
      return "id " + id.to_string() + " has payload " + other->second.payload.substr(0, 40) + " instead of " +
             point.payload.substr(0, 40);
    }
  }
  for (const auto& [id, point] : found->points) {
    if (!expected->points.contains(id)) return "id " + id.to_string() + " should not be there";
  }
  return expected->markers == found->markers ? "" : "markers differ";
}

ModelCollection::ModelCollection(VersionRef current) : current_(std::move(current)), acknowledged_{current_} {}

std::vector<VersionRef> ModelCollection::possible(Loss loss) const {
  std::vector<VersionRef> versions;
  if (loss == Loss::power) versions = acknowledged_;
  if (loss == Loss::process) versions.push_back(current_);
  versions.insert(versions.end(), unknown_.begin(), unknown_.end());
  if (in_flight_) versions.push_back(next_);
  return versions;
}

void ModelCollection::begin(VersionRef next) {
  next_ = std::move(next);
  in_flight_ = true;
}

void ModelCollection::acknowledge(bool durable) {
  current_ = std::exchange(next_, nullptr);
  in_flight_ = false;
  if (durable) acknowledged_.clear();
  acknowledged_.push_back(current_);
  // A failed attempt was written over by this one. Until this one is durable, the disk may still hold the attempt.
  if (durable) unknown_.clear();
}

void ModelCollection::refuse() {
  next_ = nullptr;
  in_flight_ = false;
}

void ModelCollection::leave_unknown() {
  unknown_.push_back(std::exchange(next_, nullptr));
  in_flight_ = false;
}

void ModelCollection::make_durable() { acknowledged_ = {current_}; }

void ModelCollection::settle(VersionRef version) { *this = ModelCollection(std::move(version)); }

}  // namespace holdfast::testing
