// holdfast list: the names of the collections, one per line.
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/report.h"
#include "cli/store.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

Status run(const StoreArguments& arguments, bool json) {
  CLI_ASSIGN(Database database, open_store(arguments.store, open_options(Access::read)));
  JsonArray names;
  for (const std::string& name : database.collections()) {
    names.raw(json_string(name));
    if (!json) std::puts(name.c_str());
  }
  if (json) std::puts(names.str().c_str());
  for (const QuarantinedCollection& bad : database.quarantined()) {
    note("holdfast: collection '" + bad.name + "' is not served: see 'holdfast info " + arguments.store + "'");
  }
  return close_store(database, {});
}

}  // namespace

void add_list(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<StoreArguments>();
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("list", "Print the names of the collections");
  arguments->add_to(*command, false);
  command->add_flag("--json", *json, "One JSON array");
  command->footer("Example: holdfast list ./store");
  command->callback([arguments, json, &exit_code] {
    const Status status = run(*arguments, *json);
    exit_code = status.ok() ? kExitOk : fail(status);
  });
}

}  // namespace holdfast::cli
