#include "cli/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "cli/json_text.h"

namespace holdfast::cli {
namespace {

bool is_separator(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ','; }

}  // namespace

Result<std::vector<float>> parse_vector(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  if (text.starts_with('[') != text.ends_with(']')) {
    return Status(StatusCode::invalid_argument, "the vector has one bracket only: write '[0.1, 0.2]' or '0.1,0.2'");
  }
  if (text.starts_with('[')) text = text.substr(1, text.size() - 2);

  std::vector<float> vector;
  for (std::size_t at = 0;;) {
    while (at < text.size() && is_separator(text[at])) ++at;
    if (at == text.size()) break;
    std::size_t end = at;
    while (end < text.size() && !is_separator(text[end])) ++end;
    std::string_view word = text.substr(at, end - at);
    if (word.starts_with('+')) word.remove_prefix(1);
    float component = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), component);
    if (error != std::errc{} || stop != word.data() + word.size() || !std::isfinite(component)) {
      return Status(StatusCode::invalid_argument, "component " + std::to_string(vector.size()) + " of the vector, '" +
                                                      std::string(word.substr(0, 32)) +
                                                      "', is no finite number: write '[0.1, 0.2]' or '0.1,0.2'");
    }
    vector.push_back(component);
    at = end;
  }
  if (vector.empty()) {
    return Status(StatusCode::invalid_argument, "the vector is empty: write '[0.1, 0.2]' or '0.1,0.2'");
  }
  return vector;
}

Result<Durability> parse_durability(std::string_view text) {
  for (const Durability durability : {Durability::sync, Durability::interval, Durability::none}) {
    if (text == to_string(durability)) return durability;
  }
  return Status(StatusCode::invalid_argument,
                "'" + std::string(text.substr(0, 32)) + "' is no durability: give sync, interval or none");
}

std::string abbreviate(std::span<const float> vector, std::size_t shown) {
  std::string out = "[";
  for (std::size_t i = 0; i < std::min(shown, vector.size()); ++i) {
    if (i != 0) out += ", ";
    out += json_number(vector[i]);
  }
  if (vector.size() > shown) out += ", ... " + std::to_string(vector.size()) + " components";
  return out += ']';
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return format("%.1f %s", value, kUnits[unit]);
}

std::string human_duration(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::clamp(seconds, 0.0, 1e9) + 0.5);
  const auto hours = static_cast<unsigned long long>(whole / 3600);
  const auto minutes = static_cast<unsigned>(whole / 60 % 60);
  const auto rest = static_cast<unsigned>(whole % 60);
  if (hours != 0) return format("%llu:%02u:%02u", hours, minutes, rest);
  return format("%u:%02u", minutes, rest);
}

std::string format(const char* pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  va_list again;
  va_copy(again, arguments);
  const int size = std::vsnprintf(nullptr, 0, pattern, arguments);
  va_end(arguments);
  std::string out(static_cast<std::size_t>(std::max(size, 0)), '\0');
  std::vsnprintf(out.data(), out.size() + 1, pattern, again);
  va_end(again);
  return out;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

std::string counted(std::uint64_t number, std::string_view noun) {
  std::string words = grouped(number) + " " + std::string(noun);
  if (number == 1) return words;
  if (!words.ends_with('y')) return words + "s";
  words.back() = 'i';  // "queries"
  return words + "es";
}

Status check_range(std::string_view option, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high) return {};
  return {StatusCode::invalid_argument, std::string(option) + " " + std::to_string(value) + " is out of range: give " +
                                            std::to_string(low) + " to " + std::to_string(high)};
}

}  // namespace holdfast::cli
