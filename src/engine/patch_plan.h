// What a checkpoint does about one extent of the last image: name it again, patch it, or write it anew.
//
// Invariants
//  N1. A patch holds every row that may differ from the base: the rows of the patch before it, those that changed since
//      the last image, and all beyond the base's rows.
//  N2. Once a certain part of a chunk's rows stands in the patch, it is due to be written anew: a quarter in some
//      chunks, five eighths in others, spread evenly, so that chunks whose patches grow alike do not come due at the
//      same checkpoint. Of each kind a checkpoint writes one chunk in eight, at least one, for that reason, and patches
//      the others until three quarters of their rows stand in the patch. That bounds what a checkpoint writes for its
//      changes, and what an image takes on the disk.
//  N3. A chunk that has just filled up is written anew: from then on it is mapped.
//  N4. What is known to be damaged is neither named again nor patched (checkpoint.cc, K4).
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "engine/collection_state.h"
#include "engine/image.h"

namespace holdfast::engine {

/// A part of `parts` for the chunk that begins at `begin`. Multiples of the golden ratio are spread evenly, however
/// many chunks there are (Weyl): limits that differ by it keep chunks that change alike from coming due together.
[[nodiscard]] constexpr std::uint64_t spread_over_chunks(Slot begin, std::uint64_t parts) noexcept {
  constexpr std::uint64_t kGolden = 40'503;  // of 2^16
  return (((begin >> kChunkBits) * kGolden & 0xFFFF) * parts) >> 16;
}

/// The extents of an image by kind (patches with kPatchBit) and first slot.
using KnownExtents = std::map<std::pair<std::uint8_t, Slot>, const storage::ExtentInfo*>;

struct PatchPlan {
  enum class Fate : std::uint8_t { named_again, patched, written };
  Fate fate = Fate::written;
  const storage::ExtentInfo* base = nullptr;   ///< of the last image; set unless it is written
  const storage::ExtentInfo* patch = nullptr;  ///< the same; null: it has none
  std::vector<std::uint32_t> rows;             ///< of the new patch, counted from the chunk's first
};

class PatchPlanner {
 public:
  /// For an image of the rows below `end`.
  PatchPlanner(CollectionState& state, const KnownExtents& known, Slot end)
      : state_(state), known_(known), chunks_((end + kChunkSlots - 1) >> kChunkBits) {}

  /// For the rows [begin, end) of a chunk. `changed`: whether any of them did; `row_changed(slot)`: which.
  template <class RowChanged>
  [[nodiscard]] Result<PatchPlan> plan(ExtentKind kind, Slot begin, Slot end, bool changed, RowChanged row_changed) {
    PatchPlan plan;
    if (!find(kind, begin, end, plan)) return plan;
    if (!changed && rows_of(plan) == end - begin) {
      plan.fate = PatchPlan::Fate::named_again;
      return plan;
    }
    std::vector<bool> in_patch(end - begin);
    if (!read_patched_rows(kind, plan, in_patch)) return PatchPlan();
    for (Slot slot = begin; slot < end; ++slot) {
      const std::uint32_t row = slot - begin;
      if (in_patch[row] || row >= plan.base->slot_count || row_changed(slot)) plan.rows.push_back(row);
    }
    decide(kind, begin, end - begin, plan);
    return plan;
  }

  /// The same for an extent that is written together with one of which the plan is known, with the same rows.
  [[nodiscard]] PatchPlan plan_like(const PatchPlan& other, ExtentKind kind, Slot begin, Slot end) const;

  /// The extent of the last image and its patch, null where there is none.
  [[nodiscard]] const storage::ExtentInfo* known(std::uint8_t kind, Slot begin) const;

 private:
  /// False: it must be written anew.
  bool find(ExtentKind kind, Slot begin, Slot end, PatchPlan& plan) const;
  [[nodiscard]] static std::uint32_t rows_of(const PatchPlan& plan) noexcept {
    return plan.patch == nullptr ? plan.base->slot_count : plan.patch->slot_count;
  }
  /// False: it cannot be read.
  bool read_patched_rows(ExtentKind kind, const PatchPlan& plan, std::vector<bool>& in_patch) const;
  void decide(ExtentKind kind, Slot begin, std::uint32_t rows, PatchPlan& plan);

  CollectionState& state_;
  const KnownExtents& known_;
  const std::uint32_t chunks_;
  std::map<ExtentKind, std::uint32_t> written_when_due_;  ///< chunks, in this checkpoint
};

}  // namespace holdfast::engine
