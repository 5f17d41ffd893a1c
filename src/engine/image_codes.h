// Codes in an image: what its manifest says of them, and its extents until their codes are in memory
// (docs/adr/0024-codes-in-extents.md).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "storage/extent.h"

namespace holdfast::engine {

/// What an image's state says of its codes.
struct CodesRecord {
  std::uint64_t training = 0;       ///< number of the training that all of them are of; 0: the image has none
  std::uint64_t trained_nodes = 0;  ///< nodes that there were then
  std::uint64_t cut_rows = 0;       ///< since then, rows that did not fit into its ranges
  bool exact = false;               ///< codes are the components themselves (CodeTable::exact)
};

/// Mapped, and not looked at yet. Null: it could not be opened, or the image has none for that chunk.
struct ImageCodes {
  CodesRecord record;
  Lsn lsn = 0;  ///< of the image
  std::shared_ptr<const storage::Extent> quantizer;
  std::vector<std::shared_ptr<const storage::Extent>> chunks;
};

}  // namespace holdfast::engine
