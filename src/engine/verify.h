// Offline inspection: the work behind holdfast::verify and holdfast::dump_log (include/holdfast/admin.h).
#pragma once

#include "engine/options.h"
#include "holdfast/admin.h"
#include "storage/manifest.h"

namespace holdfast::engine {

[[nodiscard]] Result<VerifyReport> verify_store(os::FileSystem& fs, const std::string& path,
                                                const VerifyOptions& options);

/// One collection, whose files stand in `folder` of the store. Adds to `report`.
Status verify_collection(os::FileSystem& fs, const std::string& store, const storage::CatalogEntry& entry,
                         const std::string& folder, const VerifyOptions& options, VerifyReport& report);

/// What the catalog would say by what the collections' manifests say (repair_store.cc): for stores whose CATALOG is
/// damaged or missing. Empty: no collection is there. `invented` gets the names that had to be made up.
[[nodiscard]] Result<storage::Catalog> catalog_of_directories(os::FileSystem& fs, const std::string& path,
                                                              std::vector<std::string>* invented = nullptr);

Status dump_collection_log(os::FileSystem& fs, const std::string& path, std::string_view collection,
                           const std::function<bool(const LogEntry&)>& visit);

}  // namespace holdfast::engine
