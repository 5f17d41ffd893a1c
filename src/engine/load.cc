// Cost at open, per million points: ids and stamps are copied (32 MB), lists checked (132 MB at M=16), and the id map
// is built (one pass). Vectors and payloads are mapped and not touched.
#include "engine/load.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/try.h"
#include "engine/image.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

using storage::Extent;
using storage::ExtentInfo;

Status damaged(const storage::Manifest& manifest, const std::string& what) {
  return {StatusCode::data_damaged, storage::manifest_name(manifest.generation) + ": " + what};
}

/// Each kind must cover every chunk with exactly the rows that the view says.
Status check_coverage(const storage::Manifest& manifest, const View& view) {
  std::uint64_t rows[7] = {};
  std::set<std::pair<std::uint8_t, Slot>> places;  // one named twice would hide one that is missing
  for (const ExtentInfo& extent : manifest.extents) {
    if (extent.kind < 1 || extent.kind > 6 || extent.field != 0 || extent.first_slot % kChunkSlots != 0) {
      return damaged(manifest, "names an extent of a kind or place that does not exist");
    }
    const bool lists = extent.kind >= static_cast<std::uint8_t>(ExtentKind::level0) &&
                       extent.kind <= static_cast<std::uint8_t>(ExtentKind::upper);
    const Slot end = lists ? view.growing_begin : view.slot_end;
    if (extent.first_slot >= end || extent.slot_count != std::min(kChunkSlots, end - extent.first_slot)) {
      return damaged(manifest, "names an extent with the wrong number of rows");
    }
    if (!places.emplace(extent.kind, extent.first_slot).second) return damaged(manifest, "names a chunk twice");
    rows[extent.kind] += extent.slot_count;
  }
  for (std::uint8_t kind = 1; kind <= 6; ++kind) {
    const bool lists =
        kind >= static_cast<std::uint8_t>(ExtentKind::level0) && kind <= static_cast<std::uint8_t>(ExtentKind::upper);
    if (rows[kind] != (lists ? view.growing_begin : view.slot_end)) {
      return damaged(manifest, std::string("does not cover all rows with ") + to_string(static_cast<ExtentKind>(kind)));
    }
  }
  return {};
}

Status attach_vectors(CollectionState& state, std::shared_ptr<const Extent> extent) {
  const ExtentInfo& info = extent->info();
  const std::uint32_t chunk = info.first_slot >> kChunkBits;
  if (info.data_bytes != info.slot_count * state.store.vectors().stride()) {
    return {StatusCode::data_damaged, "vectors of the wrong size"};
  }
  // A full chunk is mapped; a partial one is copied, since later rows of the chunk must be writable.
  const bool mapped = info.slot_count == kChunkSlots;
  if (!mapped || state.options.open.verify_on_open == VerifyOnOpen::everything) HF_TRY(extent->verify_all());
  HF_TRY(state.store.loading_vectors().attach(chunk, extent->data(), info.slot_count, extent));
  if (!mapped) return {};
  if (state.vector_extents.size() <= chunk) state.vector_extents.resize(chunk + 1);
  state.vector_extents[chunk] = std::move(extent);
  return {};
}

Status load_extent(CollectionState& state, const ExtentInfo& info, const View& view) {
  const std::string directory = os::join(state.directory, storage::kExtentDirectory);
  auto opened = Extent::open(state.fs, directory, state.uuid, info);
  if (opened.status().code() == StatusCode::not_found) {
    return {StatusCode::data_damaged, "the file is missing: " + std::string(opened.status().message())};
  }
  HF_ASSIGN(std::shared_ptr<const Extent> extent, std::move(opened));
  const auto kind = static_cast<ExtentKind>(info.kind);
  const bool lazily = kind == ExtentKind::vectors || kind == ExtentKind::payloads;
  if (!lazily || state.options.open.verify_on_open == VerifyOnOpen::everything) HF_TRY(extent->verify_all());
  const std::uint32_t chunk = info.first_slot >> kChunkBits;
  PointStore& store = state.store;
  switch (kind) {
    case ExtentKind::ids: return store.loading_slots().load_ids(info.first_slot, info.slot_count, extent->data());
    case ExtentKind::stamps:
      return store.loading_slots().load_stamps(info.first_slot, info.slot_count, extent->data(), view.lsn);
    case ExtentKind::vectors: return attach_vectors(state, std::move(extent));
    case ExtentKind::level0: {
      const ByteSpan data = extent->data();
      return store.loading_graph().attach_level0(chunk, data, view.growing_begin, std::move(extent));
    }
    case ExtentKind::upper: return store.loading_graph().load_upper(chunk, extent->data(), view.growing_begin);
    case ExtentKind::payloads:
      return store.loading_slots().attach_payloads(info.first_slot, info.slot_count, std::move(extent));
  }
  return {StatusCode::internal, "unreachable: kinds were checked"};
}

}  // namespace

Result<std::shared_ptr<CollectionState>> load_image(const RecoveryRequest& request, const storage::Manifest& manifest) {
  HF_ASSIGN(ImageState image, decode_image_state(manifest.state, manifest.lsn));
  if (image.name != request.name) {
    return damaged(manifest, "belongs to a collection named '" + image.name + "', not '" + request.name + "'");
  }
  HF_TRY(check_coverage(manifest, image.view));
  auto state = std::make_shared<CollectionState>(request.name, request.directory, request.uuid, image.config,
                                                 request.options, request.signals);
  PointStore& store = state->store;
  HF_TRY(store.loading_slots().reserve(image.view.slot_end));
  for (const ExtentInfo& info : manifest.extents) {
    if (Status status = load_extent(*state, info, image.view); !status.ok()) {
      return status.with_context(storage::extent_name(info.number) + " (" +
                                 to_string(static_cast<ExtentKind>(info.kind)) + ")");
    }
  }
  HF_TRY(store.loading_vectors().reserve(image.view.slot_end));
  HF_TRY(store.loading_graph().reserve(image.view.slot_end));
  HF_TRY(store.finish_loading(image.view, std::move(image.markers)));
  return state;
}

}  // namespace holdfast::engine
