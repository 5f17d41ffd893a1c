// Makes checksums right again after their files were changed. A file whose parts cannot be told apart any more is left
// as it is. Repairing what is sound changes nothing (tests/fuzz).
#pragma once

#include <cstdint>
#include <map>

#include "base/coding.h"
#include "fuzz/targets/bundle.h"
#include "storage/extent.h"

namespace holdfast::fuzz {

/// Frames that got another checksum: old to new. What names the old one has to follow.
using Renamed = std::map<std::uint64_t, std::uint64_t>;

/// Header, and every frame from front to back; the chain of `prev` goes on where it did before.
void repair_segment(Bytes& file, Renamed& renamed);
/// Header, pages, page table, footer. Returns how a manifest has to name the extent now; nothing if it is not one.
std::optional<storage::ExtentInfo> repair_extent(Bytes& file);
/// Length and checksum.
void repair_envelope(Bytes& file);
/// Segments in order, then extents, then the manifests that name them, and the catalog: by the names of the files.
void repair_store(Bundle& bundle);

}  // namespace holdfast::fuzz
