// The lock that keeps a second writer out of a store.
#pragma once

#include <memory>
#include <string>

#include "os/file_system.h"

namespace holdfast::os {

/// See FileSystem::lock.
[[nodiscard]] Result<std::unique_ptr<FileLock>> lock_posix_file(const std::string& path);

}  // namespace holdfast::os
