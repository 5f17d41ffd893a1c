#include "engine/code_loading.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/plant.h"
#include "engine/indexer.h"
#include "index/code_image.h"
#include "index/parallel_for.h"
#include "index/read_check.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

using storage::Extent;

/// The pages are as they were written, and still it cannot be.
void note_impossible(CollectionState& state, const Extent& extent, const char* what) {
  state.damage.note_extent(extent.info().number, storage::kExtentDataOffset,
                           {StatusCode::data_damaged, storage::extent_name(extent.info().number) + " at " +
                                                          std::to_string(storage::kExtentDataOffset) + ": " + what});
}

constexpr const char* kImpossibleQuantizer = "the quantizer is none that training makes";
constexpr const char* kImpossibleCodes = "codes of another training, number or size";

std::optional<index::Quantizer> read_quantizer(const CollectionState& state, const ImageCodes& image) {
  return index::decode_quantizer(image.quantizer->data(), image.record.training, state.config.metric,
                                 state.config.dimension);
}

/// Head and bits of a chunk's codes. REQUIRES that the extent's first pages were checked.
std::optional<index::CodeImage> read_head(const ImageCodes& image, const Extent& extent,
                                          const index::CodeLayout& layout) {
  auto codes = index::CodeImage::read(extent.data(), layout, image.record.training);
  return codes && codes->lsn() <= image.lsn ? codes : std::nullopt;
}

index::CodeLayout layout_of(const CollectionState& state, const Extent& extent) {
  return {extent.info().slot_count, state.config.dimension};
}

/// One chunk of an image's codes, as far as its pages are sound.
class ChunkCodes {
 public:
  ChunkCodes(CollectionState& state, const ImageCodes& image, std::uint32_t chunk) {
    if (chunk >= image.chunks.size() || !image.chunks[chunk]) return;
    extent_ = image.chunks[chunk];
    const index::CodeLayout layout = layout_of(state, *extent_);
    const bool sized = extent_->data().size() == layout.bytes();
    if (sized && !extent_->verify(0, layout.norms_at()).ok()) return;
    if (sized) codes_ = read_head(image, *extent_, layout);
    if (!codes_) note_impossible(state, *extent_, kImpossibleCodes);
    // If nobody was born in the chunk since, nobody has to ask its rows.
    all_hold_ = codes_ && codes_->lsn() == image.lsn && state.store.slots().assigned_lsn(chunk) <= image.lsn;
  }

  /// Checks the pages of the rows [first, end) of the chunk.
  [[nodiscard]] bool are_sound(std::uint32_t first, std::uint32_t end) const {
    if (!codes_ || first >= codes_->layout().rows) return false;
    const index::CodeLayout& layout = codes_->layout();
    const std::uint64_t rows = std::min(end, layout.rows) - first;
    return extent_->verify(layout.norms_at() + first * sizeof(float), rows * sizeof(float)).ok() &&
           extent_->verify(layout.codes_at() + std::uint64_t{first} * layout.components, rows * layout.components).ok();
  }
  /// L1.
  [[nodiscard]] bool hold(const SlotTable& slots, Slot slot) const {
    if (!codes_->has(slot & (kChunkSlots - 1))) return false;
    return all_hold_ || slots.born(slot) <= codes_->lsn() || HF_PLANTED(codes_of_a_reused_row_are_believed);
  }
  [[nodiscard]] const index::CodeImage& codes() const { return *codes_; }

 private:
  std::shared_ptr<const Extent> extent_;
  std::optional<index::CodeImage> codes_;
  bool all_hold_ = false;
};

/// True if the row has its code now.
bool restore_row(index::CodeTable& table, const ChunkCodes& codes, const SlotTable& slots, Slot slot) {
  if (!codes.hold(slots, slot)) return false;
  const std::uint32_t row = slot & (kChunkSlots - 1);
  const float norm = codes.codes().norm(row);
  if (!std::isfinite(norm)) return false;  // forged: it would be no distance
  table.restore(slot, codes.codes().codes(row), norm);
  return true;
}

}  // namespace

