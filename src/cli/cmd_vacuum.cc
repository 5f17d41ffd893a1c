// holdfast vacuum: takes what was deleted out of the graph now.
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
  bool json = false;
};

struct BeforeAndAfter {
  CollectionStats before, after;
};

Result<BeforeAndAfter> vacuum(const Database& database, Arguments& arguments) {
  CLI_ASSIGN(Collection collection, choose_collection(database, arguments.at.store, arguments.at.collection));
  arguments.at.collection = collection.name();
  BeforeAndAfter stats;
  stats.before = collection.stats();
  CLI_TRY(collection.vacuum());
  stats.after = collection.stats();
  return stats;
}

std::string json_rows(const CollectionStats& stats) {
  return JsonObject()
      .number("dead_in_graph", stats.dead_in_graph)
      .number("dead_slots", stats.dead_slots)
      .number("free_slots", stats.free_slots)
      .number("graph_nodes", stats.graph_nodes)
      .str();
}

std::string text_rows(const CollectionStats& stats) {
  return counted(stats.dead_in_graph, "dead node") + " in the graph, " + counted(stats.dead_slots, "dead row") + ", " +
         counted(stats.free_slots, "free row");
}

Status run(Arguments& arguments) {
  CLI_ASSIGN(Database database, open_store(arguments.at.store, open_options(Access::write)));
  const Result<BeforeAndAfter> stats = vacuum(database, arguments);
  CLI_TRY(close_store(database, stats.status()));
  if (arguments.json) {
    std::puts(JsonObject()
                  .text("collection", arguments.at.collection)
                  .raw("before", json_rows(stats->before))
                  .raw("after", json_rows(stats->after))
                  .str()
                  .c_str());
    return {};
  }
  std::printf("%s before: %s\n%s after: %s\n", arguments.at.collection.c_str(), text_rows(stats->before).c_str(),
              arguments.at.collection.c_str(), text_rows(stats->after).c_str());
  return {};
}

}  // namespace

void add_vacuum(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("vacuum", "Take deleted points out of the graph and free their rows");
  arguments->at.add_to(*command);
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "The store does this by itself, in the background, when enough has been deleted.\n"
      "Example: holdfast vacuum ./store notes");
  command->callback([arguments, &exit_code] {
    const Status status = run(*arguments);
    exit_code = status.ok() ? kExitOk : fail(status);
  });
}

}  // namespace holdfast::cli
