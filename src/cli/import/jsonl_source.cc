#include "cli/import/jsonl_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cli/import/row_file_source.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kFirstWindowBytes = std::size_t{1} << 20;
/// The largest payload and the largest vector with 20 digits each fit in.
constexpr std::size_t kMaxLineBytes = std::size_t{16} << 20;

}  // namespace

Result<bool> LineReader::next(std::string_view& line) {
  for (;;) {
    const char* begin = window_.data() + at_;
    const std::size_t left = window_.size() - at_;
    const void* newline = left == 0 ? nullptr : std::memchr(begin, '\n', left);
    const bool at_end = window_begin_ + window_.size() == file_.size();
    if (newline == nullptr && at_end && left == 0) return false;
    const std::size_t size = newline ? static_cast<std::size_t>(static_cast<const char*>(newline) - begin) : left;
    if (size > kMaxLineBytes) {
      return file_.wrong("line " + std::to_string(line_number_ + 1) + " is longer than " +
                         std::to_string(kMaxLineBytes >> 20) + " MiB: is this JSONL, one object per line?");
    }
    if (newline != nullptr || at_end) {
      line = std::string_view(begin, size);
      at_ += size + (newline ? 1 : 0);
      ++line_number_;
      return true;
    }
    CLI_TRY(refill());
  }
}

/// Keeps the unread rest and reads at least as much again after it.
Status LineReader::refill() {
  const std::size_t kept = window_.size() - at_;
  if (kept > 0) std::memmove(window_.data(), window_.data() + at_, kept);
  window_begin_ += at_;
  at_ = 0;
  const std::uint64_t in_file = file_.size() - window_begin_ - kept;
  const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(kFirstWindowBytes, kept), in_file));
  window_.resize(kept + more);
  return file_.read_at(window_begin_ + kept, std::as_writable_bytes(std::span(window_).subspan(kept)));
}

void LineReader::rewind() {
  window_.clear();
  window_begin_ = at_ = line_number_ = 0;
}

JsonlSource::JsonlSource(InputFile file, JsonlFields fields)
    : file_(std::move(file)), fields_(std::move(fields)), lines_(file_) {}

Result<std::unique_ptr<VectorSource>> JsonlSource::open(const std::string& path, JsonlFields fields) {
  CLI_ASSIGN(InputFile file, InputFile::open(path));
  auto source = std::make_unique<JsonlSource>(std::move(file), std::move(fields));
  Record first;
  CLI_ASSIGN(const bool any, source->next(first));
  if (!any) return source->file_.wrong("holds no line with an object: check the file");
  source->dimension_ = static_cast<std::uint32_t>(first.vector.size() / first.values);
  CLI_TRY(source->seek(0));
  return std::unique_ptr<VectorSource>(std::move(source));
}

Result<bool> JsonlSource::next_filled_line(std::string_view& line) {
  for (;;) {
    CLI_ASSIGN(const bool any, lines_.next(line));
    if (!any) return false;
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) return true;
  }
}

Result<bool> JsonlSource::next(Record& record) {
  std::string_view line;
  CLI_ASSIGN(const bool any, next_filled_line(line));
  if (!any) return false;
  record.row = next_row_;
  if (Status status = parse_jsonl_line(line, fields_, record); !status.ok()) return wrong_line(status.message());
  CLI_TRY(check_finite(file_.path(), locate(next_row_), record.vector));
  if (const std::size_t size = record.vector.size() / record.values; dimension_ != 0 && size != dimension_) {
    return wrong_line("its vector has " + std::to_string(size) + " components, the first line's " +
                      std::to_string(dimension_));
  }
  if (record.payload.size() > kMaxPayloadBytes) {
    return wrong_line("its payload is longer than " + std::to_string(kMaxPayloadBytes) + " bytes");
  }
  ++next_row_;
  return true;
}

Status JsonlSource::seek(std::uint64_t row) {
  lines_.rewind();
  std::string_view line;
  for (next_row_ = 0; next_row_ < row; ++next_row_) {
    CLI_ASSIGN(const bool any, next_filled_line(line));
    if (!any) return file_.wrong("has fewer than the " + std::to_string(row) + " rows that were imported from it");
  }
  return {};
}

Status JsonlSource::wrong_line(std::string_view what) const {
  return file_.wrong("line " + std::to_string(lines_.line_number()) + ": " + std::string(what) +
                     ": correct the line or take it out");
}

}  // namespace holdfast::cli