bool begin_loading(CollectionState& state) {
  CodingState& coding = state.mutator.coding;
  const ImageCodes& image = *coding.image;
  std::optional<index::Quantizer> quantizer;
  if (image.quantizer && image.quantizer->verify(0, image.quantizer->data().size()).ok()) {
    quantizer = read_quantizer(state, image);
    if (!quantizer) note_impossible(state, *image.quantizer, kImpossibleQuantizer);
  }
  if (!quantizer) {
    coding.image.reset();
    return false;
  }
  const CodesRecord& record = image.record;
  coding.making = std::make_shared<index::CodeTable>(std::move(*quantizer),
                                                     index::CodeTable::Training{record.training, record.trained_nodes});
  coding.making->set_cut_rows(record.cut_rows);
  if (!record.exact) coding.making->set_inexact();
  return true;
}

bool load_codes(CollectionState& state, const View& view, Slot first, Slot end) {
  CodingState& coding = state.mutator.coding;
  index::CodeTable& table = *coding.making;
  const ChunkCodes codes(state, *coding.image, first >> kChunkBits);
  const index::Graph& graph = state.store.graph();
  const std::uint64_t cut_rows = table.cut_rows();
  constexpr Slot kRun = 256;
  const bool done =
      index::parallel_for(worker_count(state), (end - first + kRun - 1) / kRun, [&](unsigned, std::size_t run) {
        const Slot from = first + static_cast<Slot>(run) * kRun;
        const Slot to = std::min(end, from + kRun);
        const bool sound = codes.are_sound(from - first, to - first);
        for (Slot slot = from; slot < to; ++slot) {
          if (sound && restore_row(table, codes, state.store.slots(), slot)) continue;
          if (graph.contains(slot, view.graph.epoch)) table.assign(state.store.vectors(), slot);
        }
        return true;
      });
  table.set_cut_rows(cut_rows);  // the record counts those of the image already
  return done;
}

std::vector<std::pair<storage::ExtentInfo, std::string>> check_image_codes(CollectionState& state, const View& view) {
  std::vector<std::pair<storage::ExtentInfo, std::string>> found;
  MutexLock lock(state.graph_mutex);
  if (!state.mutator.coding.image) return found;
  const ImageCodes& image = *state.mutator.coding.image;
  if (!image.quantizer || !image.quantizer->verify_all().ok()) return found;
  const auto quantizer = read_quantizer(state, image);
  if (!quantizer) {
    found.emplace_back(image.quantizer->info(), kImpossibleQuantizer);
    return found;
  }
  const index::ReadCheck check;  // what cannot be read was named when the extents were
  std::vector<std::uint8_t> room(state.config.dimension);
  for (std::uint32_t chunk = 0; chunk < image.chunks.size(); ++chunk) {
    const auto& extent = image.chunks[chunk];
    if (!extent || !extent->verify_all().ok()) continue;
    const index::CodeLayout layout = layout_of(state, *extent);
    const auto codes = extent->data().size() == layout.bytes() ? read_head(image, *extent, layout) : std::nullopt;
    if (!codes) {
      found.emplace_back(extent->info(), kImpossibleCodes);
      continue;
    }
    const Slot begin = chunk << kChunkBits;
    for (std::uint32_t row = 0; row < layout.rows; ++row) {
      const Slot slot = begin + row;
      if (!codes->has(row) || state.store.slots().born(slot) > codes->lsn() ||
          !state.store.graph().contains(slot, view.graph.epoch) || !state.store.vectors().verify_row(slot).ok()) {
        continue;
      }
      const auto coded = quantizer->encode(state.store.vectors(), state.store.vectors().row(slot), room.data());
      if (coded.norm == codes->norm(row) && std::memcmp(room.data(), codes->codes(row), room.size()) == 0) continue;
      found.emplace_back(extent->info(), "the code of row " + std::to_string(slot) + " is not that of its vector");
      break;
    }
  }
  return found;
}

}  // namespace holdfast::engine
