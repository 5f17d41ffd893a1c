// The commit leader owns everything but `shared state` below; the background thread only ever makes next.tmp.
// The mutex is never held across a call of the file system, so a getter never waits for the disk.
#include "storage/wal_writer.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/mutex.h"
#include "base/plant.h"
#include "base/try.h"
#include "storage/file_names.h"
#include "storage/wal_head.h"
#include "storage/wal_segment.h"

namespace holdfast::storage {
namespace {

/// A group buffer that grew beyond this is given back after the group.
constexpr std::size_t kKeepBuffer = std::size_t{16} << 20;
/// Too large for the segment made ahead: the leader makes one of its own size under this name.
constexpr std::string_view kOversizeSegmentFile = "oversize.tmp";

}  // namespace

class WalWriter::Impl {
 public:
  Impl(os::FileSystem& fs, WalOptions options, LogEnd end)
      : fs_(fs),
        options_(std::move(options)),
        segment_bytes_(align_up(std::max(options_.segment_bytes, kSegmentHeaderBytes + kBlockBytes), kBlockBytes)),
        last_is_mark_(options_.ends_with_mark),
        end_(end),
        synced_lsn_(end.lsn) {}

  ~Impl() { close(); }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<Lsn> append(std::span<const ByteSpan> bodies) {
    HF_TRY(error());
    if (bodies.empty()) return Status(StatusCode::invalid_argument, "append to the log: no batch was given");
    for (const ByteSpan body : bodies) {
      if (body.size() > kMaxFrameBody) {
        return Status(StatusCode::invalid_argument, "append to the log: a batch of " + std::to_string(body.size()) +
                                                        " bytes is larger than the limit of " +
                                                        std::to_string(kMaxFrameBody));
      }
    }
    return append_group(bodies, FrameType::batch);
  }

  Status sync() {
    HF_TRY(error());
    const Lsn last = end().lsn;
    if (last == synced_lsn()) return {};
    Attempt attempt(*this);
    // Power fails here: the group may be there whole, in part or not at all; nobody was told that it is there.
    Status synced = HF_PLANTED(log_is_not_synced) ? Status() : current_.file->sync();
    if (!synced.ok() && HF_PLANTED(log_sync_is_retried)) {
      attempt.ended();
      return synced;
    }
    if (!synced.ok()) return poison(synced.with_context(current_.path));
    attempt.ended();
    const MutexLock lock(mutex_);
    synced_lsn_ = last;
    ++stats_.syncs;
    return {};
  }

  bool has_room(std::span<const ByteSpan> bodies) const {
    return current_.file && offset_ + group_bytes(bodies) <= current_.bytes;
  }

  Status roll() {
    HF_TRY(error());
    if (!current_.file || offset_ == kSegmentHeaderBytes) return {};
    if (!HF_PLANTED(log_rolls_without_sync)) HF_TRY(sync());  // W2
    current_ = {};
    dirty_end_ = 0;
    return {};
  }

  Status mark() {
    HF_TRY(error());
    if (end().lsn == 0 || last_is_mark_) return sync();
    HF_TRY(sync());
    const ByteSpan no_body;
    HF_TRY(append_group(std::span(&no_body, 1), FrameType::mark).status());
    return sync();
  }

  Status prepare_next() {
    {
      const MutexLock lock(mutex_);
      if (failed_) return error_locked();
      if (next_busy_ || ready_.file) return {};
      next_busy_ = true;
    }
    const NextName name(*this);
    SegmentFile made;
    StepFailure failure = make_zero_filled(fs_, os::join(options_.directory, kNextSegmentFile), segment_bytes_, made);
    Status status = finish_step(std::move(failure));
    const MutexLock lock(mutex_);
    if (status.ok()) ready_ = std::move(made);
    return status;
  }

  void close() noexcept {
    current_ = {};
    const MutexLock lock(mutex_);
    while (next_busy_) next_free_.wait(mutex_);
    failed_ = true;
    try {
      if (ready_.file) fs_.remove(ready_.path).ignore();  // garbage if it stays: the next open removes it
      if (error_.ok()) error_ = Status(StatusCode::closed, "the log is closed");
    } catch (const std::bad_alloc&) {
      // It is closed all the same.
    }
    ready_ = {};
  }

