// Repair of a store (docs/flow/repair.md): the work behind holdfast::plan_repair and holdfast::repair.
#pragma once

#include "holdfast/admin.h"
#include "os/file_system.h"

namespace holdfast::engine {

enum class RepairMode : std::uint8_t { plan, act };

[[nodiscard]] Result<RepairReport> repair_store(os::FileSystem& fs, const std::string& path,
                                                const RepairOptions& options, RepairMode mode);

}  // namespace holdfast::engine
