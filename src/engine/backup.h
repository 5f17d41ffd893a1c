// Backup and restore: the work behind holdfast::backup and holdfast::restore (include/holdfast/admin.h).
#pragma once

#include <string>

#include "engine/options.h"
#include "holdfast/admin.h"

namespace holdfast::engine {

[[nodiscard]] Result<BackupReport> backup_store(os::FileSystem& fs, const std::string& source,
                                                const std::string& target, const BackupOptions& options);

[[nodiscard]] Result<RestoreReport> restore_store(os::FileSystem& fs, const std::string& backup,
                                                  const std::string& target, const BackupOptions& options);

}  // namespace holdfast::engine
