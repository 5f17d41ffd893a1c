#include "engine/commit_queue.h"

namespace holdfast::engine {

namespace {

// A group stays small enough that its last writer does not wait long and the log's buffer stays modest.
constexpr std::size_t kMaxGroupBytes = std::size_t{4} << 20;

}  // namespace

std::vector<CommitRequest*> CommitQueue::form_group() const {
  std::vector<CommitRequest*> group;
  std::size_t bytes = 0;
  for (CommitRequest* request : queue_) {
    if (!group.empty() && (request->exclusive || bytes + request->body.size() > kMaxGroupBytes)) break;
    group.push_back(request);
    bytes += request->body.size();
    if (request->exclusive) break;
  }
  return group;
}

void CommitQueue::submit(CommitRequest& request, const Work& work) {
  mutex_.lock();
  queue_.push_back(&request);
  while (!request.done_ && queue_.front() != &request) request.changed_.wait(mutex_);
  if (request.done_) {
    mutex_.unlock();
    return;
  }
  const std::vector<CommitRequest*> group = form_group();
  mutex_.unlock();

  work(group);

  mutex_.lock();
  for (CommitRequest* member : group) {
    queue_.pop_front();
    if (member == &request) continue;
    member->done_ = true;
    member->changed_.notify_one();  // under the lock: the member's stack frame goes once it sees done_
  }
  if (!queue_.empty()) queue_.front()->changed_.notify_one();
  mutex_.unlock();
}

}  // namespace holdfast::engine
