// Which frames behind damage can be believed.
//
// A frame with a right checksum was written by the log's own writer into this very segment. It still may not count: a
// group that was refused for lack of space leaves frames behind the end of the log (wal_writer.cc, roll_back), with
// lsns that were given out again later. They are told apart thus:
//  V1. Of a segment with a successor, frames from the successor's first lsn on do not count.
//  V2. A frame with the lsn right behind the last one must name its checksum (`prev`).
//  V3. `synced_lsn` never goes back from one frame to the next: a left-over knows less than the frames before it.
//  V4. Behind a gap, the missing frames must be proven to have been synced (wal_reader.cc, E3 against E2).
#include "storage/wal_salvage.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "base/try.h"
#include "storage/file_names.h"
#include "storage/wal_scan.h"

namespace holdfast::storage {
namespace {

/// Names and damaged records may say any number; nobody ever wrote that many batches.
constexpr Lsn kPlausibleLsn = Lsn{1} << 62;

struct Segment {
  std::string name;
  SegmentHeader header;
};

class RemainsReader {
 public:
  RemainsReader(os::FileSystem& fs, const ReadLogOptions& options, const LogTail& tail,
                const std::function<Status(const FrameView&)>& visit)
      : fs_(fs), options_(options), visit_(visit), last_(tail.end) {
    remains_.proven = tail.proven < kPlausibleLsn ? tail.proven : tail.end.lsn;
  }

  Result<LogRemains> run() {
    HF_TRY(find_segments());
    for (std::size_t i = 0; i < segments_.size(); ++i)
      HF_TRY(for_each_frame(i, [this](const FoundFrame& found, ByteSpan) {
        remains_.proven = std::max(remains_.proven, found.header.synced_lsn);  // wal_format.h: always below its lsn
        return Status();
      }));
    const Lsn end = last_.lsn;
    for (std::size_t i = 0; i < segments_.size() && !ended_; ++i) {
      const std::string_view name = segments_[i].name;
      HF_TRY(for_each_frame(i, [&](const FoundFrame& found, ByteSpan bytes) { return consider(name, found, bytes); }));
    }
    const Lsn known = std::max(last_.lsn, remains_.proven);
    remains_.missing_lsns = known - std::min(known, end) - std::min(remains_.frames, known - std::min(known, end));
    return remains_;
  }

 private:
  Status find_segments() {
    HF_ASSIGN(const auto entries, fs_.list(options_.directory));
    for (const os::DirectoryEntry& entry : entries) {
      const ParsedName parsed = parse_name(entry.name);
      if (parsed.kind != FileKind::segment || entry.is_directory) continue;
      Segment segment{entry.name, {}};
      HF_ASSIGN(const auto file, fs_.open(os::join(options_.directory, entry.name), os::FileSystem::Access::read));
      std::array<std::byte, kSegmentHeaderBytes> sector;
      HF_ASSIGN(const std::size_t count, file->read_at(0, sector));
      const HeaderState state = decode_segment_header(ByteSpan(sector).first(count), segment.header);
      const bool own = segment.header.collection == options_.collection && segment.header.first_lsn == parsed.number;
      if (state != HeaderState::valid || !own || parsed.number > kPlausibleLsn) continue;  // no frame can be believed
      segments_.push_back(std::move(segment));
    }
    return {};
  }

  template <class Each>
  Status for_each_frame(std::size_t i, Each each) {
    const Lsn stop = i + 1 < segments_.size() ? segments_[i + 1].header.first_lsn : kPlausibleLsn;  // V1
    if (stop <= last_.lsn + 1 && i + 1 < segments_.size()) return {};
    HF_ASSIGN(const auto file, fs_.open(os::join(options_.directory, segments_[i].name), os::FileSystem::Access::read));
    HF_ASSIGN(const SegmentBytes content, read_segment_bytes(*file));
    const ByteSpan bytes = content.bytes();
    std::uint64_t at = kSegmentHeaderBytes;
    while (const auto found = find_frame(bytes, at, bytes.size(), segments_[i].header.salt)) {
      at = found->end();
      if (found->header.lsn < stop) HF_TRY(each(*found, bytes));
      if (ended_) break;
    }
    return {};
  }

  Status consider(std::string_view segment, const FoundFrame& found, ByteSpan bytes) {
    const FrameHeader& header = found.header;
    if (header.lsn <= last_.lsn) return {};
    const bool next = header.lsn == last_.lsn + 1;
    if (next && last_.checksum != 0 && header.prev != last_.checksum) return {};  // V2
    if (header.synced_lsn < synced_) return {};                                   // V3
    if (!next && remains_.proven < last_.lsn + 1) {                               // V4
      ended_ = true;
      return {};
    }
    last_ = {header.lsn, header.checksum};
    synced_ = header.synced_lsn;
    ++remains_.frames;
    remains_.last_lsn = header.lsn;
    FrameView view;
    view.segment = segment;
    view.offset = found.offset;
    view.length = kFrameHeaderBytes + header.length;
    view.type = header.type;
    view.lsn = header.lsn;
    view.synced_lsn = header.synced_lsn;
    view.body = bytes.subspan(found.offset + kFrameHeaderBytes, header.length);
    return visit_ ? visit_(view) : Status();
  }

  os::FileSystem& fs_;
  const ReadLogOptions& options_;
  const std::function<Status(const FrameView&)>& visit_;
  std::vector<Segment> segments_;
  LogEnd last_;
  Lsn synced_ = 0;  ///< of the last frame
  bool ended_ = false;
  LogRemains remains_;
};

}  // namespace

Result<LogRemains> read_behind_damage(os::FileSystem& fs, const ReadLogOptions& options, const LogTail& tail,
                                      const std::function<Status(const FrameView&)>& visit) {
  return RemainsReader(fs, options, tail, visit).run();
}

}  // namespace holdfast::storage
