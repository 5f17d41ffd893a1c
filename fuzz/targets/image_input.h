// The input of the target `image`: what a checkpoint of one chunk holds, without any file around it.
//
//   u16 length | engine's state (image.h) | u64 lsn | for each kind of extent: u16 length | data
#pragma once

#include <array>
#include <optional>

#include "base/coding.h"
#include "engine/image.h"
#include "storage/manifest.h"
#include "support/sim_file_system.h"

namespace holdfast::fuzz {

/// Kinds of extents, as far as there may be any; behind them, patches of those that cover chunks.
inline constexpr std::size_t kPatches = 12;
inline constexpr std::size_t kPartsEnd = kPatches + engine::kExtentKinds + 1;

struct ImageInput {
  Bytes state;
  Lsn lsn = 0;
  std::array<Bytes, kPartsEnd> data;  ///< by kind; [0] and [kPatches] are not used
};

[[nodiscard]] ImageInput unpack_image(ByteSpan input);
[[nodiscard]] Bytes pack_image(const ImageInput& image);
/// From a checkpoint of a real collection; nothing if it has more than one chunk.
[[nodiscard]] std::optional<ImageInput> image_of(testing::SimFileSystem& fs, const std::string& directory,
                                                 const storage::Manifest& manifest);
/// Makes a store of one collection out of it, with right checksums; an error if the state does not decode.
Status write_image(testing::SimFileSystem& fs, const std::string& store, const ImageInput& image);
/// Gives every extent the size that the state says, and the state the counts that the extents have.
void repair_counts(ImageInput& image);

}  // namespace holdfast::fuzz
