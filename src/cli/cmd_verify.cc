// holdfast verify: reads a closed store, every byte or what opening reads, and reports what does not hold.
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/store.h"
#include "cli/text.h"
#include "holdfast/admin.h"

namespace holdfast::cli {
namespace {

struct Arguments {
  StoreArguments at;
  bool fast = false;
  bool json = false;
};

const char* severity(const VerifyFinding& finding) {
  return finding.severity == VerifyFinding::Severity::damage ? "damage" : "note";
}

std::string json_report(const VerifyReport& report) {
  JsonArray findings;
  for (const VerifyFinding& finding : report.findings) {
    findings.raw(JsonObject()
                     .text("severity", severity(finding))
                     .text("collection", finding.collection)
                     .text("file", finding.file)
                     .number("offset", finding.offset)
                     .number("length", finding.length)
                     .text("message", finding.message)
                     .str());
  }
  return JsonObject()
      .boolean("sound", !report.damaged())
      .text("level", to_string(report.level))
      .raw("findings", findings.str())
      .number("files", report.files_checked)
      .number("bytes", report.bytes_checked)
      .number("pages", report.pages_checked)
      .number("frames", report.frames_checked)
      .number("points", report.points_checked)
      .number("links", report.links_checked)
      .str();
}

/// "collection notes, c-1/ext/3.ext, offset 4096, 65536 bytes: the page is damaged". A message that names file and
/// place itself is left to do so.
std::string finding_text(const VerifyFinding& finding) {
  std::string text = finding.collection.empty() ? std::string() : "collection " + finding.collection + ", ";
  if (finding.message.find(finding.file + " at ") != std::string::npos) return text + finding.message;
  text += finding.file;
  if (finding.offset != 0 || finding.length != 0) text += ", offset " + std::to_string(finding.offset);
  if (finding.length != 0) text += ", " + std::to_string(finding.length) + " bytes";
  return text + ": " + finding.message;
}

void print_text(const VerifyReport& report) {
  for (const VerifyFinding& finding : report.findings) {
    std::printf("%s: %s\n", severity(finding), finding_text(finding).c_str());
  }
  std::printf("%s%s: %s, %s; checked %s, %s, %s, %s\n", report.damaged() ? "damaged" : "sound",
              report.level == VerifyLevel::fast ? " as far as --fast reads" : "",
              counted(report.files_checked, "file").c_str(), human_bytes(report.bytes_checked).c_str(),
              counted(report.pages_checked, "page").c_str(), counted(report.frames_checked, "log frame").c_str(),
              counted(report.points_checked, "point").c_str(), counted(report.links_checked, "link").c_str());
}

int run(const Arguments& arguments) {
  Progress progress("verifying", "bytes", std::chrono::seconds(10));
  VerifyOptions options;
  options.collection = arguments.at.collection;
  if (arguments.fast) options.level = VerifyLevel::fast;
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    progress.update(done, total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total));
  };
  const Result<VerifyReport> report = verify(arguments.at.store, options);
  progress.clear();
  if (!report.ok()) {
    const bool unknown = report.status().code() == StatusCode::not_found;
    fail(!unknown ? report.status()
                  : Status(StatusCode::not_found, arguments.at.store + ": there is no collection '" +
                                                      arguments.at.collection + "': 'holdfast list' shows the names"));
    return kExitUsage;  // could not run; 1 is kept for damage that was found
  }
  if (arguments.json) {
    std::puts(json_report(*report).c_str());
  } else {
    print_text(*report);
  }
  return report->damaged() ? kExitNo : kExitOk;
}

}  // namespace

void add_verify(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("verify", "Check every checksum and invariant; needs the store closed");
  command->add_option("STORE", arguments->at.store, "Directory of the store")->required();
  command->add_option("COLLECTION,-c,--collection", arguments->at.collection, "Only this collection");
  command->add_flag("--fast", arguments->fast,
                    "Only what opening reads: manifests, ids, stamps, lists, the log behind the checkpoint");
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "Changes nothing. Without --fast every byte is read. 'holdfast repair' shows what can be done about damage.\n"
      "Exit codes: 0 the store is sound, 1 it is damaged, 2 the check could not run.\n"
      "Example: holdfast verify ./store\n"
      "         holdfast verify ./store notes --fast --json");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace holdfast::cli
