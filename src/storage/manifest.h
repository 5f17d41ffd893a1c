// The manifest names every extent of one checkpoint; the catalog names every collection of a store. Both are small,
// checksummed as a whole and swapped by rename. (Formats: docs/format/manifest.md, docs/format/catalog.md.)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/ids.h"
#include "os/file_system.h"
#include "storage/extent.h"

namespace holdfast::storage {

struct Manifest {
  std::uint64_t generation = 0;
  Uuid collection{};
  Lsn lsn = 0;                     ///< last batch that the checkpoint holds
  std::uint64_t log_checksum = 0;  ///< checksum of the frame `lsn` (LogEnd), so that an empty log can go on
  std::uint64_t next_extent = 1;   ///< extent numbers from here on are free
  Bytes state;                     ///< the engine's own: configuration, counts, graph root, markers
  std::vector<ExtentInfo> extents;
};

/// Where the engine's state begins in the file.
inline constexpr std::uint64_t kManifestStateAt = 32 + 8 + 16 + 8 + 8 + 8 + 8;

/// temp, sync, rename to manifest-<generation>, directory sync. The rename is the checkpoint's only commit point.
Status write_manifest(os::FileSystem& fs, const std::string& directory, const Manifest& manifest);
/// data_damaged names file and offset; unsupported_format; not_found.
[[nodiscard]] Result<Manifest> read_manifest(os::FileSystem& fs, const std::string& directory,
                                             std::uint64_t generation);
/// Generations whose manifest files exist, newest first.
[[nodiscard]] Result<std::vector<std::uint64_t>> list_manifests(os::FileSystem& fs, const std::string& directory);

struct CatalogEntry {
  std::string name;
  Uuid uuid{};
};

struct Catalog {
  Uuid store{};
  std::uint64_t generation = 0;
  std::vector<CatalogEntry> collections;
};

Status write_catalog(os::FileSystem& fs, const std::string& store, const Catalog& catalog);
/// not_found if there is no CATALOG; data_damaged; unsupported_format.
[[nodiscard]] Result<Catalog> read_catalog(os::FileSystem& fs, const std::string& store);

}  // namespace holdfast::storage
