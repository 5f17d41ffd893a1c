// Who may include whom. The table is that of CONTRIBUTING.md, "Rooms"; a new room is entered in both.
#pragma once

#include "house/source_file.h"

namespace holdfast::house {

/// Checks the #include directives of one file of src/ or include/. Files elsewhere are free.
[[nodiscard]] Violations check_includes(const SourceFile& file);

}  // namespace holdfast::house
