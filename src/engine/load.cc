// Nothing is read of an image but its manifest, the frames of its extents (header, checksums of pages, footer), the
// rows of its growing range and what the entry of the graph stands in: everything else is mapped, and read by whoever
// touches it first (docs/adr/0014-open-by-mapping.md). What is wrong with its codes is noted and no reason not to use
// it (code_loading.h).
//
// Two things look at every row all the same: an image that an older version wrote, without runs of ids; and whoever
// asks for it (VerifyOnOpen::everything, verify), because then counts and ids are compared with the rows.
#include "engine/load.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "base/plant.h"
#include "base/try.h"
#include "engine/image.h"
#include "storage/extent_patch.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

using storage::Extent;
using storage::ExtentInfo;

Status damaged(const storage::Manifest& manifest, const std::string& what) {
  return {StatusCode::data_damaged, storage::manifest_name(manifest.generation) + ": " + what};
}

/// An extent of the image and, unless it is null, what patches it.
struct Part {
  const ExtentInfo* base = nullptr;
  const ExtentInfo* patch = nullptr;
  [[nodiscard]] std::uint32_t rows() const noexcept { return (patch == nullptr ? base : patch)->slot_count; }
};
/// By kind and first slot (of a run of ids: its number). One place named twice would hide one that is missing.
using Parts = std::map<std::pair<ExtentKind, Slot>, Part>;

Slot rows_of(ExtentKind kind, const ImageState& image) {
  const bool nodes = kind == ExtentKind::level0 || kind == ExtentKind::upper || kind == ExtentKind::codes;
  return nodes ? image.graph_end : image.view.slot_end;
}

bool is_place(const ExtentInfo& extent, const ImageState& image) {
  const ExtentKind kind = kind_of(extent.kind);
  if (extent.field != 0 || (is_patch(extent.kind) && (!has_patches(kind) || image.version < kRunsSince))) return false;
  if (covers_chunks(kind)) return extent.first_slot % kChunkSlots == 0;
  if (kind == ExtentKind::ids_run) return extent.first_slot < image.run_floors.size();
  if (is_of_codes(kind) && image.codes.training == 0) return false;
  if (kind == ExtentKind::codes) return extent.first_slot % kChunkSlots == 0;
  if (kind == ExtentKind::quantizer) return extent.first_slot == 0;
  return kind == ExtentKind::growing && extent.first_slot == 0;
}

Result<Parts> find_parts(const storage::Manifest& manifest, const ImageState& image) {
  Parts parts;
  for (const ExtentInfo& extent : manifest.extents) {
    if (!is_place(extent, image)) return damaged(manifest, "names an extent of a kind or place that does not exist");
    Part& part = parts[{kind_of(extent.kind), extent.first_slot}];
    const ExtentInfo*& place = is_patch(extent.kind) ? part.patch : part.base;
    if (place != nullptr && !HF_PLANTED(chunk_is_served_twice)) return damaged(manifest, "names a chunk twice");
    place = &extent;
  }
  return parts;
}

/// Each kind must cover every chunk with exactly the rows that the image says; values may leave chunks out, and codes
/// chunks and the last rows of one. All runs of ids must be there.
Status check_coverage(const storage::Manifest& manifest, const ImageState& image, const Parts& parts) {
  std::uint64_t rows[kExtentKinds + 1] = {};
  std::size_t runs = 0;
  for (const auto& [place, part] : parts) {
    const auto& [kind, first_slot] = place;
    if (part.base == nullptr) return damaged(manifest, "names a patch of an extent that it does not name");
    runs += kind == ExtentKind::ids_run ? 1 : 0;
    const bool of_codes = kind == ExtentKind::codes;
    if (!covers_chunks(kind) && !of_codes) continue;
    const Slot end = rows_of(kind, image);
    const Slot most = first_slot < end ? std::min(kChunkSlots, end - first_slot) : 0;
    if (part.rows() == 0 || (of_codes ? part.rows() > most : part.rows() != most) ||
        part.base->slot_count > part.rows()) {
      return damaged(manifest, "names an extent with the wrong number of rows");
    }
    if (of_codes) continue;
    rows[static_cast<std::size_t>(kind)] += part.rows();
  }
  for (std::uint8_t number = 1; number <= kExtentKinds; ++number) {
    const auto kind = static_cast<ExtentKind>(number);
    const bool covered = rows[number] == rows_of(kind, image) || HF_PLANTED(chunk_is_served_twice);
    if (kind != ExtentKind::values && !covered) {
      return damaged(manifest, std::string("does not cover all rows with ") + to_string(kind));
    }
  }
  const bool all_ids = image.run_floors.empty() || image.run_floors.front() == 0;
  if (runs != image.run_floors.size() || !all_ids) return damaged(manifest, "does not name all runs of ids");
  if (image.codes.training != 0 && !parts.contains({ExtentKind::quantizer, 0})) {
    return damaged(manifest, "does not name what its codes were made with");
  }
  return {};
}

