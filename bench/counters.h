// Hardware counters of the calling thread (Linux perf_event_open), user space only, where the machine gives them.
// Virtual machines often give none; `reason()` then says so once instead of a column of zeros.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace holdfast::bench {

/// What to count: `type` and `config` of struct perf_event_attr.
struct CounterKind {
  const char* name;
  std::uint32_t type;
  std::uint64_t config;
};
inline constexpr std::size_t kCounters = 3;

struct Counts {
  std::array<double, kCounters> values{};
  bool counted = false;

  Counts& operator+=(const Counts& other) {
    for (std::size_t i = 0; i < kCounters; ++i) values[i] += other.values[i];
    counted = counted || other.counted;
    return *this;
  }
};

class Counters {
 public:
  /// All of `kinds` as one group, so that they count the same moments. Not counting yet.
  explicit Counters(std::span<const CounterKind, kCounters> kinds);
  ~Counters();
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  [[nodiscard]] bool available() const { return reason_.empty(); }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  /// From zero.
  void start();
  /// Since start(). Scaled up if the group had to share the hardware with others.
  [[nodiscard]] Counts stop();

 private:
  std::array<int, kCounters> files_;
  std::string reason_;
};

/// Instructions, cycles, last-level cache misses.
[[nodiscard]] std::span<const CounterKind, kCounters> hardware_kinds();
/// Hardware counters of the calling thread, opened at the first call.
[[nodiscard]] Counters& thread_counters();

}  // namespace holdfast::bench
