// holdfast backup and holdfast restore: a store copied while it is in use, and brought back.
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/text.h"
#include "holdfast/admin.h"

namespace holdfast::cli {
namespace {

struct Arguments {
  std::string source;
  std::string target;
  bool copy = false;
  bool verify = false;
  bool json = false;
};

constexpr std::chrono::seconds kProgressEvery{10};

BackupOptions options_for(Progress& progress) {
  BackupOptions options;
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    progress.update(done, total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total));
  };
  return options;
}

/// What the codes mean here, where the engine's message does not say what to do.
int fail_backup(const Status& status, const Arguments& arguments) {
  switch (status.code()) {
    case StatusCode::data_damaged: return fail(status.with_context(arguments.source));
    case StatusCode::already_exists:  // the message says which and what to choose instead
      return fail({StatusCode::invalid_argument, std::string(status.message())});
    case StatusCode::not_found:
      return fail({StatusCode::invalid_argument,
                   std::string(status.message()) + ": make the directory above " + arguments.target + " first"});
    default: return fail(status);
  }
}

/// The exit code of a backup that came to its end: whether it holds everything.
int report_failed(const BackupReport& report) {
  for (const std::string& failed : report.failed) {
    note("holdfast: not backed up: collection " + failed + ": what the target held of it is unchanged");
  }
  return report.failed.empty() ? kExitOk : kExitNo;
}

int run_backup(const Arguments& arguments) {
  Progress progress("backing up", "bytes", kProgressEvery);
  BackupOptions options = options_for(progress);
  options.hard_links = !arguments.copy;
  options.verify = arguments.verify;
  const Result<BackupReport> report = backup(arguments.source, arguments.target, options);
  progress.clear();
  if (!report.ok()) return fail_backup(report.status(), arguments);
  if (arguments.json) {
    JsonArray failed;
    for (const std::string& one : report->failed) failed.raw(json_string(one));
    std::puts(JsonObject()
                  .number("collections", report->collections)
                  .number("files_linked", report->files_linked)
                  .number("files_copied", report->files_copied)
                  .number("files_kept", report->files_kept)
                  .number("files_removed", report->files_removed)
                  .number("bytes_copied", report->bytes_copied)
                  .number("bytes_shared", report->bytes_shared)
                  .raw("failed", failed.str())
                  .real("total_ms", report->total_ms)
                  .str()
                  .c_str());
    return report_failed(*report);
  }
  std::printf("%s in %s: %s copied (%s), %s linked, %s kept (%s shared), %s removed; %.1f s\n",
              counted(report->collections, "collection").c_str(), arguments.target.c_str(),
              counted(report->files_copied, "file").c_str(), human_bytes(report->bytes_copied).c_str(),
              grouped(report->files_linked).c_str(), grouped(report->files_kept).c_str(),
              human_bytes(report->bytes_shared).c_str(), grouped(report->files_removed).c_str(),
              report->total_ms / 1000);
  return report_failed(*report);
}

int run_restore(const Arguments& arguments) {
  Progress progress("restoring", "bytes", kProgressEvery);
  const Result<RestoreReport> report = restore(arguments.source, arguments.target, options_for(progress));
  progress.clear();
  if (!report.ok()) return fail_backup(report.status(), arguments);
  if (arguments.json) {
    JsonArray names;
    for (const std::string& name : report->collections) names.raw(json_string(name));
    std::puts(JsonObject()
                  .raw("collections", names.str())
                  .number("files_verified", report->verified.files_checked)
                  .number("points_verified", report->verified.points_checked)
                  .number("files_copied", report->files_copied)
                  .number("bytes_copied", report->bytes_copied)
                  .real("total_ms", report->total_ms)
                  .str()
                  .c_str());
    return kExitOk;
  }
  std::printf("%s restored to %s: %s, %s; %s checked; %.1f s\n",
              counted(report->collections.size(), "collection").c_str(), arguments.target.c_str(),
              counted(report->files_copied, "file").c_str(), human_bytes(report->bytes_copied).c_str(),
              counted(report->verified.points_checked, "point").c_str(), report->total_ms / 1000);
  return kExitOk;
}

}  // namespace

void add_backup(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("backup", "Copy a store, which may be in use, to another directory");
  command->add_option("STORE", arguments->source, "Directory of the store")->required();
  command->add_option("TARGET", arguments->target, "New or empty directory, or an earlier backup of this store")
      ->required();
  command->add_flag("--copy", arguments->copy,
                    "Share no new file with the store, not even by hard links; implies --verify");
  command->add_flag("--verify", arguments->verify, "Read and check every file of the backup, kept ones included");
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "Holds every write that was acknowledged before the call. An earlier backup gets only the files that it lacks\n"
      "and the log since the last checkpoint, and stays as it was should this one fail. Hard links share disk blocks:\n"
      "for a backup that survives the loss of the disk, choose a directory on another one.\n"
      "Linked and kept files are not read again: run 'holdfast verify TARGET', or give --verify, which also replaces\n"
      "kept files that are damaged.\n"
      "A damaged collection is reported, and its earlier backup stays; the others are backed up; the exit code is 1.\n"
      "Apart from that the target is a mirror: collections that were dropped from the store go from the backup, too.\n"
      "Example: holdfast backup ./store /backup/store");
  command->callback([arguments, &exit_code] { exit_code = run_backup(*arguments); });
}

void add_restore(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("restore", "Check a backup and copy it to a new directory");
  command->add_option("BACKUP", arguments->source, "Directory of the backup")->required();
  command->add_option("TARGET", arguments->target, "New or empty directory")->required();
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "Every byte of the backup is checked first; if it is damaged, nothing is restored. The backup is not changed.\n"
      "Example: holdfast restore /backup/store ./store");
  command->callback([arguments, &exit_code] { exit_code = run_restore(*arguments); });
}

}  // namespace holdfast::cli