Status attach_vectors(CollectionState& state, const std::shared_ptr<const Extent>& extent) {
  const ExtentInfo& info = extent->info();
  if (info.data_bytes != info.slot_count * state.store.vectors().stride()) {
    return {StatusCode::data_damaged, "vectors of the wrong size"};
  }
  // The rows of the last chunk are verified here: small collections have no other, and fall back to the older image.
  if (info.slot_count != kChunkSlots || state.options.open.verify_on_open == VerifyOnOpen::everything)
    HF_TRY(extent->verify_all());
  const auto verify = [of = extent.get()](std::uint64_t offset, std::uint64_t length) {
    return of->verify(offset, length);
  };
  const auto all_verified = [of = extent.get()] { return of->all_verified(); };
  return state.store.loading_vectors().attach(info.first_slot >> kChunkBits, info.slot_count,
                                              {extent->writable_data(), verify, extent, all_verified});
}

/// `name` of an extent in messages.
std::string name_of(const ExtentInfo& info) {
  return storage::extent_name(info.number) + " (" + to_string(kind_of(info.kind)) +
         (is_patch(info.kind) ? ", patch)" : ")");
}

/// An extent that is opened, and what patches it if that is read by itself (payloads).
struct OpenPart {
  std::shared_ptr<const Extent> extent;
  std::shared_ptr<const storage::Patch> texts;
};

/// Opens the extents of one image. What stays mapped is remembered.
class PartOpener {
 public:
  explicit PartOpener(CollectionState& state) : state_(state) {}

  Result<OpenPart> open(ExtentKind kind, const Part& part) const {
    OpenPart opened;
    if (kind == ExtentKind::payloads) {
      HF_ASSIGN(opened.extent, map(*part.base, os::Mapping::read_only));
      if (part.patch != nullptr) {
        HF_ASSIGN(auto over, map(*part.patch, os::Mapping::read_only));
        state_.mapped_extents.emplace(part.patch->number, over);
        opened.texts = std::make_shared<const storage::Patch>(std::move(over), *part.base, storage::PatchShape());
      }
    } else if (part.patch != nullptr) {
      HF_ASSIGN(opened.extent,
                if_there(Extent::open_patched(state_.fs, directory_, state_.uuid, *part.base, *part.patch,
                                              patch_shape(kind, state_.config), note(), room_of(kind))));
    } else {
      // Rows are used again where they stand (VectorTable, V3).
      const bool written = kind == ExtentKind::vectors;
      HF_ASSIGN(opened.extent,
                map(*part.base, written ? os::Mapping::private_writable : os::Mapping::read_only, room_of(kind)));
    }
    remember(part, opened.extent);
    return opened;
  }

  /// Null if it is damaged, which is noted. It stays mapped for as long as somebody holds it.
  Result<std::shared_ptr<const Extent>> open_codes(const Part& part) const {
    auto opened = map(*part.base, os::Mapping::read_only);
    if (opened.ok()) (*opened)->report_read_errors(false);  // nothing of it is read before recovery is through
    if (opened.status().code() != StatusCode::data_damaged) return opened;
    if (!state_.damage.holds(part.base->number)) state_.damage.note_extent(part.base->number, 0, opened.status());
    return std::shared_ptr<const Extent>();
  }

