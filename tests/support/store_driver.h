// Drives an engine through the steps of a workload and keeps the model beside it, whatever the disk does meanwhile.
#pragma once

#include <optional>
#include <string>

#include "engine/options.h"
#include "holdfast/database.h"
#include "support/model.h"
#include "support/workload.h"

namespace holdfast::testing {

class StoreDriver {
 public:
  explicit StoreDriver(const engine::EngineOptions& options) : options_(options) {}

  /// Opens the store. A page that cannot be read when it is first touched counts as damaged until the store is opened
  /// again: if this or run() meets one, the store is let go and the answer is io_error.
  Status open();
  /// Runs one step (reopen opens a store that is closed). The model follows what the engine answers; an answer that the
  /// API does not allow, or a reader that sees anything but the model, becomes problem(). A step that makes no sense
  /// has an outcome, too: on a collection that is missing it changes nothing and is answered by not_found; creating one
  /// that is there, by already_exists. The step has succeeded if the engine says so.
  Status run(const Step& step);
  /// Destroys all handles.
  void let_go() { database_.reset(); }
  [[nodiscard]] bool is_open() const noexcept { return database_.has_value(); }

  [[nodiscard]] const Model& model() const noexcept { return model_; }
  [[nodiscard]] Model& model() noexcept { return model_; }
  [[nodiscard]] const Database& database() const noexcept { return *database_; }
  /// What the target of the backups so far may hold.
  [[nodiscard]] const BackupModel& backup() const noexcept { return backup_; }
  /// The first thing that went wrong; empty if nothing did.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
  /// Whether to compare all readers with the model after each step.
  bool check_reads = false;

 private:
  Status on_missing(const Step& step);
  Status create(const Step& step);
  Status drop(const Step& step);
  Status write(const Step& step);
  Status reopen(const Step& step);
  Status backup_store();
  void note(const std::string& problem);
  Status let_go_if_unreadable(Status status);

  engine::EngineOptions options_;
  std::optional<Database> database_;
  Model model_;
  BackupModel backup_;
  std::string problem_;
  std::string unreadable_;  ///< the page that could not be read, and stays damaged until the store is opened again
};

}  // namespace holdfast::testing
