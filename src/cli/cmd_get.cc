// holdfast get: points by id.
#include <cstdio>
#include <memory>
#include <span>
#include <vector>

#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/report.h"
#include "cli/store.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

struct Arguments {
  WordArguments at;
  bool json = false;
  bool full = false;
};

/// The vectors of a point, one by one.
std::vector<std::span<const float>> values_of(const Point& point) {
  std::vector<std::span<const float>> values;
  const std::size_t dimension = point.vector.size() / point.values;
  for (std::uint32_t i = 0; i < point.values; ++i) {
    values.push_back(std::span(point.vector).subspan(i * dimension, dimension));
  }
  return values;
}

/// One vector is "vector": [...], several are "vectors": [[...], [...]], as an import reads them.
void print_json(const Point& point) {
  JsonObject object;
  object.raw("id", json_id(point.id));
  if (point.values == 1) {
    object.raw("vector", json_vector(point.vector));
  } else {
    JsonArray values;
    for (const std::span<const float> value : values_of(point)) values.raw(json_vector(value));
    object.raw("vectors", values.str());
  }
  std::puts(object.raw("payload", json_payload(point.payload)).str().c_str());
}

std::string vector_text(const Point& point, bool full) {
  std::vector<std::string> texts;
  for (const std::span<const float> value : values_of(point)) {
    texts.push_back(full ? json_vector(value) : abbreviate(value));
  }
  return join(texts, " ");
}

/// Prints what is there, names what is not. `missing` counts.
Status print_points(const Collection& collection, const Arguments& arguments, std::size_t& missing) {
  std::vector<PointId> ids;
  for (const std::string& word : arguments.at.words) {
    CLI_ASSIGN(const PointId id, PointId::parse(word));
    ids.push_back(id);
  }
  const Snapshot snapshot = collection.snapshot();
  Table table({{"id"}, {"vector"}, {"payload"}});
  std::size_t found = 0;
  for (const PointId& id : ids) {
    const Result<Point> point = snapshot.get(id);
    if (point.status().code() == StatusCode::not_found) {
      note("holdfast: there is no point " + id.to_string() + " in '" + collection.name() + "': check the id");
      ++missing;
      continue;
    }
    if (!point.ok()) return point.status();
    ++found;
    if (arguments.json) {
      print_json(*point);
    } else {
      table.add({id.to_string(), vector_text(*point, arguments.full), point->payload});
    }
  }
  if (!arguments.json && found != 0) table.print();
  return {};
}

int run(Arguments& arguments) {
  Result<Database> database = open_store(arguments.at.store, open_options(Access::read));
  if (!database.ok()) return fail(database.status());
  std::size_t missing = 0;
  Status status;
  if (const Result<Collection> collection = choose_collection(*database, arguments.at); !collection.ok()) {
    status = collection.status();
  } else if (arguments.at.words.empty()) {
    status = Status(StatusCode::invalid_argument, "no id is given: name one or more after the collection");
  } else {
    status = print_points(*collection, arguments, missing);
  }
  status = close_store(*database, std::move(status));
  if (!status.ok()) return fail(status);
  return missing == 0 ? kExitOk : kExitNo;
}

}  // namespace

void add_get(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("get", "Print points by id");
  arguments->at.add_to(*command, "ID", "Numbers or UUIDs, after the collection if it is named");
  command->add_flag("--json", arguments->json, "One JSON object per line, vectors whole");
  command->add_flag("--full", arguments->full, "The whole vector in the table, too");
  command->footer("Example: holdfast get ./store notes 17 18 --json");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace holdfast::cli
