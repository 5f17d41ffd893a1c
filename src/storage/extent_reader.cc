// A mapped extent whose pages are checked when they are first needed.
//
// A page is read from the file to be checked, not through the mapping: of a sector that the disk cannot read, and of
// what the file has lost, the mapping would be a signal. The file is opened for that and closed again, for a large
// store has more extents than a process has descriptors. An extent whose file has no name any more, or that cannot be
// opened now, is checked through its mapping.
#include <algorithm>
#include <new>
#include <utility>

#include "base/checksum.h"
#include "base/mutex.h"
#include "base/pages.h"
#include "base/plant.h"
#include "base/try.h"
#include "storage/extent_format.h"
#include "storage/extent_patch.h"
#include "storage/file_names.h"

namespace holdfast::storage {
namespace {

constexpr std::uint64_t kBitsPerWord = 64;

Status damaged(const std::string& path, std::uint64_t offset, const std::string& what) {
  return {StatusCode::data_damaged, path + " at " + std::to_string(offset) + ": " + what};
}

/// What stands around the data of an extent.
struct Frame {
  ByteSpan header;  ///< the whole sector, or what there is of the file
  ByteSpan table;   ///< empty if the file is too short
  ByteSpan footer;  ///< the same
  std::uint64_t file_bytes = 0;
};

/// Whether the frame is that of the extent that `info` names. `header` receives what it says of itself.
Status check_frame(const std::string& path, const Frame& frame, const Uuid& collection, const ExtentInfo& info,
                   ExtentHeader& header) {
  switch (decode_extent_header(frame.header, header)) {
    case ExtentPart::damaged: return damaged(path, 0, "the header of the extent is damaged");
    case ExtentPart::newer_version:
      return {StatusCode::unsupported_format, path + ": extent format version " + std::to_string(header.version) +
                                                  "; this build reads version " + std::to_string(kExtentFormatVersion)};
    case ExtentPart::valid: break;
  }
  ExtentInfo expected = info;
  expected.data_bytes = 0;
  expected.checksum = 0;
  if (header.collection != collection || header.info != expected) {
    return damaged(path, 0, "the header is of another extent than the manifest names");
  }
  const std::uint64_t file_bytes = extent_file_bytes(info.data_bytes);
  if (frame.file_bytes != file_bytes) {
    return damaged(
        path, std::min(frame.file_bytes, file_bytes),
        "the file has " + std::to_string(frame.file_bytes) + " bytes; the manifest says " + std::to_string(file_bytes));
  }
  ExtentFooter footer;
  const std::uint64_t footer_offset = file_bytes - kExtentFooterBytes;
  if (!decode_extent_footer(frame.footer, footer)) {
    return damaged(path, footer_offset, "the footer of the extent is damaged");
  }
  if (footer.data_bytes != info.data_bytes || footer.pages != extent_pages(info.data_bytes) ||
      footer.checksum != info.checksum) {
    return damaged(path, footer_offset, "the footer is of another extent than the manifest names");
  }
  if (frame.table.size() != extent_pages(info.data_bytes) * sizeof(std::uint64_t) ||
      extent_checksum(frame.header.first(kExtentHeaderBytes), frame.table, info.data_bytes) != info.checksum) {
    return damaged(path, extent_table_offset(info.data_bytes), "the page table of the extent is damaged");
  }
  return {};
}

Status page_damage(const std::string& path, const ExtentInfo& info, std::uint64_t page) {
  return damaged(path, kExtentDataOffset + page * kExtentPageBytes,
                 "page " + std::to_string(page) + " of the extent is damaged (kind " + std::to_string(info.kind) +
                     ", slots from " + std::to_string(info.first_slot) + ")");
}

std::string page_unreadable(const std::string& path, std::uint64_t page, std::string_view why) {
  return path + " at " + std::to_string(kExtentDataOffset + page * kExtentPageBytes) + ": page " +
         std::to_string(page) + " of the extent cannot be read: " + std::string(why);
}

Status as_damage(const Status& unreadable) { return {StatusCode::data_damaged, std::string(unreadable.message())}; }

Status check_data(const std::string& path, const ExtentHeader& header, const ExtentInfo& info, std::uint64_t page,
                  ByteSpan data, const std::byte* table) {
  const std::uint64_t checksum = checksum64(data, extent_page_seed(header, page));
  if (checksum == load<std::uint64_t>(table + page * sizeof checksum)) return {};
  if (HF_PLANTED(page_checksum_is_ignored)) return {};
  return page_damage(path, info, page);
}

/// All of `out`, or what the file has of it: `out` is cut to that.
Status read_part(const os::File& file, std::uint64_t offset, std::uint64_t length, Bytes& out) {
  out.resize(length);
  HF_ASSIGN(const std::size_t got, file.read_at(offset, out));
  out.resize(got);
  return {};
}

/// `size`: of the file. Table and footer stay empty if it is not what `info` says.
Status read_frame(const os::File& file, const ExtentInfo& info, std::uint64_t size, Bytes& header, Bytes& table,
                  Bytes& footer) {
  HF_TRY(read_part(file, 0, kExtentHeaderBytes, header));
  const std::uint64_t file_bytes = extent_file_bytes(info.data_bytes);
  if (size != file_bytes) return {};
  HF_TRY(read_part(file, extent_table_offset(info.data_bytes), extent_pages(info.data_bytes) * sizeof(std::uint64_t),
                   table));
  return read_part(file, file_bytes - kExtentFooterBytes, kExtentFooterBytes, footer);
}

std::uint64_t bytes_of_page(const ExtentInfo& info, std::uint64_t page) noexcept {
  const std::uint64_t offset = std::min(page * kExtentPageBytes, info.data_bytes);
  return std::min<std::uint64_t>(kExtentPageBytes, info.data_bytes - offset);
}

}  // namespace

class Extent::Impl {
 public:
  /// One bit per page. Set with release and read with acquire, not for what was written, the bytes were there before
  /// any thread had this object, but for what was read: whoever writes to the page of a writable mapping comes after
  /// the reading for its checksum.
  using Bits = std::unique_ptr<std::atomic<std::uint64_t>[]>;