 private:
  /// Vectors have room for all rows of their chunk: the last one goes on growing where it is mapped.
  [[nodiscard]] std::uint64_t room_of(ExtentKind kind) const noexcept {
    return kind == ExtentKind::vectors ? std::uint64_t{kChunkSlots} * state_.store.vectors().stride() : 0;
  }
  Result<std::shared_ptr<const Extent>> map(const ExtentInfo& info, os::Mapping mapping, std::uint64_t room = 0) const {
    return if_there(Extent::open(state_.fs, directory_, state_.uuid, info, mapping, note(), room));
  }
  Result<std::shared_ptr<const Extent>> if_there(Result<std::shared_ptr<const Extent>> opened) const {
    if (opened.status().code() == StatusCode::not_found && !HF_PLANTED(missing_extent_ends_the_open)) {
      return Status(StatusCode::data_damaged, "at 0: the file is missing: " + std::string(opened.status().message()));
    }
    if (!opened.ok()) return opened;
    (*opened)->report_read_errors(true);  // until recovery is through
    if (state_.options.open.verify_on_open == VerifyOnOpen::everything) HF_TRY((*opened)->verify_all());
    return opened;
  }
  [[nodiscard]] Extent::OnDamage note() const {
    return [&damage = state_.damage](const storage::DamagedPage& page) {
      damage.note_extent(page.extent.number, page.offset, page.status);
    };
  }
  /// Everything stays mapped but what was put together in memory.
  void remember(const Part& part, const std::shared_ptr<const Extent>& extent) const {
    if (extent->in_memory()) return;
    state_.mapped_extents.emplace(extent->info().number, extent);
    if (extent->patch() != nullptr) state_.mapped_extents.emplace(part.patch->number, extent->patch());
  }

  CollectionState& state_;
  const std::string directory_ = os::join(state_.directory, storage::kExtentDirectory);
};

/// What one chunk is made of; null where the image has nothing of the kind.
struct ChunkExtents {
  OpenPart parts[kExtentKinds + 1];
  [[nodiscard]] const std::shared_ptr<const Extent>& operator[](ExtentKind kind) const {
    return parts[static_cast<std::size_t>(kind)].extent;
  }
};

Status attach_lists(CollectionState& state, const ChunkExtents& chunk, std::uint32_t number, const ImageState& image) {
  const std::shared_ptr<const Extent>& level0 = chunk[ExtentKind::level0];
  const std::shared_ptr<const Extent>& upper = chunk[ExtentKind::upper];
  if (!level0 || !upper) return {};  // no nodes
  const auto verify_in = [](const Extent* extent) {
    return [extent](std::uint64_t offset, std::uint64_t length) { return extent->verify(offset, length); };
  };
  index::MappedLists lists;
  lists.level0 = level0->data();
  lists.verify_level0 = verify_in(level0.get());
  lists.level0_name = name_of(level0->info());
  lists.upper = upper->data();
  lists.verify_upper = verify_in(upper.get());
  lists.upper_name = name_of(upper->info());
  lists.owner =
      std::make_shared<std::pair<std::shared_ptr<const Extent>, std::shared_ptr<const Extent>>>(level0, upper);
  return state.store.loading_graph()
      .attach_unchecked(number, std::move(lists), image.graph_end)
      .with_context(name_of(level0->info()));
}

Status attach_chunk(CollectionState& state, const ChunkExtents& chunk, const ImageState& image) {
  PointStore& store = state.store;
  const ExtentInfo& ids = chunk[ExtentKind::ids]->info();
  const Slot begin = ids.first_slot;
  SlotTable::RowExtents rows{chunk[ExtentKind::ids], chunk[ExtentKind::stamps], chunk[ExtentKind::values]};
  HF_TRY(store.loading_slots()
             .attach_rows(begin, ids.slot_count, std::move(rows), image.view.lsn, image.view.slot_end)
             .with_context(name_of(ids)));
  const OpenPart& payloads = chunk.parts[static_cast<std::size_t>(ExtentKind::payloads)];
  HF_TRY(store.loading_slots()
             .attach_payloads(begin, ids.slot_count, payloads.extent, payloads.texts)
             .with_context(name_of(payloads.extent->info())));
  HF_TRY(attach_vectors(state, chunk[ExtentKind::vectors]).with_context(name_of(chunk[ExtentKind::vectors]->info())));
  return attach_lists(state, chunk, begin >> kChunkBits, image);
}

/// The extents of an image that lie beside its chunks. (Codes: collection_state.h, CodingState::image.)
struct IdExtents {
  std::vector<std::shared_ptr<const Extent>> runs;  ///< oldest first
  std::shared_ptr<const Extent> growing;            ///< null: there are no such rows
};

/// To the graph mutator. Its mutex is not taken: nobody else has the collection yet, and whoever opens it holds the
/// database's mutex, before which this one may be held.
void hand_over(CollectionState& state, std::uint64_t training,
               std::unique_ptr<ImageCodes> codes) HF_NO_THREAD_SAFETY_ANALYSIS {
  state.mutator.coding.last_training = training;
  if (training != 0) state.mutator.coding.image = std::move(codes);
}

