// Rows and columns on stdout: aligned for people on a terminal, tab-separated for programs in a pipe.
//
// In a pipe the form is fixed: one header line, one line per row, cells separated by one tab; a tab, line break or
// backslash inside a cell is written \t, \n, \r, \\. Nothing is cut off.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace holdfast::cli {

class Table {
 public:
  enum class Align : unsigned char { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// REQUIRES as many cells as columns.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  /// Padded with spaces; lines are cut at `width` characters (0: never).
  [[nodiscard]] std::string aligned(std::size_t width) const;
  [[nodiscard]] std::string tab_separated() const;
  /// To stdout, in the form that suits it.
  void print() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "name: value" lines to stdout, values aligned.
void print_fields(const std::vector<std::pair<std::string, std::string>>& fields);

[[nodiscard]] bool stdout_is_terminal() noexcept;
/// Columns of the terminal behind `descriptor`; 0 if it is none.
[[nodiscard]] std::size_t terminal_width(int descriptor) noexcept;

}  // namespace holdfast::cli