  bool wants_next() const {
    const MutexLock lock(mutex_);
    return half_full_ && !failed_ && !next_busy_ && !ready_.file;
  }
  LogEnd end() const {
    const MutexLock lock(mutex_);
    return end_;
  }
  Lsn synced_lsn() const {
    const MutexLock lock(mutex_);
    return synced_lsn_;
  }
  WalStats stats() const {
    const MutexLock lock(mutex_);
    return stats_;
  }
  Status error() const {
    const MutexLock lock(mutex_);
    return error_locked();
  }
  bool failed() const noexcept {
    const MutexLock lock(mutex_);
    return failed_;
  }

 private:
  /// W4: from the call that a later one must not repeat until its outcome is known. An error whose words found no
  /// memory is an error all the same.
  class Attempt {
   public:
    explicit Attempt(Impl& impl) noexcept : impl_(impl) {}
    ~Attempt() {
      if (ended_) return;
      const MutexLock lock(impl_.mutex_);
      impl_.failed_ = true;
    }
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;
    void ended() noexcept { ended_ = true; }

   private:
    Impl& impl_;
    bool ended_ = false;
  };

  Status error_locked() const HF_REQUIRES(mutex_) {
    if (error_.ok() && failed_) return {StatusCode::read_only, "the log takes no more writes since memory was short"};
    return error_;
  }

  static std::uint64_t group_bytes(std::span<const ByteSpan> bodies) {
    std::uint64_t bytes = 0;
    for (const ByteSpan body : bodies) bytes += frame_bytes(body.size());
    return align_up(bytes, kBlockBytes);
  }

  Result<Lsn> append_group(std::span<const ByteSpan> bodies, FrameType type) {
    const std::uint64_t bytes = group_bytes(bodies);
    HF_TRY(make_room(bytes));

    const LogEnd before = end();
    const LogEnd after = encode(bodies, type, before, bytes);
    Attempt attempt(*this);
    // Power fails here or during the write: any subset of the sectors. The frame after the last whole one fails its
    // checksum or its chain, and no later frame claims that it was synced.
    if (Status written = current_.file->write_at(offset_, buffer_); !written.ok()) {
      if (HF_PLANTED(log_keeps_half_a_frame)) offset_ += kBlockBytes;
      if (HF_PLANTED(log_goes_on_after_an_error) ||
          (HF_PLANTED(log_keeps_a_refused_write) && written.code() == StatusCode::disk_full)) {
        attempt.ended();
        return written;
      }
      if (written.code() != StatusCode::disk_full) return poison(written.with_context(current_.path));
      Status unmade = roll_back();
      if (!unmade.ok() && unmade.code() != StatusCode::disk_full) return poison(std::move(unmade));
      const StatusCode code = unmade.ok() ? StatusCode::disk_full : StatusCode::outcome_unknown;
      Status told(code, std::string(written.with_context(current_.path).message()));
      attempt.ended();
      return told;
    }
    attempt.ended();
    offset_ += bytes;
    last_is_mark_ = type == FrameType::mark;
    {
      const MutexLock lock(mutex_);
      end_ = after;
      half_full_ = offset_ * 2 >= current_.bytes;
      ++stats_.groups;
      stats_.frames += bodies.size();
      stats_.bytes += bytes;
    }
    if (buffer_.capacity() > kKeepBuffer) Bytes().swap(buffer_);
    return before.lsn + 1;
  }

  /// Fills buffer_ with one frame per body, then zeros: to the end of the group, and over what a failed attempt may
  /// have left behind it. Returns the end of the log once the buffer is written.
  LogEnd encode(std::span<const ByteSpan> bodies, FrameType type, LogEnd previous, std::uint64_t bytes) {
    if (HF_PLANTED(log_leftovers_stay)) dirty_end_ = 0;
    buffer_.resize(static_cast<std::size_t>(std::max(bytes, dirty_end_ > offset_ ? dirty_end_ - offset_ : 0)));
    FrameHeader header;
    header.type = type;
    header.synced_lsn = HF_PLANTED(frames_prove_nothing) ? 0 : synced_lsn();
    std::size_t at = 0;
    for (const ByteSpan body : bodies) {
      const std::size_t used = kFrameHeaderBytes + body.size();
      const auto padded = static_cast<std::size_t>(frame_bytes(body.size()));
      if (!body.empty()) std::memcpy(buffer_.data() + at + kFrameHeaderBytes, body.data(), body.size());
      header.length = static_cast<std::uint32_t>(body.size());
      header.lsn = ++previous.lsn;
      header.prev = previous.checksum;
      previous.checksum = encode_frame_header(header, salt_, std::span(buffer_).subspan(at, used));
      std::memset(buffer_.data() + at + used, 0, padded - used);
      at += padded;
    }
    std::memset(buffer_.data() + at, 0, buffer_.size() - at);
    return previous;
  }

