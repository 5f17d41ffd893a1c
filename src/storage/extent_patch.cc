#include "storage/extent_patch.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/plant.h"
#include "base/try.h"

namespace holdfast::storage {
namespace {

constexpr std::size_t kBaseRowsAt = 8;
constexpr std::size_t kRowsAt = 12;
constexpr std::size_t kColumnsAt = 16;
constexpr std::size_t kWidthsAt = 20;

}  // namespace

Bytes encode_patch_head(const ExtentInfo& base, std::span<const std::uint32_t> rows, const PatchShape& shape) {
  Bytes head(patch_columns_at(rows.size()));
  store<std::uint64_t>(head.data(), base.number);
  store<std::uint32_t>(head.data() + kBaseRowsAt, base.slot_count);
  store<std::uint32_t>(head.data() + kRowsAt, static_cast<std::uint32_t>(rows.size()));
  store<std::uint32_t>(head.data() + kColumnsAt, shape.columns());
  for (std::size_t i = 0; i < kPatchColumns; ++i) {
    store<std::uint32_t>(head.data() + kWidthsAt + i * sizeof(std::uint32_t), shape.widths[i]);
  }
  if (!rows.empty()) std::memcpy(head.data() + kPatchHeaderBytes, rows.data(), rows.size_bytes());
  return head;
}

Status Patch::damaged(const char* what) const {
  return {StatusCode::data_damaged, "patch " + std::to_string(extent_->info().number) + " of extent " +
                                        std::to_string(base_.number) + ": " + what};
}

Status Patch::load() const {
  if (loaded_.load(std::memory_order_acquire)) return {};  // partner: below
  MutexLock lock(mutex_);
  if (loaded_.load(std::memory_order_relaxed)) return {};
  HF_TRY(read_head());
  loaded_.store(true, std::memory_order_release);  // partner: above
  return {};
}

Status Patch::read_head() const {
  const std::uint64_t bytes = extent_->info().data_bytes;
  const std::byte* const data = extent_->data().data();
  if (bytes < kPatchHeaderBytes) return damaged("it is cut short");
  HF_TRY(extent_->verify(0, kPatchHeaderBytes));
  const std::uint64_t rows = holdfast::load<std::uint32_t>(data + kRowsAt);
  const std::uint32_t rows_end = extent_->info().slot_count;
  PatchShape shape;
  for (std::size_t i = 0; i < kPatchColumns; ++i) {
    shape.widths[i] = holdfast::load<std::uint32_t>(data + kWidthsAt + i * sizeof(std::uint32_t));
  }
  if (holdfast::load<std::uint64_t>(data) != base_.number && !HF_PLANTED(patch_of_another_base_is_laid_over)) {
    return damaged("it is of another extent");
  }
  if (holdfast::load<std::uint32_t>(data + kBaseRowsAt) != base_.slot_count || base_.slot_count > rows_end ||
      rows > rows_end || holdfast::load<std::uint32_t>(data + kColumnsAt) != shape.columns() || shape != shape_) {
    return damaged("its head contradicts itself");
  }
  const std::uint64_t at = patch_columns_at(rows);
  const bool fits =
      shape.columns() == 0 ? bytes >= at + (rows + 1) * sizeof(std::uint64_t) : bytes == at + rows * shape.row_bytes();
  if (!fits || (shape.columns() != 0 && shape.row_bytes() * base_.slot_count != base_.data_bytes)) {
    return damaged("it is of the wrong size");
  }
  HF_TRY(extent_->verify(kPatchHeaderBytes, rows * sizeof(std::uint32_t)));
  const std::span<const std::uint32_t> list(reinterpret_cast<const std::uint32_t*>(data + kPatchHeaderBytes), rows);
  const bool ascending = std::adjacent_find(list.begin(), list.end(), std::greater_equal<>()) == list.end();
  if (!ascending || (!list.empty() && list.back() >= rows_end)) return damaged("its rows are out of order");
  // Every row beyond the base's is there: they are the last ones.
  const std::uint64_t beyond = rows_end - base_.slot_count;
  if (beyond > rows || (beyond != 0 && list[rows - beyond] != base_.slot_count)) return damaged("rows are missing");
  rows_ = list;
  return {};
}

std::size_t Patch::lower_bound(std::uint32_t row) const noexcept {
  return static_cast<std::size_t>(std::lower_bound(rows_.begin(), rows_.end(), row) - rows_.begin());
}

std::uint64_t Patch::offset_of(std::size_t column, std::size_t place) const noexcept {
  const std::uint64_t before = column == 0 ? 0 : std::uint64_t{shape_.widths[0]} * rows_.size();
  return patch_columns_at(rows_.size()) + before + place * std::uint64_t{shape_.widths[column]};
}

Status Patch::lay_column(std::size_t column, std::uint64_t column_at, std::uint64_t begin,
                         std::span<std::byte> out) const {
  const std::uint64_t width = shape_.widths[column];
  const std::uint64_t end = begin + out.size();
  if (width == 0 || end <= column_at) return {};
  const std::uint64_t first = begin > column_at ? (begin - column_at) / width : 0;
  for (std::size_t place = lower_bound(static_cast<std::uint32_t>(first)); place < rows_.size(); ++place) {
    const std::uint64_t row_at = column_at + rows_[place] * width;
    if (row_at >= end) break;
    // A row may stand on two pages: here belongs what of it stands between `begin` and `end`.
    const std::uint64_t from = std::max(row_at, begin);
    const std::uint64_t to = std::min(row_at + width, end);
    const std::uint64_t source = offset_of(column, place) + (from - row_at);
    HF_TRY(extent_->verify(source, to - from));
    if (HF_PLANTED(patch_is_not_laid_over)) continue;
    std::memcpy(out.data() + (from - begin), extent_->data().data() + source, to - from);
  }
  return {};
}

Status Patch::lay_over(std::uint64_t begin, std::span<std::byte> out) const {
  if (shape_.columns() == 0) return damaged("it holds texts");
  std::uint64_t column_at = 0;
  for (std::size_t column = 0; column < kPatchColumns; ++column) {
    const std::uint64_t column_end = column_at + std::uint64_t{shape_.widths[column]} * base_.slot_count;
    if (begin < column_end) {
      const std::uint64_t length = std::min<std::uint64_t>(out.size(), column_end - begin);
      HF_TRY(lay_column(column, column_at, begin, out.first(length)));
      out = out.subspan(length);
      begin += length;
    }
    column_at = column_end;
  }
  return {};
}

Status Patch::merge(ByteSpan base, std::span<std::byte> out) const {
  if (shape_.columns() == 0 || out.size() != patched_bytes()) return damaged("it cannot be laid over rows");
  std::uint64_t from = 0, to = 0;
  for (std::size_t column = 0; column < shape_.columns(); ++column) {
    const std::uint64_t width = shape_.widths[column];
    const std::uint64_t kept = width * base_.slot_count;
    if (kept != 0) std::memcpy(out.data() + to, base.data() + from, kept);
    const std::uint64_t bytes = width * extent_->info().slot_count;
    HF_TRY(lay_column(column, 0, 0, out.subspan(to, bytes)));
    from += kept;
    to += bytes;
  }
  return {};
}

Result<std::optional<std::string_view>> Patch::text(std::uint32_t row) const {
  if (shape_.columns() != 0) return damaged("it holds no texts");
  const std::size_t place = lower_bound(row);
  if (place == rows_.size() || rows_[place] != row) return std::optional<std::string_view>();
  const std::uint64_t offsets_at = patch_columns_at(rows_.size());
  const std::uint64_t at = offsets_at + place * sizeof(std::uint64_t);
  HF_TRY(extent_->verify(at, 2 * sizeof(std::uint64_t)));
  const std::byte* const data = extent_->data().data();
  const auto begin = holdfast::load<std::uint64_t>(data + at);
  const auto end = holdfast::load<std::uint64_t>(data + at + sizeof(std::uint64_t));
  const std::uint64_t texts_at = offsets_at + (rows_.size() + 1) * sizeof(std::uint64_t);
  if (begin < texts_at || begin > end || end > extent_->info().data_bytes) return damaged("offsets out of order");
  HF_TRY(extent_->verify(begin, end - begin));
  return std::optional(std::string_view(reinterpret_cast<const char*>(data + begin), end - begin));
}

}  // namespace holdfast::storage
