#include "support/backup_oracle.h"

#include "base/random.h"
#include "engine/backup.h"
#include "support/oracle.h"

namespace holdfast::testing {
namespace {

/// Opens the store at `path` and settles `model` on it. not_a_store: `*is_store` becomes false, and nothing is wrong.
std::string check_store(SimFileSystem& disk, const char* path, Model& model, Loss loss, bool* is_store) {
  engine::EngineOptions options = small_store(disk);
  options.open.create_if_missing = false;
  const auto database = Database::open_with(path, options);
  *is_store = database.ok();
  if (database.status().code() == StatusCode::not_a_store) return "";
  if (!database.ok()) return "open: " + database.status().to_string();
  if (auto problem = settle(*database, model, loss); !problem.empty()) return problem;
  return check_current(*database, model);
}

std::string in_target(const std::string& problem) { return problem.empty() ? "" : "the backup: " + problem; }

}  // namespace

std::string check_backup_state(const SimFileSystem& disk, const BackupModel& expected, Loss loss, std::uint64_t seed) {
  Model found = expected.content;
  bool is_store = false;
  const auto opened = disk.clone();
  if (auto problem = check_store(*opened, kBackupPath, found, loss, &is_store); !problem.empty()) {
    return in_target(problem);
  }
  if (!is_store && expected.made) return in_target("it is no store any more");
  if (mix64(seed ^ 0xB) % 8 != 0) return "";

  const auto copied = disk.clone();
  const auto restored = engine::restore_store(*copied, kBackupPath, kRestorePath, {});
  if (restored.ok() != is_store) return in_target("restore: " + restored.status().to_string());
  if (!is_store) return "";
  // It has to be what was opened: there is one possible version left.
  if (auto problem = check_store(*copied, kRestorePath, found, Loss::process, &is_store); !problem.empty()) {
    return in_target("restored: " + problem);
  }
  return is_store ? "" : in_target("restored: it is no store");
}

std::string make_next_backup(SimFileSystem& disk) {
  const auto report = engine::backup_store(disk, kStorePath, kBackupPath, {});
  if (!report.ok()) return "the next backup: " + report.status().to_string();
  return report->failed.empty() ? "" : "the next backup left out " + report->failed.front();
}

}  // namespace holdfast::testing
