// One byte that chooses, then a manifest file, a catalog file, or the engine's state in a manifest (with u64 lsn).
//
// Whatever the bytes: they are refused, or written again they give the same bytes.
#include <algorithm>
#include <string>

#include "engine/image.h"
#include "fuzz/targets/bundle.h"
#include "fuzz/targets/repair.h"
#include "fuzz/targets/targets.h"
#include "storage/envelope.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::fuzz {

namespace {

using testing::SimFileSystem;

constexpr std::uint32_t kOldestWritten = 4;  ///< older versions of the state are read, but written no more

bool is_refusal(const Status& status) {
  return status.code() == StatusCode::data_damaged || status.code() == StatusCode::unsupported_format;
}

std::string outcome(const Status& status) { return is_refusal(status) ? "" : "refused with " + status.to_string(); }

std::string check_state(ByteSpan bytes, Lsn lsn) {
  const auto state = engine::decode_image_state(bytes, lsn);
  if (!state.ok()) return outcome(state.status());
  if (load<std::uint32_t>(bytes.data()) < kOldestWritten) return "";
  const Bytes again = engine::encode_image_state(*state);
  return std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()) ? "" : "the state is written differently";
}

std::string check_manifest_file(ByteSpan bytes) {
  SimFileSystem fs(1);
  constexpr std::uint64_t kGeneration = 2;
  const std::string path = "/" + storage::manifest_name(kGeneration);
  fs.write_whole(path, bytes).ignore();
  const auto manifest = storage::read_manifest(fs, "/", kGeneration);
  if (!manifest.ok()) return outcome(manifest.status());
  if (Status written = storage::write_manifest(fs, "/", *manifest); !written.ok()) return written.to_string();
  const Bytes again = fs.read_whole(path).value();
  if (!std::equal(again.begin() + storage::kEnvelopeBytes, again.end(), bytes.begin() + storage::kEnvelopeBytes,
                  bytes.end())) {
    return "the manifest is written differently";
  }
  return check_state(manifest->state, manifest->lsn);
}

std::string check_catalog_file(ByteSpan bytes) {
  SimFileSystem fs(1);
  fs.write_whole("/CATALOG", bytes).ignore();
  const auto catalog = storage::read_catalog(fs, "/");
  if (!catalog.ok()) return outcome(catalog.status());
  if (Status written = storage::write_catalog(fs, "/", *catalog); !written.ok()) return written.to_string();
  const Bytes again = fs.read_whole("/CATALOG").value();
  const bool same = std::equal(again.begin() + storage::kEnvelopeBytes, again.end(),
                               bytes.begin() + storage::kEnvelopeBytes, bytes.end());
  return same ? "" : "the catalog is written differently";
}

}  // namespace

std::string check_manifest(ByteSpan input) {
  if (input.empty()) return "";
  const ByteSpan bytes = input.subspan(1);
  switch (std::to_integer<unsigned>(input.front()) % 3) {
    case 0: return check_manifest_file(bytes);
    case 1: return check_catalog_file(bytes);
    default: return bytes.size() < sizeof(Lsn) ? "" : check_state(bytes.subspan(sizeof(Lsn)), load<Lsn>(bytes.data()));
  }
}

Bytes mutate_manifest(ByteSpan input, SeededRandom& random, const MutateBytes& mutate) {
  if (input.empty()) return Bytes(1);
  const std::byte choice = input.front();
  Bundle bundle{{"x", Bytes(input.begin() + 1, input.end())}};
  mutate_bundle(bundle, random, mutate);
  Bytes out{choice};
  if (bundle.empty()) return out;
  if (std::to_integer<unsigned>(choice) % 3 != 2 && random.below(8) != 0) repair_envelope(bundle.front().bytes);
  put_bytes(out, bundle.front().bytes);
  return out;
}

}  // namespace holdfast::fuzz
