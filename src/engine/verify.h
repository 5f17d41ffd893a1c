// Offline inspection: the work behind holdfast::verify and holdfast::dump_log (include/holdfast/admin.h).
#pragma once

#include "engine/options.h"
#include "holdfast/admin.h"

namespace holdfast::engine {

[[nodiscard]] Result<VerifyReport> verify_store(os::FileSystem& fs, const std::string& path,
                                                const VerifyOptions& options);

Status dump_collection_log(os::FileSystem& fs, const std::string& path, std::string_view collection,
                           const std::function<bool(const LogEntry&)>& visit);

}  // namespace holdfast::engine
