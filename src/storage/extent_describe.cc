// Reading an extent without a manifest: what it says of itself, as far as its parts vouch for each other.
#include "base/try.h"
#include "storage/extent_format.h"
#include "storage/file_names.h"

namespace holdfast::storage {

Result<DescribedExtent> describe_extent(os::FileSystem& fs, const std::string& directory, const Uuid& collection,
                                        std::uint64_t number) {
  const std::string path = os::join(directory, extent_name(number));
  const auto damaged = [&](std::uint64_t offset, const std::string& what) {
    return Status(StatusCode::data_damaged, path + " at " + std::to_string(offset) + ": " + what);
  };
  HF_ASSIGN(const auto file, fs.open(path, os::FileSystem::Access::read));
  HF_ASSIGN(const auto map, file->map());
  const ByteSpan bytes = map->bytes();
  ExtentHeader header;
  switch (decode_extent_header(bytes, header)) {
    case ExtentPart::damaged: return damaged(0, "the header of the extent is damaged");
    case ExtentPart::newer_version:
      return Status(StatusCode::unsupported_format, path + ": extent format version " + std::to_string(header.version) +
                                                        "; this build reads version " +
                                                        std::to_string(kExtentFormatVersion));
    case ExtentPart::valid: break;
  }
  if (header.collection != collection || header.info.number != number) {
    return damaged(0, "the header is of another extent");
  }
  if (bytes.size() < kExtentHeaderBytes + kExtentFooterBytes) return damaged(bytes.size(), "the file is cut short");
  const std::uint64_t footer_at = bytes.size() - kExtentFooterBytes;
  ExtentFooter footer;
  if (!decode_extent_footer(bytes.subspan(footer_at), footer)) {
    return damaged(footer_at, "the footer of the extent is damaged");
  }
  if (footer.data_bytes > kMaxExtentData || extent_file_bytes(footer.data_bytes) != bytes.size() ||
      footer.pages != extent_pages(footer.data_bytes)) {
    return damaged(footer_at, "the footer gives the file another length");
  }
  const std::uint64_t table_at = extent_table_offset(footer.data_bytes);
  const ByteSpan table = bytes.subspan(table_at, footer.pages * sizeof(std::uint64_t));
  if (extent_checksum(bytes.first(kExtentHeaderBytes), table, footer.data_bytes) != footer.checksum) {
    return damaged(table_at, "the page table of the extent is damaged");
  }
  DescribedExtent described{header.info, header.origin};
  described.info.data_bytes = footer.data_bytes;
  described.info.checksum = footer.checksum;
  return described;
}

}  // namespace holdfast::storage
