// Where a log ends.
//
// Let x be the lsn of the first frame that is not there as it should be: wrong checksum, wrong lsn, or not the
// successor of the frame before it. The decision table (docs/format/log.md has the argument for each row):
//
//   E0  nothing but zeros follows, and nothing proves x              -> complete
//   E1  last segment, no valid frame follows, nothing proves x       -> torn tail: cut at x
//   E2  last segment, valid frames follow, none proves x             -> unacknowledged group: cut at x
//   E3  something proves that x was synced                           -> damage: refuse
//   E4  segments do not join: a gap, or another history              -> damage: refuse
//   E5  what is missing is not beyond the checkpoint (lsn <= after)  -> report, go on behind it
//
// What proves x: a valid frame anywhere behind it with synced_lsn >= x; a later segment, which is only ever headed once
// all before it is synced (W2); the caller (`proven`, `after`); and a file shorter than its header says, because its
// full length was durable before its first frame (W1): nobody can tell what the lost part held.
//
// Invariants
//  R1. Nothing is written, and nothing is allocated by a length found in a file. One segment at a time is in memory.
//  R2. A frame is visited only if its checksum, its lsn and its chain are right, or, behind an E5, if it is the next
//      frame that the checkpoint does not hold.
//  R3. A segment that has a successor ends where the successor's header says. Bytes behind that belong to nobody: they
//      are leftovers of a group that was refused for lack of space.
//  R4. A segment that begins at or below a checkpoint holds nothing beyond it: the log is rolled at the instant that
//  the
//      checkpoint stands for, and no writer goes on in a segment that it found. (Who only wants what is behind the
//      checkpoint need not read such a segment, even if it is the last one.)
#include "storage/wal_reader.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/plant.h"
#include "base/try.h"
#include "storage/file_names.h"
#include "storage/wal_head.h"
#include "storage/wal_scan.h"

namespace holdfast::storage {
namespace {

constexpr Lsn kNoLimit = std::numeric_limits<Lsn>::max();

enum class SegmentState : std::uint8_t { valid, damaged_header, foreign };

struct Segment {
  std::string name;
  Lsn first_lsn = 0;  ///< by its name
  SegmentState state = SegmentState::valid;
  SegmentHeader header;  ///< if valid
};

std::string lsn_range(Lsn first, Lsn last) {
  if (last == 0) return "lsn " + std::to_string(first) + " and later";
  if (first == last) return "lsn " + std::to_string(first);
  return "lsn " + std::to_string(first) + " to " + std::to_string(last);
}

class LogReader {
 public:
  LogReader(os::FileSystem& fs, const ReadLogOptions& options, const std::function<Status(const FrameView&)>& visit)
      : fs_(fs), options_(options), visit_(visit) {
    tail_.proven = std::max(options.proven, options.after);
    // There is no frame 0, whatever a forged checkpoint says of it; a header that named it would not be believed.
    if (options_.after == 0) options_.base.checksum = 0;
  }

  Result<LogTail> run() {
    HF_TRY(find_segments());
    if (segments_.empty()) {
      start_at({options_.after, options_.base.checksum});
      if (missing_newest_ != 0) {
        lose_newest();
      } else if (tail_.proven > options_.after) {
        add_damage({DamageCase::proven_synced, "", 0, 0, options_.after + 1, tail_.proven, "the log has no segment"});
      }
      return finish();
    }
    if (!options_.check_below) skip_below();
    if (!options_.check_below && ends_at_checkpoint()) {
      start_at(options_.base);
      return finish();
    }
    HF_TRY(check_beginning());
    for (std::size_t i = 0; i < segments_.size() && !stopped_; ++i) HF_TRY(read_segment(i));
    if (missing_newest_ != 0 && !stopped_) lose_newest();
    return finish();
  }

 private:
  // --- segments ---

