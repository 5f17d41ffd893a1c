// What a disk may hold after the power has failed: which of the unsynced effects have reached it.
//
// An *operation* is one call (a write with the size it brings, a truncate, a create, a rename over both of its
// directories, ...). A *unit* is the smallest thing that can get lost: one 512-byte sector of a write, one size
// change, one directory's part of an operation. An *inode* is everything unsynced of one file or of one directory.
//
// What always holds, whatever the policy:
//  - synced data, sizes and directory entries are there;
//  - the last kept write of a sector brings all earlier ones of that sector along (write-back of a page);
//  - sizes of one file reach the disk in order: a kept size implies the earlier ones (the inode is one record);
//  - within one directory, the last kept operation on a name decides that name.
#pragma once

#include <cstdint>
#include <string>

#include "support/sim_disk.h"

namespace holdfast::testing {

struct CrashPolicy {
  enum class Kind : std::uint8_t {
    lose_all,           ///< No unsynced effect survives.
    keep_all,           ///< All survive.
    drop_one,           ///< All but number n (by `unit`).
    keep_one,           ///< Only number n.
    random_subset,      ///< Any set of sectors, of sizes, and of directory operations (one by one).
    torn_write,         ///< The last write is cut, at `boundary` (by `n`, or drawn); everything before it survives.
    size_without_data,  ///< Sizes and directories survive, no written byte does.
    directory_suffix,   ///< Data survives; every directory loses its operations from a random one on.
    directory_subset,   ///< Data survives; every directory loses random operations.
    anything,           ///< Each file and directory draws one of the above for itself.
  };
  enum class Unit : std::uint8_t { operation, sector, inode };
  enum class Boundary : std::uint8_t { sector, byte };
  /// What bytes appear where a size was kept but the data was not.
  enum class Fill : std::uint8_t {
    zeros,
    garbage,  ///< random bytes
    stale,    ///< pages of other files of this disk, as a block that was freed and given out again
  };

  Kind kind = Kind::lose_all;
  Unit unit = Unit::operation;
  Boundary boundary = Boundary::sector;
  Fill fill = Fill::zeros;
  std::uint64_t n = 0;

  static CrashPolicy lose_all() { return {}; }
  static CrashPolicy keep_all() { return {Kind::keep_all}; }
  /// REQUIRES n < unsynced_effects(unit).
  static CrashPolicy drop_one(std::uint64_t n, Unit unit = Unit::operation) {
    return {Kind::drop_one, unit, Boundary::sector, Fill::zeros, n};
  }
  static CrashPolicy keep_one(std::uint64_t n, Unit unit = Unit::operation) {
    return {Kind::keep_one, unit, Boundary::sector, Fill::zeros, n};
  }
  static CrashPolicy random_subset(Fill fill = Fill::zeros) {
    return {Kind::random_subset, Unit::sector, Boundary::sector, fill};
  }
  static CrashPolicy torn_write(Boundary boundary) { return {Kind::torn_write, Unit::operation, boundary}; }
  /// Cut in front of its sector `sector`; the part before the cut arrives (`head`), or the part behind it.
  /// REQUIRES sector < last_write_sectors().
  static CrashPolicy torn_at(std::uint64_t sector, bool head) {
    return {Kind::torn_write, Unit::operation, Boundary::sector, Fill::zeros, 1 + 2 * sector + (head ? 1 : 0)};
  }
  static CrashPolicy size_without_data(Fill fill = Fill::zeros) {
    return {Kind::size_without_data, Unit::operation, Boundary::sector, fill};
  }
  static CrashPolicy directory_suffix() { return {Kind::directory_suffix}; }
  static CrashPolicy directory_subset() { return {Kind::directory_subset}; }
  static CrashPolicy anything() { return {Kind::anything}; }

  /// For SCOPED_TRACE.
  [[nodiscard]] std::string to_string() const;
};

/// The disk after the crash: everything on it is durable. Equal arguments give equal disks.
[[nodiscard]] SimDisk crash_disk(const SimDisk& disk, const CrashPolicy& policy, std::uint64_t seed);

/// How many effects drop_one and keep_one can choose from.
[[nodiscard]] std::uint64_t count_effects(const SimDisk& disk, CrashPolicy::Unit unit);
/// Sectors of the last unsynced write: where torn_at can cut. 0: there is none.
[[nodiscard]] std::uint64_t count_last_write_sectors(const SimDisk& disk);

}  // namespace holdfast::testing
