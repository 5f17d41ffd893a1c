// What is done to segments after they were written: sealing a found tail, and removing what no checkpoint needs.
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

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

/// The segments of the log by number, and from which number on they hold no frame and go.
///
/// Without a frame in what was read, what begins behind the end is empty; segments that lie below the checkpoint were
/// not read, and an older checkpoint may need them. The first empty one then stays: it says where they end. Without it
/// a damaged one among them, which nobody needs now, would be the last of the log, and nobody could tell what it held.
struct Emptied {
  std::vector<Lsn> segments;  ///< ascending
  Lsn first_to_go = std::numeric_limits<Lsn>::max();
};

Result<Emptied> find_emptied(os::FileSystem& fs, const ReadLogOptions& options, const LogTail& tail) {
  Emptied found;
  HF_ASSIGN(const auto entries, fs.list(options.directory));
  for (const os::DirectoryEntry& entry : entries) {
    const ParsedName parsed = parse_name(entry.name);
    if (parsed.kind == FileKind::segment && !entry.is_directory) found.segments.push_back(parsed.number);
  }
  std::sort(found.segments.begin(), found.segments.end());
  const bool frames = !tail.last_segment.empty();
  if (HF_PLANTED(unread_segments_are_removed) && !frames) {
    found.first_to_go = 0;
    return found;
  }
  const Lsn last = frames ? parse_name(tail.last_segment).number : tail.end.lsn;
  auto behind = std::upper_bound(found.segments.begin(), found.segments.end(), last);
  if (!frames && behind != found.segments.begin() && behind != found.segments.end() &&
      !HF_PLANTED(end_of_unread_segments_is_removed)) {
    ++behind;
  }
  if (behind != found.segments.end()) found.first_to_go = *behind;
  return found;
}

/// H2: before segments without a frame are removed, HEAD names none of them, durably: what the page cache says of it
/// may be the work of a process that was killed before the directory was synced.
Status lower_head(os::FileSystem& fs, const ReadLogOptions& options, const Emptied& emptied) {
  std::optional<Lsn> newest;
  bool some_go = false;
  for (const Lsn segment : emptied.segments) {
    const bool goes = segment >= emptied.first_to_go;
    some_go |= goes;
    if (!goes) newest = segment;
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
  // A file that lost zeros from its end counts as long as a segment follows; that one may go below.
  const bool whole = !tail.last_is_short || HF_PLANTED(short_segment_becomes_the_last);
  const bool durable_as_found = tail.proven >= tail.end.lsn && tail.bytes_cut == 0 && whole;
  if (!tail.last_segment.empty() && !durable_as_found && !HF_PLANTED(torn_tail_stays))
    HF_TRY(copy_last_segment(fs, options, tail));

  HF_ASSIGN(const Emptied emptied, find_emptied(fs, options, tail));
  HF_TRY(lower_head(fs, options, emptied));
  // From the newest on: power fails here, some are there and some are not; none holds a frame, so the log is the same.
  for (auto segment = emptied.segments.rbegin(); segment != emptied.segments.rend(); ++segment) {
    if (*segment < emptied.first_to_go) break;
    if (HF_PLANTED(leftovers_of_the_log_stay)) continue;
    removed.push_back(segment_name(*segment));
    HF_TRY(fs.remove(os::join(options.directory, removed.back())));
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
