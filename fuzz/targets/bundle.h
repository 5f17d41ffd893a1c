// Several files in one input. Long runs of zeros, of which logs and headers are full, take no room.
//
//   u8 files, each: u8 name length | name | u32 bytes of the file | u16 pieces, each: u32 offset | u16 length | bytes
// Anything unpacks: what does not fit into its file is left out, and the rest ends where the input does.
#pragma once

#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "fuzz/targets/targets.h"
#include "support/sim_file_system.h"

namespace holdfast::fuzz {

struct BundledFile {
  std::string name;
  Bytes bytes;
};
using Bundle = std::vector<BundledFile>;

inline constexpr std::size_t kBundledBytesMax = std::size_t{256} << 10;
inline constexpr std::size_t kBundledFilesMax = 64;

[[nodiscard]] Bundle unpack(ByteSpan input);
[[nodiscard]] Bytes pack(const Bundle& bundle);

/// Writes the files below `directory`; those whose directory does not exist are left out.
void write_bundle(testing::SimFileSystem& fs, const std::string& directory, const Bundle& bundle);
/// The files below `directory`, in path order.
[[nodiscard]] Bundle read_bundle(const testing::SimFileSystem& fs, const std::string& directory);

/// Changes one file of the bundle: bytes where they stand, a range copied over another, the length, the file itself.
void mutate_bundle(Bundle& bundle, SeededRandom& random, const MutateBytes& mutate);

}  // namespace holdfast::fuzz
