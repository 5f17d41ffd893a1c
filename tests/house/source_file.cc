#include "house/source_file.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>

namespace holdfast::house {

namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// A quote after a token that starts with a digit separates digits (1'000) and opens nothing.
bool separates_digits(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && (is_word(text[begin - 1]) || text[begin - 1] == '\'')) --begin;
  return begin < at && std::isdigit(static_cast<unsigned char>(text[begin])) != 0;
}

bool on_include_line(std::string_view text, std::size_t at) {
  const std::size_t line_begin = text.rfind('\n', at) == std::string_view::npos ? 0 : text.rfind('\n', at) + 1;
  std::string squeezed;
  for (const char c : text.substr(line_begin, at - line_begin)) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) squeezed += c;
  }
  return squeezed == "#include";
}

/// Position after the literal that opens at `at` (a quote). An unterminated literal ends with its line.
std::size_t end_of_literal(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == quote || text[i] == '\n') {
      return i + 1;
    }
  }
  return text.size();
}

/// Position after R"delimiter( ... )delimiter", whose quote is at `at`.
std::size_t end_of_raw_string(std::string_view text, std::size_t at) {
  const std::size_t open = text.find('(', at);
  if (open == std::string_view::npos) return text.size();
  const std::string close = ")" + std::string(text.substr(at + 1, open - at - 1)) + "\"";
  const std::size_t end = text.find(close, open);
  return end == std::string_view::npos ? text.size() : end + close.size();
}

/// The text with comments and literals replaced by spaces, line breaks kept.
std::string blanked(std::string_view text) {
  std::string out(text);
  const auto blank = [&out](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < std::min(end, out.size()); ++i) {
      if (out[i] != '\n') out[i] = ' ';
    }
  };
  std::size_t i = 0;
  while (i < text.size()) {
    std::size_t end = i + 1;
    if (text.substr(i, 2) == "//") {
      end = std::min(text.find('\n', i), text.size());
      blank(i, end);
    } else if (text.substr(i, 2) == "/*") {
      const std::size_t close = text.find("*/", i + 2);
      end = close == std::string_view::npos ? text.size() : close + 2;
      blank(i, end);
    } else if (text[i] == '"' && i > 0 && text[i - 1] == 'R') {
      end = end_of_raw_string(text, i);
      blank(i, end);
    } else if (text[i] == '"') {
      end = end_of_literal(text, i);
      if (!on_include_line(text, i)) blank(i, end);
    } else if (text[i] == '\'' && !separates_digits(text, i)) {
      end = end_of_literal(text, i);
      blank(i, end);
    }
    i = end;
  }
  return out;
}

}  // namespace

std::string Violation::to_string() const { return file + ":" + std::to_string(line) + ": " + message; }

SourceFile SourceFile::parse(std::string path, std::string_view text) {
  SourceFile file;
  file.path = std::move(path);
  const std::string code = blanked(text);
  std::size_t begin = 0;
  while (begin < code.size()) {
    const std::size_t end = std::min(code.find('\n', begin), code.size());
    file.code.push_back(code.substr(begin, end - begin));
    begin = end + 1;
  }
  return file;
}

std::vector<SourceFile> SourceFile::load_all(const std::filesystem::path& root,
                                             const std::vector<std::string>& folders) {
  std::vector<SourceFile> files;
  for (const std::string& folder : folders) {
    if (!std::filesystem::exists(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      const bool is_source = extension == ".h" || extension == ".hpp" || extension == ".c" || extension == ".cc";
      if (!entry.is_regular_file() || !is_source) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      files.push_back(parse(std::filesystem::relative(entry.path(), root).generic_string(), text));
    }
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

bool SourceFile::is_header() const { return path.ends_with(".h") || path.ends_with(".hpp"); }

std::vector<Include> SourceFile::includes() const {
  std::vector<Include> found;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const std::string_view line = code[i];
    const std::size_t open = line.find_first_of("<\"");
    if (open == std::string_view::npos || !on_include_line(line, open)) continue;
    const std::size_t close = line.find(line[open] == '<' ? '>' : '"', open + 1);
    if (close == std::string_view::npos) continue;
    found.push_back({i + 1, line[open] == '"', std::string(line.substr(open + 1, close - open - 1))});
  }
  return found;
}

std::string SourceFile::room() const {
  if (!is_in("src")) return {};
  const std::size_t begin = std::string_view("src/").size();
  const std::size_t end = path.find('/', begin);
  return end == std::string::npos ? std::string() : path.substr(begin, end - begin);
}

bool SourceFile::is_in(std::string_view folder) const {
  return path == folder || (path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/');
}

}  // namespace holdfast::house
