// The bytes of one extent file, opened as its own header and footer say.
//
// Whatever the bytes: it is refused, or its pages verify or do not; an extent that is sound is noticed when a bit of it
// is turned, and is not taken for another one.
#include <algorithm>
#include <string>

#include "fuzz/targets/bundle.h"
#include "fuzz/targets/repair.h"
#include "fuzz/targets/targets.h"
#include "storage/extent_format.h"
#include "storage/file_names.h"

namespace holdfast::fuzz {

namespace {

using storage::Extent;
using storage::ExtentInfo;
using testing::SimFileSystem;

struct Named {
  ExtentInfo info;
  Uuid collection{};
};

/// What a manifest would have to say for the file to be accepted.
Named named_by(const Bytes& file) {
  Named named;
  storage::ExtentHeader header;
  (void)storage::decode_extent_header(file, header);
  named.info = header.info;
  named.collection = header.collection;
  storage::ExtentFooter footer;
  if (file.size() >= storage::kExtentFooterBytes &&
      storage::decode_extent_footer(ByteSpan(file).last(storage::kExtentFooterBytes), footer)) {
    named.info.data_bytes = footer.data_bytes;
    named.info.checksum = footer.checksum;
  }
  return named;
}

Status open_and_verify(SimFileSystem& fs, const Named& named) {
  auto extent = Extent::open(fs, "/", named.collection, named.info);
  if (!extent.ok()) return extent.status();
  if ((*extent)->data().size() != named.info.data_bytes) return {StatusCode::internal, "data of another length"};
  Status status;
  for (std::uint64_t page = 0; page < (*extent)->pages(); ++page) {
    if (Status verified = (*extent)->verify_page(page); !verified.ok()) status = verified;
  }
  const Status all = (*extent)->verify_all();
  if (all.ok() != status.ok()) return {StatusCode::internal, "its pages verify one by one, but not together"};
  return all;
}

bool is_refusal(const Status& status) {
  return status.code() == StatusCode::data_damaged || status.code() == StatusCode::unsupported_format;
}

}  // namespace

std::string check_extent(ByteSpan input) {
  Bytes file(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(std::min(input.size(), kBundledBytesMax)));
  const Named named = named_by(file);
  SimFileSystem fs(1);
  const std::string path = "/" + storage::extent_name(named.info.number);
  if (Status written = fs.write_whole(path, file); !written.ok()) return written.to_string();
  const Status status = open_and_verify(fs, named);
  if (!status.ok()) return is_refusal(status) ? "" : status.to_string();

  // A bit of a sound one. (The padding behind the data is nobody's.)
  const std::uint64_t padding = storage::extent_table_offset(named.info.data_bytes);
  const std::uint64_t bit = mix64(named.info.checksum) % (file.size() * 8);
  const bool padded = bit / 8 >= storage::kExtentDataOffset + named.info.data_bytes && bit / 8 < padding;
  if (Status flipped = fs.corrupt(path, bit / 8, std::byte(1U << bit % 8)); !flipped.ok()) return flipped.to_string();
  if (!padded && !is_refusal(open_and_verify(fs, named))) return "bit " + std::to_string(bit) + " is not noticed";
  if (Status flipped = fs.corrupt(path, bit / 8, std::byte(1U << bit % 8)); !flipped.ok()) return flipped.to_string();

  Named other = named;
  ++other.info.first_slot;
  if (!is_refusal(open_and_verify(fs, other))) return "it is taken for the extent of another place";
  other = named;
  other.collection[0] ^= 1;
  return is_refusal(open_and_verify(fs, other)) ? "" : "it is taken for the extent of another collection";
}

Bytes mutate_extent(ByteSpan input, SeededRandom& random, const MutateBytes& mutate) {
  Bundle bundle{{"x", Bytes(input.begin(), input.end())}};
  mutate_bundle(bundle, random, mutate);
  if (bundle.empty()) return {};
  if (random.below(8) != 0) (void)repair_extent(bundle.front().bytes);
  return bundle.front().bytes;
}

}  // namespace holdfast::fuzz
