// Writes one extent from front to back: header, data, page table, footer, sync.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/checksum.h"
#include "base/plant.h"
#include "base/try.h"
#include "storage/extent_format.h"
#include "storage/file_names.h"

namespace holdfast::storage {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
static_assert(kBufferBytes % kExtentPageBytes == 0, "every flush but the last writes whole pages");

}  // namespace

class ExtentWriter::Impl {
 public:
  Impl(os::FileSystem& fs, std::string path, std::unique_ptr<os::File> file, const ExtentHeader& header)
      : fs_(fs), path_(std::move(path)), file_(std::move(file)), header_(header) {
    encode_extent_header(header_, header_sector_);
    buffer_.reserve(kBufferBytes);
  }
  ~Impl() {
    if (!finished_) fs_.remove(path_).ignore();  // nothing names it; if it stays, the next open removes it
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status begin() { return remember(file_->write_at(0, header_sector_)); }

  Status append(ByteSpan bytes) {
    HF_TRY(usable());
    if (bytes.size() > kMaxExtentData - data_bytes_ - buffer_.size()) {
      return {StatusCode::invalid_argument, path_ + ": an extent cannot hold that much"};
    }
    while (!bytes.empty()) {
      if (buffer_.empty() && bytes.size() >= kBufferBytes) {  // no need for a copy
        HF_TRY(write_pages(bytes.first(kBufferBytes)));
        bytes = bytes.subspan(kBufferBytes);
        continue;
      }
      const std::size_t taken = std::min(bytes.size(), kBufferBytes - buffer_.size());
      put_bytes(buffer_, bytes.first(taken));
      bytes = bytes.subspan(taken);
      if (buffer_.size() == kBufferBytes) HF_TRY(flush());
    }
    return {};
  }

  Result<ExtentInfo> finish() {
    HF_TRY(usable());
    HF_TRY(flush());
    const ByteSpan table = std::as_bytes(std::span(page_checksums_));
    ExtentFooter footer;
    footer.data_bytes = data_bytes_;
    footer.pages = page_checksums_.size();
    footer.checksum = extent_checksum(header_sector_, table, data_bytes_);
    std::array<std::byte, kExtentFooterBytes> footer_bytes;
    encode_extent_footer(footer, footer_bytes);

    Bytes end(static_cast<std::size_t>(extent_table_offset(data_bytes_) - kExtentDataOffset - data_bytes_));
    put_bytes(end, table);
    put_bytes(end, footer_bytes);
    HF_TRY(remember(file_->write_at(kExtentDataOffset + data_bytes_, end)));
    // Power fails here: a file that no manifest names.
    if (!HF_PLANTED(extent_is_not_synced)) HF_TRY(remember(file_->sync()));
    finished_ = true;
    ExtentInfo info = header_.info;
    info.data_bytes = data_bytes_;
    info.checksum = footer.checksum;
    return info;
  }

 private:
  Status usable() const {
    if (finished_) return {StatusCode::internal, path_ + ": the extent is finished"};
    return error_;
  }
  /// The first error stays: a file with a hole must not be finished.
  Status remember(Status status) {
    if (!status.ok() && error_.ok()) error_ = status;
    return status;
  }
  Status flush() {
    if (buffer_.empty()) return {};
    HF_TRY(write_pages(buffer_));
    buffer_.clear();
    return {};
  }
  Status write_pages(ByteSpan bytes) {
    HF_TRY(remember(file_->write_at(kExtentDataOffset + data_bytes_, bytes)));
    data_bytes_ += bytes.size();
    while (!bytes.empty()) {
      const ByteSpan page = bytes.first(std::min(bytes.size(), kExtentPageBytes));
      page_checksums_.push_back(checksum64(page, extent_page_seed(header_, page_checksums_.size())));
      bytes = bytes.subspan(page.size());
    }
    return {};
  }

  os::FileSystem& fs_;
  const std::string path_;
  const std::unique_ptr<os::File> file_;
  const ExtentHeader header_;
  std::array<std::byte, kExtentHeaderBytes> header_sector_;
  Bytes buffer_;
  std::vector<std::uint64_t> page_checksums_;
  std::uint64_t data_bytes_ = 0;  ///< written; without the buffer
  bool finished_ = false;
  Status error_;
};

ExtentWriter::ExtentWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ExtentWriter::~ExtentWriter() = default;

Result<std::unique_ptr<ExtentWriter>> ExtentWriter::create(os::FileSystem& fs, const std::string& directory,
                                                           const Uuid& collection, const ExtentInfo& info,
                                                           const ExtentOrigin& origin) {
  ExtentHeader header;
  header.collection = collection;
  header.salt = fs.random_u64();
  header.info = info;
  header.info.data_bytes = 0;
  header.info.checksum = 0;
  header.origin = origin;
  std::string path = os::join(directory, extent_name(info.number));
  HF_ASSIGN(auto file, fs.create(path));
  auto impl = std::make_unique<Impl>(fs, std::move(path), std::move(file), header);
  HF_TRY(impl->begin());
  return std::unique_ptr<ExtentWriter>(new ExtentWriter(std::move(impl)));
}

Status ExtentWriter::append(ByteSpan bytes) { return impl_->append(bytes); }
Result<ExtentInfo> ExtentWriter::finish() { return impl_->finish(); }

}  // namespace holdfast::storage
