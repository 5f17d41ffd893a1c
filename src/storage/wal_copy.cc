// Copying a log that somebody may be appending to.
//
// A segment that has a successor is complete (docs/format/log.md, rule 2) and copied whole. The last one is copied up
// to the frame that the reader accepted last: behind it the writer may be at work, and of a group that is being written
// a copy could catch the end without the beginning, which would read as damage.
#include <algorithm>
#include <vector>

#include "base/try.h"
#include "storage/file_names.h"
#include "storage/wal_reader.h"
#include "storage/wal_segment.h"

namespace holdfast::storage {
namespace {

/// Names of the segments that hold frames (after, tail.end], in order.
Result<std::vector<std::string>> needed_segments(os::FileSystem& fs, const ReadLogOptions& options,
                                                 const LogTail& tail) {
  HF_ASSIGN(const auto entries, fs.list(options.directory));
  std::vector<std::string> names;
  for (const os::DirectoryEntry& entry : entries) {
    const ParsedName parsed = parse_name(entry.name);
    if (parsed.kind != FileKind::segment || entry.is_directory || entry.name > tail.last_segment) continue;
    if (parsed.number <= options.after + 1) names.clear();  // what came before lies below the checkpoint
    names.push_back(entry.name);
  }
  return names;
}

}  // namespace

Result<LogCopy> copy_log(os::FileSystem& fs, const ReadLogOptions& options, const LogTail& tail,
                         const std::string& to) {
  LogCopy done;
  if (tail.frames == 0) return done;
  HF_ASSIGN(const std::vector<std::string> names, needed_segments(fs, options, tail));
  for (const std::string& name : names) {
    const std::string from = os::join(options.directory, name);
    std::uint64_t bytes = tail.valid_bytes;
    if (name == tail.last_segment) {
      HF_TRY(copy_valid_part(fs, from, os::join(to, name), bytes));
    } else {
      HF_ASSIGN(bytes, os::copy_file(fs, from, os::join(to, name)));
    }
    ++done.files;
    done.bytes += bytes;
  }
  HF_TRY(fs.sync_directory(to));

  ReadLogOptions copied = options;
  copied.directory = to;
  HF_ASSIGN(const LogTail found, read_log(fs, copied, {}));
  if (found.verdict != LogVerdict::complete || found.end != tail.end) {
    return Status(StatusCode::data_damaged,
                  options.directory + ": the log changed while it was copied; the copy ends at lsn " +
                      std::to_string(found.end.lsn) + " instead of " + std::to_string(tail.end.lsn) +
                      (found.reason.empty() ? "" : ": " + found.reason));
  }
  return done;
}

}  // namespace holdfast::storage
