#include "engine/commit_queue.h"

#include <new>

namespace holdfast::engine {

namespace {

// A group stays small enough that its last writer does not wait long and the log's buffer stays modest.
constexpr std::size_t kMaxGroupBytes = std::size_t{4} << 20;

}  // namespace

/// The requests from the front that are served together. Empty if not even room for their addresses is to be had.
void CommitQueue::form_group(std::vector<CommitRequest*>& group) const {
  std::size_t bytes = 0;
  try {
    for (CommitRequest* request = first_; request != nullptr; request = request->next_) {
      if (!group.empty() && (request->exclusive || bytes + request->body.size() > kMaxGroupBytes)) break;
      group.push_back(request);
      bytes += request->body.size();
      if (request->exclusive) break;
    }
  } catch (const std::bad_alloc&) {
    // A smaller group will do.
  }
}

void CommitQueue::submit(CommitRequest& request, const Work& work) {
  mutex_.lock();
  (first_ == nullptr ? first_ : last_->next_) = &request;
  last_ = &request;
  while (!request.done_ && first_ != &request) request.changed_.wait(mutex_);
  if (request.done_) {
    mutex_.unlock();
    return;
  }
  std::vector<CommitRequest*> found;
  form_group(found);
  mutex_.unlock();

  CommitRequest* const alone = &request;
  const std::span<CommitRequest* const> group =
      found.empty() ? std::span<CommitRequest* const>(&alone, 1) : std::span<CommitRequest* const>(found);
  try {
    work(group);
  } catch (const std::bad_alloc&) {
    // Whoever has no outcome keeps the status that it came with.
  }

  mutex_.lock();
  for (CommitRequest* member : group) {
    first_ = member->next_;
    if (member == &request) continue;
    member->done_ = true;
    member->changed_.notify_one();  // under the lock: the member's stack frame goes once it sees done_
  }
  if (first_ != nullptr) first_->changed_.notify_one();
  mutex_.unlock();
}

}  // namespace holdfast::engine
