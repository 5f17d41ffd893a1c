// What a store that opens has to do, whatever it was made of.
#pragma once

#include <string>

#include "support/sim_file_system.h"

namespace holdfast::fuzz {

inline constexpr const char* kStorePath = "/store";

/// Opens the store at kStorePath and uses every collection that is served: reads it whole, searches it, writes,
/// indexes, vacuums and takes a checkpoint; then closes, opens again and compares. Errors are allowed wherever the API
/// has them; a crash, an error that nobody should get or, in a store that verify calls sound, a wrong answer are not.
/// Returns what is wrong, or nothing.
[[nodiscard]] std::string use_store(testing::SimFileSystem& fs);

}  // namespace holdfast::fuzz
