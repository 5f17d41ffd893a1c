// JSON lines: one object per line with a vector and, where they are wanted, an id and a payload.
//
// Rows count the lines that are not blank; messages name lines as an editor numbers them, from 1.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/import/input_file.h"
#include "cli/import/jsonl_line.h"
#include "cli/import/vector_source.h"

namespace holdfast::cli {

/// The lines of a file through a window that grows to the longest line, within a limit.
class LineReader {
 public:
  explicit LineReader(const InputFile& file) : file_(file) {}
  /// The next line without its end; false at the end of the file. The view lives until the next call.
  [[nodiscard]] Result<bool> next(std::string_view& line);
  [[nodiscard]] std::uint64_t line_number() const noexcept { return line_number_; }
  [[nodiscard]] std::uint64_t bytes_done() const noexcept { return window_begin_ + at_; }
  void rewind();

 private:
  Status refill();

  const InputFile& file_;
  std::vector<char> window_;
  std::uint64_t window_begin_ = 0;  // offset of window_[0] in the file
  std::size_t at_ = 0;              // next unread byte of the window
  std::uint64_t line_number_ = 0;
};

class JsonlSource final : public VectorSource {
 public:
  [[nodiscard]] static Result<std::unique_ptr<VectorSource>> open(const std::string& path, JsonlFields fields);
  JsonlSource(InputFile file, JsonlFields fields);

  [[nodiscard]] std::uint32_t dimension() const override { return dimension_; }
  [[nodiscard]] std::optional<std::uint64_t> row_count() const override { return std::nullopt; }
  [[nodiscard]] Result<bool> next(Record& record) override;
  /// Reads from the beginning and counts lines.
  [[nodiscard]] Status seek(std::uint64_t row) override;
  /// Exact for the row that was read last.
  [[nodiscard]] std::string locate(std::uint64_t) const override {
    return "line " + std::to_string(lines_.line_number());
  }
  [[nodiscard]] std::uint64_t bytes_done() const override { return lines_.bytes_done(); }
  [[nodiscard]] std::uint64_t bytes_total() const override { return file_.size(); }

 private:
  Result<bool> next_filled_line(std::string_view& line);
  Status wrong_line(std::string_view what) const;

  InputFile file_;
  JsonlFields fields_;
  LineReader lines_;
  std::uint32_t dimension_ = 0;  // of the first row
  std::uint64_t next_row_ = 0;
};

}  // namespace holdfast::cli
