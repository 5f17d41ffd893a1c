#include "engine/collection_state.h"

#include <new>

#include "engine/calibration.h"
#include "storage/file_names.h"

namespace holdfast::engine {

MutatorState::MutatorState() = default;
MutatorState::~MutatorState() = default;

PendingGraph::~PendingGraph() {
  for (const auto& batch : retired) {
    for (const index::RetiredList& list : batch) index::release_list(list.list);
  }
}

CollectionState::CollectionState(std::string name_, std::string directory_, Uuid uuid_, const CollectionConfig& config_,
                                 const EngineOptions& options_, std::shared_ptr<Signals> signals_)
    : name(std::move(name_)),
      directory(std::move(directory_)),
      uuid(uuid_),
      config(config_),
      options(options_),
      fs(*options_.fs),
      signals(std::move(signals_)),
      store(config_),
      reserve(fs, os::join(directory, storage::kReserveFile)) {}

Status CollectionState::write_error() const {
  MutexLock lock(error_mutex_);
  if (poisoned_ && write_error_.ok())
    return {StatusCode::read_only, "a fatal error; reopen the store to go on writing"};
  return write_error_;
}

void CollectionState::poison(const Status& why) noexcept {
  MutexLock lock(error_mutex_);
  poisoned_ = true;
  if (!write_error_.ok() || why.ok()) return;
  try {
    write_error_ =
        Status(StatusCode::read_only, "collection '" + name + "' is read-only since a fatal error (" + why.to_string() +
                                          "); close and reopen the store to go on writing");
  } catch (const std::bad_alloc&) {
    // No words for it.
  }
}

void CollectionState::close_for_writing(const Status& why) {
  MutexLock lock(error_mutex_);
  write_error_ = why;
}

std::uint64_t CollectionState::log_bytes() const {
  const std::uint64_t written = log_bytes_at_open.load(std::memory_order_relaxed) + wal->stats().bytes;
  const std::uint64_t covered = log_bytes_at_checkpoint.load(std::memory_order_relaxed);
  return written > covered ? written - covered : 0;
}

}  // namespace holdfast::engine
