// The store that is copied belongs to another process, or another part of this one, and goes on: writers append to the
// log, checkpoints add extents and manifests and remove old ones. There is no lock between us, only what the files
// promise:
//  S1. A manifest, once there, never changes; extents never change and their numbers are never given out again. So a
//      manifest and the extents it names are one frozen image for as long as they are all there, and a hard link keeps
//      an extent there.
//  S2. The extents of a manifest, and the log behind it, go away only after two newer manifests are durable (K3 of
//      checkpoint.cc).
//  S3. A frame that was acknowledged is in the log, whole, from then on, and so is everything before it.
//
// What this file makes of it:
//  C1. The image is that of the newest manifest that is sound, as in recovery (R1 of recovery.cc); then the log is
//  read,
//      which began before the image ends (S2). By S3 the copy holds everything that was acknowledged before the call.
//  C2. Of the log, exactly the frames that the reader accepts are copied, and the copy is read back
//  (storage::copy_log). C3. Beginning again. A name that is gone, or a log that reads as damaged, means one of two
//  things: the store went on
//      between two of our steps, or something is broken. They are told apart by evidence, not by patience: if the
//      store went on, it shows: there is a newer manifest, or the log begins or breaks elsewhere. Then the image that
//      was begun is obsolete, and the copy begins again with the new one. If a second attempt meets the same store and
//      the same complaint, nothing has moved, and it is damage. (Why the log may read as damaged: the reader looks for
//      frames behind a gap; the writer may fill the gap, sync, and write on between the two looks. Read again, the gap
//      is gone.) Attempts are bounded, since a store may write checkpoints faster than they can be copied.
#include "engine/collection_copy.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/try.h"
#include "engine/recovery.h"
#include "storage/file_names.h"
#include "storage/wal_reader.h"

namespace holdfast::engine {

namespace {

using storage::ExtentInfo;
using storage::Manifest;

constexpr int kMaxAttempts = 32;

bool may_be_motion(const Status& status) {
  return status.code() == StatusCode::not_found || status.code() == StatusCode::data_damaged;
}

std::uint64_t data_bytes(const Manifest& manifest) {
  std::uint64_t bytes = 0;
  for (const ExtentInfo& extent : manifest.extents) bytes += extent.data_bytes;
  return bytes;
}

class CollectionCopy {
 public:
  CollectionCopy(os::FileSystem& fs, const CopyRequest& request, CopyMeter& meter)
      : fs_(fs),
        request_(request),
        meter_(meter),
        before_(meter.mark()),
        source_extents_(os::join(request.source, storage::kExtentDirectory)),
        staged_extents_(os::join(request.staged, storage::kExtentDirectory)),
        link_(request.hard_links) {}

  /// C3.
  Status run() {
    HF_TRY(read_previous());
    std::string last_seen;
    for (int attempt = 1;; ++attempt) {
      Status status = copy();
      if (status.ok()) return status;
      remove_collection_files(fs_, request_.staged)
          .ignore();  // an open ignores what is left, the next backup removes it
      if (!may_be_motion(status)) return status;
      HF_ASSIGN(const bool there, fs_.exists(request_.source));
      if (!there) return {StatusCode::not_found, "the collection was dropped"};
      HF_ASSIGN(std::string seen, what_is_seen());
      seen += status.to_string();
      if (seen == last_seen) return {StatusCode::data_damaged, std::string(status.message())};
      if (attempt == kMaxAttempts) {
        return {StatusCode::io_error, request_.source + ": the store changes faster than it can be copied (" +
                                          std::to_string(attempt) + " attempts); last: " + status.to_string()};
      }
      last_seen = std::move(seen);
    }
  }

  [[nodiscard]] const BackupReport& report() const noexcept { return report_; }

 private:
  /// Newest manifest and first segment: what changes when the store goes on in a way that can take files from us.
  Result<std::string> what_is_seen() {
    std::string seen;
    if (auto generations = storage::list_manifests(fs_, request_.source); generations.ok()) {
      if (!generations->empty()) seen = storage::manifest_name(generations->front());
    } else if (generations.status().code() != StatusCode::not_found) {
      return generations.status();
    }
    auto entries = fs_.list(os::join(request_.source, storage::kWalDirectory));
    if (!entries.ok() && entries.status().code() != StatusCode::not_found) return entries.status();
    if (entries.ok() && !entries->empty()) seen += entries->front().name;
    return seen;
  }

