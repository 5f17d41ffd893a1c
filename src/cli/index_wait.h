// Waiting for the graph with a progress bar and an ear for SIGINT.
#pragma once

#include <chrono>

#include "holdfast/database.h"

namespace holdfast::cli {

/// Returns when the graph holds everything committed so far. After SIGINT the database is closed (what the graph
/// already took in is kept by its checkpoint) and the status is `cancelled`.
[[nodiscard]] Status wait_for_index(Database& database, Collection& collection,
                                    std::chrono::duration<double> report_every);

}  // namespace holdfast::cli
