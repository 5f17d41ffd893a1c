// Patches: the rows of an extent that changed since it was written, in an extent of their own.
//
// A checkpoint in which few rows of a chunk changed does not write the chunk again: it names the extent of before, the
// base, and beside it one patch, which holds every row that is not as the base says, and every row beyond the base's.
// A new patch replaces the one before; there is never more than one (docs/adr/0015-patches.md).
//
// Data of a patch:
//   u64 number of the base | u32 rows of the base | u32 rows of the patch | u32 columns (0 to 2) | u32 width of each |
//   0 the rows, u32 each, ascending, counted from the chunk's first; zeros to a multiple of 64 the columns, one behind
//   the other: for each row its `width` bytes no columns: texts. (rows + 1) u64 offsets within the data, then the texts
//
// The patched data of n rows is its columns one behind the other, of n x width bytes each; the base's is the same of
// its own number of rows.
//
// Invariants
//  P1. Nothing of a patch counts before its pages were checked, and nothing of it is read before it is needed.
//  P2. A patch is of one base: it names its number, and the engine names both in one manifest.
//  P3. Patched data is laid over the base page by page, when the page is checked (Extent::verify): who reads what was
//      checked never sees the base's bytes where the patch has others.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/coding.h"
#include "base/mutex.h"
#include "storage/extent.h"

namespace holdfast::storage {

inline constexpr std::size_t kPatchColumns = 2;
inline constexpr std::size_t kPatchHeaderBytes = 32;
static_assert(kPatchHeaderBytes == 8 + 4 * (3 + kPatchColumns) + 4, "number, three counts, widths, zero");

/// Bytes per row of each column; none (all 0): texts.
struct PatchShape {
  std::array<std::uint32_t, kPatchColumns> widths{};
  [[nodiscard]] std::uint32_t columns() const noexcept { return widths[0] == 0 ? 0U : widths[1] == 0 ? 1U : 2U; }
  [[nodiscard]] std::uint64_t row_bytes() const noexcept { return std::uint64_t{widths[0]} + widths[1]; }
  friend bool operator==(const PatchShape&, const PatchShape&) = default;
};

/// What stands in front of the columns.
[[nodiscard]] Bytes encode_patch_head(const ExtentInfo& base, std::span<const std::uint32_t> rows,
                                      const PatchShape& shape);
/// Where the columns, or the offsets of texts, begin.
[[nodiscard]] constexpr std::uint64_t patch_columns_at(std::uint64_t rows) noexcept {
  return (kPatchHeaderBytes + rows * sizeof(std::uint32_t) + 63) / 64 * 64;
}

/// Reads the patch that an extent holds. Thread-safe.
class Patch {
 public:
  /// Nothing is read. `extent->info().slot_count`: rows of the patched data. `shape`: what it must say of itself.
  Patch(std::shared_ptr<const Extent> extent, const ExtentInfo& base, const PatchShape& shape)
      : extent_(std::move(extent)), base_(base), shape_(shape) {}

  [[nodiscard]] const Extent& extent() const noexcept { return *extent_; }
  [[nodiscard]] std::shared_ptr<const Extent> shared_extent() const noexcept { return extent_; }
  [[nodiscard]] const ExtentInfo& base() const noexcept { return base_; }
  /// Checks head and rows, once. data_damaged: nothing of it can be believed, or it is of another base or shape.
  Status load() const HF_EXCLUDES(mutex_);
  // --- REQUIRES load() ---
  [[nodiscard]] std::span<const std::uint32_t> rows() const noexcept { return rows_; }
  [[nodiscard]] const PatchShape& shape() const noexcept { return shape_; }
  /// The first place in rows() whose row is not below `row`.
  [[nodiscard]] std::size_t lower_bound(std::uint32_t row) const noexcept;
  /// Where in the patch's data the bytes of rows()[place] stand.
  [[nodiscard]] std::uint64_t offset_of(std::size_t column, std::size_t place) const noexcept;
  /// Bytes of the patched data.
  [[nodiscard]] std::uint64_t patched_bytes() const noexcept { return shape_.row_bytes() * extent_->info().slot_count; }
  /// Lays over `out`, the bytes [begin, begin + out.size()) of the base's data, what the patch has there. data_damaged
  /// if that part of the patch is damaged; `out` is then of no use.
  /// REQUIRES columns, and as many rows as the base has.
  Status lay_over(std::uint64_t begin, std::span<std::byte> out) const;
  /// All of it: the patched data made of `base`, the base's data, into `out` of patched_bytes(). REQUIRES columns.
  Status merge(ByteSpan base, std::span<std::byte> out) const;
  /// The text of a row; nothing if the patch has none of that row. data_damaged. REQUIRES texts.
  [[nodiscard]] Result<std::optional<std::string_view>> text(std::uint32_t row) const;

 private:
  Status read_head() const HF_REQUIRES(mutex_);
  Status lay_column(std::size_t column, std::uint64_t column_at, std::uint64_t begin, std::span<std::byte> out) const;
  [[nodiscard]] Status damaged(const char* what) const;

  const std::shared_ptr<const Extent> extent_;
  const ExtentInfo base_;
  const PatchShape shape_;
  mutable Mutex mutex_;
  mutable std::atomic<bool> loaded_{false};  ///< release and acquire, both in load(): of what follows
  mutable std::span<const std::uint32_t> rows_;
};

}  // namespace holdfast::storage
