// Rows of equal length read block by block: npy, fvecs, bvecs and the bin formats.
#pragma once

#include <memory>
#include <vector>

#include "cli/import/input_file.h"
#include "cli/import/row_layout.h"
#include "cli/import/vector_source.h"

namespace holdfast::cli {

class RowFileSource final : public VectorSource {
 public:
  [[nodiscard]] static Result<std::unique_ptr<VectorSource>> open(const std::string& path, SourceFormat format);
  RowFileSource(InputFile file, const RowLayout& layout);

  [[nodiscard]] std::uint32_t dimension() const override { return layout_.dimension; }
  [[nodiscard]] std::optional<std::uint64_t> row_count() const override { return layout_.rows; }
  [[nodiscard]] Result<bool> next(Record& record) override;
  [[nodiscard]] Status seek(std::uint64_t row) override;
  [[nodiscard]] std::uint64_t bytes_done() const override { return next_row_ * layout_.stride(); }
  [[nodiscard]] std::uint64_t bytes_total() const override { return layout_.rows * layout_.stride(); }

 private:
  Status load_block();

  InputFile file_;
  RowLayout layout_;
  std::uint64_t next_row_ = 0;
  std::uint64_t block_begin_ = 0;  // rows [block_begin_, block_end_) are in block_
  std::uint64_t block_end_ = 0;
  std::vector<std::byte> block_;
};

/// An error that names the first component that is NaN or infinite; ok if there is none.
/// `where` is "row 17" or "line 18".
[[nodiscard]] Status check_finite(const std::string& path, std::string_view where, std::span<const float> vector);

}  // namespace holdfast::cli
