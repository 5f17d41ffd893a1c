#include "bench/watched_reader.h"

#include <numeric>
#include <string>
#include <utility>

#include "bench/machine.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr std::uint32_t kWarmUp = 200;  // searches that do not count

double per_second(const std::vector<double>& sample_us) {
  return static_cast<double>(sample_us.size()) * 1e6 / std::accumulate(sample_us.begin(), sample_us.end(), 0.0);
}

}  // namespace

void WatchedSearches::add(const WatchedSearches& more) {
  us.insert(us.end(), more.us.begin(), more.us.end());
  processor_us.insert(processor_us.end(), more.processor_us.begin(), more.processor_us.end());
}

double WatchedSearches::qps() const { return per_second(us); }
double WatchedSearches::qps_processor() const { return per_second(processor_us); }

WatchedReader::WatchedReader(const Collection& collection, const Matrix& queries, std::uint32_t ef,
                             std::optional<Snapshot> held)
    : thread_([=, this, &queries](const std::stop_token& stop) { read(stop, collection, queries, ef, held); }) {
  ready_.wait(false);
}

WatchedSearches WatchedReader::finish() {
  thread_.request_stop();
  thread_.join();
  return std::move(searches_);
}

void WatchedReader::read(const std::stop_token& stop, const Collection& collection, const Matrix& queries,
                         std::uint32_t ef, const std::optional<Snapshot>& held) {
  // A search takes from the end of the one before to its own: a thread is put aside mostly when it enters or leaves the
  // kernel, as the processor clock does, and that time is the reader's, too.
  const Stopwatch watch;
  double began = 0;
  double processor_began = thread_processor_seconds();
  for (std::uint32_t i = 0; !stop.stop_requested(); ++i) {
    if (i == kWarmUp) {
      ready_.store(true);
      ready_.notify_one();
    }
    const auto query = queries.row(i % queries.rows);
    const std::uint32_t window = window_.load();
    const Hits hits =
        must(held ? held->search(query, {.k = 10, .ef = ef}) : collection.search(query, {.k = 10, .ef = ef}));
    if (hits.size() != 10) fail("a search found " + std::to_string(hits.size()) + " points");
    const double processor = thread_processor_seconds();
    const double now = watch.seconds();
    const double us = (now - std::exchange(began, now)) * 1e6;
    const double processor_us = (processor - std::exchange(processor_began, processor)) * 1e6;
    if (window == 0 || window_.load() != window) continue;
    searches_.us.push_back(us);
    searches_.processor_us.push_back(processor_us);
  }
}

}  // namespace holdfast::bench
