// Reading what people type and writing what they read: vectors, numbers, bytes, durations.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "holdfast/status.h"
#include "holdfast/types.h"

namespace holdfast::cli {

/// "[0.1, 2, -3]", "0.1,2,-3" or "0.1 2 -3". Errors: invalid_argument naming the component.
[[nodiscard]] Result<std::vector<float>> parse_vector(std::string_view text);
/// "sync", "interval" or "none".
[[nodiscard]] Result<Durability> parse_durability(std::string_view text);

/// "[0.1, 2, -3, ... 384 components]" with the first `shown` components.
[[nodiscard]] std::string abbreviate(std::span<const float> vector, std::size_t shown = 8);
/// "1,234,567"
[[nodiscard]] std::string grouped(std::uint64_t number);
/// "17 B", "1.5 MiB"
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
/// "0:07", "12:34", "1:02:03"
[[nodiscard]] std::string human_duration(double seconds);
/// printf with a result.
[[nodiscard]] std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));
/// "a, b, c"
[[nodiscard]] std::string join(const std::vector<std::string>& parts, std::string_view separator = ", ");
/// "1 row", "2 rows", "1,234 rows"
[[nodiscard]] std::string counted(std::uint64_t number, std::string_view noun);

/// invalid_argument naming option and range unless low <= value <= high.
[[nodiscard]] Status check_range(std::string_view option, std::uint64_t value, std::uint64_t low, std::uint64_t high);

}  // namespace holdfast::cli
