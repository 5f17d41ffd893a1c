// Ids of an image, sorted: how a row is found by its id without building anything at open (extent kind 8,
// docs/format/image.md).
//
// A run holds the ids of the points that were written between two checkpoints, each with its (first) row. An image
// names a few runs; what is written after the image is in the map that lies over them (id_map.h). Checkpoints add a run
// and merge small ones, so that sizes grow geometrically: an id is written again about log2(points / change) times.
//
//   u64 entries | u64 fences | fences: every kIdsPerFence-th entry | entries: u64 high, u64 low, u32 kind, u32 row
//
// Invariants
//  R1. Entries ascend by kind, high, low; a run names an id once.
//  R2. An entry is a hint: it counts only if the row still holds that id and was not given up since the image was
//      loaded (IdMap, M4). Runs are not cleaned when points die; a merge leaves out what does not live.
//  R3. Of the living version of a point, the newest run that names its id says the row.
// Threading: any thread; pages are verified by whoever touches them first, and damage goes to the thread's ReadCheck.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/coding.h"
#include "base/ids.h"
#include "storage/extent.h"

namespace holdfast::engine {

/// An id and the first row of its point.
struct IdEntry {
  PointId id;
  Slot slot = kNoSlot;
};
inline constexpr std::size_t kIdEntryBytes = 24;
inline constexpr std::size_t kIdsPerFence = 256;
inline constexpr std::size_t kIdRunHeader = 16;

/// Sorts `entries` and appends the data of a run to `out`.
void encode_id_run(std::vector<IdEntry>& entries, Bytes& out);
/// Bytes of a run of so many entries.
[[nodiscard]] std::uint64_t id_run_bytes(std::uint64_t entries) noexcept;

class IdRuns {
 public:
  /// Before anybody looks up: runs are added from the oldest to the newest. data_damaged if the size or the first page
  /// is wrong; no other page is read.
  Status add(std::shared_ptr<const storage::Extent> extent, Slot slot_end);
  [[nodiscard]] bool empty() const noexcept { return runs_.empty(); }

  /// Calls accept(slot) for what the runs say of the id, newest first, until it returns true; that slot is the result.
  /// kNoSlot: none, or a page was damaged (the thread's ReadCheck is told).
  template <class Accept>
  [[nodiscard]] Slot find(PointId id, Accept accept) const noexcept {
    for (std::size_t i = runs_.size(); i-- > 0;) {
      const Slot slot = find_in(runs_[i], id);
      if (slot != kNoSlot && accept(slot)) return slot;
    }
    return kNoSlot;
  }

 private:
  struct Run {
    std::shared_ptr<const storage::Extent> extent;
    std::uint64_t entries = 0;
    std::uint64_t fences = 0;
    Slot slot_end = 0;
  };
  [[nodiscard]] Slot find_in(const Run& run, PointId id) const noexcept;

  std::vector<Run> runs_;
};

}  // namespace holdfast::engine
