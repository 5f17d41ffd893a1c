// Reading an extent without a manifest: what it says of itself, as far as its parts vouch for each other.
#include "base/try.h"
#include "storage/extent_format.h"
#include "storage/file_names.h"

namespace holdfast::storage {
namespace {

/// What the file has of [offset, offset + length).
Result<Bytes> read_part(const os::File& file, std::uint64_t offset, std::uint64_t length) {
  Bytes bytes(length);
  HF_ASSIGN(const std::size_t got, file.read_at(offset, bytes));
  bytes.resize(got);
  return bytes;
}

}  // namespace

Result<DescribedExtent> describe_extent(os::FileSystem& fs, const std::string& directory, const Uuid& collection,
                                        std::uint64_t number) {
  const std::string path = os::join(directory, extent_name(number));
  const auto damaged = [&](std::uint64_t offset, const std::string& what) {
    return Status(StatusCode::data_damaged, path + " at " + std::to_string(offset) + ": " + what);
  };
  HF_ASSIGN(const auto file, fs.open(path, os::FileSystem::Access::read));
  HF_ASSIGN(const std::uint64_t size, file->size());
  HF_ASSIGN(const Bytes sector, read_part(*file, 0, kExtentHeaderBytes));
  ExtentHeader header;
  switch (decode_extent_header(sector, header)) {
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
  if (size < kExtentHeaderBytes + kExtentFooterBytes) return damaged(size, "the file is cut short");
  const std::uint64_t footer_at = size - kExtentFooterBytes;
  HF_ASSIGN(const Bytes end, read_part(*file, footer_at, kExtentFooterBytes));
  ExtentFooter footer;
  if (!decode_extent_footer(end, footer)) {
    return damaged(footer_at, "the footer of the extent is damaged");
  }
  if (footer.data_bytes > kMaxExtentData || extent_file_bytes(footer.data_bytes) != size ||
      footer.pages != extent_pages(footer.data_bytes)) {
    return damaged(footer_at, "the footer gives the file another length");
  }
  const std::uint64_t table_at = extent_table_offset(footer.data_bytes);
  HF_ASSIGN(const Bytes table, read_part(*file, table_at, footer.pages * sizeof(std::uint64_t)));
  if (table.size() != footer.pages * sizeof(std::uint64_t) ||
      extent_checksum(ByteSpan(sector).first(kExtentHeaderBytes), table, footer.data_bytes) != footer.checksum) {
    return damaged(table_at, "the page table of the extent is damaged");
  }
  DescribedExtent described{header.info, header.origin};
  described.info.data_bytes = footer.data_bytes;
  described.info.checksum = footer.checksum;
  return described;
}

}  // namespace holdfast::storage
