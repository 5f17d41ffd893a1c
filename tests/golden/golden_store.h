// What the golden stores hold, and the questions that are asked of them.
//
// A golden store is written once for a format version and then committed: tests/golden/v<version>/store, with the
// answers that it gave on the day it was written in v<version>/answers.json. It has two collections (l2 with numbers as
// ids, cosine with UUIDs), payloads, deletes, updates, markers, two checkpoints with a graph, and a tail in the log
// that neither has seen; since version 2 points with several vectors, a vacuum, and rows that were used again; since
// version 4 two more collections, whose vectors are stored as f16 and i8, a third checkpoint, which patches, and
// a collection with codes.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "holdfast/database.h"

namespace holdfast::testing {

/// Writes the store and leaves it open, so that nothing closes it cleanly: the caller copies its files.
[[nodiscard]] Result<Database> write_golden_store(const std::filesystem::path& path);

/// Everything that the store answers: points, markers, meters, hits of exact and of graph searches.
[[nodiscard]] Result<nlohmann::json> ask_golden_store(const Database& database);

/// The first difference, with the way to it; empty if there is none. Distances may differ in the last bits: kernels of
/// other processors add in another order.
[[nodiscard]] std::string difference(const nlohmann::json& expected, const nlohmann::json& found);

}  // namespace holdfast::testing
