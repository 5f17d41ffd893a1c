// One byte that chooses the format, then a file of vectors.
//
// Whatever the bytes: one sentence says why the file is not read, or its rows are finite, of one length, in order, and
// found again by seeking. HDF5 is left out: libhdf5 1.10 itself reads past its buffers in damaged files
// (H5VM_memcpyvv), so that nothing could be said about us.
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/import/vector_source.h"
#include "fuzz/targets/targets.h"

namespace holdfast::fuzz {

namespace {

constexpr std::string_view kFormats[] = {"npy", "fvecs", "bvecs", "fbin", "hbin", "u8bin", "i8bin", "jsonl"};

/// A regular file in memory, with a path.
class MemoryFile {
 public:
  explicit MemoryFile(ByteSpan bytes) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t written = ::pwrite(descriptor_, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
      if (written <= 0) break;
      at += static_cast<std::size_t>(written);
    }
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

std::string check_message(const Status& status) {
  if (status.message().empty()) return "an error without a word";
  return status.message().find('\n') == std::string_view::npos ? "" : "an error of several lines";
}

std::string check_record(const cli::Record& record, std::uint64_t row, std::uint32_t dimension) {
  if (record.row != row) return "row " + std::to_string(record.row) + " instead of " + std::to_string(row);
  if (record.values == 0 || record.vector.size() != std::size_t{record.values} * dimension) {
    return "a row of " + std::to_string(record.vector.size()) + " components";
  }
  for (const float component : record.vector) {
    if (!std::isfinite(component)) return "a component that is not finite";
  }
  const auto payload = nlohmann::json::parse(record.payload.empty() ? "{}" : record.payload, nullptr, false);
  return payload.is_object() ? "" : "a payload that is no JSON object: " + record.payload;
}

}  // namespace

std::string check_import(ByteSpan input) {
  if (input.empty()) return "";
  cli::SourceOptions options;
  options.format = kFormats[std::to_integer<std::size_t>(input.front()) % std::size(kFormats)];
  if ((std::to_integer<unsigned>(input.front()) & 0x80) != 0) options.payload_field = "*";
  const MemoryFile file(input.subspan(1));
  auto source = cli::open_source(file.path(), options);
  if (!source.ok()) return check_message(source.status());
  cli::Record record, last;
  std::uint64_t rows = 0;
  for (;; ++rows) {
    const Result<bool> any = (*source)->next(record);
    if (!any.ok()) return check_message(any.status());
    if (!*any) break;
    if (std::string problem = check_record(record, rows, (*source)->dimension()); !problem.empty()) return problem;
    last = record;
  }
  if ((*source)->row_count().value_or(rows) != rows) return "other rows than the header counts";
  if (rows == 0) return "";
  if (Status sought = (*source)->seek(rows - 1); !sought.ok()) return "seeking: " + sought.to_string();
  const Result<bool> again = (*source)->next(record);
  if (!again.ok() || !*again) return "the last row is not found again";
  return record.vector == last.vector && record.payload == last.payload ? "" : "the last row is another";
}

}  // namespace holdfast::fuzz
