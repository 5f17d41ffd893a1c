// Any bytes as a manifest's engine state, inside an envelope with a right checksum; and any bytes as the files
// themselves.
#include <cstdlib>

#include "engine/image.h"
#include "storage/file_names.h"
#include "storage/manifest.h"
#include "support/sim_file_system.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  testing::SimFileSystem fs(1);
  if (!fs.create_directory("/c").ok()) std::abort();
  const auto input = std::as_bytes(std::span(data, size));

  fs.write_whole("/c/" + storage::manifest_name(1), input).ignore();
  fs.write_whole("/c/CATALOG", input).ignore();
  (void)storage::read_manifest(fs, "/c", 1);
  (void)storage::read_catalog(fs, "/c");

  storage::Manifest manifest;
  manifest.generation = 2;
  manifest.lsn = 5;
  manifest.state.assign(input.begin(), input.end());
  if (!storage::write_manifest(fs, "/c", manifest).ok()) return 0;
  const auto read = storage::read_manifest(fs, "/c", 2);
  if (!read.ok() || read->state != manifest.state) std::abort();
  const auto state = engine::decode_image_state(read->state, read->lsn);
  if (state.ok() && engine::encode_image_state(*state) != read->state) std::abort();
  return 0;
}
