#include <cstring>
#include <set>

#include "base/try.h"
#include "storage/envelope.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::storage {
namespace {

constexpr EnvelopeFormat kCatalogFormat{
    .magic = 0x0A544143444C4648,  // "HFLDCAT\n"
    .version = 1,
    .limit_bytes = std::uint64_t{64} << 20,
    .what = "catalog",
};
constexpr std::size_t kSmallestEntryBytes = sizeof(Uuid) + sizeof(std::uint32_t);

bool get_uuid(ByteReader& reader, Uuid& uuid) {
  ByteSpan bytes;
  if (!reader.get_bytes(uuid.size(), bytes)) return false;
  std::memcpy(uuid.data(), bytes.data(), uuid.size());
  return true;
}

bool get_collections(ByteReader& reader, std::vector<CatalogEntry>& collections) {
  std::uint32_t count = 0;
  if (!reader.get(count) || count > reader.remaining() / kSmallestEntryBytes) return false;
  collections.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    CatalogEntry entry;
    std::string_view name;
    if (!get_uuid(reader, entry.uuid) || !reader.get_string(name)) return false;
    entry.name = name;
    collections.push_back(std::move(entry));
  }
  return true;
}

/// Two collections of one name or one directory would hide or overwrite each other.
bool are_distinct(const std::vector<CatalogEntry>& collections) {
  std::set<std::string_view> names;
  std::set<Uuid> uuids;
  for (const CatalogEntry& entry : collections) {
    if (!names.insert(entry.name).second || !uuids.insert(entry.uuid).second) return false;
  }
  return true;
}

}  // namespace

Status write_catalog(os::FileSystem& fs, const std::string& store, const Catalog& catalog) {
  Bytes body;
  put_bytes(body, std::as_bytes(std::span(catalog.store)));
  put(body, catalog.generation);
  put(body, static_cast<std::uint32_t>(catalog.collections.size()));
  for (const CatalogEntry& entry : catalog.collections) {
    put_bytes(body, std::as_bytes(std::span(entry.uuid)));
    put_string(body, entry.name);
  }
  return write_enveloped(fs, os::join(store, kCatalogFile), kCatalogFormat, body);
}

Result<Catalog> read_catalog(os::FileSystem& fs, const std::string& store) {
  const std::string path = os::join(store, kCatalogFile);
  HF_ASSIGN(const Bytes file, os::read_file(fs, path, kCatalogFormat.limit_bytes));
  HF_ASSIGN(const ByteSpan body, open_envelope(file, path, kCatalogFormat));
  ByteReader reader(body);
  Catalog catalog;
  const bool whole = get_uuid(reader, catalog.store) && reader.get(catalog.generation) &&
                     get_collections(reader, catalog.collections) && reader.remaining() == 0;
  if (!whole) {
    return damaged_file(path, kEnvelopeBytes + reader.position(),
                        "the catalog breaks off or goes on where it should not");
  }
  if (!are_distinct(catalog.collections)) {
    return damaged_file(path, kEnvelopeBytes, "the catalog names a collection twice");
  }
  return catalog;
}

}  // namespace holdfast::storage
