// A mapped extent whose pages are checked when they are first needed.
#include <algorithm>
#include <utility>

#include "base/checksum.h"
#include "base/mutex.h"
#include "base/plant.h"
#include "base/try.h"
#include "storage/extent_format.h"
#include "storage/file_names.h"

namespace holdfast::storage {
namespace {

constexpr std::uint64_t kBitsPerWord = 64;

Status damaged(const std::string& path, std::uint64_t offset, const std::string& what) {
  return {StatusCode::data_damaged, path + " at " + std::to_string(offset) + ": " + what};
}

}  // namespace

class Extent::Impl {
 public:
  std::string path;
  std::unique_ptr<os::MappedFile> map;
  ExtentHeader header;
  const std::byte* table = nullptr;  ///< page checksums, in the map
  /// One bit per page that was found good. Set with release and read with acquire, not for what was written, the bytes
  /// were there before any thread had this object, but for what was read: whoever writes to the page of a writable
  /// mapping comes after the reading for its checksum.
  std::unique_ptr<std::atomic<std::uint64_t>[]> verified;
  /// Held while a page is read for its checksum. A page of a writable mapping is written only once its bit is set, so
  /// nobody reads it then.
  Mutex checking;
};

Extent::~Extent() = default;

Result<std::shared_ptr<const Extent>> Extent::open(os::FileSystem& fs, const std::string& directory,
                                                   const Uuid& collection, const ExtentInfo& info,
                                                   os::Mapping mapping) {
  auto impl = std::make_unique<Impl>();
  impl->path = os::join(directory, extent_name(info.number));
  const std::string& path = impl->path;
  if (info.data_bytes > kMaxExtentData) return damaged(path, 0, "the manifest gives it an impossible length");
  HF_ASSIGN(const auto file, fs.open(path, os::FileSystem::Access::read));
  HF_ASSIGN(impl->map, file->map(mapping));
  const std::span<std::byte> writable = impl->map->writable();
  const ByteSpan bytes = impl->map->bytes();

  switch (decode_extent_header(bytes, impl->header)) {
    case ExtentPart::damaged: return damaged(path, 0, "the header of the extent is damaged");
    case ExtentPart::newer_version:
      return Status(StatusCode::unsupported_format,
                    path + ": extent format version " + std::to_string(impl->header.version) +
                        "; this build reads version " + std::to_string(kExtentFormatVersion));
    case ExtentPart::valid: break;
  }
  ExtentInfo expected = info;
  expected.data_bytes = 0;
  expected.checksum = 0;
  if (impl->header.collection != collection || impl->header.info != expected) {
    return damaged(path, 0, "the header is of another extent than the manifest names");
  }
  const std::uint64_t file_bytes = extent_file_bytes(info.data_bytes);
  if (bytes.size() != file_bytes) {
    return damaged(
        path, std::min<std::uint64_t>(bytes.size(), file_bytes),
        "the file has " + std::to_string(bytes.size()) + " bytes; the manifest says " + std::to_string(file_bytes));
  }
  ExtentFooter footer;
  const std::uint64_t footer_offset = file_bytes - kExtentFooterBytes;
  if (!decode_extent_footer(bytes.subspan(footer_offset), footer)) {
    return damaged(path, footer_offset, "the footer of the extent is damaged");
  }
  const std::uint64_t pages = extent_pages(info.data_bytes);
  if (footer.data_bytes != info.data_bytes || footer.pages != pages || footer.checksum != info.checksum) {
    return damaged(path, footer_offset, "the footer is of another extent than the manifest names");
  }
  const std::uint64_t table_offset = extent_table_offset(info.data_bytes);
  const ByteSpan table = bytes.subspan(table_offset, pages * sizeof(std::uint64_t));
  if (extent_checksum(bytes.first(kExtentHeaderBytes), table, info.data_bytes) != info.checksum) {
    return damaged(path, table_offset, "the page table of the extent is damaged");
  }
  // As many pages as the file, which is there in full, has room for.
  impl->table = table.data();
  impl->verified = std::make_unique<std::atomic<std::uint64_t>[]>((pages + kBitsPerWord - 1) / kBitsPerWord);

  const std::shared_ptr<Extent> extent(new Extent());
  extent->data_ = bytes.subspan(kExtentDataOffset, info.data_bytes);
  if (!writable.empty()) extent->writable_ = writable.subspan(kExtentDataOffset, info.data_bytes);
  extent->info_ = info;
  extent->impl_ = std::move(impl);
  return std::shared_ptr<const Extent>(extent);
}

std::uint64_t Extent::pages() const noexcept { return extent_pages(info_.data_bytes); }

Status Extent::verify(std::uint64_t offset, std::uint64_t length) const {
  if (offset > info_.data_bytes || length > info_.data_bytes - offset) {
    return {StatusCode::invalid_argument, impl_->path + ": no such range in the extent's data"};
  }
  if (length == 0) return {};
  const std::uint64_t last = (offset + length - 1) / kExtentPageBytes;
  for (std::uint64_t page = offset / kExtentPageBytes; page <= last; ++page) {
    std::atomic<std::uint64_t>& word = impl_->verified[page / kBitsPerWord];
    const std::uint64_t bit = std::uint64_t{1} << (page % kBitsPerWord);
    if ((word.load(std::memory_order_acquire) & bit) != 0) continue;  // partner: the fetch_or below
    MutexLock lock(impl_->checking);
    if ((word.load(std::memory_order_relaxed) & bit) != 0) continue;  // somebody else did it meanwhile
    HF_TRY(verify_page(page));
    word.fetch_or(bit, std::memory_order_release);  // partner: the load above
  }
  return {};
}

Status Extent::verify_page(std::uint64_t page) const {
  if (page >= pages()) return {StatusCode::invalid_argument, impl_->path + ": no such page"};
  const std::uint64_t offset = page * kExtentPageBytes;
  const std::uint64_t length = std::min<std::uint64_t>(kExtentPageBytes, info_.data_bytes - offset);
  const std::uint64_t checksum = checksum64(data_.subspan(offset, length), extent_page_seed(impl_->header, page));
  if (checksum == load<std::uint64_t>(impl_->table + page * sizeof checksum)) return {};
  if (HF_PLANTED(page_checksum_is_ignored)) return {};
  return damaged(impl_->path, kExtentDataOffset + offset,
                 "page " + std::to_string(page) + " of the extent is damaged (kind " + std::to_string(info_.kind) +
                     ", slots from " + std::to_string(info_.first_slot) + ")");
}

}  // namespace holdfast::storage
