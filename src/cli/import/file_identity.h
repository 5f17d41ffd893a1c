// Names the content of a file, so that an interrupted import finds its own progress again.
#pragma once

#include <string>
#include <string_view>

#include "cli/import/input_file.h"
#include "holdfast/status.h"

namespace holdfast::cli {

/// 16 hexadecimal digits over size, time of last change and samples of the content: equal for a file that was only
/// moved, different for one that was edited. `reading` says how rows become points (format, fields, first id);
/// another reading of the same file is another import.
///
/// Why samples: hashing a file of 100 GB would take minutes at each start. Why the time as well: an edit between the
/// samples would otherwise continue in the middle of other data. A wrongly different name is harmless: rows are
/// upserts, so the import runs again and ends with the same points.
[[nodiscard]] Result<std::string> file_identity(const InputFile& file, std::string_view reading);

}  // namespace holdfast::cli
