#include "engine/validate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_set>

#include "base/plant.h"
#include "index/components.h"

namespace holdfast::engine {

namespace {

Status invalid(std::string message) { return {StatusCode::invalid_argument, std::move(message)}; }

// Squared norms up to here keep every distance finite: (a-b)^2 <= 2|a|^2 + 2|b|^2.
constexpr double kMaxSquaredNorm = std::numeric_limits<float>::max() / 8.0;

Status validate_payload(std::string_view payload) {
  if (payload.empty()) return {};
  if (payload.size() > kMaxPayloadBytes) {
    return invalid("the payload has " + std::to_string(payload.size()) + " bytes; at most " +
                   std::to_string(kMaxPayloadBytes) + " are allowed");
  }
  const std::size_t first = payload.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || payload[first] != '{' || !nlohmann::json::accept(payload)) {
    return invalid("the payload is no JSON object; pass something like {\"key\":\"value\"} or nothing");
  }
  return {};
}

Status validate_marker(const WriteBatch::Operation& operation) {
  if (operation.key.empty()) return invalid("a marker needs a key");
  if (operation.key.size() + operation.payload.size() > kMaxMarkerBytes) {
    return invalid("the marker '" + std::string(operation.key.substr(0, 64)) + "' is larger than " +
                   std::to_string(kMaxMarkerBytes) + " bytes");
  }
  return {};
}

}  // namespace

Status validate_name(std::string_view name) {
  const bool allowed = name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
                       std::string_view::npos;
  if (name.empty() || name.size() > kMaxNameBytes || name.front() == '.' || !allowed) {
    return invalid("'" + std::string(name.substr(0, 140)) + "' is no collection name: use 1 to " +
                   std::to_string(kMaxNameBytes) + " of A-Z a-z 0-9 . _ - and no leading dot");
  }
  return {};
}

Status validate_config(const CollectionConfig& config) {
  if (config.dimension == 0 || config.dimension > kMaxDimension) {
    return invalid("dimension must be 1 to " + std::to_string(kMaxDimension) + ", got " +
                   std::to_string(config.dimension));
  }
  if (config.metric > Metric::cosine) return invalid("unknown metric");
  if (config.type > ComponentType::u8) return invalid("unknown type of components");
  if (config.m < 2 || config.m > kMaxM) {
    return invalid("m must be 2 to " + std::to_string(kMaxM) + ", got " + std::to_string(config.m));
  }
  if (config.ef_construction < config.m || config.ef_construction > kMaxEfConstruction) {
    return invalid("ef_construction must be m (" + std::to_string(config.m) + ") to " +
                   std::to_string(kMaxEfConstruction) + ", got " + std::to_string(config.ef_construction));
  }
  return {};
}

Status validate_options(const OpenOptions& options) {
  if (options.log_segment_bytes < 16 * 1024 || options.log_segment_bytes > (std::uint64_t{1} << 32)) {
    return invalid("log_segment_bytes must be 16 KiB to 4 GiB, got " + std::to_string(options.log_segment_bytes));
  }
  if (options.sync_interval.count() <= 0) return invalid("sync_interval must be positive");
  if (options.durability > Durability::none) return invalid("unknown durability");
  if (options.vacuum_percent == 0 || options.vacuum_percent > 100) {
    return invalid("vacuum_percent must be 1 to 100, got " + std::to_string(options.vacuum_percent));
  }
  if (options.snapshot_age_max.count() < 0) return invalid("snapshot_age_max must not be negative (0: no limit)");
  if (options.scrub_interval.count() < 0 || options.scrub_interval > std::chrono::hours(24 * 366)) {
    return invalid("scrub_interval must be 0 seconds to a year, got " + std::to_string(options.scrub_interval.count()));
  }
  return {};
}

namespace {

/// The first component that the type does not hold. REQUIRES one.
Status outside_type(std::span<const float> vector, ComponentType type) {
  std::array<std::byte, sizeof(float)> one;
  const bool whole = type == ComponentType::i8 || type == ComponentType::u8;
  std::size_t i = 0;
  for (; i + 1 < vector.size(); ++i) {
    const simd::Conversion became = index::encode_components(type, vector.subspan(i, 1), one.data());
    if (became == simd::Conversion::out_of_range || (whole && became != simd::Conversion::exact)) break;
  }
  const char* const holds = type == ComponentType::i8    ? "whole numbers from -128 to 127"
                            : type == ComponentType::u8  ? "whole numbers from 0 to 255"
                            : type == ComponentType::f16 ? "numbers below 65,520"
                                                         : "numbers below 3.39e38";
  return invalid("component " + std::to_string(i) + " is " + std::to_string(vector[i]) + ", but vectors of type " +
                 std::string(to_string(type)) + " hold " + holds + ": scale it, or use another type");
}

/// What validate_vector() found is right as it is; now whether the type holds it, and what it becomes there.
Status validate_stored(std::span<const float> vector, const CollectionConfig& config) {
  if (config.type == ComponentType::f32) return {};
  constexpr std::size_t kAtOnce = 256;
  std::array<std::byte, kAtOnce * 2> stored;
  std::array<float, kAtOnce> back;
  const bool whole = config.type == ComponentType::i8 || config.type == ComponentType::u8;
  double squared = 0;
  for (std::size_t begin = 0; begin < vector.size(); begin += kAtOnce) {
    const auto part = vector.subspan(begin, std::min(kAtOnce, vector.size() - begin));
    const simd::Conversion became = index::encode_components(config.type, part, stored.data());
    if (became == simd::Conversion::out_of_range || (whole && became != simd::Conversion::exact)) {
      return outside_type(vector, config.type);
    }
    index::decode_components(config.type, stored.data(), part.size(), back.data());
    for (std::size_t i = 0; i < part.size(); ++i)
      squared += static_cast<double>(back[i]) * static_cast<double>(back[i]);
  }
  if (config.metric == Metric::cosine && !(squared > 1e-70)) {
    return invalid("as " + std::string(to_string(config.type)) +
                   " the vector is zero and has no direction, so cosine is not defined for it: scale it");
  }
  return {};
}

}  // namespace

