// A manifest made from the extents that are there, when none can be read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/image.h"
#include "storage/manifest.h"

namespace holdfast::engine {

struct RebuildRequest {
  std::string directory;  ///< of the collection
  storage::CatalogEntry entry;
  std::uint64_t highest_generation = 0;  ///< of the manifests that cannot be read; 0: there is none
  std::uint32_t dimension = 0;           ///< from the user; 0: unknown
  std::optional<Metric> metric = {};
};

struct RebuiltManifest {
  storage::Manifest manifest;
  ImageState image;
  Lsn replay_after = 0;           ///< the log has to be replayed from here: at or before the image's lsn
  std::string lacks;              ///< what nobody knows any more
  std::vector<std::string> lost;  ///< what may be lost, and has no name; for RepairLoss::unnamed
  std::string impossible;         ///< why there is none, and what to do; empty: there is one
};

/// Errors: io_error, unsupported_format. That it cannot be done is no error.
[[nodiscard]] Result<RebuiltManifest> rebuild_manifest(os::FileSystem& fs, const RebuildRequest& request);

}  // namespace holdfast::engine
