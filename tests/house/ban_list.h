// Things that no file of this repository does.
#pragma once

#include "house/source_file.h"

namespace holdfast::house {

inline constexpr std::size_t kMaxLines = 800;

/// Checks one file against the ban list.
[[nodiscard]] Violations check_bans(const SourceFile& file);

}  // namespace holdfast::house
