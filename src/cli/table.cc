#include "cli/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace holdfast::cli {
namespace {

constexpr std::string_view kGap = "  ";

bool begins_character(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

/// Characters of UTF-8 text; every code point counts as one column.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string printable(std::string_view cell) {
  std::string out(cell);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';  // no cell may command the terminal
  }
  return out;
}

std::string cut(std::string line, std::size_t width) {
  if (width == 0 || characters(line) <= width) return line;
  std::size_t at = 0;
  for (std::size_t seen = 0; at < line.size(); ++at) {
    if (begins_character(line[at]) && seen++ == width - 1) break;
  }
  line.resize(at);
  return line + "…";
}

std::string escaped(std::string_view cell) {
  std::string out;
  for (const char c : cell) {
    switch (c) {
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\\': out += "\\\\"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace

std::string Table::aligned(std::size_t width) const {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : columns_) lines[0].push_back(column.title);
  for (const auto& row : rows_) {
    auto& line = lines.emplace_back();
    for (const std::string& cell : row) line.push_back(printable(cell));
  }
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], characters(line[i]));
  }
  std::string out;
  for (const auto& cells : lines) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string padding(widths[i] - characters(cells[i]), ' ');
      if (i != 0) line += kGap;
      line += columns_[i].align == Align::right ? padding + cells[i] : cells[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += cut(std::move(line), width) + '\n';
  }
  return out;
}

std::string Table::tab_separated() const {
  std::string out;
  for (std::size_t i = 0; i < columns_.size(); ++i) out += (i ? "\t" : "") + columns_[i].title;
  out += '\n';
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) out += (i ? "\t" : "") + escaped(row[i]);
    out += '\n';
  }
  return out;
}

void Table::print() const {
  const std::string text = stdout_is_terminal() ? aligned(terminal_width(STDOUT_FILENO)) : tab_separated();
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_fields(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::size_t width = 0;
  for (const auto& [name, value] : fields) width = std::max(width, name.size() + 1);
  for (const auto& [name, value] : fields) {
    std::printf("%-*s %s\n", static_cast<int>(width), (name + ":").c_str(), printable(value).c_str());
  }
}

bool stdout_is_terminal() noexcept { return ::isatty(STDOUT_FILENO) == 1; }

std::size_t terminal_width(int descriptor) noexcept {
  winsize size{};
  if (::isatty(descriptor) != 1 || ::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace holdfast::cli