Status attach_extents(CollectionState& state, const Parts& parts, const ImageState& image, IdExtents& ids) {
  std::vector<ChunkExtents> chunks((image.view.slot_end + kChunkSlots - 1) >> kChunkBits);
  ids.runs.resize(image.run_floors.size());
  const PartOpener opener(state);
  auto codes = std::make_unique<ImageCodes>();
  codes->record = image.codes;
  codes->lsn = image.view.lsn;
  codes->chunks.resize(chunks.size());
  for (const auto& [place, part] : parts) {
    const auto& [kind, first_slot] = place;
    if (is_of_codes(kind)) {
      HF_ASSIGN(auto mapped, opener.open_codes(part));
      (kind == ExtentKind::quantizer ? codes->quantizer : codes->chunks[first_slot >> kChunkBits]) = std::move(mapped);
      continue;
    }
    auto opened = opener.open(kind, part);
    if (!opened.ok()) return opened.status().with_context(name_of(*part.base));
    switch (kind) {
      case ExtentKind::ids_run: ids.runs[first_slot] = std::move(opened->extent); break;
      case ExtentKind::growing: ids.growing = std::move(opened->extent); break;
      default: chunks[first_slot >> kChunkBits].parts[static_cast<std::size_t>(kind)] = std::move(*opened); break;
    }
  }
  for (const ChunkExtents& chunk : chunks) HF_TRY(attach_chunk(state, chunk, image));
  hand_over(state, image.codes.training, std::move(codes));
  return {};
}

Result<std::vector<Slot>> read_growing(const std::shared_ptr<const Extent>& extent) {
  std::vector<Slot> rows;
  if (!extent) return rows;
  const ExtentInfo& info = extent->info();
  if (info.data_bytes != std::uint64_t{info.slot_count} * sizeof(Slot)) {
    return Status(StatusCode::data_damaged, name_of(info) + ": rows of the wrong size");
  }
  HF_TRY(extent->verify_all());
  rows.resize(info.slot_count);
  if (!rows.empty()) std::memcpy(rows.data(), extent->data().data(), info.data_bytes);
  return rows;
}

Status finish_loading(CollectionState& state, const ImageState& image, const IdExtents& ids, bool every_row) {
  PointStore& store = state.store;
  IdRuns runs;
  for (const auto& extent : ids.runs) HF_TRY(runs.add(extent, image.view.slot_end));
  const bool by_runs = image.version >= kRunsSince && (!runs.empty() || image.view.live == 0);
  HF_TRY(store.loading_ids().load(std::move(runs), image.view.slot_end));
  HF_ASSIGN(const std::vector<Slot> growing, read_growing(ids.growing));
  if (every_row || !by_runs || HF_PLANTED(loaded_nodes_are_indexed_again)) {
    return store.finish_loading(image.view, image.markers);
  }
  return store.finish_loading(image.view, image.markers, growing);
}

}  // namespace

Result<std::shared_ptr<CollectionState>> load_image(const RecoveryRequest& request, const storage::Manifest& manifest) {
  HF_ASSIGN(const ImageState image, decode_image_state(manifest.state, manifest.lsn));
  if (image.name != request.name) {
    return damaged(manifest, "belongs to a collection named '" + image.name + "', not '" + request.name + "'");
  }
  HF_ASSIGN(const Parts parts, find_parts(manifest, image));
  HF_TRY(check_coverage(manifest, image, parts));
  auto state = std::make_shared<CollectionState>(request.name, request.directory, request.uuid, image.config,
                                                 request.options, request.signals);
  PointStore& store = state->store;
  HF_TRY(store.loading_slots().reserve(image.view.slot_end));
  IdExtents ids;
  HF_TRY(attach_extents(*state, parts, image, ids));
  HF_TRY(store.loading_vectors().reserve(image.view.slot_end));
  HF_TRY(store.loading_graph().reserve(image.view.slot_end));
  const bool every_row = request.change_nothing || request.options.open.verify_on_open == VerifyOnOpen::everything;
  HF_TRY(finish_loading(*state, image, ids, every_row));
  if (image.connected) state->connected_epoch.store(image.view.graph.epoch, std::memory_order_relaxed);
  state->loaded_run_floors = image.run_floors;
  state->loaded_codes = image.codes;
  return state;
}

}  // namespace holdfast::engine
