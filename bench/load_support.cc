#include "bench/load_support.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "bench/curve.h"
#include "bench/machine.h"
#include "bench/report.h"

namespace holdfast::bench {

nlohmann::json LatencyFigures::json() const {
  return {{"count", count}, {"p50_us", p50_us}, {"p99_us", p99_us}, {"p999_us", p999_us}, {"max_us", max_us}};
}

LatencyFigures latency_figures(const std::vector<double>& sample_us) {
  return {sample_us.size(), quantile(sample_us, 0.50), quantile(sample_us, 0.99), quantile(sample_us, 0.999),
          *std::max_element(sample_us.begin(), sample_us.end())};
}

bool identical(const Hits& a, const Hits& b) {
  return a.stopped == b.stopped && std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Hit& x, const Hit& y) {
           return x.id == y.id &&
                  std::bit_cast<std::uint32_t>(x.distance) == std::bit_cast<std::uint32_t>(y.distance) &&
                  x.payload == y.payload && x.value == y.value;
         });
}

Store create_store(const std::filesystem::path& path, const OpenOptions& options, const CollectionConfig& config) {
  Database database = must(Database::open(path, options));
  Collection collection = must(database.create_collection(kCollection, config));
  return {std::move(database), std::move(collection)};
}

double recall_at_10(const Snapshot& snapshot, const Matrix& queries, std::uint32_t ef) {
  std::size_t wanted = 0;
  std::size_t reached = 0;
  for (std::uint32_t q = 0; q < queries.rows; ++q) {
    const Hits exact = must(snapshot.search(queries.row(q), {.k = 10, .exact = true}));
    const Hits found = must(snapshot.search(queries.row(q), {.k = 10, .ef = ef}));
    if (exact.empty()) fail("an exact search found nothing");
    wanted += exact.size();
    for (const Hit& hit : found) reached += static_cast<std::size_t>(hit.distance <= exact.back().distance);
  }
  return static_cast<double>(reached) / static_cast<double>(wanted);
}

bool names(const WriteBatch& batch, PointId id) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch.operation(i).id == id) return true;
  }
  return false;
}

void jitter(std::span<const float> row, float amplitude, SeededRandom& random, std::vector<float>& out) {
  out.resize(row.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    out[i] = row[i] + amplitude * static_cast<float>(2 * random.unit() - 1);
  }
}

float jitter_amplitude(const Matrix& matrix) {
  double sum = 0;
  double squares = 0;
  for (const float value : matrix.values) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto count = static_cast<double>(matrix.values.size());
  const double mean = sum / count;
  return static_cast<float>(0.1 * std::sqrt(std::max(0.0, squares / count - mean * mean)));
}

bool wait_until(double seconds, const std::function<bool()>& done) {
  const Stopwatch watch;
  Mutex mutex;
  CondVar never;
  while (!done()) {
    if (watch.seconds() > seconds) return false;
    const MutexLock lock(mutex);
    never.wait_for(mutex, std::chrono::milliseconds(50));
  }
  return true;
}

Ticker::Ticker(std::chrono::milliseconds period, std::function<void()> work)
    : thread_([this, period, work = std::move(work)] {
        auto next = std::chrono::steady_clock::now() + period;
        const MutexLock lock(mutex_);
        while (!ended_) {
          const auto now = std::chrono::steady_clock::now();
          if (now >= next) {
            work();
            next = std::max(next + period, now);
          } else {
            wake_.wait_for(mutex_, std::chrono::ceil<std::chrono::milliseconds>(next - now));
          }
        }
      }) {}

Ticker::~Ticker() {
  {
    const MutexLock lock(mutex_);
    ended_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

}  // namespace holdfast::bench
