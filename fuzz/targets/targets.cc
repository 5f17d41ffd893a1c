#include "fuzz/targets/targets.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace holdfast::fuzz {

namespace {

constexpr std::array kTargets{
    Target{"log", "segments: read, seal, copy, go on", check_log, mutate_log},
    Target{"extent", "one extent file", check_extent, mutate_extent},
    Target{"image", "every kind of extent behind right checksums", check_image, mutate_image},
    Target{"manifest", "manifest, catalog, engine's state", check_manifest, mutate_manifest},
    Target{"record", "the body of a batch frame", check_record, nullptr},
    Target{"store", "all files of a store", check_store, mutate_store},
    Target{"import", "npy, fvecs, bvecs, fbin, hbin, u8bin, i8bin, jsonl", check_import, nullptr},
    Target{"text", "payloads, ids, names, JSON output", check_text, nullptr},
};

}  // namespace

std::span<const Target> targets() noexcept { return kTargets; }

const Target* find_target(std::string_view name) noexcept {
  const auto* found =
      std::find_if(kTargets.begin(), kTargets.end(), [&](const Target& target) { return target.name == name; });
  return found == kTargets.end() ? nullptr : found;
}

void mutate_window(std::span<std::byte> bytes, SeededRandom& random, const MutateBytes& mutate) {
  if (bytes.empty()) return;
  constexpr std::size_t kWidths[] = {1, 2, 4, 8, 16, 64};
  const std::size_t width = std::min(bytes.size(), kWidths[random.below(std::size(kWidths))]);
  // Half of the time at a multiple of its width, where numbers stand.
  std::size_t at = random.below(bytes.size() - width + 1);
  if (random.below(2) == 0) at = at / width * width;
  std::array<std::uint8_t, 64> window{};
  std::memcpy(window.data(), bytes.data() + at, width);
  (void)mutate(window.data(), width, width);
  std::memcpy(bytes.data() + at, window.data(), width);
}

}  // namespace holdfast::fuzz
