// What is done to segments after they were written: sealing a found tail, and removing what no checkpoint needs.
#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "base/try.h"
#include "storage/file_names.h"
#include "storage/wal_head.h"
#include "storage/wal_reader.h"
#include "storage/wal_segment.h"

namespace holdfast::storage {
namespace {

constexpr std::string_view kSealedCopyFile = "sealed.tmp";

/// Whatever was cut stays behind in a file that loses its name.
Status copy_last_segment(os::FileSystem& fs, const ReadLogOptions& options, const LogTail& tail) {
  const std::string path = os::join(options.directory, tail.last_segment);
  const std::string copy_path = os::join(options.directory, kSealedCopyFile);
  if (Status removed = fs.remove(copy_path); !removed.ok() && removed.code() != StatusCode::not_found) return removed;
  HF_TRY(copy_valid_part(fs, path, copy_path, tail.valid_bytes));
  // Power fails here: the log as it was found, and a temporary file.
  if (HF_PLANTED(tail_is_removed_before_its_copy_is_named)) HF_TRY(fs.remove(path));
  HF_TRY(fs.rename(copy_path, path));
  // Power fails here: the segment as it was found, or its copy; both hold the same frames up to the same end, and what
  // the found one holds behind that was judged not to be acknowledged, and will be again.
  return HF_PLANTED(sealed_name_is_not_synced) ? Status() : fs.sync_directory(options.directory);
}

/// Whether a segment holds no frame. Without a frame in what was read, only what begins behind the end is empty:
/// segments that lie below the checkpoint were not read, and an older checkpoint may need them.
bool lies_behind(const std::string& name, Lsn first_lsn, const LogTail& tail) {
  if (HF_PLANTED(unread_segments_are_removed)) return name > tail.last_segment;
  return tail.last_segment.empty() ? first_lsn > tail.end.lsn : name > tail.last_segment;
}

/// H2: before segments without a frame are removed, HEAD names none of them, durably: what the page cache says of it
/// may be the work of a process that was killed before the directory was synced.
Status lower_head(os::FileSystem& fs, const ReadLogOptions& options, const LogTail& tail) {
  HF_ASSIGN(const auto entries, fs.list(options.directory));
  std::optional<Lsn> newest;
  bool some_go = false;
  for (const os::DirectoryEntry& entry : entries) {
    const ParsedName parsed = parse_name(entry.name);
    if (parsed.kind != FileKind::segment || entry.is_directory) continue;
    const bool goes = lies_behind(entry.name, parsed.number, tail);
    some_go |= goes;
    if (!goes) newest = std::max(newest.value_or(0), parsed.number);
  }
  const auto head = read_log_head(fs, options.directory, options.collection);
  if (!head.ok() && head.status().code() != StatusCode::data_damaged) return head.status();
  const bool right = head.ok() && (!*head || **head <= newest.value_or(0));
  if (!right) {
    Status written = write_log_head(fs, options.directory, options.collection, newest);
    if (written.code() != StatusCode::disk_full) return written;
    // A log without HEAD is a log all the same, and what opens here may be what makes room.
    return write_log_head(fs, options.directory, options.collection, std::nullopt);
  }
  const bool synced = !some_go || HF_PLANTED(lowered_head_is_not_synced);
  return synced ? Status() : fs.sync_directory(options.directory);
}

}  // namespace

Result<std::vector<std::string>> seal_tail(os::FileSystem& fs, const ReadLogOptions& options, const LogTail& tail) {
  if (tail.verdict == LogVerdict::damage) return Status(StatusCode::data_damaged, tail.reason);
  // What a crash left unfinished may be all the room that the copy needs.
  std::vector<std::string> removed;
  HF_ASSIGN(const auto found, fs.list(options.directory));
  for (const os::DirectoryEntry& entry : found) {
    if (entry.is_directory || parse_name(entry.name).kind != FileKind::temporary) continue;
    if (HF_PLANTED(leftovers_of_the_log_stay)) continue;
    HF_TRY(fs.remove(os::join(options.directory, entry.name)));
    removed.push_back(entry.name);
  }
  const bool durable_as_found = tail.proven >= tail.end.lsn && tail.bytes_cut == 0;
  if (!tail.last_segment.empty() && !durable_as_found && !HF_PLANTED(torn_tail_stays))
    HF_TRY(copy_last_segment(fs, options, tail));

  HF_TRY(lower_head(fs, options, tail));
  for (const os::DirectoryEntry& entry : found) {
    if (entry.is_directory) continue;
    const ParsedName parsed = parse_name(entry.name);
    const bool empty_segment = parsed.kind == FileKind::segment && lies_behind(entry.name, parsed.number, tail);
    if (!empty_segment) continue;
    if (HF_PLANTED(leftovers_of_the_log_stay)) continue;
    // Power fails here: some are there and some are not; none holds a frame, so the log is the same.
    HF_TRY(fs.remove(os::join(options.directory, entry.name)));
    removed.push_back(entry.name);
  }
  if (!removed.empty()) HF_TRY(fs.sync_directory(options.directory));
  return removed;
}

Status remove_segments_through(os::FileSystem& fs, const std::string& directory, Lsn lsn) {
  HF_ASSIGN(const auto entries, fs.list(directory));
  std::vector<std::pair<Lsn, std::string>> segments;  // in order of first lsn
  for (const os::DirectoryEntry& entry : entries) {
    const ParsedName parsed = parse_name(entry.name);
    if (parsed.kind == FileKind::segment && !entry.is_directory) segments.emplace_back(parsed.number, entry.name);
  }
  if (HF_PLANTED(log_is_cut_whatever_it_holds) || HF_PLANTED(log_is_cut_under_the_writer)) lsn = ~Lsn{0} - 1;
  if (HF_PLANTED(log_is_cut_under_the_writer)) segments.emplace_back(lsn, "");
  for (std::size_t i = 0; i + 1 < segments.size() && segments[i + 1].first <= lsn + 1; ++i) {
    HF_TRY(fs.remove(os::join(directory, segments[i].second)));
    // Power fails here: the segment is there or not; those before it are gone for good, so no hole can appear.
    HF_TRY(fs.sync_directory(directory));
  }
  return {};
}

}  // namespace holdfast::storage