  /// The extents of the earlier copy. Whatever is wrong with it only means that less can be used again.
  Status read_previous() {
    if (request_.previous.empty()) return {};
    HF_ASSIGN(const bool there, fs_.exists(request_.previous));
    if (!there) return {};
    auto generations = storage::list_manifests(fs_, request_.previous);
    if (!generations.ok()) return {};
    for (const std::uint64_t generation : *generations) {
      auto manifest = storage::read_manifest(fs_, request_.previous, generation);
      if (!manifest.ok() || manifest->collection != request_.entry.uuid) continue;
      for (const ExtentInfo& extent : manifest->extents) previous_.emplace(extent.number, extent);
    }
    return {};
  }

  Status begin() {
    report_ = {};
    meter_.back_to(before_);
    HF_TRY(remove_collection_files(fs_, request_.staged));
    HF_TRY(fs_.create_directory(request_.staged));
    HF_TRY(fs_.create_directory(staged_extents_));
    return fs_.create_directory(os::join(request_.staged, storage::kWalDirectory));
  }

  Status copy() {
    HF_ASSIGN(const auto generations, storage::list_manifests(fs_, request_.source));
    Lsn proven = 0;
    std::vector<Manifest> readable;  // newest first
    Status damage(StatusCode::data_damaged, request_.source + " has no manifest: its checkpoint is lost");
    bool damaged = false;
    for (const std::uint64_t generation : generations) {
      auto manifest = storage::read_manifest(fs_, request_.source, generation);
      if (manifest.ok() && manifest->collection == request_.entry.uuid) {
        proven = std::max(proven, manifest->lsn);
        readable.push_back(std::move(manifest).value());
        continue;
      }
      if (!manifest.ok() && manifest.status().code() != StatusCode::data_damaged) return manifest.status();
      if (!std::exchange(damaged, true)) {
        damage = manifest.ok()
                     ? Status(StatusCode::data_damaged, os::join(request_.source, storage::manifest_name(generation)) +
                                                            " belongs to another collection")
                     : manifest.status();
      }
    }
    for (const Manifest& manifest : readable) {
      Status placed = copy_extents(manifest);
      if (placed.ok()) return finish(manifest, proven);
      if (!may_be_motion(placed)) return placed;
      if (!std::exchange(damaged, true)) damage = std::move(placed);
    }
    return damage;
  }

  /// C1, the image.
  Status copy_extents(const Manifest& manifest) {
    HF_TRY(begin());
    meter_.expect(data_bytes(manifest));
    for (const ExtentInfo& extent : manifest.extents) {
      HF_TRY(place(extent));
      meter_.advance(extent.data_bytes);
    }
    return fs_.sync_directory(staged_extents_);
  }

  Status place(const ExtentInfo& extent) {
    const std::string name = storage::extent_name(extent.number);
    const std::string from = os::join(source_extents_, name);
    const std::string to = os::join(staged_extents_, name);
    if (keep(extent, to)) return {};
    if (link_) {
      Status linked = fs_.link(from, to);
      if (linked.ok()) {
        HF_TRY(check(extent, request_.read_all));
        ++report_.files_linked;
        report_.bytes_shared += extent.data_bytes;
        return {};
      }
      if (linked.code() != StatusCode::invalid_argument) return linked;
      link_ = false;  // not between these two places
    }
    HF_ASSIGN(const std::uint64_t bytes, os::copy_file(fs_, from, to));
    HF_TRY(check(extent, true));
    ++report_.files_copied;
    report_.bytes_copied += bytes;
    return {};
  }

