// A bundle of segments, and a file "options" (u64 each): after, proven, base lsn, base checksum.
//
// Whatever the bytes: the reader gives a verdict; it visits only frames that are valid where they stand, in order and
// without a gap; what it accepts can be sealed, reads the same again, and can be gone on from.
#include <algorithm>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "fuzz/targets/bundle.h"
#include "fuzz/targets/repair.h"
#include "fuzz/targets/targets.h"
#include "storage/file_names.h"
#include "storage/wal_reader.h"
#include "storage/wal_writer.h"

namespace holdfast::fuzz {

namespace {

using testing::SimFileSystem;

constexpr Uuid kCollection{1, 2, 3};
constexpr const char* kDirectory = "/wal";
constexpr const char* kOptionsFile = "options";

struct Seen {
  Lsn lsn;
  std::uint64_t body;
  friend bool operator==(const Seen&, const Seen&) = default;
};

storage::ReadLogOptions options_of(const Bundle& bundle) {
  storage::ReadLogOptions options;
  options.directory = kDirectory;
  options.collection = kCollection;
  for (const BundledFile& file : bundle) {
    if (file.name != kOptionsFile) continue;
    ByteReader reader(file.bytes);
    // As far as they go; a manifest is refused with larger ones.
    (void)(reader.get(options.after) && reader.get(options.proven) && reader.get(options.base.lsn) &&
           reader.get(options.base.checksum));
    options.after &= storage::kMaxFileNumber / 2;
    options.base.lsn &= storage::kMaxFileNumber;
    if (options.base.lsn == 0) options.base.checksum = 0;  // before the first frame there is none
  }
  return options;
}

/// Every frame of a log; `problem` says which one should not have been visited.
Result<storage::LogTail> read(SimFileSystem& fs, const storage::ReadLogOptions& options, std::vector<Seen>& seen,
                              std::string& problem) {
  return storage::read_log(fs, options, [&](const storage::FrameView& frame) {
    const auto file = fs.read_whole(os::join(options.directory, frame.segment));
    storage::SegmentHeader header;
    if (!file.ok() || storage::decode_segment_header(*file, header) != storage::HeaderState::valid) {
      problem = "a frame of a segment without a valid header was visited";
    } else {
      const auto found = storage::decode_frame(*file, frame.offset, header.salt);
      if (!found || found->lsn != frame.lsn || found->length != frame.body.size()) {
        problem = "a frame was visited that is not valid where it stands";
      }
    }
    const Lsn expected = seen.empty() ? options.after + 1 : seen.back().lsn + 1;
    if (frame.lsn != expected) problem = "lsn " + std::to_string(frame.lsn) + " instead of " + std::to_string(expected);
    seen.push_back({frame.lsn, checksum64(frame.body)});
    return Status();
  });
}

std::string check_goes_on(SimFileSystem& fs, const storage::ReadLogOptions& options, const storage::LogTail& tail,
                          std::vector<Seen> expected) {
  const Bytes body(20, std::byte{5});
  {
    storage::WalWriter writer(fs, {options.directory, kCollection, 32 * 1024, tail.ends_with_mark}, tail.end);
    const std::vector<ByteSpan> bodies(2, ByteSpan(body));
    const auto first = writer.append(bodies);
    if (!first.ok()) return "the sealed log takes no frame: " + first.status().to_string();
    if (*first != tail.end.lsn + 1) return "the log goes on with another lsn";
    if (Status status = writer.sync(); !status.ok()) return "the sealed log does not sync: " + status.to_string();
  }
  for (Lsn lsn = 1; lsn <= 2; ++lsn) expected.push_back({tail.end.lsn + lsn, checksum64(body)});
  std::vector<Seen> seen;
  std::string problem;
  const auto longer = read(fs, options, seen, problem);
  if (!longer.ok()) return "the longer log does not read: " + longer.status().to_string();
  if (!problem.empty()) return problem;
  if (longer->verdict == storage::LogVerdict::damage) return "the longer log is damaged: " + longer->reason;
  return seen == expected ? "" : "the longer log holds other frames";
}

std::string check_sealed(SimFileSystem& fs, const storage::ReadLogOptions& options, const storage::LogTail& tail,
                         const std::vector<Seen>& expected) {
  if (const auto sealed = storage::seal_tail(fs, options, tail); !sealed.ok()) {
    return "the accepted tail cannot be sealed: " + sealed.status().to_string();
  }
  std::vector<Seen> seen;
  std::string problem;
  const auto again = read(fs, options, seen, problem);
  if (!again.ok()) return "the sealed log does not read: " + again.status().to_string();
  if (!problem.empty()) return problem;
  if (again->verdict == storage::LogVerdict::damage) return "the sealed log is damaged: " + again->reason;
  if (!(again->end == tail.end)) return "the sealed log ends elsewhere";
  if (seen != expected) return "the sealed log holds other frames";
  if (Status made = fs.create_directory("/copy"); !made.ok()) return made.to_string();
  if (storage::copy_log(fs, options, *again, "/copy").ok() && again->frames > 0) {
    storage::ReadLogOptions copied = options;
    copied.directory = "/copy";
    seen.clear();
    if (!read(fs, copied, seen, problem).ok() || seen != expected) return "the copy of the log holds other frames";
  }
  return check_goes_on(fs, options, *again, expected);
}

}  // namespace

std::string check_log(ByteSpan input) {
  const Bundle bundle = unpack(input);
  SimFileSystem fs(1);
  if (Status made = fs.create_directory(kDirectory); !made.ok()) return made.to_string();
  write_bundle(fs, kDirectory, bundle);
  const storage::ReadLogOptions options = options_of(bundle);
  std::vector<Seen> seen;
  std::string problem;
  const auto tail = read(fs, options, seen, problem);
  if (!problem.empty()) return problem;
  if (!tail.ok()) {
    return tail.status().code() == StatusCode::unsupported_format ? "" : "reading: " + tail.status().to_string();
  }
  if (tail->frames != seen.size()) return "frames are not counted right";
  if (tail->verdict == storage::LogVerdict::damage) {
    return tail->damage.empty() || tail->reason.empty() ? "a damage without a word" : "";
  }
  if (tail->end.lsn < options.after) return "the log ends below the checkpoint without damage";
  // Sealed as recovery does it, which does not read what lies below the checkpoint.
  storage::ReadLogOptions recovery = options;
  recovery.check_below = false;
  seen.clear();
  const auto own = read(fs, recovery, seen, problem);
  if (!problem.empty()) return problem;
  if (!own.ok() || own->verdict == storage::LogVerdict::damage) return "";
  return check_sealed(fs, recovery, *own, seen);
}

Bytes mutate_log(ByteSpan input, SeededRandom& random, const MutateBytes& mutate) {
  Bundle bundle = unpack(input);
  mutate_bundle(bundle, random, mutate);
  if (random.below(8) != 0) repair_store(bundle);
  return pack(bundle);
}

}  // namespace holdfast::fuzz
