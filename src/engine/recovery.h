// Opening a collection (docs/flow/recovery.md).
#pragma once

#include <memory>
#include <string>

#include "engine/collection_state.h"
#include "storage/wal_reader.h"

namespace holdfast::engine {

struct RecoveryRequest {
  std::string name;  ///< as the catalog says
  std::string directory;
  Uuid uuid{};
  EngineOptions options;
  std::shared_ptr<Signals> signals;
  /// Load and replay, but leave every file as it is; the collection cannot be written to. For verify.
  bool change_nothing = false;
};

/// manifest -> extents -> replay through apply -> seal the log's tail -> remove orphans -> publish.
/// Idempotent, and may be killed at any point. A damaged newest checkpoint falls back to the one before and a longer
/// replay. Errors: data_damaged (names file and offset; nothing was changed), unsupported_format, io_error.
[[nodiscard]] Result<std::shared_ptr<CollectionState>> recover_collection(const RecoveryRequest& request);

/// Removes the directory of a collection that the catalog does not name. Errors: io_error.
Status remove_collection_files(os::FileSystem& fs, const std::string& directory);

/// Whether the collection's directory holds a file or a directory that Holdfast did not put there, by its name.
[[nodiscard]] Result<bool> holds_foreign_entries(os::FileSystem& fs, const std::string& directory);

}  // namespace holdfast::engine
