#include "cli/report.h"

#include <cstdio>
#include <string_view>

namespace holdfast::cli {
namespace {

/// What to do about an error of the engine. Empty where the message itself must say it, because it depends on what
/// was asked for.
std::string_view advice(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::already_open: return "close the other process or wait for it";
    case StatusCode::not_a_store: return "check the path, or make a store with 'holdfast create'";
    case StatusCode::unsupported_format: return "use a newer holdfast";
    case StatusCode::data_damaged:
      return "nothing was changed; 'holdfast repair' shows the extent and what can be done";
    case StatusCode::io_error: return "check the disk and its permissions, then run the command again";
    case StatusCode::disk_full: return "free some space, then run the command again";
    case StatusCode::read_only: return "run the command again; if that fails, 'holdfast verify' shows why";
    case StatusCode::outcome_unknown: return "check the disk, then run the command again";
    case StatusCode::resource_exhausted: return "ask for less at a time";
    case StatusCode::internal: return "please report it with the output of 'holdfast verify'";
    case StatusCode::already_exists: return "choose another name, or go on with the one there is";
    case StatusCode::closed:
    case StatusCode::cancelled:
    case StatusCode::deadline_exceeded:
    case StatusCode::snapshot_expired: return "run the command again";
    case StatusCode::ok:
    case StatusCode::invalid_argument:
    case StatusCode::not_found: return "";
  }
  return "";
}

/// Whether the message brings its own advice, as some of the engine's do: then it is not given twice.
bool advises(const Status& status) noexcept {
  const auto says = [&](std::string_view part) { return status.message().find(part) != std::string_view::npos; };
  switch (status.code()) {
    case StatusCode::already_open: return says("close the store there");
    case StatusCode::not_a_store:
      return says("choose an empty directory") || says("make the directory above it") || says("'holdfast repair");
    case StatusCode::data_damaged: return says("'holdfast repair'");
    default: return false;
  }
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text;
}

}  // namespace

const char kExitCodeHelp[] =
    "Exit codes:\n"
    "  0    done; also a search whose deadline cut an answer short, which then says so\n"
    "  1    damage, or no such point or collection; 'backup': also if a collection could not be copied\n"
    "  2    wrong usage, places included that cannot be used; 'verify': the check could not run\n"
    "  3    the store cannot be opened, read or written, or there is none\n"
    "  4    an input file is unreadable or wrong\n"
    "  130  interrupted";

std::string error_line(const Status& status) {
  std::string line(status.message());
  const std::string_view what_to_do = advice(status.code());
  if (!what_to_do.empty() && !advises(status)) line.append(": ").append(what_to_do);
  return one_line(std::move(line));
}

ExitCode exit_code(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::ok: return kExitOk;
    case StatusCode::invalid_argument: return kExitUsage;
    case StatusCode::not_found:
    case StatusCode::data_damaged: return kExitNo;
    default: return kExitStore;
  }
}

int fail(const Status& status) {
  std::fflush(stdout);
  std::fprintf(stderr, "holdfast: %s\n", error_line(status).c_str());
  return exit_code(status.code());
}

int fail_input(const Status& status) {
  std::fflush(stdout);
  std::fprintf(stderr, "holdfast: %s\n", one_line(std::string(status.message())).c_str());
  return kExitInput;
}

void note(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

}  // namespace holdfast::cli
