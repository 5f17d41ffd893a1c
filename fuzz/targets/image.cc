// What a checkpoint holds (image_input.h), put behind right checksums and opened as a store.
//
// Whatever the bytes: the image is refused, or the collection can be used (use_store.h). Codes of so few nodes as an
// input holds are not loaded, so their decoders are asked directly.
#include <algorithm>
#include <string>

#include "fuzz/targets/image_input.h"
#include "fuzz/targets/targets.h"
#include "fuzz/targets/use_store.h"
#include "index/code_image.h"

namespace holdfast::fuzz {

namespace {

/// What is decoded encodes as the same bytes, and every row that is said to be there can be read.
std::string check_codes(const ImageInput& input) {
  const auto state = engine::decode_image_state(input.state, input.lsn);
  if (!state.ok() || state->codes.training == 0) return "";
  const Bytes& data = input.data[static_cast<std::size_t>(engine::ExtentKind::quantizer)];
  const CollectionConfig& config = state->config;
  if (const auto quantizer = index::decode_quantizer(data, state->codes.training, config.metric, config.dimension)) {
    Bytes again;
    index::encode_quantizer(*quantizer, state->codes.training, again);
    if (again != data) return "a quantizer does not encode as what it was decoded from";
  }
  const index::CodeLayout layout{std::min<Slot>(state->graph_end, kChunkSlots), config.dimension};
  const auto codes = index::CodeImage::read(input.data[static_cast<std::size_t>(engine::ExtentKind::codes)], layout,
                                            state->codes.training);
  std::uint64_t sum = 0;
  for (std::uint32_t row = 0; codes && row < layout.rows + 70; ++row) {
    if (!codes->has(row)) continue;
    if (row >= layout.rows) return "codes of rows that do not exist";
    sum += codes->codes(row)[config.dimension - 1] + (codes->norm(row) > 0 ? 1U : 0U);
  }
  return sum > layout.rows * std::uint64_t{256} ? "codes of more than a byte" : "";
}

}  // namespace

std::string check_image(ByteSpan input) {
  testing::SimFileSystem fs(1);
  const ImageInput image = unpack_image(input);
  if (std::string problem = check_codes(image); !problem.empty()) return problem;
  if (!write_image(fs, kStorePath, image).ok()) return "";  // the state itself: target `manifest`
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
