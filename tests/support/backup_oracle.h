// What a crash may leave of a backup: the half of the oracle (support/oracle.h) that looks at the target.
//
// The target holds, collection by collection, the backup before or the one that was being made, whole; or, as long as
// none was ever acknowledged, it is refused as no store. Whatever opens serves exactly one of these.
#pragma once

#include <string>

#include "support/model.h"
#include "support/sim_file_system.h"

namespace holdfast::testing {

/// Opens the target on a copy of `disk`; for one state in eight, by seed, it is restored, too, and what was restored
/// must be the same. Returns what is wrong, or nothing.
[[nodiscard]] std::string check_backup_state(const SimFileSystem& disk, const BackupModel& expected, Loss loss,
                                             std::uint64_t seed);

/// Makes another backup of the store, which may be open; it must succeed, whatever became of the last one.
[[nodiscard]] std::string make_next_backup(SimFileSystem& disk);

}  // namespace holdfast::testing
