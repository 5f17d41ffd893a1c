#include "cli/bench_run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>
#include <thread>

#include "cli/interrupt.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kIdPage = 65'536;
constexpr std::size_t kWarmUpQueries = 200;

/// The k nearest of a query without itself.
Result<Hits> search(const Snapshot& snapshot, const BenchQuery& query, SearchOptions options) {
  const std::uint32_t k = options.k;
  if (query.self) ++options.k;
  CLI_ASSIGN(Hits hits, snapshot.search(query.vector, options));
  if (query.self) std::erase_if(hits, [&](const Hit& hit) { return hit.id == *query.self; });
  if (hits.size() > k) hits.resize(k);
  return hits;
}

/// Calls job(i) for every i < count on `threads` threads; the first error ends all.
Status parallel_for(std::size_t count, unsigned threads, const std::function<Status(std::size_t)>& job) {
  std::atomic<std::size_t> next{0};  // relaxed: only the distinctness of the indices matters
  std::vector<Status> outcomes(threads);
  const auto work = [&](unsigned thread) {
    for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      Status status = interrupted() ? Status(StatusCode::cancelled, "interrupted") : job(i);
      if (!status.ok()) {
        outcomes[thread] = std::move(status);
        next.store(count, std::memory_order_relaxed);
        return;
      }
    }
  };
  std::vector<std::thread> workers;
  for (unsigned thread = 1; thread < threads; ++thread) workers.emplace_back(work, thread);
  work(0);
  for (std::thread& worker : workers) worker.join();
  for (Status& status : outcomes) {
    if (!status.ok()) return std::move(status);
  }
  return {};
}

}  // namespace

Result<std::vector<BenchQuery>> sample_queries(const Snapshot& snapshot, std::size_t count, std::uint64_t seed) {
  // Reservoir: one pass over the ids, `count` of them kept.
  std::mt19937_64 random(seed);
  std::vector<PointId> chosen;
  std::uint64_t after = 0, seen = 0;
  for (;;) {
    std::uint64_t next = after;
    CLI_ASSIGN(const std::vector<PointId> page, snapshot.ids(after, kIdPage, &next));
    for (const PointId& id : page) {
      ++seen;
      if (chosen.size() < count) {
        chosen.push_back(id);
      } else if (const std::uint64_t place = random() % seen; place < count) {
        chosen[static_cast<std::size_t>(place)] = id;
      }
    }
    if (next == after) break;
    after = next;
  }
  std::vector<BenchQuery> queries;
  for (const PointId& id : chosen) {
    CLI_ASSIGN(Point point, snapshot.get(id));
    queries.push_back({std::move(point.vector), id});
  }
  return queries;
}

Result<std::vector<ExactBound>> exact_bounds(const Snapshot& snapshot, const std::vector<BenchQuery>& queries,
                                             const BenchSettings& settings) {
  std::vector<ExactBound> bounds(queries.size());
  CLI_TRY(parallel_for(queries.size(), settings.threads, [&](std::size_t i) -> Status {
    CLI_ASSIGN(const Hits hits, search(snapshot, queries[i], {.k = settings.k, .exact = true}));
    if (!hits.empty()) bounds[i] = {hits.back().distance, static_cast<std::uint32_t>(hits.size())};
    return {};
  }));
  return bounds;
}

Result<BenchResult> measure(const Snapshot& snapshot, const std::vector<BenchQuery>& queries,
                            const std::vector<ExactBound>& exact, std::uint32_t ef, const BenchSettings& settings) {
  const SearchOptions options{.k = settings.k, .ef = ef};
  CLI_TRY(parallel_for(std::min(kWarmUpQueries, queries.size()), settings.threads,
                       [&](std::size_t i) { return search(snapshot, queries[i], options).status(); }));

  std::vector<double> latencies_ms(queries.size());
  std::vector<std::uint32_t> found(queries.size());
  const Clock::time_point begin = Clock::now();
  CLI_TRY(parallel_for(queries.size(), settings.threads, [&](std::size_t i) -> Status {
    const Clock::time_point start = Clock::now();
    CLI_ASSIGN(const Hits hits, search(snapshot, queries[i], options));
    latencies_ms[i] = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    found[i] = static_cast<std::uint32_t>(
        std::count_if(hits.begin(), hits.end(), [&](const Hit& hit) { return hit.distance <= exact[i].distance; }));
    return {};
  }));
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();

  std::uint64_t hits = 0, wanted = 0;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    hits += std::min(found[i], exact[i].hits);
    wanted += exact[i].hits;
  }
  std::sort(latencies_ms.begin(), latencies_ms.end());
  BenchResult result{.ef = ef};
  result.recall = wanted == 0 ? 1 : static_cast<double>(hits) / static_cast<double>(wanted);
  result.queries_per_s = static_cast<double>(queries.size()) / std::max(seconds, 1e-9);
  result.mean_ms = std::accumulate(latencies_ms.begin(), latencies_ms.end(), 0.0) /
                   static_cast<double>(std::max<std::size_t>(1, queries.size()));
  result.p50_ms = percentile(latencies_ms, 0.5);
  result.p90_ms = percentile(latencies_ms, 0.9);
  result.p99_ms = percentile(latencies_ms, 0.99);
  result.p999_ms = percentile(latencies_ms, 0.999);
  return result;
}

double percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

}  // namespace holdfast::cli
