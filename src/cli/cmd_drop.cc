// holdfast drop: a collection and its files, for good.
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/report.h"
#include "cli/store.h"
#include "cli/text.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

struct Arguments {
  std::string store;
  std::string collection;
  bool yes = false;
};

Status drop(Database& database, const Arguments& arguments) {
  const Result<Collection> found = choose_collection(database, arguments.store, arguments.collection);
  if (found.status().code() == StatusCode::not_found) return found.status();
  if (!arguments.yes) {
    const std::string what = found.ok() ? "its " + counted(found->stats().points, "point") : "all its data";
    return {StatusCode::invalid_argument,
            "drop removes '" + arguments.collection + "' and " + what + " for good: add --yes if that is meant"};
  }
  return database.drop_collection(arguments.collection);
}

Status run(const Arguments& arguments) {
  CLI_ASSIGN(Database database, open_store(arguments.store, open_options(Access::read)));
  CLI_TRY(close_store(database, drop(database, arguments)));
  std::printf("dropped collection %s\n", arguments.collection.c_str());
  return {};
}

}  // namespace

void add_drop(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("drop", "Remove a collection and its files for good");
  command->add_option("STORE", arguments->store, "Directory of the store")->required();
  command->add_option("COLLECTION,-c,--collection", arguments->collection, "Collection; always named")->required();
  command->add_flag("--yes", arguments->yes, "Yes, remove it");
  command->footer("Example: holdfast drop ./store notes --yes");
  command->callback([arguments, &exit_code] {
    const Status status = run(*arguments);
    exit_code = status.ok() ? kExitOk : fail(status);
  });
}

}  // namespace holdfast::cli
