// Progress of a long job on standard output: a bar that redraws itself on a terminal, a plain line now and then
// elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace demo {

class ProgressBar {
 public:
  /// `done` counts from `start` (work of an earlier run) to `total`. Rate and time left are of this run only.
  ProgressBar(std::string label, std::uint64_t start, std::uint64_t total);
  /// Clears the line if the job ended without finish().
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(std::uint64_t done);
  /// Draws the last state and ends the line.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(bool last);

  const std::string label_;
  const std::uint64_t start_;
  const std::uint64_t total_;
  const bool terminal_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point drawn_{};
  std::uint64_t done_;
  std::uint64_t next_plain_ = 0;  // without a terminal: the next value that gets a line
  bool open_line_ = false;
};

/// "117,659"
[[nodiscard]] std::string grouped(std::uint64_t number);
/// "12.3 MB" (powers of ten, as disks are sold).
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);

}  // namespace demo