  Status find_segments() {
    HF_TRY(read_head());  // first: a writer may be at work, and what HEAD names is there before HEAD names it
    HF_ASSIGN(const auto entries, fs_.list(options_.directory));
    for (const os::DirectoryEntry& entry : entries) {
      const ParsedName parsed = parse_name(entry.name);
      if (parsed.kind != FileKind::segment || entry.is_directory) continue;
      Segment segment;
      segment.name = entry.name;
      segment.first_lsn = parsed.number;
      HF_TRY(read_header(segment));
      segments_.push_back(std::move(segment));
    }
    // Name order is number order. Segment i + 1 proves that everything before it was synced (W2).
    for (const Segment& segment : segments_) {
      if (segment.first_lsn > 0) tail_.proven = std::max(tail_.proven, segment.first_lsn - 1);
    }
    if (head_ != 0 && (segments_.empty() || segments_.back().first_lsn < head_)) {
      missing_newest_ = head_;
      tail_.proven = std::max(tail_.proven, head_ - 1);
    }
    return {};
  }

  /// Without HEAD, or with a damaged one, nobody knows whether the newest segment is still there. That costs nothing as
  /// long as it is: the damage is only reported.
  Status read_head() {
    auto head = read_log_head(fs_, options_.directory, options_.collection);
    if (head.status().code() == StatusCode::data_damaged) {
      tail_.notes.emplace_back(head.status().message());
      return {};
    }
    HF_TRY(head.status());
    head_ = HF_PLANTED(newest_segment_is_not_missed) ? 0 : head->value_or(0);
    return {};
  }

  /// Segment i ends where its successor begins (R3), so names tell which ones end at or below the checkpoint. The
  /// header of the first one that is left says what came before it, and is compared with the checkpoint's end.
  void skip_below() {
    std::size_t first = 0;
    while (first + 1 < segments_.size() && segments_[first + 1].first_lsn <= options_.after + 1) ++first;
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first));
  }

  /// R4. Nothing may speak of more: neither HEAD nor anything that was proven; and the checkpoint must know where it
  /// ends.
  [[nodiscard]] bool ends_at_checkpoint() const {
    const Segment& last = segments_.back();
    return segments_.size() == 1 && last.state == SegmentState::valid && last.first_lsn <= options_.after &&
           missing_newest_ == 0 && tail_.proven <= options_.after && options_.base.lsn == options_.after &&
           options_.base.checksum != 0;
  }

  Status read_header(Segment& segment) {
    HF_ASSIGN(const auto file, fs_.open(path_of(segment), os::FileSystem::Access::read));
    std::array<std::byte, kSegmentHeaderBytes> sector;
    HF_ASSIGN(const std::size_t count, file->read_at(0, sector));
    switch (decode_segment_header(ByteSpan(sector).first(count), segment.header)) {
      case HeaderState::newer_version:
        return {StatusCode::unsupported_format, path_of(segment) + ": log format version " +
                                                    std::to_string(segment.header.version) +
                                                    "; this build reads version " + std::to_string(kWalFormatVersion)};
      case HeaderState::damaged: segment.state = SegmentState::damaged_header; break;
      case HeaderState::valid: {
        const bool own = segment.header.collection == options_.collection;
        const bool named = segment.header.first_lsn == segment.first_lsn;
        segment.state = own && named ? SegmentState::valid : SegmentState::foreign;
        break;
      }
    }
    return {};
  }

  /// Does the log begin at or below the checkpoint?
  Status check_beginning() {
    const Segment& first = segments_.front();
    if (HF_PLANTED(log_that_begins_below_the_image_is_refused) && first.first_lsn <= options_.after) {
      add_damage({DamageCase::gap, first.name, 0, 0, first.first_lsn, options_.after, "applied already"});
      return {};
    }
    if (first.first_lsn > options_.after + 1 &&
        !HF_PLANTED(missing_segment_is_ignored)) {  // E4: segments are missing below the first
      start_at({options_.after, options_.base.checksum});
      add_damage({DamageCase::gap, first.name, 0, 0, options_.after + 1, first.first_lsn - 1,
                  "the log begins behind the end of the checkpoint"});
      return {};
    }
    const Lsn before = first.first_lsn == 0 ? 0 : first.first_lsn - 1;
    // The first header says what comes before it; if it cannot be read, the checkpoint may know.
    start_at({before, before == options_.base.lsn ? options_.base.checksum : 0});
    chain_known_ = false;
    return {};
  }

