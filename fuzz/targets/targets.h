// The fuzz targets. Each is a function of some bytes that says what is wrong, or nothing; libFuzzer calls it
// (fuzz_main.cc), and so does an ordinary test for every file of the corpus (tests/fuzz).
//
// A target that reads files behind checksums mutates with repair: bytes are changed where they lie, and then every
// checksum above them is made right again, so that what the fuzzer tries gets past the checksums to the code behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/random.h"

namespace holdfast::fuzz {

/// Mutates `size` bytes at `data` in place, to at most `size_max`; returns the new size (LLVMFuzzerMutate).
using MutateBytes = std::function<std::size_t(std::uint8_t* data, std::size_t size, std::size_t size_max)>;

struct Target {
  std::string_view name;
  std::string_view what;
  /// What is wrong, or nothing.
  std::string (*check)(ByteSpan input);
  /// Another input near this one, with checksums repaired. Null: bytes without structure.
  Bytes (*mutate)(ByteSpan input, SeededRandom& random, const MutateBytes& mutate);
};

[[nodiscard]] std::span<const Target> targets() noexcept;
/// Null if there is none.
[[nodiscard]] const Target* find_target(std::string_view name) noexcept;

// Segments of a log, as a bundle: reading, sealing, copying and going on. (log.cc)
std::string check_log(ByteSpan input);
Bytes mutate_log(ByteSpan input, SeededRandom& random, const MutateBytes& mutate);
// One extent file. (extent.cc)
std::string check_extent(ByteSpan input);
Bytes mutate_extent(ByteSpan input, SeededRandom& random, const MutateBytes& mutate);
// The content of every kind of extent and the engine's state, behind right checksums and counts. (image.cc)
std::string check_image(ByteSpan input);
Bytes mutate_image(ByteSpan input, SeededRandom& random, const MutateBytes& mutate);
// Manifest, catalog, engine's state: one of them. (manifest.cc)
std::string check_manifest(ByteSpan input);
Bytes mutate_manifest(ByteSpan input, SeededRandom& random, const MutateBytes& mutate);
// The body of a batch frame. (record.cc)
std::string check_record(ByteSpan input);
// All files of a store, as a bundle: open, read everything, go on. (store.cc)
std::string check_store(ByteSpan input);
Bytes mutate_store(ByteSpan input, SeededRandom& random, const MutateBytes& mutate);
// Files of vectors: npy, *vecs, *bin, JSONL. (import.cc)
std::string check_import(ByteSpan input);
// Text: payloads, ids, names, JSON output. (text.cc)
std::string check_text(ByteSpan input);

/// Mutates a window of `bytes` where it stands, keeping the length.
void mutate_window(std::span<std::byte> bytes, SeededRandom& random, const MutateBytes& mutate);

}  // namespace holdfast::fuzz