Status validate_vector(std::span<const float> vector, const CollectionConfig& config) {
  if (vector.size() != config.dimension) {
    return invalid("the vector has " + std::to_string(vector.size()) + " components, the collection " +
                   std::to_string(config.dimension));
  }
  double squared = 0;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    if (!std::isfinite(vector[i])) {
      return invalid("component " + std::to_string(i) + " is " + (std::isnan(vector[i]) ? "NaN" : "infinite"));
    }
    squared += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
  }
  if (squared > kMaxSquaredNorm) return invalid("the vector is too long: its squared norm must stay below 4e37");
  if (config.metric == Metric::cosine && !(squared > 1e-70)) {
    return invalid("a zero vector has no direction, so cosine is not defined for it; use l2 or inner_product");
  }
  return {};
}

namespace {

Status validate_values(const WriteBatch::Operation& operation, const CollectionConfig& config) {
  const auto validate_one = [&](std::span<const float> vector) {
    Status status = validate_vector(vector, config);
    return status.ok() ? validate_stored(vector, config) : status;
  };
  if (operation.values == 1) return validate_one(operation.vector);
  if (operation.values == 0 || operation.values > kMaxValues) {
    return invalid("a point has 1 to " + std::to_string(kMaxValues) + " vectors, got " +
                   std::to_string(operation.values));
  }
  const std::size_t wanted = std::size_t{operation.values} * config.dimension;
  if (operation.vector.size() != wanted) {
    return invalid("the " + std::to_string(operation.values) + " vectors have " +
                   std::to_string(operation.vector.size()) + " components in all, the collection needs " +
                   std::to_string(wanted));
  }
  for (std::uint32_t value = 0; value < operation.values; ++value) {
    const auto vector = operation.vector.subspan(std::size_t{value} * config.dimension, config.dimension);
    if (Status status = validate_one(vector); !status.ok()) {
      return status.with_context("vector " + std::to_string(value));
    }
  }
  return {};
}

}  // namespace

Status validate_batch(const WriteBatch& batch, const CollectionConfig& config) {
  if (batch.size() > kMaxBatchOperations || batch.byte_size() > kMaxBatchBytes) {
    return invalid("the batch has " + std::to_string(batch.size()) + " operations and " +
                   std::to_string(batch.byte_size()) + " bytes; at most " + std::to_string(kMaxBatchOperations) +
                   " and " + std::to_string(kMaxBatchBytes) + " are allowed: split it");
  }
  std::unordered_set<PointId> ids;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const WriteBatch::Operation operation = batch.operation(i);
    const auto context = [&] { return "operation " + std::to_string(i) + " (id " + operation.id.to_string() + ")"; };
    if (operation.kind == WriteBatch::Kind::marker) {
      if (Status status = validate_marker(operation); !status.ok()) return status;
      continue;
    }
    if (batch.size() > 1 && !ids.insert(operation.id).second && !HF_PLANTED(id_stands_twice_in_a_batch)) {
      return invalid(context() + ": the id stands twice in the batch; a batch may name an id once");
    }
    if (operation.kind != WriteBatch::Kind::upsert) continue;
    if (Status status = validate_values(operation, config); !status.ok()) return status.with_context(context());
    if (Status status = validate_payload(operation.payload); !status.ok()) return status.with_context(context());
  }
  return {};
}

Status validate_search(std::span<const float> query, const SearchOptions& options, const CollectionConfig& config) {
  if (options.k == 0 || options.k > kMaxK) {
    return invalid("k must be 1 to " + std::to_string(kMaxK) + ", got " + std::to_string(options.k));
  }
  if (options.ef > kMaxEf) {
    return invalid("ef must be at most " + std::to_string(kMaxEf) + " (0 chooses), got " + std::to_string(options.ef));
  }
  if (!(options.recall >= 0 && options.recall <= 1)) {
    return invalid("the wanted recall must be above 0 and at most 1 (0: none is wanted), got " +
                   std::to_string(options.recall));
  }
  if (options.recall > 0 && options.ef != 0) {
    return invalid("ef and recall both say how wide to search: give one of them");
  }
  if (options.preset > Preset::exact) return invalid("unknown preset");
  if (options.exact && options.preset == Preset::fast) {
    return invalid("a search is either exact or of the preset fast: give one of them");
  }
  return validate_vector(query, config).with_context("query");
}

}  // namespace holdfast::engine
