// The clock by which snapshots age.
#pragma once

#include <cstdint>
#include <ctime>

#include "engine/options.h"

namespace holdfast::engine {

/// Some milliseconds coarse: it costs a few nanoseconds, and snapshots are taken in great numbers.
[[nodiscard]] inline std::uint64_t now_ns(const EngineOptions& options) {
  if (options.clock_ns) return options.clock_ns();
  constexpr std::uint64_t kSecond = 1'000'000'000;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace holdfast::engine
