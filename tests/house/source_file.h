// A source file as the house rules see it: lines of code, with comments and the contents of literals blanked out.
//
// Blanking keeps every line and column where it was, so that findings point at the right place. The file names of
// #include directives are not literals and stay.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::house {

struct Violation {
  std::string file;
  std::size_t line = 0;  ///< from 1; 0: the whole file
  std::string message;
  [[nodiscard]] std::string to_string() const;
};
using Violations = std::vector<Violation>;

struct Include {
  std::size_t line = 0;
  bool quoted = false;  ///< "name" rather than <name>
  std::string name;
};

struct SourceFile {
  std::string path;               ///< relative to the repository, '/'-separated
  std::vector<std::string> code;  ///< one entry per line

  [[nodiscard]] static SourceFile parse(std::string path, std::string_view text);
  /// Every .h, .hpp, .c and .cc below `root`/`folders`, in path order.
  [[nodiscard]] static std::vector<SourceFile> load_all(const std::filesystem::path& root,
                                                        const std::vector<std::string>& folders);

  [[nodiscard]] bool is_header() const;
  [[nodiscard]] std::vector<Include> includes() const;
  /// "engine" for src/engine/view.h; empty outside src.
  [[nodiscard]] std::string room() const;
  /// Is the file `folder` or below it? `folder` has no trailing slash.
  [[nodiscard]] bool is_in(std::string_view folder) const;
};

}  // namespace holdfast::house
