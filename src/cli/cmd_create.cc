// holdfast create: a collection, and the store around it if there is none.
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
  CollectionConfig config;
  std::string metric = "l2";
  std::string type = "f32";
};

Status run(Arguments& arguments) {
  CollectionConfig& config = arguments.config;
  CLI_TRY(check_range("--dim", config.dimension, 1, kMaxDimension));
  CLI_TRY(check_range("--m", config.m, 2, kMaxM));
  CLI_TRY(check_range("--ef-construction", config.ef_construction, config.m, kMaxEfConstruction));
  CLI_ASSIGN(config.metric, parse_metric(arguments.metric));
  CLI_ASSIGN(config.type, parse_component_type(arguments.type));

  CLI_ASSIGN(Database database, open_store(arguments.store, open_options(Access::create)));
  const Result<Collection> made = database.create_collection(arguments.collection, config);
  CLI_TRY(close_store(database, made.status()));
  std::printf("created collection %s in %s: %u components of %s, %s, M %u, ef_construction %u\n",
              arguments.collection.c_str(), arguments.store.c_str(), config.dimension,
              std::string(to_string(config.type)).c_str(), std::string(to_string(config.metric)).c_str(), config.m,
              config.ef_construction);
  return {};
}

}  // namespace

void add_create(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("create", "Make a collection, and the store if there is none");
  command->add_option("STORE", arguments->store, "Directory of the store")->required();
  command->add_option("COLLECTION,-c,--collection", arguments->collection, "Name: letters, digits, '.', '_', '-'")
      ->required();
  command->add_option("--dim", arguments->config.dimension, "Components of a vector")->required();
  command->add_option("--metric", arguments->metric, "l2, inner_product or cosine")->capture_default_str();
  command->add_option("--type", arguments->type, "What is stored of a component: f32, f16, bf16, i8 or u8")
      ->capture_default_str();
  command->add_option("--m", arguments->config.m, "Links per point in the graph")->capture_default_str();
  command->add_option("--ef-construction", arguments->config.ef_construction, "Beam width while building")
      ->capture_default_str();
  command->footer("Example: holdfast create ./store notes --dim 384 --metric cosine");
  command->callback([arguments, &exit_code] {
    const Status status = run(*arguments);
    exit_code = status.ok() ? kExitOk : fail(status);
  });
}

}  // namespace holdfast::cli
