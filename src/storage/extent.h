// Extents: immutable files of a checkpoint (format: extent_format.h, docs/format/extent.md).
//
// An extent is a header, a run of data bytes (mappable: the data begins at file offset 4096), a checksum per 64 KiB
// page of data, and a footer. It is written once, synced, and only then named by a manifest.
// What the data means is its kind, a number that the engine gives.
//
// Threading: a writer belongs to one thread; an Extent may be read by any number of threads.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/coding.h"
#include "base/ids.h"
#include "os/file_system.h"

namespace holdfast::storage {

inline constexpr std::size_t kExtentDataOffset = 4096;
inline constexpr std::size_t kExtentPageBytes = std::size_t{64} << 10;

/// How a manifest names an extent.
struct ExtentInfo {
  std::uint64_t number = 0;  ///< file name; never reused within a collection
  std::uint8_t kind = 0;
  std::uint8_t field = 0;  ///< vector field; 0 for now
  std::uint32_t first_slot = 0;
  std::uint32_t slot_count = 0;
  std::uint64_t data_bytes = 0;
  std::uint64_t checksum = 0;  ///< of header and page table: tells a stale file of the same name
  friend bool operator==(const ExtentInfo&, const ExtentInfo&) = default;
};

/// For which checkpoint an extent was written. Nothing but repair reads it: it stands in for a lost manifest.
struct ExtentOrigin {
  std::uint64_t generation = 0;      ///< 0: written by a version that did not note it
  Lsn lsn = 0;                       ///< of that checkpoint
  std::array<std::byte, 32> note{};  ///< the engine's own
};

class ExtentWriter {
 public:
  /// `info`: number, kind, field, first_slot, slot_count are taken; the rest is filled by finish().
  [[nodiscard]] static Result<std::unique_ptr<ExtentWriter>> create(os::FileSystem& fs, const std::string& directory,
                                                                    const Uuid& collection, const ExtentInfo& info,
                                                                    const ExtentOrigin& origin = {});
  ~ExtentWriter();
  /// Appends data; buffered.
  Status append(ByteSpan bytes);
  /// Writes page table and footer, syncs the file. The directory is synced by the caller, once for all extents.
  [[nodiscard]] Result<ExtentInfo> finish();

