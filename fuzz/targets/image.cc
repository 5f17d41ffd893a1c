// What a checkpoint holds (image_input.h), put behind right checksums and opened as a store.
//
// Whatever the bytes: the image is refused, or the collection can be used (use_store.h).
#include <string>

#include "fuzz/targets/image_input.h"
#include "fuzz/targets/targets.h"
#include "fuzz/targets/use_store.h"

namespace holdfast::fuzz {

std::string check_image(ByteSpan input) {
  testing::SimFileSystem fs(1);
  if (!write_image(fs, kStorePath, unpack_image(input)).ok()) return "";  // the state itself: target `manifest`
  return use_store(fs);
}

Bytes mutate_image(ByteSpan input, SeededRandom& random, const MutateBytes& mutate) {
  ImageInput image = unpack_image(input);
  const std::uint64_t part = random.below(kPartsEnd + 1);
  if (part == 0) {
    mutate_window(image.state, random, mutate);
  } else if (part >= kPartsEnd) {
    mutate_window(std::as_writable_bytes(std::span(&image.lsn, 1)), random, mutate);
  } else {
    for (std::uint64_t times = random.below(3) + 1; times > 0; --times) {
      mutate_window(image.data[part], random, mutate);
    }
  }
  if (random.below(8) != 0) repair_counts(image);
  return pack_image(image);
}

}  // namespace holdfast::fuzz
