// A store: its lock, its catalog, its collections, its background threads.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/background.h"
#include "engine/collection_state.h"
#include "engine/options.h"
#include "holdfast/database.h"
#include "storage/manifest.h"

namespace holdfast::engine {

class DatabaseState {
 public:
  [[nodiscard]] static Result<std::shared_ptr<DatabaseState>> open(const std::string& path,
                                                                   const EngineOptions& options);
  ~DatabaseState();

  [[nodiscard]] Result<std::shared_ptr<CollectionState>> create(std::string_view name, const CollectionConfig& config)
      HF_EXCLUDES(mutex_);
  [[nodiscard]] Result<std::shared_ptr<CollectionState>> find(std::string_view name) const HF_EXCLUDES(mutex_);
  Status drop(std::string_view name) HF_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<std::string> names() const HF_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<QuarantinedCollection> quarantined() const HF_EXCLUDES(mutex_);
  Status close() HF_EXCLUDES(close_mutex_, mutex_);

 private:
  DatabaseState(std::string path, EngineOptions options);
  Status open_collections() HF_EXCLUDES(mutex_);
  Status remove_orphan_directories() HF_REQUIRES(mutex_);
  [[nodiscard]] Result<std::string> unlink(std::string_view name, std::shared_ptr<CollectionState>& dropped)
      HF_EXCLUDES(mutex_);
  /// For the background threads: what is open, without waiting for a create or drop that is under way.
  [[nodiscard]] Background::Collections listed() const HF_EXCLUDES(list_mutex_);
  void list_collections() HF_REQUIRES(mutex_) HF_EXCLUDES(list_mutex_);
  Status write_catalog(const storage::Catalog& next) HF_REQUIRES(mutex_);

  const std::string path_;
  const EngineOptions options_;
  const std::shared_ptr<Signals> signals_;
  std::unique_ptr<os::FileLock> lock_;
  Mutex close_mutex_;  ///< taken first: whoever closes second waits for the first
  mutable Mutex mutex_;
  storage::Catalog catalog_ HF_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<CollectionState>, std::less<>> collections_ HF_GUARDED_BY(mutex_);
  std::map<std::string, Status, std::less<>> quarantined_ HF_GUARDED_BY(mutex_);
  bool closed_ HF_GUARDED_BY(mutex_) = false;
  mutable Mutex list_mutex_;  ///< taken last, held for a moment
  Background::Collections list_ HF_GUARDED_BY(list_mutex_);
  std::unique_ptr<Background> background_;
};

}  // namespace holdfast::engine
