#include "engine/patch_plan.h"

#include <algorithm>

#include "base/plant.h"
#include "storage/extent_patch.h"
#include "storage/file_names.h"

namespace holdfast::engine {

using storage::ExtentInfo;

namespace {

constexpr std::uint64_t kParts = 64;                 ///< of a chunk's rows
constexpr std::uint64_t kPartsMax = kParts / 4 * 3;  ///< that a patch may hold
constexpr std::uint32_t kTurns = 8;                  ///< one in so many chunks is written when it is due

/// How many of kParts of the rows a patch may hold (N2): 16 to 39.
std::uint64_t patch_parts_max(Slot begin) noexcept { return kParts / 4 + spread_over_chunks(begin, kParts * 3 / 8); }

}  // namespace

const ExtentInfo* PatchPlanner::known(std::uint8_t kind, Slot begin) const {
  const auto found = known_.find({kind, begin});
  return found == known_.end() ? nullptr : found->second;
}

bool PatchPlanner::find(ExtentKind kind, Slot begin, Slot end, PatchPlan& plan) const {
  if (HF_PLANTED(every_extent_is_written_again)) return false;
  const ExtentInfo* const base = known(static_cast<std::uint8_t>(kind), begin);
  const ExtentInfo* const patch = known(static_cast<std::uint8_t>(kind) | kPatchBit, begin);
  if (base == nullptr || state_.damage.holds(base->number)) return false;  // N4
  if (patch != nullptr && state_.damage.holds(patch->number)) return false;
  const std::uint32_t rows = end - begin;
  if ((patch == nullptr ? base : patch)->slot_count > rows) return false;  // there never were less
  plan.base = base;
  plan.patch = patch;
  return true;
}

bool PatchPlanner::read_patched_rows(ExtentKind kind, const PatchPlan& plan, std::vector<bool>& in_patch) const {
  if (plan.patch == nullptr || HF_PLANTED(patch_forgets_the_one_before)) return true;
  const std::string directory = os::join(state_.directory, storage::kExtentDirectory);
  auto extent = storage::Extent::open(state_.fs, directory, state_.uuid, *plan.patch, os::Mapping::read_only,
                                      [this](const storage::DamagedPage& page) {
                                        state_.damage.note_extent(page.extent.number, page.offset, page.status);
                                      });
  if (!extent.ok()) return false;
  const storage::Patch before(std::move(extent).value(), *plan.base, patch_shape(kind, state_.config));
  if (!before.load().ok()) return false;
  for (const std::uint32_t row : before.rows()) in_patch[row] = true;
  return true;
}

void PatchPlanner::decide(ExtentKind kind, Slot begin, std::uint32_t rows, PatchPlan& plan) {
  const bool filled_up = rows == kChunkSlots && plan.base->slot_count < rows;  // N3
  const std::uint64_t patched = plan.rows.size() * kParts;
  bool written = !has_patches(kind) || filled_up || patched > rows * kPartsMax;
  if (!written && patched > rows * patch_parts_max(begin)) {  // N2
    std::uint32_t& others = written_when_due_[kind];
    written = others < std::max(chunks_ / kTurns, 1U);
    others += written ? 1 : 0;
  }
  if (written) {
    plan = PatchPlan();
  } else if (plan.rows.empty()) {
    plan.fate = PatchPlan::Fate::named_again;
  } else {
    plan.fate = PatchPlan::Fate::patched;
  }
}

PatchPlan PatchPlanner::plan_like(const PatchPlan& other, ExtentKind kind, Slot begin, Slot end) const {
  PatchPlan plan;
  if (other.fate == PatchPlan::Fate::written || !find(kind, begin, end, plan)) return PatchPlan();
  // Written by itself since (it was damaged), it may have more rows than the other one's base, never less.
  if (plan.base->slot_count < other.base->slot_count) return PatchPlan();
  plan.fate = other.fate;
  plan.rows = other.rows;
  if (plan.fate == PatchPlan::Fate::named_again && rows_of(plan) != end - begin) return PatchPlan();
  return plan;
}

}  // namespace holdfast::engine
