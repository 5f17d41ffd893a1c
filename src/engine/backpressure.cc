// Every search compares the growing tier exactly, so its length has to be bounded, and the writers are the only ones
// who can do it. They are slowed down smoothly, together, to what the graph takes:
//
//   excess x = (growing - allowance) / allowance, 0 if negative
//   the next batch of p rows may come p * x / rate after this one, where `rate` is what the graph mutator reached
//   lately (a point with several vectors has several rows; what adds none, as an erase, does not wait)
//
// At x = 1 writers are as fast as the graph and the growing tier stays where it is; below they gain on it, above they
// fall behind. So the length settles near twice the allowance however many writers there are, and there is no point at
// which they stop. (Rejected: a limit at which writers block. It makes latency a saw with teeth of a whole batch.)
// While damage keeps the graph from taking anything, slower writers would gain nothing: they are not held back.
#include "engine/backpressure.h"

#include <algorithm>
#include <chrono>

namespace holdfast::engine {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kAllowanceBytes = std::uint64_t{2} << 20;  ///< compared in some 100 microseconds
constexpr std::uint64_t kAllowancePointsMin = 1'000;
constexpr double kExcessMax = 8;
constexpr std::int64_t kWaitMin_us = 1'000;  ///< shorter debts are carried over to the next write
constexpr std::int64_t kWaitMax_us = 1'000'000;

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

/// Rows per second that the graph takes now: not more than what the batch in work has reached so far, which matters
/// when the graph mutator hardly gets the processor. 0: unknown.
double pace_now(const CollectionState& state, std::int64_t now) {
  const CollectionState::IndexPace& pace = state.index_pace;
  const auto rate = static_cast<double>(pace.rate.load(std::memory_order_relaxed));
  const std::int64_t since = pace.busy_since_us.load(std::memory_order_relaxed);
  if (since == 0 || now <= since) return rate;
  const auto rows = static_cast<double>(pace.batch_rows.load(std::memory_order_relaxed));
  return std::min(rate, rows * 1e6 / static_cast<double>(now - since));
}

/// Takes the next place in the line of all writers; returns when it begins.
std::int64_t reserve(CollectionState& state, std::int64_t now, std::int64_t cost_us) {
  std::int64_t next = state.write_turn_us.load(std::memory_order_relaxed);
  std::int64_t begin = 0;
  do {
    begin = std::clamp(next, now, now + kWaitMax_us);
  } while (!state.write_turn_us.compare_exchange_weak(next, begin + cost_us, std::memory_order_relaxed));
  return begin;
}

}  // namespace

std::uint64_t growing_allowance(const CollectionState& state) {
  return std::max<std::uint64_t>(kAllowancePointsMin, kAllowanceBytes / state.store.vectors().stride());
}

void hold_back(CollectionState& state, std::uint64_t rows) {
  if (rows == 0 || state.index_pace.damaged.load(std::memory_order_relaxed)) return;
  const std::uint64_t growing = [&] {
    const Pin view(state.store.pins());
    return view->growing_end - view->growing_begin;
  }();
  const std::uint64_t allowance = growing_allowance(state);
  const std::int64_t now = now_us();
  const double rate = pace_now(state, now);
  if (growing <= allowance || rate <= 0) return;
  const double excess = std::min(static_cast<double>(growing - allowance) / static_cast<double>(allowance), kExcessMax);
  const double cost_us = static_cast<double>(rows) * excess * 1e6 / rate;
  const std::int64_t begin = reserve(state, now, static_cast<std::int64_t>(cost_us));
  if (begin - now < kWaitMin_us) return;
  state.writer_stalls.fetch_add(1, std::memory_order_relaxed);
  {
    // Nobody notifies: this is the time to pass, and close() does not wait for writers that are not queued yet.
    MutexLock lock(state.stall_mutex);
    for (std::int64_t left = begin - now; left >= kWaitMin_us; left = begin - now_us()) {
      state.stall.wait_for(state.stall_mutex, std::chrono::milliseconds(left / 1'000));
    }
  }
  state.writer_stall_us.fetch_add(static_cast<std::uint64_t>(now_us() - now), std::memory_order_relaxed);
}

}  // namespace holdfast::engine
