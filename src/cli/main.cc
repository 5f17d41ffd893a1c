// holdfast, the command: parses, calls one command, returns its exit code.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "cli/commands.h"
#include "cli/report.h"
#include "holdfast/version.h"

namespace holdfast::cli {
namespace {

/// An unsigned number would wrap: -1 is not 18,446,744,073,709,551,615.
void refuse_negative_numbers(CLI::App& app) {
  const auto refuse = [](const std::string& text) {
    return text.starts_with('-') ? "'" + text.substr(0, 32) + "' is negative: give 0 or more" : std::string();
  };
  for (CLI::App* command : app.get_subcommands({})) {
    for (CLI::Option* option : command->get_options()) {
      if (option->get_type_name().starts_with("UINT")) option->check(refuse);
    }
  }
}

int run(int argc, char** argv) {
  CLI::App app("Holdfast, a vector store in which every acknowledged write survives.", "holdfast");
  app.set_version_flag("--version", "holdfast " HOLDFAST_VERSION_STRING, "Print the version");
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  app.footer(std::string("'holdfast COMMAND --help' explains a command and shows an example.\n") + kExitCodeHelp);

  int exit_code = kExitOk;
  for (const auto add :
       {add_create, add_import, add_search, add_get, add_delete, add_list, add_info, add_drop, add_checkpoint,
        add_vacuum, add_backup, add_restore, add_verify, add_repair, add_log, add_bench}) {
    add(app, exit_code);
  }
  app.add_subcommand("version", "Print the version")->callback([] { std::puts("holdfast " HOLDFAST_VERSION_STRING); });

  refuse_negative_numbers(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    std::string command = "holdfast";
    for (const CLI::App* sub : app.get_subcommands()) command += " " + sub->get_name();
    const bool unknown = app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-';
    const std::string what = unknown ? "'" + std::string(argv[1]) + "' is no command" : std::string(error.what());
    return fail({StatusCode::invalid_argument, what + ": see '" + command + " --help'"});
  }
  return exit_code;
}

}  // namespace
}  // namespace holdfast::cli

int main(int argc, char** argv) {
  try {
    return holdfast::cli::run(argc, argv);
  } catch (const std::exception& error) {  // what is left: no memory
    std::fprintf(stderr, "holdfast: %s: free some memory, then run the command again\n", error.what());
    return holdfast::cli::kExitStore;
  }
}