  /// W5: the group at offset_ was not written, or only a part of it, for lack of space. ok: it is unmade. disk_full: it
  /// may come back whole or as a prefix, unacknowledged, never torn. Anything else: as any failed write or sync.
  Status roll_back() {
    // Leftovers of the attempt carry the right salt. The next group's write covers them all; until then, unmaking the
    // attempt's first block breaks their chain, so that a write that was refused does not come back after a crash.
    const std::uint64_t attempted = std::min<std::uint64_t>(buffer_.size(), current_.bytes - offset_);
    dirty_end_ = std::max(dirty_end_, offset_ + attempted);
    std::memset(buffer_.data(), 0, kBlockBytes);
    HF_TRY(current_.file->write_at(offset_, ByteSpan(buffer_).first(kBlockBytes)));
    // Power fails here, or during the sync: the attempt may come back, and nobody was told yet that it does not.
    Status synced = current_.file->sync();
    if (synced.code() != StatusCode::disk_full) return synced;
    return {StatusCode::io_error, std::string(synced.message())};  // a failed sync, whatever its reason
  }

  Status make_room(std::uint64_t bytes) {
    if (current_.file && offset_ + bytes <= current_.bytes) return {};
    if (current_.file && !HF_PLANTED(full_segment_is_not_synced))
      HF_TRY(sync());  // W2: the successor's header will say where this segment ends
    // The old segment stays current until the new one is in place: on a full disk a smaller group still fits into it.
    const bool oversize = kSegmentHeaderBytes + bytes > segment_bytes_;
    if (!oversize) reserve_next_name();
    const NextName name(*this, !oversize);
    SegmentFile next;
    StepFailure failure = oversize ? make_zero_filled(fs_, os::join(options_.directory, kOversizeSegmentFile),
                                                      kSegmentHeaderBytes + bytes, next)
                                   : take_next(next);
    Status status = finish_step(std::move(failure));
    if (status.ok()) status = take_into_use(std::move(next));
    return status;
  }

  /// Waits for the background thread if it is making the next segment, and keeps it away from next.tmp until that file
  /// has its final name.
  void reserve_next_name() {
    const MutexLock lock(mutex_);
    while (next_busy_) next_free_.wait(mutex_);
    next_busy_ = true;
  }
  /// Whoever set next_busy_ holds one: it is given back also when memory is short on the way.
  class NextName {
   public:
    explicit NextName(Impl& impl, bool held = true) noexcept : impl_(impl), held_(held) {}
    ~NextName() {
      if (!held_) return;
      const MutexLock lock(impl_.mutex_);
      impl_.next_busy_ = false;
      impl_.next_free_.notify_all();
    }
    NextName(const NextName&) = delete;
    NextName& operator=(const NextName&) = delete;

   private:
    Impl& impl_;
    const bool held_;
  };

  /// The segment made ahead, or one made now.
  StepFailure take_next(SegmentFile& next) {
    {
      const MutexLock lock(mutex_);
      if (failed_) return {error_locked(), false};
      if (ready_.file) {
        next = std::exchange(ready_, {});
        return {};
      }
    }
    return make_zero_filled(fs_, os::join(options_.directory, kNextSegmentFile), segment_bytes_, next);
  }

  /// W1: header, sync, rename, directory sync, HEAD; only then may a frame follow.
  Status take_into_use(SegmentFile next) {
    SegmentHeader header;
    header.collection = options_.collection;
    header.previous = end();
    header.first_lsn = header.previous.lsn + 1;
    header.salt = fs_.random_u64();
    header.file_bytes = next.bytes;
    std::array<std::byte, kSegmentHeaderBytes> sector;
    encode_segment_header(header, sector);
    Attempt attempt(*this);
    Status headed = next.file->write_at(0, sector);
    // Power fails here: a temporary file, removed by the next open.
    if (headed.ok() && !HF_PLANTED(segment_header_is_not_synced)) headed = next.file->sync();
    if (headed.ok()) {
      StepFailure pointer = prepare_log_head(fs_, options_.directory, options_.collection, header.first_lsn);
      if (!pointer.status.ok()) {
        fs_.remove(next.path).ignore();  // no frame is in it; best effort
        Status told = finish_step(std::move(pointer));
        attempt.ended();
        return told;
      }
    }
    std::string path = os::join(options_.directory, segment_name(header.first_lsn));
    if (headed.ok()) headed = fs_.rename(next.path, path);
    if (!headed.ok()) {
      fs_.remove(next.path).ignore();  // no frame is in it; best effort
      if (headed.code() != StatusCode::disk_full) return poison(std::move(headed));
      attempt.ended();
      return headed;
    }
    // Power fails here: the segment is there with its header and no frame, or not at all; both mean the same log.
    Status synced = HF_PLANTED(segment_name_is_not_synced) ? Status() : fs_.sync_directory(options_.directory);
    if (!synced.ok()) return poison(std::move(synced));
    if (Status named = rename_log_head(fs_, options_.directory); !named.ok()) {
      Status told = give_back(path, std::move(named));
      attempt.ended();
      return told;
    }
    // Power fails here: HEAD names this segment or the one before it; both are there.
    synced = fs_.sync_directory(options_.directory);
    if (!synced.ok()) return poison(std::move(synced));
    attempt.ended();
    next.path = std::move(path);  // nothing may fail between the new name and its use: the old segment has a successor
    current_ = std::move(next);
    offset_ = kSegmentHeaderBytes;
    dirty_end_ = 0;
    salt_ = header.salt;
    const MutexLock lock(mutex_);
    half_full_ = false;
    return {};
  }

