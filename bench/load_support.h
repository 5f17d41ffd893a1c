// What the load programs share: latencies, answers compared bit by bit, points for writers, a clock that ticks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "bench/datasets.h"
#include "bench/durable_build.h"

namespace holdfast::bench {

struct LatencyFigures {
  std::size_t count = 0;
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
  [[nodiscard]] nlohmann::json json() const;
};
/// REQUIRES a sample that is not empty.
[[nodiscard]] LatencyFigures latency_figures(const std::vector<double>& sample_us);

/// Whether both name the same ids with the same bits of distance, in the same order, with the same payloads.
[[nodiscard]] bool identical(const Hits& a, const Hits& b);

/// A store with one empty collection, kCollection.
[[nodiscard]] Store create_store(const std::filesystem::path& path, const OpenOptions& options,
                                 const CollectionConfig& config);

/// Part of the ten nearest (by exact search on the same snapshot) whose distance the graph search reaches, for all
/// queries. By distance, so that points at the same distance stand in for each other.
[[nodiscard]] double recall_at_10(const Snapshot& snapshot, const Matrix& queries, std::uint32_t ef);

/// A batch may name an id once.
[[nodiscard]] bool names(const WriteBatch& batch, PointId id);

/// A row with every component moved a little: near to where data is, yet a vector of its own.
void jitter(std::span<const float> row, float amplitude, SeededRandom& random, std::vector<float>& out);
/// A tenth of the standard deviation of the components: what jitter() is given.
[[nodiscard]] float jitter_amplitude(const Matrix& matrix);

[[nodiscard]] inline double megabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

/// Asks `done` twenty times a second until it says yes (true) or the time is over (false).
[[nodiscard]] bool wait_until(double seconds, const std::function<bool()>& done);

/// Calls `work` once every period on a thread of its own, until the object goes.
class Ticker {
 public:
  Ticker(std::chrono::milliseconds period, std::function<void()> work);
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  Mutex mutex_;
  CondVar wake_;
  bool ended_ HF_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace holdfast::bench
