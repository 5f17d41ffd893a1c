// holdfast checkpoint: an image of this instant, and a short log after it.
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/report.h"
#include "cli/store.h"
#include "cli/text.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

struct Arguments {
  StoreArguments at;
  bool wait_for_index = false;
  bool json = false;
};

Result<CollectionStats> checkpoint(const Database& database, Arguments& arguments) {
  CLI_ASSIGN(Collection collection, choose_collection(database, arguments.at.store, arguments.at.collection));
  arguments.at.collection = collection.name();
  if (arguments.wait_for_index) CLI_TRY(collection.wait_until_indexed());
  CLI_TRY(collection.checkpoint());
  return collection.stats();
}

Status run(Arguments& arguments) {
  CLI_ASSIGN(Database database, open_store(arguments.at.store, open_options(Access::read)));
  const Result<CollectionStats> stats = checkpoint(database, arguments);
  CLI_TRY(close_store(database, stats.status()));
  if (arguments.json) {
    std::puts(JsonObject()
                  .text("collection", arguments.at.collection)
                  .number("checkpoint_lsn", stats->checkpoint_lsn)
                  .number("checkpoint_generation", stats->checkpoint_generation)
                  .number("disk_bytes", stats->disk_bytes)
                  .str()
                  .c_str());
    return {};
  }
  std::printf("checkpoint %llu of %s holds lsn %llu; %s on disk\n",
              static_cast<unsigned long long>(stats->checkpoint_generation), arguments.at.collection.c_str(),
              static_cast<unsigned long long>(stats->checkpoint_lsn), human_bytes(stats->disk_bytes).c_str());
  return {};
}

}  // namespace

void add_checkpoint(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("checkpoint", "Write a checkpoint and shorten the log");
  arguments->at.add_to(*command);
  command->add_flag("--index", arguments->wait_for_index, "First wait until the graph holds every point");
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer("Example: holdfast checkpoint ./store notes");
  command->callback([arguments, &exit_code] {
    const Status status = run(*arguments);
    exit_code = status.ok() ? kExitOk : fail(status);
  });
}

}  // namespace holdfast::cli