  /// HEAD could not name the segment at `path`: for lack of space, the log stands as before once the segment is gone
  /// again (W5). HEAD is as it was.
  Status give_back(const std::string& path, Status cause) {
    if (cause.code() != StatusCode::disk_full) return poison(std::move(cause));
    Status undone = fs_.remove(path);
    if (undone.ok()) undone = fs_.sync_directory(options_.directory);
    // Power fails here: the segment is there without a frame, or not at all.
    if (!undone.ok()) return poison(std::move(undone));
    return cause;
  }

  Status finish_step(StepFailure failure) {
    return failure.fatal ? poison(std::move(failure.status)) : std::move(failure.status);
  }

  /// W4: remembers the first cause and returns it.
  Status poison(Status cause) {
    const MutexLock lock(mutex_);
    failed_ = true;
    if (error_.ok()) error_ = Status(StatusCode::read_only, "the log takes no more writes since: " + cause.to_string());
    return cause;
  }

  // Of the leader.
  os::FileSystem& fs_;
  const WalOptions options_;
  const std::uint64_t segment_bytes_;
  SegmentFile current_;          ///< no file: the next group starts a segment
  std::uint64_t offset_ = 0;     ///< of the next group in current_
  std::uint64_t dirty_end_ = 0;  ///< a failed attempt may have left bytes in [offset_, dirty_end_)
  std::uint64_t salt_ = 0;
  bool last_is_mark_ = false;
  Bytes buffer_;

  // Shared state.
  mutable Mutex mutex_;
  CondVar next_free_;
  LogEnd end_ HF_GUARDED_BY(mutex_);
  Lsn synced_lsn_ HF_GUARDED_BY(mutex_);
  WalStats stats_ HF_GUARDED_BY(mutex_);
  Status error_ HF_GUARDED_BY(mutex_);
  bool failed_ HF_GUARDED_BY(mutex_) = false;  ///< also if there was no memory for error_
  bool half_full_ HF_GUARDED_BY(mutex_) = false;
  bool next_busy_ HF_GUARDED_BY(mutex_) = false;  ///< somebody works on next.tmp
  SegmentFile ready_ HF_GUARDED_BY(mutex_);       ///< next.tmp, filled with zeros and synced
};

WalWriter::WalWriter(os::FileSystem& fs, WalOptions options, LogEnd end)
    : impl_(std::make_unique<Impl>(fs, std::move(options), end)) {}
WalWriter::~WalWriter() = default;

Result<Lsn> WalWriter::append(std::span<const ByteSpan> bodies) { return impl_->append(bodies); }
Status WalWriter::sync() { return impl_->sync(); }
Status WalWriter::roll() { return impl_->roll(); }
Status WalWriter::mark() { return impl_->mark(); }
Status WalWriter::prepare_next() { return impl_->prepare_next(); }
void WalWriter::close() noexcept { impl_->close(); }
bool WalWriter::wants_next() const { return impl_->wants_next(); }
LogEnd WalWriter::end() const { return impl_->end(); }
Lsn WalWriter::synced_lsn() const { return impl_->synced_lsn(); }
WalStats WalWriter::stats() const { return impl_->stats(); }
Status WalWriter::error() const { return impl_->error(); }
bool WalWriter::failed() const noexcept { return impl_->failed(); }
bool WalWriter::has_room(std::span<const ByteSpan> bodies) const { return impl_->has_room(bodies); }

}  // namespace holdfast::storage
