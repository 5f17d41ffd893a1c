// holdfast search: nearest points of a vector, of a stored point, or of each row of a file.
#include <cstdio>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/import/vector_source.h"
#include "cli/interrupt.h"
#include "cli/json_text.h"
#include "cli/report.h"
#include "cli/source_options.h"
#include "cli/store.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

struct Arguments {
  StoreArguments at;
  std::string vector;
  std::string id;
  std::string file;
  SourceOptions source;
  std::uint64_t limit = 0;
  SearchOptions search;
  std::optional<std::uint32_t> ef;
  bool json = false;
};

std::string json_hits(std::uint64_t query, const Hits& hits, bool with_payload) {
  JsonArray list;
  for (const Hit& hit : hits) {
    JsonObject object;
    object.raw("id", json_id(hit.id)).raw("distance", json_number(hit.distance));
    if (with_payload) object.raw("payload", json_payload(hit.payload));
    list.raw(object.str());
  }
  return JsonObject().number("query", query).raw("hits", list.str()).str();
}

/// Prints the hits of one query after the other.
class HitPrinter {
 public:
  explicit HitPrinter(const Arguments& arguments) : arguments_(arguments) {}

  void print(std::uint64_t query, const Hits& hits) {
    if (arguments_.json) {
      std::puts(json_hits(query, hits, arguments_.search.with_payload).c_str());
      return;
    }
    Table table = empty_table();
    std::size_t rank = 0;
    for (const Hit& hit : hits) {
      std::vector<std::string> cells{std::to_string(++rank), hit.id.to_string(), json_number(hit.distance)};
      if (!arguments_.file.empty()) cells.insert(cells.begin(), std::to_string(query));
      if (arguments_.search.with_payload) cells.push_back(hit.payload);
      table.add(std::move(cells));
    }
    // One header for all queries of a pipe; people get a heading per query.
    if (stdout_is_terminal() || first_) {
      table.print();
    } else {
      const std::string text = table.tab_separated();
      std::fputs(text.c_str() + text.find('\n') + 1, stdout);
    }
    first_ = false;
  }

 private:
  [[nodiscard]] Table empty_table() const {
    std::vector<Table::Column> columns{{"rank", Table::Align::right}, {"id", Table::Align::right}, {"distance"}};
    if (!arguments_.file.empty()) columns.insert(columns.begin(), {"query", Table::Align::right});
    if (arguments_.search.with_payload) columns.push_back({"payload"});
    return Table(std::move(columns));
  }
  const Arguments& arguments_;
  bool first_ = true;
};

/// One snapshot for all rows of the file: every query sees the same instant.
int search_file(const Snapshot& snapshot, const Collection& collection, const Arguments& arguments) {
  const Result<std::unique_ptr<VectorSource>> source = open_source(arguments.file, arguments.source);
  if (!source.ok()) return fail_input(source.status());
  if ((*source)->dimension() != collection.config().dimension) {
    return fail_input({StatusCode::invalid_argument,
                       arguments.file + ": its vectors have " + std::to_string((*source)->dimension()) +
                           " components, those of '" + collection.name() + "' have " +
                           std::to_string(collection.config().dimension) + ": choose the file that fits"});
  }
  HitPrinter printer(arguments);
  Record record;
  catch_interrupts();
  for (std::uint64_t n = 0; arguments.limit == 0 || n < arguments.limit; ++n) {
    if (interrupted()) return kExitInterrupted;
    const Result<bool> any = (*source)->next(record);
    if (!any.ok()) return fail_input(any.status());
    if (!*any) break;
    const Result<Hits> hits = snapshot.search(record.vector, arguments.search);
    if (!hits.ok()) return fail(hits.status().with_context((*source)->locate(record.row)));
    printer.print(record.row, *hits);
  }
  return kExitOk;
}

Status search_one(const Snapshot& snapshot, const Collection& collection, const Arguments& arguments) {
  std::vector<float> query;
  if (arguments.id.empty()) {
    CLI_ASSIGN(query, parse_vector(arguments.vector));
    if (query.size() != collection.config().dimension) {
      return {StatusCode::invalid_argument,
              "the vector has " + std::to_string(query.size()) + " components, those of '" + collection.name() +
                  "' have " + std::to_string(collection.config().dimension) + ": give a vector that fits"};
    }
  } else {
    CLI_ASSIGN(const PointId id, PointId::parse(arguments.id));
    Result<Point> point = snapshot.get(id);
    if (point.status().code() == StatusCode::not_found) {
      return {StatusCode::not_found,
              "there is no point " + id.to_string() + " in '" + collection.name() + "': check the id"};
    }
    if (!point.ok()) return point.status();
    query = std::move(point->vector);
  }
  CLI_ASSIGN(const Hits hits, snapshot.search(query, arguments.search));
  HitPrinter(arguments).print(0, hits);
  return {};
}

Status check(Arguments& arguments) {
  const int given = !arguments.vector.empty() + !arguments.id.empty() + !arguments.file.empty();
  if (given != 1) {
    return {StatusCode::invalid_argument, "what is searched for: give one of --vector, --id and --file"};
  }
  CLI_TRY(check_range("--k", arguments.search.k, 1, kMaxK));
  if (arguments.ef) {
    CLI_TRY(check_range("--ef", *arguments.ef, 1, kMaxEf));
    arguments.search.ef = *arguments.ef;
  }
  arguments.source.id_field.clear();  // queries need no ids
  arguments.source.payload_field.clear();
  return {};
}

int run(Arguments& arguments) {
  if (Status status = check(arguments); !status.ok()) return fail(status);
  Result<Database> database = open_store(arguments.at.store, open_options(Access::read));
  if (!database.ok()) return fail(database.status());
  int code = kExitOk;
  Status status;
  if (const auto collection = choose_collection(*database, arguments.at.store, arguments.at.collection);
      !collection.ok()) {
    status = collection.status();
  } else if (!arguments.file.empty()) {
    code = search_file(collection->snapshot(), *collection, arguments);
  } else {
    status = search_one(collection->snapshot(), *collection, arguments);
  }
  status = close_store(*database, std::move(status));
  return status.ok() || code != kExitOk ? code : fail(status);
}

}  // namespace

void add_search(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("search", "Find the nearest points");
  arguments->at.add_to(*command);
  command->add_option("--vector", arguments->vector, "Query: '[0.1, 0.2]' or 0.1,0.2");
  command->add_option("--id", arguments->id, "Query: the vector of this stored point (which is found, too)");
  command->add_option("--file", arguments->file, "Queries: the rows of this file");
  add_source_options(*command, arguments->source);
  command->add_option("--limit", arguments->limit, "At most so many rows of the file; 0: all")->capture_default_str();
  command->add_option("-k,--k", arguments->search.k, "Results per query")->capture_default_str();
  command->add_option("--ef", arguments->ef, "Beam width: larger finds more and takes longer [max(k, 100)]");
  command->add_flag("--exact", arguments->search.exact, "Compare with every point instead of using the graph");
  command->add_flag("--payload", arguments->search.with_payload, "Print payloads, too");
  command->add_flag("--json", arguments->json, "One JSON object per query and line");
  command->footer("Example: holdfast search ./store notes --vector '[0.1, 0.2, 0.3]' --k 5 --payload");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace holdfast::cli
