#include "engine/checkpoint_codes.h"

#include <algorithm>

#include "engine/image.h"
#include "engine/patch_plan.h"
#include "index/code_image.h"
#include "index/read_check.h"
#include "storage/file_names.h"

namespace holdfast::engine {

using storage::ExtentInfo;

namespace {

constexpr std::uint64_t kParts = 64;  ///< of a chunk's nodes

/// How many of kParts of the nodes may be without a code: 12 to 19.
std::uint64_t lacking_parts_max(Slot begin) noexcept { return kParts * 3 / 16 + spread_over_chunks(begin, kParts / 8); }

}  // namespace

CodesRecord codes_of_image(const CollectionState& state, const View& view, const CheckpointState& last) {
  if (const index::CodeTable* const codes = view.codes) {
    return {codes->training().number, codes->training().nodes, codes->cut_rows(), codes->exact()};
  }
  const auto& extents = last.manifest.extents;
  const auto quantizer = std::find_if(extents.begin(), extents.end(), [](const ExtentInfo& extent) {
    return extent.kind == static_cast<std::uint8_t>(ExtentKind::quantizer);
  });
  return quantizer == extents.end() || state.damage.holds(quantizer->number) ? CodesRecord() : last.codes;
}

bool lacks_codes(CollectionState& state, const View& view, const ExtentInfo& extent, std::uint64_t training, Slot begin,
                 Slot end) {
  const auto note = [&state](const storage::DamagedPage& page) {
    state.damage.note_extent(page.extent.number, page.offset, page.status);
  };
  const auto opened = storage::Extent::open(state.fs, os::join(state.directory, storage::kExtentDirectory), state.uuid,
                                            extent, os::Mapping::read_only, note);
  const index::CodeLayout layout{extent.slot_count, state.config.dimension};
  if (!opened.ok() || extent.data_bytes != layout.bytes() || !(*opened)->verify(0, layout.norms_at()).ok()) return true;
  const auto image = index::CodeImage::read((*opened)->data(), layout, training);
  if (!image) return true;
  const index::ReadCheck check;
  const SlotTable& slots = state.store.slots();
  std::uint64_t nodes = 0;
  std::uint64_t lacking = 0;
  for (Slot slot = begin; slot < end; ++slot) {
    if (!slots.visible(slot, view.lsn)) continue;
    const bool has = image->has(slot - begin) && slots.born(slot) <= image->lsn();
    if (!has && !state.store.graph().contains(slot, view.graph.epoch)) continue;  // it waits for the indexer
    ++nodes;
    lacking += has ? 0 : 1;
  }
  return check.ok() && lacking * kParts > nodes * lacking_parts_max(begin);
}

}  // namespace holdfast::engine
