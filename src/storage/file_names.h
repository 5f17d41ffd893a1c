// Names of everything that may stand in a store's directory.
//
//   <store>/LOCK                          held while open, never deleted
//   <store>/BACKUP                        only in a backup: of which store it is (engine/backup.h)
//   <store>/CATALOG                       names every collection (format: docs/format/catalog.md)
//   <store>/c-<uuid>/                     one collection
//       manifest-<generation>             names every extent of one checkpoint; the two newest are kept
//       RESERVE                           space set aside for a full disk; no content (space_reserve.h)
//       wal/<first lsn>.log               log segments; wal/next.tmp is the one made ahead
//       wal/HEAD                          names the newest of them (wal_head.h)
//       ext/<number>.ext                  extents
//   <store>/repair-<n>/                 what a repair has set aside (engine/repair_store.cc); nothing else looks at it
//   *.tmp                                 unfinished; garbage after a crash
// Numbers are 16 lower-case hexadecimal digits, so that name order is number order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace holdfast::storage {

inline constexpr std::string_view kLockFile = "LOCK";
inline constexpr std::string_view kCatalogFile = "CATALOG";
inline constexpr std::string_view kBackupFile = "BACKUP";
inline constexpr std::string_view kReserveFile = "RESERVE";
inline constexpr std::string_view kWalDirectory = "wal";
inline constexpr std::string_view kExtentDirectory = "ext";
inline constexpr std::string_view kNextSegmentFile = "next.tmp";
inline constexpr std::string_view kLogHeadFile = "HEAD";

/// Numbers in names, and those in manifests that become names, go up to here: counting on from them never overflows.
inline constexpr std::uint64_t kMaxFileNumber = (std::uint64_t{1} << 63) - 1;

enum class FileKind : std::uint8_t {
  lock,
  catalog,
  collection_directory,
  manifest,
  wal_directory,
  segment,
  log_head,
  extent_directory,
  extent,
  temporary,
  reserve,
  repair_directory,
  unknown
};

[[nodiscard]] std::string manifest_name(std::uint64_t generation);
[[nodiscard]] std::string segment_name(Lsn first_lsn);
[[nodiscard]] std::string extent_name(std::uint64_t number);
/// "repair-3"
[[nodiscard]] std::string repair_directory_name(std::uint64_t number);
[[nodiscard]] std::string collection_directory_name(const Uuid& uuid);

struct ParsedName {
  FileKind kind = FileKind::unknown;
  std::uint64_t number = 0;  ///< generation, lsn, extent number or number of a repair
};
/// What a name found in a directory stands for. Never fails: strange names are `unknown`.
[[nodiscard]] ParsedName parse_name(std::string_view name);

[[nodiscard]] std::string to_text(const Uuid& uuid);

}  // namespace holdfast::storage
