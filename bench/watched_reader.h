// One thread that searches without a pause, and notes how long the searches took that fell into a window.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "bench/datasets.h"
#include "holdfast/database.h"

namespace holdfast::bench {

/// Microseconds of each search that counted: by the clock, and of processor time.
struct WatchedSearches {
  std::vector<double> us;
  std::vector<double> processor_us;

  void add(const WatchedSearches& more);
  /// Searches per second of the reader. REQUIRES some.
  [[nodiscard]] double qps() const;
  /// The same per second of its processor time: without the turns that the scheduler gives to others.
  [[nodiscard]] double qps_processor() const;
};

/// A reader on a thread of its own. Between open() and close() those searches count that began and ended there.
/// The object is used by one thread.
class WatchedReader {
 public:
  /// Searches `held`, or the newest state each time if there is none. Returns once the reader is warm.
  WatchedReader(const Collection& collection, const Matrix& queries, std::uint32_t ef, std::optional<Snapshot> held);
  void open() { window_.store(++windows_); }
  void close() { window_.store(0); }
  /// Ends the reader.
  [[nodiscard]] WatchedSearches finish();

 private:
  void read(const std::stop_token& stop, const Collection& collection, const Matrix& queries, std::uint32_t ef,
            const std::optional<Snapshot>& held);

  std::atomic<bool> ready_{false};        // nothing else is read through it
  std::atomic<std::uint32_t> window_{0};  // number of the open one, 0: none; searches are handed over by the join
  std::uint32_t windows_ = 0;
  WatchedSearches searches_;
  std::jthread thread_;
};

}  // namespace holdfast::bench
