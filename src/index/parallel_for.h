// Threads for one loop: started for it, joined at its end. (No pool: nothing to configure, nothing left behind, and the
// sanitizers see every edge. Starting a thread takes some 20 microseconds, a batch some milliseconds.)
#pragma once

#include <atomic>
#include <cstddef>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "index/read_check.h"

namespace holdfast::index {

/// Calls body(worker, i) once for every i in [0, count), worker in [0, threads), in no order; a worker is one thread.
/// False if a body returned false or threw bad_alloc (memory is short); the others then stop early. What the bodies
/// wrote is visible to the caller, and damage that they read goes to the caller's ReadCheck.
template <class Body>
[[nodiscard]] bool parallel_for(unsigned threads, std::size_t count, Body body) {
  std::atomic<std::size_t> next{0};        // relaxed: only shares out numbers; joining orders the memory
  std::atomic<bool> out_of_memory{false};  // relaxed: read after the join
  const auto stop = [&] {
    out_of_memory.store(true, std::memory_order_relaxed);
    next.store(count, std::memory_order_relaxed);
  };
  const auto work = [&](unsigned worker) {
    try {
      for (std::size_t i = 0; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
        if (!body(worker, i)) return stop();
      }
    } catch (const std::bad_alloc&) {
      stop();
    }
  };
  Mutex mutex;
  ReadCheck::Found damage;
  const auto help = [&](unsigned worker) {
    ReadCheck check;
    work(worker);
    if (check.ok()) return;
    MutexLock lock(mutex);
    damage = check.take();
  };
  {
    std::vector<std::jthread> helpers;
    try {
      for (unsigned worker = 1; worker < threads && worker < count; ++worker) helpers.emplace_back(help, worker);
    } catch (const std::system_error&) {
      // No more threads to be had: those that run share the work.
    } catch (const std::bad_alloc&) {
    }
    work(0);
  }
  if (!damage.nothing()) ReadCheck::note(std::move(damage));
  return !out_of_memory.load(std::memory_order_relaxed);
}

}  // namespace holdfast::index