  void start_at(LogEnd end) {
    tail_.end = end;
    chain_known_ = true;
  }

  Status read_segment(std::size_t i) {
    segment_ = &segments_[i];
    // The newest segment may be missing: what stands before it is complete all the same.
    const bool last = i + 1 == segments_.size() && missing_newest_ == 0;
    const Lsn successor = i + 1 < segments_.size() ? segments_[i + 1].first_lsn : missing_newest_;
    stop_ = last ? kNoLimit : successor - 1;
    HF_ASSIGN(const auto file, fs_.open(path_of(*segment_), os::FileSystem::Access::read));
    HF_ASSIGN(const SegmentBytes content, read_segment_bytes(*file));
    bytes_ = content.bytes();
    Status status = segment_->state == SegmentState::valid ? walk(last) : unreadable_segment(last);
    bytes_ = {};
    return status;
  }

  // --- frames ---

  Status walk(bool last) {
    const LogEnd previous = segment_->header.previous;
    if (chain_known_ && previous.checksum != tail_.end.checksum && !HF_PLANTED(segment_of_another_history_is_read)) {
      // E4, or E5 if it lies below the checkpoint: the segment goes on from another frame than the one before it.
      lose(DamageCase::gap, 0, 0, tail_.end.lsn, tail_.end.lsn, "the segment does not continue the one before it");
      if (stopped_) return {};
    }
    tail_.end.checksum = previous.checksum;
    chain_known_ = true;
    if (differs_from_base(previous)) return {};

    std::uint64_t at = kSegmentHeaderBytes;  // the end of the last frame that counts
    while (tail_.end.lsn < stop_) {
      std::optional<FoundFrame> found = next_frame(at);
      if (!found) {
        found = last ? missing_in_last(at) : missing_before_successor(at);
        if (!found) break;
      }
      if (differs_from_base({found->header.lsn, found->header.checksum})) break;
      HF_TRY(accept(*found));
      at = found->end();
    }
    if (!stopped_ && !last) note_garbage(end_of_nonzero(bytes_, at) - at);  // R3: nothing behind `at` counts
    return {};
  }

  /// The successor of the last frame, if it stands where it should: next in the group, or at the next block.
  [[nodiscard]] std::optional<FoundFrame> next_frame(std::uint64_t at) const {
    const std::uint64_t in_group = align_up(at, kFrameAlignment);
    const std::uint64_t next_group = align_up(at, kBlockBytes);
    for (const std::uint64_t offset : {in_group, next_group}) {
      const auto header = decode_frame(bytes_, offset, segment_->header.salt);
      if (!header || header->lsn != tail_.end.lsn + 1) continue;
      if (header->prev == tail_.end.checksum || !chain_known_ || HF_PLANTED(stale_frame_is_accepted))
        return FoundFrame{offset, *header};
    }
    return std::nullopt;
  }

  Status accept(const FoundFrame& found) {
    const FrameHeader& header = found.header;
    tail_.end = {header.lsn, header.checksum};
    chain_known_ = true;
    tail_.proven = std::max(tail_.proven, header.synced_lsn);
    tail_.last_segment = segment_->name;
    tail_.valid_bytes = found.end();
    tail_.last_is_short = size() < segment_->header.file_bytes;
    tail_.ends_with_mark = header.type == FrameType::mark;
    if (header.lsn <= options_.after) return {};
    FrameView view;
    view.segment = segment_->name;
    view.offset = found.offset;
    view.length = kFrameHeaderBytes + header.length;
    view.type = header.type;
    view.lsn = header.lsn;
    view.synced_lsn = header.synced_lsn;
    view.body = bytes_.subspan(found.offset + kFrameHeaderBytes, header.length);
    ++tail_.frames;
    tail_.bytes += view.length;
    return visit_ ? visit_(view) : Status();
  }