 private:
  class Impl;
  explicit ExtentWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A page that does not hold what was written.
struct DamagedPage {
  const ExtentInfo& extent;
  std::uint64_t page = 0;
  std::uint64_t offset = 0;  ///< in the file
  const Status& status;      ///< data_damaged, names file and offset
};

struct PatchShape;  // extent_patch.h

class Extent {
 public:
  /// Called once for each page that verify() finds damaged, on the thread that found it.
  using OnDamage = std::function<void(const DamagedPage&)>;
  /// Maps the file and checks header, footer and page table against `info`; no page of data is read. `room`: with
  /// private_writable, how many bytes from the begin of the data may be written at least: zeros follow the data.
  /// Errors: not_found, data_damaged (names file and offset), unsupported_format, io_error. `fs` outlives the object.
  [[nodiscard]] static Result<std::shared_ptr<const Extent>> open(os::FileSystem& fs, const std::string& directory,
                                                                  const Uuid& collection, const ExtentInfo& info,
                                                                  os::Mapping mapping = os::Mapping::read_only,
                                                                  OnDamage on_damage = nullptr, std::uint64_t room = 0);
  /// The same of `base` with the rows that `patch` has instead (extent_patch.h): data(), info() and pages() are those
  /// of the patched rows, with the number of the base. Mapped private_writable, and patched page by page as pages are
  /// checked. If the patch has rows beyond the base's, all is checked and put together in memory here and now.
  [[nodiscard]] static Result<std::shared_ptr<const Extent>> open_patched(
      os::FileSystem& fs, const std::string& directory, const Uuid& collection, const ExtentInfo& base,
      const ExtentInfo& patch, const PatchShape& shape, OnDamage on_damage = nullptr, std::uint64_t room = 0);
  /// The data bytes, 4096-aligned in memory.
  [[nodiscard]] ByteSpan data() const noexcept { return data_; }
  /// The same and the room behind, if mapped private_writable. Whoever writes into a page must have verified it first.
  [[nodiscard]] std::span<std::byte> writable_data() const noexcept { return writable_; }
  [[nodiscard]] const ExtentInfo& info() const noexcept { return info_; }
  [[nodiscard]] std::uint64_t pages() const noexcept;
  /// Checks the pages that hold [offset, offset + length) against their checksums, each only once in the life of this
  /// object: what was found damaged stays so. Thread-safe, also beside a write into pages that were verified.
  /// data_damaged names file and offset; also of a page that cannot be read, before anybody touches its mapping.
  Status verify(std::uint64_t offset, std::uint64_t length) const;
  /// All pages. One that cannot be read is an error as it came (io_error), and may be asked for again.
  Status verify_all() const;
  /// While on, verify(), too, gives the error of a page that cannot be read as it came, and forgets it: for open, which
  /// fails then instead of taking what it could not read for damaged. Off at first.
  void report_read_errors(bool on) const noexcept;
  /// Whether verify() found every page sound.
  [[nodiscard]] bool all_verified() const noexcept;
  /// Somebody read the page from the file and found it damaged: verify() fails from now on, whatever it found before.
  void condemn(std::uint64_t page) const;
  /// One page, always read again (for scrubbing). Unreadable is damaged. Of a writable mapping only if it is patched.
  Status verify_page(std::uint64_t page) const;
  /// Whether it is no mapping: its files are not read again.
  [[nodiscard]] bool in_memory() const noexcept;
  /// What is laid over the pages that are checked from now on; null: nothing. (Pages that were checked hold copies: if
  /// the patch is condemned, that is nothing to them.)
  [[nodiscard]] std::shared_ptr<const Extent> patch() const noexcept;

  ~Extent();

 private:
  class Impl;
  enum class Unreadable : std::uint8_t { is_damage, is_error };
  Extent() = default;
  Status verify_range(std::uint64_t offset, std::uint64_t length, Unreadable unreadable) const;
  Status check_page(std::uint64_t page) const;
  Status patch_page(std::uint64_t page) const;
  ByteSpan data_;
  std::span<std::byte> writable_;
  ExtentInfo info_;
  std::unique_ptr<Impl> impl_;
};

/// What an extent says of itself, for when no manifest does.
struct DescribedExtent {
  ExtentInfo info;
  ExtentOrigin origin;
};
/// data_damaged if header, page table or footer are damaged or do not belong together, or it is of another collection
/// or number; unsupported_format; not_found. No page of data is read.
[[nodiscard]] Result<DescribedExtent> describe_extent(os::FileSystem& fs, const std::string& directory,
                                                      const Uuid& collection, std::uint64_t number);

/// Reads an extent from its file, page by page, past any mapping: for the scrubber. A sector that the disk cannot read
/// is an error here (of a mapping it would be a signal). Not thread-safe.
class ExtentScan {
 public:
  /// Reads and checks header, footer and page table, as Extent::open does, with the same errors.
  [[nodiscard]] static Result<ExtentScan> open(os::FileSystem& fs, const std::string& directory, const Uuid& collection,
                                               const ExtentInfo& info);
  [[nodiscard]] std::uint64_t pages() const noexcept;
  /// Bytes of data in the page.
  [[nodiscard]] std::uint64_t page_bytes(std::uint64_t page) const noexcept;
  /// data_damaged (names file and offset), io_error.
  Status check_page(std::uint64_t page);

  ExtentScan(ExtentScan&&) noexcept;
  ExtentScan& operator=(ExtentScan&&) noexcept;
  ~ExtentScan();

 private:
  class Impl;
  explicit ExtentScan(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::storage