  [[nodiscard]] static bool test(const Bits& bits, std::uint64_t page) noexcept {
    return (bits[page / kBitsPerWord].load(std::memory_order_acquire) >> (page % kBitsPerWord) & 1) != 0;
  }
  static void set(const Bits& bits, std::uint64_t page) noexcept {
    bits[page / kBitsPerWord].fetch_or(std::uint64_t{1} << (page % kBitsPerWord), std::memory_order_release);
  }

  /// The file, for reading; null if it cannot be had.
  [[nodiscard]] std::unique_ptr<os::File> reopen() const noexcept {
    try {
      auto file = fs->open(path, os::FileSystem::Access::read);
      return file.ok() ? std::move(file).value() : nullptr;
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  os::FileSystem* fs = nullptr;
  std::string path;
  std::unique_ptr<os::MappedFile> map;
  Pages memory;                        ///< instead of `map`, if it was put together here
  std::unique_ptr<const Patch> patch;  ///< laid over each page as it is checked; null: none, or `memory` has it
  std::atomic<bool> reports_read_errors{false};  ///< relaxed: set and reset by whoever opens, before others read
  ExtentHeader header;
  OnDamage on_damage;
  Bytes table;                         ///< page checksums
  Bits verified;                       ///< found good; never set for a page that is in `bad`
  Bits bad;                            ///< found damaged: never read again
  std::atomic<std::uint64_t> good{0};  ///< pages in `verified`; release with them, acquire in all_verified()
  /// Held while a page is read for its checksum. A page of a writable mapping is written only once its bit is set, so
  /// nobody reads it then.
  Mutex checking;
};

Extent::~Extent() = default;

Result<std::shared_ptr<const Extent>> Extent::open(os::FileSystem& fs, const std::string& directory,
                                                   const Uuid& collection, const ExtentInfo& info, os::Mapping mapping,
                                                   OnDamage on_damage, std::uint64_t room) {
  auto impl = std::make_unique<Impl>();
  impl->fs = &fs;
  impl->path = os::join(directory, extent_name(info.number));
  const std::string& path = impl->path;
  if (info.data_bytes > kMaxExtentData) return damaged(path, 0, "the manifest gives it an impossible length");
  HF_ASSIGN(const auto file, fs.open(path, os::FileSystem::Access::read));
  HF_ASSIGN(const std::uint64_t size, file->size());
  Bytes header;
  Bytes footer;
  HF_TRY(read_frame(*file, info, size, header, impl->table, footer));
  HF_TRY(check_frame(path, {header, impl->table, footer, size}, collection, info, impl->header));
  HF_ASSIGN(impl->map, file->map(mapping, room == 0 ? 0 : kExtentDataOffset + room));
  const std::span<std::byte> writable = impl->map->writable();
  const ByteSpan bytes = impl->map->bytes();
  if (bytes.size() != size) return damaged(path, std::min<std::uint64_t>(bytes.size(), size), "its length changes");
  impl->on_damage = std::move(on_damage);
  const std::uint64_t words = (extent_pages(info.data_bytes) + kBitsPerWord - 1) / kBitsPerWord;
  impl->verified = std::make_unique<std::atomic<std::uint64_t>[]>(words);
  impl->bad = std::make_unique<std::atomic<std::uint64_t>[]>(words);

  const std::shared_ptr<Extent> extent(new Extent());
  extent->data_ = bytes.subspan(kExtentDataOffset, info.data_bytes);
  if (!writable.empty()) {
    extent->writable_ = writable.subspan(kExtentDataOffset, std::max(info.data_bytes, room));
    // The table and the footer stand there in the file.
    const std::span<std::byte> behind = extent->writable_.subspan(info.data_bytes);
    std::fill_n(behind.begin(), std::min<std::uint64_t>(behind.size(), size - kExtentDataOffset - info.data_bytes),
                std::byte{0});
  }
  extent->info_ = info;
  extent->impl_ = std::move(impl);
  return std::shared_ptr<const Extent>(extent);
}

Result<std::shared_ptr<const Extent>> Extent::open_patched(os::FileSystem& fs, const std::string& directory,
                                                           const Uuid& collection, const ExtentInfo& base,
                                                           const ExtentInfo& patch, const PatchShape& shape,
                                                           OnDamage on_damage, std::uint64_t room) {
  HF_ASSIGN(auto of_patch, open(fs, directory, collection, patch, os::Mapping::read_only, on_damage));
  auto over = std::make_unique<const Patch>(std::move(of_patch), base, shape);
  const bool grown = patch.slot_count != base.slot_count;
  const os::Mapping mapping = grown ? os::Mapping::read_only : os::Mapping::private_writable;
  HF_ASSIGN(const auto opened, open(fs, directory, collection, base, mapping, std::move(on_damage), room));
  // Nobody else has it yet.
  Impl& impl = *opened->impl_;
  if (!grown) {
    impl.patch = std::move(over);
    return opened;
  }
  over->extent().report_read_errors(true);  // it is read now, and never again
  HF_TRY(opened->verify_all());
  HF_TRY(over->load());
  Pages memory = Pages::map(std::max<std::uint64_t>(over->patched_bytes(), 1), Pages::Size::normal);
  if (memory.empty()) return Status(StatusCode::resource_exhausted, "no memory for rows that are not mapped");
  const std::span<std::byte> bytes(memory.data(), over->patched_bytes());
  HF_TRY(over->merge(opened->data(), bytes));
  const std::shared_ptr<Extent> made(new Extent());
  made->info_ = base;
  made->info_.slot_count = patch.slot_count;
  made->info_.data_bytes = bytes.size();
  made->data_ = made->writable_ = bytes;
  made->impl_ = std::make_unique<Impl>();
  made->impl_->path = impl.path;
  made->impl_->memory = std::move(memory);
  return std::shared_ptr<const Extent>(made);
}

bool Extent::in_memory() const noexcept { return impl_->map == nullptr; }

std::uint64_t Extent::pages() const noexcept { return extent_pages(info_.data_bytes); }

bool Extent::all_verified() const noexcept {
  return in_memory() || impl_->good.load(std::memory_order_acquire) == pages();  // partner: verify()
}

Status Extent::verify(std::uint64_t offset, std::uint64_t length) const {
  const bool reports = impl_->reports_read_errors.load(std::memory_order_relaxed);
  return verify_range(offset, length, reports ? Unreadable::is_error : Unreadable::is_damage);
}

void Extent::report_read_errors(bool on) const noexcept {
  impl_->reports_read_errors.store(on, std::memory_order_relaxed);
  if (impl_->patch != nullptr) impl_->patch->extent().report_read_errors(on);
}

Status Extent::verify_all() const { return verify_range(0, info_.data_bytes, Unreadable::is_error); }

Status Extent::verify_range(std::uint64_t offset, std::uint64_t length, Unreadable unreadable) const {
  if (offset > info_.data_bytes || length > info_.data_bytes - offset) {
    return {StatusCode::invalid_argument, impl_->path + ": no such range in the extent's data"};
  }
  if (length == 0 || in_memory()) return {};
  const std::uint64_t last = (offset + length - 1) / kExtentPageBytes;
  for (std::uint64_t page = offset / kExtentPageBytes; page <= last; ++page) {
    if (Impl::test(impl_->verified, page)) continue;
    Status status;
    bool first = false;
    {
      MutexLock lock(impl_->checking);
      if (Impl::test(impl_->verified, page)) continue;  // somebody else did it meanwhile
      first = !Impl::test(impl_->bad, page);
      status = first ? check_page(page) : page_damage(impl_->path, info_, page);
      if (status.ok() && impl_->patch != nullptr) {
        status = patch_page(page);
        first = status.ok();  // the patch tells of its own damage
      }
      if (status.ok()) {
        Impl::set(impl_->verified, page);
        impl_->good.fetch_add(1, std::memory_order_release);  // partner: all_verified()
        continue;
      }
      if (status.code() != StatusCode::data_damaged) {
        if (unreadable == Unreadable::is_error) return status;
        status = as_damage(status);
      }
      Impl::set(impl_->bad, page);
    }
    if (first && impl_->on_damage) {
      impl_->on_damage({info_, page, kExtentDataOffset + page * kExtentPageBytes, status});
    }
    return status;
  }
  return {};
}

/// REQUIRES impl_->checking held, and that the page is not among the verified ones.
Status Extent::patch_page(std::uint64_t page) const {
  HF_TRY(impl_->patch->load());
  return impl_->patch->lay_over(page * kExtentPageBytes,
                                writable_.subspan(page * kExtentPageBytes, bytes_of_page(info_, page)));
}

std::shared_ptr<const Extent> Extent::patch() const noexcept {
  return impl_->patch == nullptr ? nullptr : impl_->patch->shared_extent();
}

void Extent::condemn(std::uint64_t page) const {
  if (page >= pages() || in_memory()) return;
  MutexLock lock(impl_->checking);
  if (Impl::test(impl_->bad, page)) return;
  Impl::set(impl_->bad, page);
  if (!Impl::test(impl_->verified, page)) return;
  const std::uint64_t bit = std::uint64_t{1} << (page % kBitsPerWord);
  impl_->verified[page / kBitsPerWord].fetch_and(~bit, std::memory_order_release);  // partner: test()
  impl_->good.fetch_sub(1, std::memory_order_release);                              // partner: all_verified()
}

Status Extent::verify_page(std::uint64_t page) const {
  if (page >= pages()) return {StatusCode::invalid_argument, impl_->path + ": no such page"};
  if (in_memory()) return {};
  Status status = check_page(page);
  if (status.ok() && impl_->patch != nullptr) status = verify_range(page * kExtentPageBytes, 1, Unreadable::is_damage);
  return status.ok() || status.code() == StatusCode::data_damaged ? std::move(status) : as_damage(status);
}

/// data_damaged, or the error of the reading.
Status Extent::check_page(std::uint64_t page) const {
  const std::uint64_t length = bytes_of_page(info_, page);
  ByteSpan data = data_.subspan(page * kExtentPageBytes, length);
  const std::unique_ptr<std::byte[]> buffer(new (std::nothrow) std::byte[length]);
  if (const auto file = buffer ? impl_->reopen() : nullptr) {
    const std::span<std::byte> out(buffer.get(), length);
    const auto got = file->read_at(kExtentDataOffset + page * kExtentPageBytes, out);
    if (!got.ok()) return {got.status().code(), page_unreadable(impl_->path, page, got.status().message())};
    if (*got != length) {
      return {StatusCode::data_damaged, page_unreadable(impl_->path, page, "the file ends before it does")};
    }
    data = out;
  }
  return check_data(impl_->path, impl_->header, info_, page, data, impl_->table.data());
}

// ---- ExtentScan -------------------------------------------------------------------------------------------------

class ExtentScan::Impl {
 public:
  std::string path;
  std::unique_ptr<os::File> file;
  ExtentInfo info;
  ExtentHeader header;
  Bytes table;
  Bytes buffer;
};

ExtentScan::ExtentScan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ExtentScan::ExtentScan(ExtentScan&&) noexcept = default;
ExtentScan& ExtentScan::operator=(ExtentScan&&) noexcept = default;
ExtentScan::~ExtentScan() = default;

Result<ExtentScan> ExtentScan::open(os::FileSystem& fs, const std::string& directory, const Uuid& collection,
                                    const ExtentInfo& info) {
  auto impl = std::make_unique<Impl>();
  impl->path = os::join(directory, extent_name(info.number));
  impl->info = info;
  if (info.data_bytes > kMaxExtentData) return damaged(impl->path, 0, "the manifest gives it an impossible length");
  HF_ASSIGN(impl->file, fs.open(impl->path, os::FileSystem::Access::read));
  HF_ASSIGN(const std::uint64_t size, impl->file->size());
  Bytes header;
  Bytes footer;
  HF_TRY(read_frame(*impl->file, info, size, header, impl->table, footer));
  HF_TRY(check_frame(impl->path, {header, impl->table, footer, size}, collection, info, impl->header));
  return ExtentScan(std::move(impl));
}

std::uint64_t ExtentScan::pages() const noexcept { return extent_pages(impl_->info.data_bytes); }

std::uint64_t ExtentScan::page_bytes(std::uint64_t page) const noexcept { return bytes_of_page(impl_->info, page); }

Status ExtentScan::check_page(std::uint64_t page) {
  const std::uint64_t length = page_bytes(page);
  HF_TRY(read_part(*impl_->file, kExtentDataOffset + page * kExtentPageBytes, length, impl_->buffer));
  if (impl_->buffer.size() != length || page >= pages()) return page_damage(impl_->path, impl_->info, page);
  return check_data(impl_->path, impl_->header, impl_->info, page, impl_->buffer, impl_->table.data());
}

}  // namespace holdfast::storage
