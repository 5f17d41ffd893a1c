// holdfast delete: points by id, in one atomic batch where they fit in one.
#include <cstdio>
#include <memory>
#include <unordered_set>

#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/report.h"
#include "cli/store.h"
#include "cli/text.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

struct Arguments {
  WordArguments at;
  std::string durability = "sync";
  bool json = false;
};

struct Deleted {
  std::uint64_t asked = 0;
  std::uint64_t existed = 0;
};

Result<Deleted> erase_all(Collection& collection, const std::vector<std::string>& words, Durability durability) {
  std::unordered_set<PointId> ids;  // every id is checked before the first is deleted
  for (const std::string& word : words) {
    CLI_ASSIGN(const PointId id, PointId::parse(word));
    ids.insert(id);
  }
  Deleted deleted{ids.size(), 0};
  WriteBatch batch;
  const auto flush = [&]() -> Status {
    CLI_ASSIGN(const WriteReceipt receipt, collection.write(batch, {durability}));
    deleted.existed += receipt.erased;
    batch.clear();
    return {};
  };
  for (const PointId& id : ids) {
    batch.erase(id);
    if (batch.size() == kMaxBatchOperations) CLI_TRY(flush());
  }
  if (!batch.empty()) CLI_TRY(flush());
  return deleted;
}

Result<Deleted> delete_from(const Database& database, Arguments& arguments) {
  CLI_ASSIGN(const Durability durability, parse_durability(arguments.durability));
  CLI_ASSIGN(Collection collection, choose_collection(database, arguments.at));
  if (arguments.at.words.empty()) {
    return Status(StatusCode::invalid_argument, "no id is given: name one or more after the collection");
  }
  return erase_all(collection, arguments.at.words, durability);
}

Status run(Arguments& arguments) {
  OpenOptions options = open_options(Access::write);
  options.checkpoint_on_close = false;  // a few ids are not worth an image of the collection: the log holds them
  CLI_ASSIGN(Database database, open_store(arguments.at.store, options));
  const Result<Deleted> deleted = delete_from(database, arguments);
  CLI_TRY(close_store(database, deleted.status()));
  if (arguments.json) {
    std::puts(JsonObject().number("asked", deleted->asked).number("deleted", deleted->existed).str().c_str());
  } else {
    std::printf("deleted %s of %s\n", grouped(deleted->existed).c_str(), counted(deleted->asked, "id").c_str());
  }
  return {};
}

}  // namespace

void add_delete(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("delete", "Delete points by id; ids that do not exist are no error");
  arguments->at.add_to(*command, "ID", "Numbers or UUIDs, after the collection if it is named");
  command->add_option("--durability", arguments->durability, "sync, interval or none")->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer("Example: holdfast delete ./store notes 17 18");
  command->callback([arguments, &exit_code] {
    const Status status = run(*arguments);
    exit_code = status.ok() ? kExitOk : fail(status);
  });
}

}  // namespace holdfast::cli
