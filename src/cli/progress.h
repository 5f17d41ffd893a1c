// Progress on stderr: one line redrawn in place on a terminal, a plain line now and then otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::cli {

/// One moment of a long task.
struct ProgressState {
  std::string_view label;         ///< "importing"
  std::string_view unit;          ///< "rows"
  std::uint64_t done = 0;         ///< in units, work of earlier runs included
  std::uint64_t done_before = 0;  ///< of earlier runs: not counted in the rate
  double fraction = 0;            ///< of the whole, 0..1
  double fraction_before = 0;
  double elapsed_s = 0;  ///< of this run
};

/// "importing [=======>      ]  53 %  530,000 rows  48,211/s  0:09 left", at most `width` columns.
[[nodiscard]] std::string render_bar(const ProgressState& state, std::size_t width);
/// "importing: 530000 rows, 53 %, 48211/s, 0:09 left"
[[nodiscard]] std::string render_plain(const ProgressState& state);

class Progress {
 public:
  /// `plain_every`: time between plain lines; zero writes one for each update.
  Progress(std::string label, std::string unit, std::chrono::duration<double> plain_every);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Where this run begins, if earlier ones did a part.
  void start_at(std::uint64_t done, double fraction);
  /// Cheap: draws at most ten times a second on a terminal.
  void update(std::uint64_t done, double fraction);
  /// Takes the bar off the terminal, so that other lines can be written.
  void clear();
  [[nodiscard]] double elapsed_s() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::string label_, unit_;
  std::chrono::duration<double> interval_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point last_ = begin_;
  std::uint64_t done_before_ = 0;
  double fraction_before_ = 0;
};

}  // namespace holdfast::cli
