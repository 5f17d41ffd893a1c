// The deadline and the cancellation of one read, as the index asks for them (index/stop.h).
#pragma once

#include <chrono>

#include "holdfast/types.h"
#include "index/stop.h"

namespace holdfast::engine {

/// One thread at a time; the stop token may be triggered from anywhere.
class ReadStop {
 public:
  explicit ReadStop(const ReadLimits& limits) noexcept : limits_(limits) {}
  ReadStop(const ReadStop&) = delete;
  ReadStop& operator=(const ReadStop&) = delete;

  /// Null if there is nothing to watch. Lives as long as this.
  [[nodiscard]] index::StopCheck check() noexcept {
    if (!limits_.deadline && !limits_.cancel.stop_possible()) return {};
    return {ask, this};
  }
  /// What the last question found.
  [[nodiscard]] Stopped reason() const noexcept { return reason_; }

 private:
  static bool ask(void* context) noexcept {
    auto& self = *static_cast<ReadStop*>(context);
    if (self.reason_ != Stopped::no) return true;
    if (self.limits_.cancel.stop_requested()) {
      self.reason_ = Stopped::cancelled;
    } else if (self.limits_.deadline && std::chrono::steady_clock::now() >= *self.limits_.deadline) {
      self.reason_ = Stopped::deadline;
    }
    return self.reason_ != Stopped::no;
  }
  const ReadLimits& limits_;
  Stopped reason_ = Stopped::no;
};

}  // namespace holdfast::engine
