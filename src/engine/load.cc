// Cost at open, per million points: ids and stamps are copied (32 MB), lists checked (132 MB at M=16), and the id map
// is built (one pass). Vectors and payloads are mapped and not touched.
#include "engine/load.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/plant.h"
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

bool is_list(std::uint8_t kind) {
  return kind == static_cast<std::uint8_t>(ExtentKind::level0) || kind == static_cast<std::uint8_t>(ExtentKind::upper);
}

/// Each kind must cover every chunk with exactly the rows that the image says; values may leave chunks out.
Status check_coverage(const storage::Manifest& manifest, const ImageState& image) {
  const auto rows_of = [&](std::uint8_t kind) { return is_list(kind) ? image.graph_end : image.view.slot_end; };
  std::uint64_t rows[kExtentKinds + 1] = {};
  std::set<std::pair<std::uint8_t, Slot>> places;  // one named twice would hide one that is missing
  for (const ExtentInfo& extent : manifest.extents) {
    if (extent.kind < 1 || extent.kind > kExtentKinds || extent.field != 0 || extent.first_slot % kChunkSlots != 0) {
      return damaged(manifest, "names an extent of a kind or place that does not exist");
    }
    const Slot end = rows_of(extent.kind);
    if (extent.first_slot >= end || extent.slot_count != std::min(kChunkSlots, end - extent.first_slot)) {
      return damaged(manifest, "names an extent with the wrong number of rows");
    }
    if (!places.emplace(extent.kind, extent.first_slot).second && !HF_PLANTED(chunk_is_served_twice))
      return damaged(manifest, "names a chunk twice");
    rows[extent.kind] += extent.slot_count;
  }
  for (std::uint8_t kind = 1; kind <= kExtentKinds; ++kind) {
    const bool optional = kind == static_cast<std::uint8_t>(ExtentKind::values);
    if (!optional && rows[kind] != rows_of(kind)) {
      return damaged(manifest, std::string("does not cover all rows with ") + to_string(static_cast<ExtentKind>(kind)));
    }
  }
  return {};
}

Status attach_vectors(CollectionState& state, const std::shared_ptr<const Extent>& extent) {
  const ExtentInfo& info = extent->info();
  if (info.data_bytes != info.slot_count * state.store.vectors().stride()) {
    return {StatusCode::data_damaged, "vectors of the wrong size"};
  }
  // A full chunk is mapped; a partial one is copied, since later rows of the chunk must be writable.
  const bool mapped = info.slot_count == kChunkSlots;
  if (!mapped || state.options.open.verify_on_open == VerifyOnOpen::everything) HF_TRY(extent->verify_all());
  const auto verify = [of = extent.get()](std::uint64_t offset, std::uint64_t length) {
    return of->verify(offset, length);
  };
  const auto all_verified = [of = extent.get()] { return of->all_verified(); };
  return state.store.loading_vectors().attach(info.first_slot >> kChunkBits, info.slot_count,
                                              {extent->writable_data(), verify, extent, all_verified});
}

Status load_extent(CollectionState& state, const ExtentInfo& info, const ImageState& image) {
  const std::string directory = os::join(state.directory, storage::kExtentDirectory);
  const auto kind = static_cast<ExtentKind>(info.kind);
  // Rows are used again where they stand (VectorTable, V3).
  const os::Mapping mapping = kind == ExtentKind::vectors ? os::Mapping::private_writable : os::Mapping::read_only;
  const auto note = [&damage = state.damage](const storage::DamagedPage& page) {
    damage.note_extent(page.extent.number, page.offset, page.status);
  };
  auto opened = Extent::open(state.fs, directory, state.uuid, info, mapping, note);
  if (opened.status().code() == StatusCode::not_found && !HF_PLANTED(missing_extent_ends_the_open)) {
    return {StatusCode::data_damaged, "the file is missing: " + std::string(opened.status().message())};
  }
  HF_ASSIGN(std::shared_ptr<const Extent> extent, std::move(opened));
  const bool lazily = kind == ExtentKind::vectors || kind == ExtentKind::payloads;
  if (!lazily || state.options.open.verify_on_open == VerifyOnOpen::everything) HF_TRY(extent->verify_all());
  const std::uint32_t chunk = info.first_slot >> kChunkBits;
  PointStore& store = state.store;
  const bool stays = kind == ExtentKind::payloads || kind == ExtentKind::level0 ||
                     (kind == ExtentKind::vectors && info.slot_count == kChunkSlots);
  if (stays) state.mapped_extents.emplace(info.number, extent);
  switch (kind) {
    case ExtentKind::ids: return store.loading_slots().load_ids(info.first_slot, info.slot_count, extent->data());
    case ExtentKind::stamps:
      return store.loading_slots().load_stamps(info.first_slot, info.slot_count, extent->data(), image.view.lsn);
    case ExtentKind::vectors: return attach_vectors(state, extent);
    case ExtentKind::level0: {
      const ByteSpan data = extent->data();
      return store.loading_graph().attach_level0(chunk, data, image.graph_end, std::move(extent));
    }
    case ExtentKind::upper: return store.loading_graph().load_upper(chunk, extent->data(), image.graph_end);
    case ExtentKind::values:
      return store.loading_slots().load_values(info.first_slot, info.slot_count, extent->data(), image.view.slot_end);
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
  HF_TRY(check_coverage(manifest, image));
  auto state = std::make_shared<CollectionState>(request.name, request.directory, request.uuid, image.config,
                                                 request.options, request.signals);
  PointStore& store = state->store;
  HF_TRY(store.loading_slots().reserve(image.view.slot_end));
  std::vector<ExtentInfo> extents = manifest.extents;
  std::stable_sort(extents.begin(), extents.end(),
                   [](const ExtentInfo& a, const ExtentInfo& b) { return a.kind < b.kind; });  // ids before values
  for (const ExtentInfo& info : extents) {
    if (Status status = load_extent(*state, info, image); !status.ok()) {
      return status.with_context(storage::extent_name(info.number) + " (" +
                                 to_string(static_cast<ExtentKind>(info.kind)) + ")");
    }
  }
  HF_TRY(store.loading_vectors().reserve(image.view.slot_end));
  HF_TRY(store.loading_graph().reserve(image.view.slot_end));
  HF_TRY(store.finish_loading(image.view, std::move(image.markers)));
  if (image.connected) state->connected_epoch.store(image.view.graph.epoch, std::memory_order_relaxed);
  return state;
}

}  // namespace holdfast::engine
