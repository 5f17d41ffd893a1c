// A collection built the way a user builds it: the public API, every batch synced, waited for, checkpointed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "bench/datasets.h"
#include "holdfast/database.h"

namespace holdfast::bench {

inline constexpr const char* kCollection = "bench";

struct BuildSettings {
  std::uint32_t m = 16;
  std::uint32_t ef_construction = 200;
  std::uint32_t threads = 2;
  std::uint32_t batch = 1'000;                     ///< points per write
  void (*configure)(CollectionConfig&) = nullptr;  ///< what else the collection is made with
  /// Called from another thread every progress_s seconds, if there is one.
  std::function<void(const CollectionStats&)> progress = {};
  std::uint32_t progress_s = 10;
};

struct BuildTimes {
  double write_s = 0;       ///< until the last batch was acknowledged, i.e. durable
  double index_s = 0;       ///< from then until the graph held everything
  double checkpoint_s = 0;  ///< from then until the checkpoint was done
  [[nodiscard]] double total_s() const { return write_s + index_s + checkpoint_s; }
};

struct Store {
  Database database;
  Collection collection;
};

[[nodiscard]] OpenOptions open_options(const BuildSettings& settings);
/// Opens an existing store.
[[nodiscard]] Store open_store(const std::filesystem::path& path, const OpenOptions& options);
/// Creates a store at `path` and brings row i of `base` into it as point i. Ends the program on any error.
[[nodiscard]] Store build_durably(const std::filesystem::path& path, const Matrix& base, Metric metric,
                                  const BuildSettings& settings, BuildTimes& times);

}  // namespace holdfast::bench
