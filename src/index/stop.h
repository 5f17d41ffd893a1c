// How a walk or a scan learns that it has to end before it is done: it asks now and then. Whoever asked knows the
// reason; the index only stops, and hands out what it has found by then.
#pragma once

#include <cstdint>

namespace holdfast::index {

/// Nodes expanded between two questions: some tens of microseconds.
inline constexpr std::uint32_t kStepsPerStopCheck = 32;
/// Rows scanned between two questions.
inline constexpr std::uint32_t kRowsPerStopCheck = 1024;

/// Answers the same once it has said yes. Null: goes on to the end, at no cost.
struct StopCheck {
  bool (*ask)(void* context) noexcept = nullptr;
  void* context = nullptr;
  [[nodiscard]] bool operator()() const noexcept { return ask != nullptr && ask(context); }
};

}  // namespace holdfast::index
