#include "progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace demo {
namespace {

constexpr int kBarWidth = 30;
constexpr std::chrono::milliseconds kRedrawInterval{100};
constexpr std::uint64_t kPlainLines = 5;

}  // namespace

ProgressBar::ProgressBar(std::string label, std::uint64_t start, std::uint64_t total)
    : label_(std::move(label)), start_(start), total_(total), terminal_(isatty(STDOUT_FILENO) == 1), done_(start) {
  const std::uint64_t step = std::max<std::uint64_t>(1, total_ / kPlainLines);
  next_plain_ = (start / step + 1) * step;
}

ProgressBar::~ProgressBar() {
  if (open_line_) std::fputs("\r\x1b[K", stdout);
  std::fflush(stdout);
}

void ProgressBar::update(std::uint64_t done) {
  done_ = done;
  if (terminal_) {
    if (Clock::now() - drawn_ < kRedrawInterval) return;
    draw(false);
  } else if (done_ >= next_plain_) {
    next_plain_ += std::max<std::uint64_t>(1, total_ / kPlainLines);
    draw(true);
  }
}

void ProgressBar::finish() {
  if (terminal_) draw(true);
  std::fflush(stdout);
}

void ProgressBar::draw(bool last) {
  drawn_ = Clock::now();
  const double seconds = std::chrono::duration<double>(drawn_ - begin_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_ - start_) / seconds : 0;
  const auto left = rate > 0 ? static_cast<long>(static_cast<double>(total_ - done_) / rate + 0.5) : 0;
  const double part = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1;
  const int filled = static_cast<int>(part * kBarWidth);
  std::string bar(static_cast<std::size_t>(filled), '#');
  bar.append(static_cast<std::size_t>(kBarWidth - filled), '.');
  std::printf("%s  %-10s %s %5.1f %%  %s of %s  %s/s  %ld:%02ld left%s", terminal_ ? "\r\x1b[K" : "", label_.c_str(),
              bar.c_str(), part * 100, grouped(done_).c_str(), grouped(total_).c_str(),
              grouped(static_cast<std::uint64_t>(rate)).c_str(), left / 60, left % 60, last ? "\n" : "");
  std::fflush(stdout);
  open_line_ = !last;
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

}  // namespace demo
