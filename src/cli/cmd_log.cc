// holdfast log: what the log of a collection says, frame by frame. Changes nothing; needs the store closed.
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/report.h"
#include "cli/store.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/try.h"
#include "holdfast/admin.h"

namespace holdfast::cli {
namespace {

struct Arguments {
  StoreArguments at;
  Lsn from = 0;
  std::uint64_t limit = 0;
  bool json = false;
};

std::string json_entry(const LogEntry& entry) {
  return JsonObject()
      .number("lsn", entry.lsn)
      .text("kind", entry.kind)
      .text("segment", entry.segment)
      .number("offset", entry.offset)
      .number("length", entry.length)
      .number("synced_lsn", entry.synced_lsn)
      .text("summary", entry.summary)
      .str();
}

/// Lines as they come, not a table: a log may be longer than memory.
std::string text_entry(const LogEntry& entry, bool aligned) {
  return format(aligned ? "%10llu  %-8s  %-24s  %10llu  %8llu  %10llu  " : "%llu\t%s\t%s\t%llu\t%llu\t%llu\t",
                static_cast<unsigned long long>(entry.lsn), entry.kind.c_str(), entry.segment.c_str(),
                static_cast<unsigned long long>(entry.offset), static_cast<unsigned long long>(entry.length),
                static_cast<unsigned long long>(entry.synced_lsn)) +
         entry.summary;
}

std::string heading(bool aligned) {
  return aligned ? format("%10s  %-8s  %-24s  %10s  %8s  %10s  summary", "lsn", "kind", "segment", "offset", "length",
                          "synced")
                 : "lsn\tkind\tsegment\toffset\tlength\tsynced\tsummary";
}

Status run(const Arguments& arguments) {
  const bool aligned = stdout_is_terminal();
  std::uint64_t printed = 0;
  bool damaged = false;
  const Status status = dump_log(arguments.at.store, arguments.at.collection, [&](const LogEntry& entry) {
    const bool is_frame = entry.kind == "batch" || entry.kind == "mark";
    if (entry.kind == "damage") damaged = true;
    if (is_frame && entry.lsn < arguments.from) return true;
    if (printed == 0 && !arguments.json) std::puts(heading(aligned).c_str());
    std::puts((arguments.json ? json_entry(entry) : text_entry(entry, aligned)).c_str());
    return ++printed != arguments.limit;
  });
  if (status.code() == StatusCode::not_found) {
    const std::string& name = arguments.at.collection;
    return {StatusCode::not_found,
            arguments.at.store + ": " +
                (name.empty() ? "which collection is meant" : "there is no collection '" + name + "'") +
                ": name one that 'holdfast list' shows"};
  }
  CLI_TRY(status);
  if (damaged) return {StatusCode::data_damaged, arguments.at.store + ": the log is damaged where it says so above"};
  return {};
}

}  // namespace

void add_log(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("log", "Print the log of a collection; needs the store closed");
  arguments->at.add_to(*command);
  command->add_option("--from", arguments->from, "First lsn to print");
  command->add_option("--limit", arguments->limit, "At most so many lines; 0: all")->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON object per line");
  command->footer("Example: holdfast log ./store notes --from 1000 --limit 20");
  command->callback([arguments, &exit_code] {
    const Status status = run(*arguments);
    exit_code = status.ok() ? kExitOk : fail(status);
  });
}

}  // namespace holdfast::cli