  /// E4: the frame that the checkpoint ends with has another checksum in the log. Both are whole, but they tell
  /// different histories, and nobody knows which one was acknowledged.
  bool differs_from_base(LogEnd found) {
    if (found.lsn == 0 || found.lsn != options_.base.lsn || options_.base.checksum == 0) return false;
    if (found.checksum == options_.base.checksum) return false;
    add_damage(
        {DamageCase::gap, segment_->name, 0, 0, found.lsn, 0, "the log and the checkpoint are of different histories"});
    return true;
  }

  // --- the decision table ---

  /// Frame x does not follow at `at`, and the segment has a successor: x to stop_ were synced (W2). E5 if the
  /// checkpoint holds what is missing; the frame to go on with, if it is in this segment. E3 otherwise.
  std::optional<FoundFrame> missing_before_successor(std::uint64_t at) {
    const Lsn x = tail_.end.lsn + 1;
    if (auto resumed = resume_below_checkpoint(at)) return resumed;
    const bool nothing_behind = find_nonzero(bytes_, at) == bytes_.size();
    lose(nothing_behind ? DamageCase::gap : DamageCase::proven_synced, at, bytes_.size() - std::min(at, size()), x,
         stop_, nothing_behind ? "the segment ends before its successor begins" : "a frame is damaged");
    return std::nullopt;
  }

  /// Frame x does not follow at `at` in the last segment.
  std::optional<FoundFrame> missing_in_last(std::uint64_t at) {
    if (auto resumed = resume_below_checkpoint(at)) return resumed;
    const std::uint64_t garbage_end = end_of_nonzero(bytes_, std::min(at, size()));
    const Evidence evidence = search_evidence(at, garbage_end);
    tail_.proven = std::max(tail_.proven, evidence.synced_lsn);
    if (tail_.end.lsn < options_.after) {
      // E5: the log ends below the checkpoint (or what is left of it does not join). It goes on behind the checkpoint.
      lose(DamageCase::below_checkpoint, at, size() - std::min(at, size()), tail_.end.lsn + 1, options_.after,
           "the log ends before the checkpoint does");
    }
    const Lsn x = tail_.end.lsn + 1;
    const std::uint64_t bad_end = evidence.first_valid.value_or(garbage_end);
    if (size() < segment_->header.file_bytes && !HF_PLANTED(short_segment_is_believed)) {  // E3
      lose(DamageCase::proven_synced, size(), segment_->header.file_bytes - size(), x, 0,
           "the file is shorter than its header says (" + std::to_string(segment_->header.file_bytes) + " bytes)");
    } else if (tail_.proven >= x && !HF_PLANTED(proof_of_sync_is_ignored)) {  // E3
      const Lsn last = evidence.first_lsn > x ? evidence.first_lsn - 1 : tail_.proven;
      lose(DamageCase::proven_synced, at, bad_end - std::min(at, bad_end), x, last,
           "a frame that had been synced (up to lsn " + std::to_string(tail_.proven) + ") is missing or damaged");
    } else if (evidence.first_valid) {  // E2
      settle(LogVerdict::unacknowledged, at, "an unfinished group that was never acknowledged");
    } else if (garbage_end > at) {  // E1
      settle(LogVerdict::torn_tail, at, "a torn write at the end of the log");
    }  // else E0
    if (!stopped_) note_garbage(garbage_end - std::min(at, garbage_end));
    return std::nullopt;
  }

  struct Evidence {
    std::optional<std::uint64_t> first_valid;  ///< offset of the first valid frame
    Lsn first_lsn = 0;                         ///< smallest lsn beyond the end of the log among valid frames
    Lsn synced_lsn = 0;                        ///< the highest of all valid frames
  };

