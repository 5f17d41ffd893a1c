#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/table.h"
#include "cli/text.h"

namespace holdfast::cli {
namespace {

constexpr std::chrono::duration<double> kRedrawEvery{0.1};
constexpr std::size_t kMinBarWidth = 8;
constexpr std::size_t kMaxBarWidth = 40;

double rate(const ProgressState& state) {
  return state.elapsed_s <= 0 ? 0 : static_cast<double>(state.done - state.done_before) / state.elapsed_s;
}

/// Empty while there is nothing to extrapolate from.
std::string time_left(const ProgressState& state) {
  const double progressed = state.fraction - state.fraction_before;
  if (progressed <= 0 || state.elapsed_s <= 0) return {};
  return human_duration((1 - state.fraction) * state.elapsed_s / progressed) + " left";
}

unsigned percent(const ProgressState& state) {
  return static_cast<unsigned>(std::clamp(state.fraction, 0.0, 1.0) * 100);
}

}  // namespace

std::string render_bar(const ProgressState& state, std::size_t width) {
  const std::string left = std::string(state.label) + " ";
  std::string right = format(" %3u %%  ", percent(state)) + grouped(state.done) + " " + std::string(state.unit) + "  " +
                      grouped(static_cast<std::uint64_t>(rate(state))) + "/s";
  if (const std::string remaining = time_left(state); !remaining.empty()) right += "  " + remaining;

  const std::size_t text = left.size() + right.size() + 2;
  std::string line;
  if (width >= text + kMinBarWidth) {
    const std::size_t bar = std::min(kMaxBarWidth, width - text);
    const auto filled = static_cast<std::size_t>(std::clamp(state.fraction, 0.0, 1.0) * static_cast<double>(bar));
    line = left + "[" + std::string(filled, '=') + (filled < bar ? ">" : "") +
           std::string(bar - std::min(bar, filled + 1), ' ') + "]" + right;
  } else {
    line = left + right;
  }
  if (line.size() > width) line.resize(width);
  return line;
}

std::string render_plain(const ProgressState& state) {
  std::string line =
      format("%s: %llu %s, %u %%, %.0f/s", std::string(state.label).c_str(),
             static_cast<unsigned long long>(state.done), std::string(state.unit).c_str(), percent(state), rate(state));
  if (const std::string remaining = time_left(state); !remaining.empty()) line += ", " + remaining;
  return line;
}

Progress::Progress(std::string label, std::string unit, std::chrono::duration<double> plain_every)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      interval_(plain_every),
      terminal_(terminal_width(STDERR_FILENO) != 0) {
  if (terminal_) interval_ = kRedrawEvery;
}

void Progress::start_at(std::uint64_t done, double fraction) {
  done_before_ = done;
  fraction_before_ = fraction;
  begin_ = last_ = Clock::now();
}

void Progress::update(std::uint64_t done, double fraction) {
  const Clock::time_point now = Clock::now();
  if (now - last_ < interval_) return;
  last_ = now;
  const ProgressState state{label_, unit_, done, done_before_, fraction, fraction_before_, elapsed_s()};
  if (terminal_) {
    std::fprintf(stderr, "\r\x1b[K%s", render_bar(state, terminal_width(STDERR_FILENO) - 1).c_str());
    drawn_ = true;
  } else {
    std::fprintf(stderr, "%s\n", render_plain(state).c_str());
  }
  std::fflush(stderr);
}

void Progress::clear() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

double Progress::elapsed_s() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

}  // namespace holdfast::cli
