// The queue of writers and its leader (the scheme of LevelDB's writer queue).
//
// Every writer puts its request at the end and waits. The one at the front is the leader: it takes the requests behind
// it as one group and does the work for all (commit.cc), so that one fdatasync serves many. There is no committer
// thread: with one writer, nobody is woken.
//
// Whoever leads is alone: work that must not run beside a commit (starting a checkpoint, flush, close) comes as an
// exclusive request and leads a group of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/coding.h"
#include "base/mutex.h"
#include "engine/record.h"
#include "holdfast/types.h"

namespace holdfast::engine {

struct CommitRequest {
  // The request.
  Bytes body;                                 ///< encoded batch
  std::vector<PreparedOperation> operations;  ///< of `body`
  bool wants_sync = true;
  std::function<Status()> exclusive;  ///< instead of a batch
  // The outcome.
  Status status;
  WriteReceipt receipt;

 private:
  friend class CommitQueue;
  CondVar changed_;
  CommitRequest* next_ = nullptr;  ///< behind this one in the queue
  bool done_ = false;
};

class CommitQueue {
 public:
  using Work = std::function<void(std::span<CommitRequest* const> group)>;

  /// Blocks until the request is done: by this thread as a leader, which calls `work` on its group, or by another.
  /// Takes no memory that could be short. If `work` throws bad_alloc, its group is done: whoever it gave no status
  /// keeps the one that the request came with.
  void submit(CommitRequest& request, const Work& work) HF_EXCLUDES(mutex_);
  /// Nobody is committing: everything that was logged is published, or has failed.
  [[nodiscard]] bool idle() const HF_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return first_ == nullptr;
  }

 private:
  void form_group(std::vector<CommitRequest*>& group) const HF_REQUIRES(mutex_);

  mutable Mutex mutex_;
  CommitRequest* first_ HF_GUARDED_BY(mutex_) = nullptr;
  CommitRequest* last_ HF_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace holdfast::engine