  [[nodiscard]] Evidence search_evidence(std::uint64_t at, std::uint64_t to) const {
    Evidence evidence;
    if (HF_PLANTED(nothing_is_looked_for_behind_damage)) return evidence;
    while (auto found = find_frame(bytes_, at, to, segment_->header.salt)) {
      if (!evidence.first_valid) evidence.first_valid = found->offset;
      const Lsn lsn = found->header.lsn;
      if (lsn > tail_.end.lsn && (evidence.first_lsn == 0 || lsn < evidence.first_lsn)) evidence.first_lsn = lsn;
      evidence.synced_lsn = std::max(evidence.synced_lsn, found->header.synced_lsn);
      at = found->end();
    }
    return evidence;
  }

  /// E5 inside a segment: frames from x on are damaged, but the first one behind them is still within, or right behind,
  /// what the checkpoint holds. Notes the loss and returns that frame.
  std::optional<FoundFrame> resume_below_checkpoint(std::uint64_t at) {
    const Lsn x = tail_.end.lsn + 1;
    if (x > options_.after && !HF_PLANTED(damaged_frame_is_skipped)) return std::nullopt;
    std::uint64_t from = at;
    while (auto found = find_frame(bytes_, from, size(), segment_->header.salt)) {
      from = found->end();
      const Lsn y = found->header.lsn;
      if (y < x || y > stop_) continue;
      if (y > options_.after + 1 && !HF_PLANTED(damaged_frame_is_skipped)) return std::nullopt;
      const bool joins =
          y != options_.base.lsn + 1 || options_.base.checksum == 0 || found->header.prev == options_.base.checksum;
      if (!joins) continue;
      lose(DamageCase::below_checkpoint, at, found->offset - at, x, std::max(x, y - 1), "a frame is damaged");
      return found;
    }
    return std::nullopt;
  }

  /// A segment whose header is damaged, or of another collection or name. A header is synced before the segment gets
  /// its name (W1), so a crash never leaves one. Without the salt no frame inside can be believed.
  Status unreadable_segment(bool last) {
    const Lsn x = tail_.end.lsn + 1;
    const std::string what = segment_->state == SegmentState::foreign
                                 ? "the header is of another log (collection or first lsn differ)"
                                 : "the header is damaged";
    if (!last) {  // E3, or E5
      lose(DamageCase::proven_synced, 0, size(), x, stop_, what);
      return {};
    }
    // Nothing but zeros behind the header: no frame was lost with it, unless something else proves x. The file must
    // have room for a frame: one that was cut down to its header says nothing about what it held.
    const bool empty = size() >= kSegmentHeaderBytes + kBlockBytes &&
                       find_nonzero(bytes_, kSegmentHeaderBytes) == size() &&
                       segment_->state == SegmentState::damaged_header;
    // Zeros from the first byte on are no damaged header but a file that was wiped, with whatever it held. Only one
    // that HEAD does not name yet cannot have held a frame.
    const bool wiped = find_nonzero(bytes_, 0) == size() && (head_ == 0 || head_ >= segment_->first_lsn);
    const bool lost = !empty || wiped || tail_.proven >= std::max(x, options_.after + 1);
    if (lost && !HF_PLANTED(log_of_unknown_format_is_ignored)) {  // E3
      lose(DamageCase::proven_synced, 0, size(), x, 0, what);
      return {};
    }
    if (x <= options_.after) {  // E5
      lose(DamageCase::below_checkpoint, 0, size(), x, options_.after, what + ", and the log ends there");
    }
    settle(LogVerdict::torn_tail, 0, what + ", and no frame was ever written behind it");  // E1
    note_garbage(end_of_nonzero(bytes_, 0));
    return {};
  }

  // --- the outcome ---

