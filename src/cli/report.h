// How the command line ends: one line on stderr when something is wrong, and an exit code that scripts can rely on.
#pragma once

#include <string>

#include "holdfast/status.h"

namespace holdfast::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitNo = 1,             ///< damage, or no such point, collection or file
  kExitUsage = 2,          ///< the command itself is wrong
  kExitStore = 3,          ///< the store cannot be opened, read or written
  kExitInput = 4,          ///< a file to import or to query with is unreadable or wrong
  kExitInterrupted = 130,  ///< SIGINT or SIGTERM, after the current batch
};

/// The table of exit codes for --help.
extern const char kExitCodeHelp[];

/// "what: what to do" without a line break. Advice is added for the codes whose messages tell only what.
[[nodiscard]] std::string error_line(const Status& status);
[[nodiscard]] ExitCode exit_code(StatusCode code) noexcept;

/// Prints "holdfast: <what>: <what to do>" to stderr and returns the exit code. REQUIRES !status.ok().
int fail(const Status& status);
/// The same for a file that the user brought: kExitInput.
int fail_input(const Status& status);
/// A plain sentence for people on stderr: never part of the result.
void note(const std::string& text);

}  // namespace holdfast::cli
