#include "cli/import/row_file_source.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "cli/try.h"

namespace holdfast::cli {
namespace {

constexpr std::uint64_t kBlockBytes = std::uint64_t{4} << 20;

}  // namespace

Result<std::unique_ptr<VectorSource>> RowFileSource::open(const std::string& path, SourceFormat format) {
  CLI_ASSIGN(InputFile file, InputFile::open(path));
  CLI_ASSIGN(const RowLayout layout, read_row_layout(file, format));
  return std::unique_ptr<VectorSource>(std::make_unique<RowFileSource>(std::move(file), layout));
}

RowFileSource::RowFileSource(InputFile file, const RowLayout& layout) : file_(std::move(file)), layout_(layout) {}

Result<bool> RowFileSource::next(Record& record) {
  if (next_row_ == layout_.rows) return false;
  if (next_row_ < block_begin_ || next_row_ >= block_end_) CLI_TRY(load_block());

  const auto row = std::span<const std::byte>(block_).subspan(
      static_cast<std::size_t>((next_row_ - block_begin_) * layout_.stride()),
      static_cast<std::size_t>(layout_.stride()));
  if (layout_.prefix_bytes != 0) {
    std::uint32_t repeated = 0;
    std::memcpy(&repeated, row.data(), sizeof repeated);
    if (repeated != layout_.dimension) {
      return file_.wrong(locate(next_row_) + " says " + std::to_string(repeated) + " components, the first row " +
                         std::to_string(layout_.dimension) + ": the file is damaged or of another format");
    }
  }
  record.row = next_row_;
  record.id.reset();
  record.payload.clear();
  record.vector.resize(layout_.dimension);
  widen(layout_.type, row.subspan(layout_.prefix_bytes), record.vector);
  CLI_TRY(check_finite(file_.path(), locate(next_row_), record.vector));
  ++next_row_;
  return true;
}

Status RowFileSource::seek(std::uint64_t row) {
  if (row > layout_.rows) {
    return file_.wrong("has " + std::to_string(layout_.rows) + " rows, so none can follow row " + std::to_string(row));
  }
  next_row_ = row;
  return {};
}

Status RowFileSource::load_block() {
  const std::uint64_t wanted = std::max<std::uint64_t>(1, kBlockBytes / layout_.stride());
  const std::uint64_t rows = std::min(wanted, layout_.rows - next_row_);
  block_end_ = block_begin_ = next_row_;  // nothing is loaded if reading fails
  block_.resize(static_cast<std::size_t>(rows * layout_.stride()));
  CLI_TRY(file_.read_at(layout_.data_begin + next_row_ * layout_.stride(), block_));
  block_end_ = block_begin_ + rows;
  return {};
}

Status check_finite(const std::string& path, std::string_view where, std::span<const float> vector) {
  const auto bad = std::find_if_not(vector.begin(), vector.end(), [](float x) { return std::isfinite(x); });
  if (bad == vector.end()) return {};
  return {StatusCode::invalid_argument, path + ": " + std::string(where) + " holds " +
                                            (std::isnan(*bad) ? "NaN" : "an infinite or too large number") +
                                            " in component " + std::to_string(bad - vector.begin()) +
                                            ": repair the row or take it out"};
}

}  // namespace holdfast::cli