  /// Frames first..last (0: unknown) are missing. E5 if the checkpoint holds them all: the log then counts up to the
  /// last of them. Otherwise damage of the given case (not E5), for those that it does not hold.
  void lose(DamageCase rule, std::uint64_t offset, std::uint64_t length, Lsn first, Lsn last, std::string what) {
    if (last != 0 && (last <= options_.after || HF_PLANTED(damaged_frame_is_skipped))) {
      add_damage({DamageCase::below_checkpoint, segment_->name, offset, length, first, last, std::move(what)});
      tail_.end.lsn = std::max(tail_.end.lsn, last);
      chain_known_ = tail_.end.lsn == options_.base.lsn && options_.base.checksum != 0;
      tail_.end.checksum = chain_known_ ? options_.base.checksum : 0;
      return;
    }
    first = std::max(first, options_.after + 1);
    add_damage({rule, segment_->name, offset, length, first, last, std::move(what)});
  }

  /// E4, also if the checkpoint holds all that is known: the segment may have held more.
  void lose_newest() {
    add_damage({DamageCase::gap, std::string(kLogHeadFile), 0, 0, std::max(missing_newest_, options_.after + 1), 0,
                segment_name(missing_newest_) + ", named here as the newest segment, is missing"});
  }

  void add_damage(LogDamage damage) {
    const bool below = damage.rule == DamageCase::below_checkpoint;
    const std::string where =
        damage.segment.empty() ? options_.directory
                               : os::join(options_.directory, damage.segment) + " at " + std::to_string(damage.offset);
    damage.message = where + ": " + damage.message + "; missing: " + lsn_range(damage.first_lsn, damage.last_lsn) +
                     (below ? ", which the checkpoint holds" : "");
    if (!below) {
      tail_.verdict = LogVerdict::damage;
      stopped_ = true;
    } else if (tail_.verdict != LogVerdict::damage) {
      tail_.verdict = LogVerdict::damage_below_checkpoint;
    }
    add_reason(damage.message);
    tail_.damage.push_back(std::move(damage));
  }

  /// E1, E2: the log ends here. A loss below the checkpoint stays the verdict; the reason tells both.
  void settle(LogVerdict verdict, std::uint64_t offset, const std::string& what) {
    if (tail_.verdict == LogVerdict::complete) tail_.verdict = verdict;
    add_reason(os::join(options_.directory, segment_->name) + " at " + std::to_string(offset) + ": " + what +
               "; the log ends at lsn " + std::to_string(tail_.end.lsn));
  }

  void add_reason(const std::string& text) {
    if (!tail_.reason.empty()) tail_.reason += "; ";
    tail_.reason += text;
  }

  /// Only the garbage behind the last frame of the log, in its segment and in those after it, is ever cut.
  void note_garbage(std::uint64_t bytes) {
    tail_.bytes_cut = tail_.last_segment == segment_->name ? bytes : tail_.bytes_cut + bytes;
  }

  LogTail finish() {
    if (tail_.end.lsn < options_.after && tail_.verdict != LogVerdict::damage) {
      tail_.end = {options_.after, options_.base.checksum};
    }
    return std::move(tail_);
  }

  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] std::string path_of(const Segment& segment) const { return os::join(options_.directory, segment.name); }

  os::FileSystem& fs_;
  ReadLogOptions options_;
  const std::function<Status(const FrameView&)>& visit_;
  std::vector<Segment> segments_;
  const Segment* segment_ = nullptr;  ///< being read
  ByteSpan bytes_;                    ///< its file
  Lsn stop_ = 0;                      ///< the last lsn that it may hold
  bool chain_known_ = true;           ///< tail_.end.checksum is that of frame tail_.end.lsn
  bool stopped_ = false;              ///< damage was found
  Lsn head_ = 0;                      ///< first lsn of the segment that HEAD names; 0: it names none
  Lsn missing_newest_ = 0;            ///< HEAD names this segment, and it is not there; 0: all is well
  LogTail tail_;
};

}  // namespace

Result<LogTail> read_log(os::FileSystem& fs, const ReadLogOptions& options,
                         const std::function<Status(const FrameView&)>& visit) {
  return LogReader(fs, options, visit).run();
}

}  // namespace holdfast::storage
