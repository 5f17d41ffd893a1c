// Measures recall, throughput and latency of searches on a collection.
//
// Recall@k: of the k exact nearest, the share that the graph found; a hit counts if its distance is at most that of the
// k-th exact hit, so that ties are not held against it. Queries that are stored points leave themselves out: k+1 are
// asked for and the point itself is dropped. Latency is that of one search call as its thread sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "holdfast/database.h"

namespace holdfast::cli {

struct BenchQuery {
  std::vector<float> vector;
  std::optional<PointId> self;  ///< the stored point that it is
};

struct BenchSettings {
  std::uint32_t k = 10;
  unsigned threads = 1;
};

struct BenchResult {
  std::uint32_t ef = 0;
  double recall = 0;
  double queries_per_s = 0;
  double mean_ms = 0, p50_ms = 0, p90_ms = 0, p99_ms = 0, p999_ms = 0;
};

/// `count` live points drawn without replacement, the same for the same seed and points.
[[nodiscard]] Result<std::vector<BenchQuery>> sample_queries(const Snapshot& snapshot, std::size_t count,
                                                             std::uint64_t seed);
/// For each query the distance of its k-th exact hit (the last one if there are fewer), and how many there are.
struct ExactBound {
  float distance = 0;
  std::uint32_t hits = 0;
};
[[nodiscard]] Result<std::vector<ExactBound>> exact_bounds(const Snapshot& snapshot,
                                                           const std::vector<BenchQuery>& queries,
                                                           const BenchSettings& settings);
[[nodiscard]] Result<BenchResult> measure(const Snapshot& snapshot, const std::vector<BenchQuery>& queries,
                                          const std::vector<ExactBound>& exact, std::uint32_t ef,
                                          const BenchSettings& settings);

/// Of ascending values; 0 <= share <= 1 (nearest rank).
[[nodiscard]] double percentile(const std::vector<double>& sorted, double share);

}  // namespace holdfast::cli
