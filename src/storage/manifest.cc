#include "storage/manifest.h"

#include <algorithm>
#include <cstring>

#include "base/plant.h"
#include "base/try.h"
#include "storage/envelope.h"
#include "storage/file_names.h"

namespace holdfast::storage {
namespace {

constexpr EnvelopeFormat kManifestFormat{
    .magic = 0x0A4E414D444C4648,  // "HFLDMAN\n"
    .version = 1,
    .limit_bytes = std::uint64_t{256} << 20,
    .what = "manifest",
};
constexpr std::size_t kEncodedExtentBytes = 8 + 1 + 1 + 4 + 4 + 8 + 8;

void put_uuid(Bytes& out, const Uuid& uuid) { put_bytes(out, std::as_bytes(std::span(uuid))); }

bool get_uuid(ByteReader& reader, Uuid& uuid) {
  ByteSpan bytes;
  if (!reader.get_bytes(uuid.size(), bytes)) return false;
  std::memcpy(uuid.data(), bytes.data(), uuid.size());
  return true;
}

void put_extent(Bytes& out, const ExtentInfo& extent) {
  put(out, extent.number);
  put(out, extent.kind);
  put(out, extent.field);
  put(out, extent.first_slot);
  put(out, extent.slot_count);
  put(out, extent.data_bytes);
  put(out, extent.checksum);
}

bool get_extent(ByteReader& reader, ExtentInfo& extent) {
  return reader.get(extent.number) && reader.get(extent.kind) && reader.get(extent.field) &&
         reader.get(extent.first_slot) && reader.get(extent.slot_count) && reader.get(extent.data_bytes) &&
         reader.get(extent.checksum);
}

bool get_state(ByteReader& reader, Bytes& state) {
  std::uint64_t size = 0;
  ByteSpan bytes;
  if (!reader.get(size) || size > reader.remaining()) return false;
  if (!reader.get_bytes(static_cast<std::size_t>(size), bytes)) return false;
  state.assign(bytes.begin(), bytes.end());
  return true;
}

bool get_extents(ByteReader& reader, std::vector<ExtentInfo>& extents) {
  std::uint32_t count = 0;
  if (!reader.get(count) || (count > reader.remaining() / kEncodedExtentBytes && !HF_PLANTED(length_is_believed))) {
    return false;
  }
  extents.resize(count);
  return std::all_of(extents.begin(), extents.end(), [&](ExtentInfo& extent) { return get_extent(reader, extent); });
}

}  // namespace

Status write_manifest(os::FileSystem& fs, const std::string& directory, const Manifest& manifest) {
  Bytes body;
  put(body, manifest.generation);
  put_uuid(body, manifest.collection);
  put(body, manifest.lsn);
  put(body, manifest.log_checksum);
  put(body, manifest.next_extent);
  put(body, static_cast<std::uint64_t>(manifest.state.size()));
  put_bytes(body, manifest.state);
  put(body, static_cast<std::uint32_t>(manifest.extents.size()));
  for (const ExtentInfo& extent : manifest.extents) put_extent(body, extent);
  return write_enveloped(fs, os::join(directory, manifest_name(manifest.generation)), kManifestFormat, body);
}

Result<Manifest> read_manifest(os::FileSystem& fs, const std::string& directory, std::uint64_t generation) {
  const std::string path = os::join(directory, manifest_name(generation));
  HF_ASSIGN(const Bytes file, os::read_file(fs, path, kManifestFormat.limit_bytes));
  HF_ASSIGN(const ByteSpan body, open_envelope(file, path, kManifestFormat));
  ByteReader reader(body);
  Manifest manifest;
  const bool whole = reader.get(manifest.generation) && get_uuid(reader, manifest.collection) &&
                     reader.get(manifest.lsn) && reader.get(manifest.log_checksum) &&
                     reader.get(manifest.next_extent) && get_state(reader, manifest.state) &&
                     get_extents(reader, manifest.extents) && reader.remaining() == 0;
  const std::uint64_t stopped_at = kEnvelopeBytes + reader.position();
  if (!whole) return damaged_file(path, stopped_at, "the manifest breaks off or goes on where it should not");
  if (manifest.generation != generation) {
    return damaged_file(path, kEnvelopeBytes, "the manifest is of generation " + std::to_string(manifest.generation));
  }
  if (manifest.lsn > kMaxFileNumber / 2 || manifest.next_extent > kMaxFileNumber / 2) {
    return damaged_file(path, kEnvelopeBytes, "the manifest counts further than anything can");
  }
  for (const ExtentInfo& extent : manifest.extents) {
    if (extent.number >= manifest.next_extent) {
      return damaged_file(path, kEnvelopeBytes,
                          "the manifest names extent " + std::to_string(extent.number) + ", which it also calls free");
    }
  }
  return manifest;
}

Result<std::vector<std::uint64_t>> list_manifests(os::FileSystem& fs, const std::string& directory) {
  HF_ASSIGN(const auto entries, fs.list(directory));
  std::vector<std::uint64_t> generations;
  for (const os::DirectoryEntry& entry : entries) {
    const ParsedName parsed = parse_name(entry.name);
    if (parsed.kind == FileKind::manifest && !entry.is_directory) generations.push_back(parsed.number);
  }
  std::sort(generations.rbegin(), generations.rend());
  return generations;
}

}  // namespace holdfast::storage
