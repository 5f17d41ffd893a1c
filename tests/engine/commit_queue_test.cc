#include "engine/commit_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace holdfast::engine {
namespace {

TEST(CommitQueue, one_leader_at_a_time_and_everybody_is_served_once) {
  CommitQueue queue;
  std::atomic<int> leading{0};
  std::uint64_t served = 0;  // guarded by leadership
  constexpr std::uint64_t kThreads = 8, kEach = 500;
  const auto work = [&](std::span<CommitRequest* const> group) {
    EXPECT_EQ(leading.fetch_add(1), 0);
    for (CommitRequest* request : group) request->receipt.lsn = ++served;
    leading.fetch_sub(1);
  };
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        Lsn last = 0;
        for (std::uint64_t i = 0; i < kEach; ++i) {
          CommitRequest request;
          queue.submit(request, work);
          EXPECT_GT(request.receipt.lsn, last) << "a thread's writes are in its order";
          last = request.receipt.lsn;
        }
      });
    }
  }
  EXPECT_EQ(served, kThreads * kEach);
}

TEST(CommitQueue, an_exclusive_request_leads_a_group_of_its_own) {
  CommitQueue queue;
  std::atomic<bool> entered{false};
  std::atomic<int> waiting{0};
  std::vector<std::size_t> groups;  // guarded by leadership
  const auto work = [&](std::span<CommitRequest* const> group) {
    for (const CommitRequest* request : group) {
      if (request->exclusive) {
        EXPECT_EQ(group.size(), 1u);
      }
    }
    groups.push_back(group.size());
    entered = true;
    while (groups.size() == 1 && waiting < 4) std::this_thread::yield();  // let the others queue up behind
  };
  std::vector<std::jthread> threads;
  threads.emplace_back([&] {
    CommitRequest first;
    queue.submit(first, work);
  });
  while (!entered) std::this_thread::yield();
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      CommitRequest request;
      if (t == 2) request.exclusive = [] { return Status(); };
      ++waiting;
      queue.submit(request, work);
    });
  }
  threads.clear();
  std::size_t served = 0;
  for (const std::size_t size : groups) served += size;
  EXPECT_EQ(served, 5u);
}

}  // namespace
}  // namespace holdfast::engine
