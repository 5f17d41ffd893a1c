// Repair of one collection: what could be done, what it would cost, and doing it (docs/flow/repair.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "holdfast/admin.h"
#include "os/file_system.h"
#include "storage/manifest.h"

namespace holdfast::engine {

struct RepairTarget {
  os::FileSystem& fs;
  std::string store;
  storage::CatalogEntry entry;
  std::string aside;  ///< name of a directory in `store` that does not exist: where the damaged collection will go
  const RepairOptions& options;
};

/// Of a collection that is being made; behind it stands nothing that counts. It ends in .tmp, so that an open of the
/// repaired collection removes it.
inline constexpr std::string_view kUnfinishedFile = "unfinished.tmp";
/// `aside` while it is not finished: the new collection, or, once they changed places, the old one.
[[nodiscard]] std::string staging_name(const std::string& aside);

class CollectionRepair {
 public:
  explicit CollectionRepair(RepairTarget target);
  ~CollectionRepair();
  CollectionRepair(const CollectionRepair&) = delete;
  CollectionRepair& operator=(const CollectionRepair&) = delete;

  /// Finds steps and hopeless cases; loads what could be saved into memory. Changes nothing.
  Status plan();
  [[nodiscard]] std::vector<RepairStep>& steps() noexcept;
  [[nodiscard]] const std::vector<std::string>& hopeless() const noexcept;
  /// Every step that is needed is chosen, and there is one.
  [[nodiscard]] bool ready() const noexcept;
  /// REQUIRES ready(). On success the collection's directory is the repaired one, durably, and the damaged one stands
  /// under staging_name(aside). On failure nothing has changed, but a directory may be left under that name.
  Status act();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::engine
