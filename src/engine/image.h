// What a checkpoint is made of: the kinds of extents and the engine's part of the manifest (docs/format/image.md).
#pragma once

#include <array>
#include <optional>

#include "base/coding.h"
#include "engine/image_codes.h"
#include "engine/point_store.h"
#include "holdfast/types.h"
#include "storage/extent.h"
#include "storage/extent_patch.h"

namespace holdfast::engine {

/// Kinds of extents. Kinds 1 to 7 cover the slots of one chunk, from its first slot on, as does kind 9.
enum class ExtentKind : std::uint8_t {
  ids = 1,         ///< 16 bytes per slot (high, low), then one byte per slot (kind of id)
  stamps = 2,      ///< per slot: u64 born, u64 died
  vectors = 3,     ///< rows of VectorTable
  level0 = 4,      ///< rows of Graph::encode_level0, slots below graph_end only
  upper = 5,       ///< Graph::encode_upper
  payloads = 6,    ///< u64 offset per slot and one more, then the bytes
  values = 7,      ///< u32 next value per slot, then one byte per slot; only chunks with points of several vectors
  ids_run = 8,     ///< ids with their rows, sorted (id_runs.h); first_slot: number of the run, slot_count: its entries
  codes = 9,       ///< index/code_image.h; slots below graph_end only; not every chunk has one
  quantizer = 10,  ///< what the codes were made with (index/code_image.h); slot_count: 1
  growing = 11,    ///< u32 row per row of the growing range, in order of arrival; none if it is empty
};
inline constexpr std::uint8_t kExtentKinds = 7;  ///< that cover chunks, without codes
/// Of an extent that patches one of the kind below this bit (storage/extent_patch.h).
inline constexpr std::uint8_t kPatchBit = 0x80;
[[nodiscard]] constexpr bool is_patch(std::uint8_t kind) noexcept { return (kind & kPatchBit) != 0; }
/// The kind of what a patch, or any other extent, holds rows of.
[[nodiscard]] constexpr ExtentKind kind_of(std::uint8_t kind) noexcept {
  return static_cast<ExtentKind>(kind & ~kPatchBit);
}
/// Whether extents of that kind cover a chunk's rows, all of them.
[[nodiscard]] constexpr bool covers_chunks(ExtentKind kind) noexcept {
  return kind >= ExtentKind{1} && kind <= ExtentKind{kExtentKinds};
}
/// What is made anew from the rows if it is damaged, without loss.
[[nodiscard]] constexpr bool is_of_codes(ExtentKind kind) noexcept {
  return kind == ExtentKind::codes || kind == ExtentKind::quantizer;
}
/// Kinds of which patches are written. (Upper levels are one in sixteen nodes' and of many sizes.)
[[nodiscard]] constexpr bool has_patches(ExtentKind kind) noexcept {
  return covers_chunks(kind) && kind != ExtentKind::upper;
}
/// Bytes per row of each column, as a patch of that kind must say. (None: payloads, which are texts.)
[[nodiscard]] storage::PatchShape patch_shape(ExtentKind kind, const CollectionConfig& config) noexcept;
[[nodiscard]] const char* to_string(ExtentKind kind) noexcept;

/// The engine's part of a manifest.
struct ImageState {
  std::string name;
  CollectionConfig config;
  View view;               ///< lsn is the manifest's; the growing range is found when it is loaded
  Slot graph_end = 0;      ///< rows from here on are no nodes
  bool connected = false;  ///< every living node can be reached (index/hnsw_connect.cc)
  Markers markers;
  std::uint32_t version = 0;  ///< of the state that was decoded
  /// Run i holds the points that were born after the lsn floors[i], up to where the next run begins.
  std::vector<Lsn> run_floors;
  CodesRecord codes;
};

/// Since this version of the state, ids are found by runs, the growing range and codes stand in the image, and extents
/// may have patches.
inline constexpr std::uint32_t kRunsSince = 4;

[[nodiscard]] Bytes encode_image_state(const ImageState& state);
/// data_damaged if it does not decode or its numbers contradict each other.
[[nodiscard]] Result<ImageState> decode_image_state(ByteSpan bytes, Lsn lsn);

/// What an extent's header says of its collection (storage::ExtentOrigin::note): u32 dimension, metric (low byte) and
/// type of the components (the byte above), M, ef_construction; in the last 8 bytes the number of the extent that it
/// patches (0: none).
[[nodiscard]] std::array<std::byte, 32> encode_extent_note(const CollectionConfig& config, std::uint64_t patched = 0);
[[nodiscard]] std::uint64_t patched_by_note(const std::array<std::byte, 32>& note) noexcept;
/// Nothing if none was written.
[[nodiscard]] std::optional<CollectionConfig> decode_extent_note(const std::array<std::byte, 32>& note);

}  // namespace holdfast::engine