  /// Uses the earlier copy's file if it is the same: number and checksum of header and page table (S1). If its pages
  /// are read and one is damaged, it is taken from the source again.
  bool keep(const ExtentInfo& extent, const std::string& to) {
    const auto found = previous_.find(extent.number);
    if (found == previous_.end() || found->second != extent) return false;
    const std::string directory = os::join(request_.previous, storage::kExtentDirectory);
    const auto opened = storage::Extent::open(fs_, directory, request_.entry.uuid, extent);
    if (!opened.ok() || (request_.read_all && !(*opened)->verify_all().ok())) return false;
    if (!fs_.link(os::join(directory, storage::extent_name(extent.number)), to).ok()) return false;
    ++report_.files_kept;
    report_.bytes_shared += extent.data_bytes;
    return true;
  }

  /// Header and page table, and the pages of what was copied. Damage is reported with the source's file name.
  Status check(const ExtentInfo& extent, bool pages) {
    const auto check_in = [&](const std::string& directory) -> Status {
      HF_ASSIGN(const auto opened, storage::Extent::open(fs_, directory, request_.entry.uuid, extent));
      return pages ? opened->verify_all() : Status();
    };
    Status copied = check_in(staged_extents_);
    if (copied.code() != StatusCode::data_damaged) return copied;
    HF_TRY(check_in(source_extents_));
    return copied;  // the source is sound: what we wrote is not what we read
  }

  /// C2, and the manifest.
  Status finish(const Manifest& manifest, Lsn proven) {
    storage::ReadLogOptions options;
    options.directory = os::join(request_.source, storage::kWalDirectory);
    options.collection = request_.entry.uuid;
    options.after = manifest.lsn;
    options.check_below = false;
    options.base = {manifest.lsn, manifest.log_checksum};
    options.proven = proven;
    HF_ASSIGN(const storage::LogTail tail, storage::read_log(fs_, options, {}));
    if (tail.verdict == storage::LogVerdict::damage) {
      return {StatusCode::data_damaged,
              "the log of collection '" + request_.entry.name + "' is damaged: " + tail.reason};
    }
    if (tail.verdict == storage::LogVerdict::damage_below_checkpoint && tail.frames > 0) {
      return {StatusCode::data_damaged, "the log of collection '" + request_.entry.name +
                                            "' is damaged where its checkpoint holds everything: " + tail.reason +
                                            "; write a checkpoint (holdfast checkpoint), then back up again"};
    }
    HF_ASSIGN(const storage::LogCopy log,
              storage::copy_log(fs_, options, tail, os::join(request_.staged, storage::kWalDirectory)));
    report_.files_copied += log.files;
    report_.bytes_copied += log.bytes;
    meter_.expect(log.bytes);
    meter_.advance(log.bytes);
    HF_TRY(storage::write_manifest(fs_, request_.staged, manifest));  // syncs `staged` as well
    ++report_.files_copied;
    const std::string written = os::join(request_.staged, storage::manifest_name(manifest.generation));
    HF_ASSIGN(const auto file, fs_.open(written, os::FileSystem::Access::read));
    HF_ASSIGN(const std::uint64_t bytes, file->size());
    report_.bytes_copied += bytes;
    return {};
  }

  os::FileSystem& fs_;
  const CopyRequest& request_;
  CopyMeter& meter_;
  const CopyMeter::Mark before_;
  const std::string source_extents_, staged_extents_;
  bool link_;
  std::map<std::uint64_t, ExtentInfo> previous_;  ///< by number
  BackupReport report_;                           ///< of the current attempt
};

}  // namespace

void CopyMeter::advance(std::uint64_t bytes) {
  done_ += bytes;
  if (report_) report_(done_, std::max(done_, total_));
}

Status copy_collection(os::FileSystem& fs, const CopyRequest& request, CopyMeter& meter, BackupReport& report) {
  CollectionCopy copy(fs, request, meter);
  HF_TRY(copy.run());
  const BackupReport& done = copy.report();
  ++report.collections;
  report.files_linked += done.files_linked;
  report.files_copied += done.files_copied;
  report.files_kept += done.files_kept;
  report.bytes_copied += done.bytes_copied;
  report.bytes_shared += done.bytes_shared;
  return {};
}

}  // namespace holdfast::engine
