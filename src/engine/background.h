// The threads that work behind the writers: one builds graphs, one writes checkpoints, one looks after the logs, one
// scrubs (scrub.h). They serve all collections of a database in turn, so that their number does not grow with it.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "engine/collection_state.h"

namespace holdfast::engine {

class Background {
 public:
  using Collections = std::vector<std::shared_ptr<CollectionState>>;
  /// `list` gives the collections as they are now; called from the threads.
  Background(std::shared_ptr<Signals> signals, const OpenOptions& options, std::function<Collections()> list);
  /// Starts the threads. resource_exhausted if the system gives none.
  Status start();
  /// Stops and joins: at the latest after the batch or checkpoint that is under way.
  ~Background();

 private:
  void index_loop();
  void checkpoint_loop();
  void log_loop();
  void scrub_loop();
  /// Calls work(state) for every collection. Memory may be short: then the turn ends early.
  template <class Work>
  void one_turn(Work work);
  void stop();
  [[nodiscard]] bool stopping() const noexcept;

  const std::shared_ptr<Signals> signals_;
  const std::chrono::milliseconds log_period_;
  const std::uint64_t scrub_bytes_per_second_;
  const std::chrono::seconds scrub_interval_;
  const std::function<Collections()> list_;
  std::vector<std::jthread> threads_;
};

}  // namespace holdfast::engine
