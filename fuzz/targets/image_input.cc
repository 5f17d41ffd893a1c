#include "fuzz/targets/image_input.h"

#include <algorithm>

#include "base/try.h"
#include "storage/extent.h"
#include "storage/file_names.h"

namespace holdfast::fuzz {

namespace {

using engine::ExtentKind;
using engine::kExtentKinds;
using storage::ExtentInfo;

constexpr Uuid kStore{9};
constexpr Uuid kCollection{1, 2, 3};
constexpr std::size_t kPartMax = 0xFFFF;

Bytes get_part(ByteReader& reader) {
  std::uint16_t length = 0;
  ByteSpan bytes;
  if (!reader.get(length)) return {};
  if (!reader.get_bytes(std::min<std::size_t>(length, reader.remaining()), bytes)) return {};
  return {bytes.begin(), bytes.end()};
}

void put_part(Bytes& out, const Bytes& part) {
  const std::size_t length = std::min(part.size(), kPartMax);
  put(out, static_cast<std::uint16_t>(length));
  put_bytes(out, ByteSpan(part).first(length));
}

std::size_t index_of(ExtentKind kind) { return static_cast<std::size_t>(kind); }

/// Rows that an extent of that kind has.
Slot rows_of(std::size_t kind, const engine::ImageState& state) {
  const bool list = kind == index_of(ExtentKind::level0) || kind == index_of(ExtentKind::upper) ||
                    kind == index_of(ExtentKind::codes);
  return std::min<Slot>(list ? state.graph_end : state.view.slot_end, kChunkSlots);
}

/// Entries of an extent that belongs to no chunk, as it says itself.
std::uint32_t entries_of(std::size_t kind, const Bytes& data) {
  if (kind == index_of(ExtentKind::quantizer)) return 1;
  if (kind == index_of(ExtentKind::growing)) return static_cast<std::uint32_t>(data.size() / sizeof(Slot));
  return data.size() < sizeof(std::uint32_t) ? 0 : load<std::uint32_t>(data.data());
}

}  // namespace

ImageInput unpack_image(ByteSpan input) {
  ImageInput image;
  ByteReader reader(input);
  image.state = get_part(reader);
  (void)reader.get(image.lsn);
  for (std::size_t kind = 1; kind < kPartsEnd; ++kind) image.data[kind] = get_part(reader);
  return image;
}

Bytes pack_image(const ImageInput& image) {
  Bytes out;
  put_part(out, image.state);
  put(out, image.lsn);
  for (std::size_t kind = 1; kind < kPartsEnd; ++kind) put_part(out, image.data[kind]);
  return out;
}

std::optional<ImageInput> image_of(testing::SimFileSystem& fs, const std::string& directory,
                                   const storage::Manifest& manifest) {
  ImageInput image;
  image.state = manifest.state;
  image.lsn = manifest.lsn;
  for (const ExtentInfo& info : manifest.extents) {
    const auto extent =
        storage::Extent::open(fs, os::join(directory, storage::kExtentDirectory), manifest.collection, info);
    const auto kind = index_of(engine::kind_of(info.kind)) + (engine::is_patch(info.kind) ? kPatches : 0);
    if (!extent.ok() || info.first_slot != 0 || kind >= kPartsEnd) return {};
    image.data[kind].assign((*extent)->data().begin(), (*extent)->data().end());
  }
  return image;
}

Status write_image(testing::SimFileSystem& fs, const std::string& path, const ImageInput& image) {
  HF_ASSIGN(const engine::ImageState state, engine::decode_image_state(image.state, image.lsn));
  const std::string directory = os::join(path, storage::collection_directory_name(kCollection));
  const std::string extents = os::join(directory, storage::kExtentDirectory);
  HF_TRY(fs.create_directory(path));
  HF_TRY(fs.create_directory(directory));
  HF_TRY(fs.create_directory(extents));
  HF_TRY(fs.create_directory(os::join(directory, storage::kWalDirectory)));
  HF_TRY(storage::write_catalog(fs, path, {kStore, 1, {{state.name, kCollection}}}));
  storage::Manifest manifest;
  manifest.generation = 1;
  manifest.collection = kCollection;
  manifest.lsn = image.lsn;
  manifest.state = image.state;
  const auto write = [&](std::uint8_t kind, std::uint32_t count, const Bytes& data) -> Status {
    ExtentInfo info;
    info.number = manifest.next_extent++;
    info.kind = kind;
    info.slot_count = count;
    HF_ASSIGN(const auto writer, storage::ExtentWriter::create(fs, extents, kCollection, info));
    HF_TRY(writer->append(data));
    HF_ASSIGN(info, writer->finish());
    manifest.extents.push_back(info);
    return {};
  };
  for (std::size_t kind = 1; kind < kPatches; ++kind) {
    const bool covers = kind <= kExtentKinds;
    Bytes patch = covers ? image.data[kPatches + kind] : Bytes();
    if (image.data[kind].empty() && patch.empty()) continue;
    const bool of_chunk = covers || kind == index_of(ExtentKind::codes);
    std::uint32_t count = of_chunk ? rows_of(kind, state) : entries_of(kind, image.data[kind]);
    const std::uint32_t patched = count;
    // The patch says how many rows the extent has, and names it by its number.
    if (patch.size() >= 12) {
      count = std::min(count, load<std::uint32_t>(patch.data() + 8));
      store<std::uint64_t>(patch.data(), manifest.next_extent);
    }
    HF_TRY(write(static_cast<std::uint8_t>(kind), count, image.data[kind]));
    if (!patch.empty()) HF_TRY(write(static_cast<std::uint8_t>(kind | engine::kPatchBit), patched, patch));
  }
  return storage::write_manifest(fs, directory, manifest);
}

void repair_counts(ImageInput& image) {
  auto decoded = engine::decode_image_state(image.state, image.lsn);
  if (!decoded.ok()) return;
  const auto is_patched = [](const Bytes& part) { return !part.empty(); };
  if (std::any_of(image.data.begin() + kPatches, image.data.end(), is_patched)) return;  // counted when it was made
  engine::ImageState& state = *decoded;
  const Slot rows = rows_of(index_of(ExtentKind::ids), state);
  const Slot nodes = rows_of(index_of(ExtentKind::level0), state);
  const std::size_t list_bytes = (1 + std::size_t{2} * state.config.m) * sizeof(Slot);
  const std::size_t floats = std::size_t{state.config.dimension} + (state.config.metric == Metric::cosine ? 1 : 0);
  const std::size_t vector_bytes = (floats * sizeof(float) + 63) / 64 * 64;
  Bytes& stamps = image.data[index_of(ExtentKind::stamps)];
  Bytes& lists = image.data[index_of(ExtentKind::level0)];
  Bytes& values = image.data[index_of(ExtentKind::values)];
  if (rows * std::max<std::size_t>(vector_bytes, 16) > kPartMax || nodes * list_bytes > kPartMax) return;
  image.data[index_of(ExtentKind::ids)].resize(rows * std::size_t{17});
  image.data[index_of(ExtentKind::vectors)].resize(rows * vector_bytes);
  stamps.resize(rows * std::size_t{16});
  lists.resize(nodes * list_bytes);
  if (!values.empty()) values.resize(rows * std::size_t{5});

  engine::View& view = state.view;
  view.live = view.values = view.dead_in_graph = view.graph.nodes = 0;
  Bytes& growing = image.data[index_of(ExtentKind::growing)];
  growing.clear();
  for (Slot slot = 0; slot < rows; ++slot) {
    const auto born = load<Lsn>(stamps.data() + slot * std::size_t{16});
    const auto died = load<Lsn>(stamps.data() + slot * std::size_t{16} + 8);
    const bool visible = born <= image.lsn && image.lsn < died;
    const bool head = values.empty() || values[rows * sizeof(Slot) + slot] == std::byte{0};
    const bool node = slot < nodes && load<std::uint32_t>(lists.data() + slot * list_bytes) != 0xFFFFFFFF;
    view.values += visible ? 1 : 0;
    view.live += visible && head ? 1 : 0;
    view.graph.nodes += node ? 1 : 0;
    view.dead_in_graph += node && !visible ? 1 : 0;
    if (visible && !node) put(growing, slot);
  }
  image.state = engine::encode_image_state(state);
}

}  // namespace holdfast::fuzz
