// holdfast search: nearest points of a vector, of a stored point, or of each row of a file.
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>

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

constexpr std::uint64_t kMaxDeadlineMs = std::uint64_t{24} * 3600 * 1000;

struct Arguments {
  StoreArguments at;
  std::string vector;
  std::string id;
  std::string file;
  SourceOptions source;
  std::uint64_t limit = 0;
  SearchOptions search;
  std::optional<std::uint32_t> ef;
  std::optional<std::uint32_t> k;
  std::optional<float> recall;
  std::string preset;
  std::optional<float> radius;
  std::optional<std::uint64_t> deadline_ms;
  bool json = false;
};

/// The deadline holds for one query, from when it is asked.
Result<Hits> ask(const Snapshot& snapshot, std::span<const float> query, const Arguments& arguments) {
  ReadLimits limits;
  if (arguments.deadline_ms) {
    limits.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(*arguments.deadline_ms);
  }
  if (arguments.radius) {
    RangeOptions range;
    range.radius = *arguments.radius;
    range.ef = arguments.search.ef;
    range.limit = arguments.k.value_or(0);
    range.with_payload = arguments.search.with_payload;
    range.exact = arguments.search.exact;
    range.limits = limits;
    return snapshot.search_range(query, range);
  }
  SearchOptions options = arguments.search;
  options.limits = limits;
  return snapshot.search(query, options);
}

std::string json_hits(std::uint64_t query, const Hits& hits, const Arguments& arguments) {
  JsonArray list;
  for (const Hit& hit : hits) {
    JsonObject object;
    object.raw("id", json_id(hit.id)).raw("distance", json_number(hit.distance)).number("value", hit.value);
    if (arguments.search.with_payload) object.raw("payload", json_payload(hit.payload));
    list.raw(object.str());
  }
  JsonObject answer;
  answer.number("query", query).raw("hits", list.str());
  if (arguments.deadline_ms) answer.boolean("partial", hits.stopped != Stopped::no);
  return answer.str();
}

/// "17", or "17[2]" where the third of the point's vectors was nearest.
std::string hit_text(const Hit& hit) {
  const std::string id = hit.id.to_string();
  return hit.value == 0 ? id : id + "[" + std::to_string(hit.value) + "]";
}

/// Prints the hits of one query after the other.
class HitPrinter {
 public:
  explicit HitPrinter(const Arguments& arguments) : arguments_(arguments) {}

  void print(std::uint64_t query, const Hits& hits) {
    if (arguments_.json) {
      std::puts(json_hits(query, hits, arguments_).c_str());
      return;
    }
    if (hits.stopped != Stopped::no) {
      note("holdfast: query " + std::to_string(query) +
           " is answered in part, its deadline has passed: give a longer --deadline-ms, or a smaller --ef");
    }
    Table table = empty_table();
    std::size_t rank = 0;
    for (const Hit& hit : hits) {
      std::vector<std::string> cells{std::to_string(++rank), hit_text(hit), json_number(hit.distance)};
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
    const Result<Hits> hits = ask(snapshot, std::span(record.vector).first((*source)->dimension()), arguments);
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
    query.resize(collection.config().dimension);  // of several vectors the first
  }
  CLI_ASSIGN(const Hits hits, ask(snapshot, query, arguments));
  HitPrinter(arguments).print(0, hits);
  return {};
}

Status check(Arguments& arguments) {
  const int given = !arguments.vector.empty() + !arguments.id.empty() + !arguments.file.empty();
  if (given != 1) {
    return {StatusCode::invalid_argument, "what is searched for: give one of --vector, --id and --file"};
  }
  if (arguments.deadline_ms) CLI_TRY(check_range("--deadline-ms", *arguments.deadline_ms, 0, kMaxDeadlineMs));
  if (arguments.k) {
    CLI_TRY(check_range("--k", *arguments.k, 1, kMaxK));
    arguments.search.k = *arguments.k;
  }
  if (arguments.ef) {
    CLI_TRY(check_range("--ef", *arguments.ef, 1, kMaxEf));
    arguments.search.ef = *arguments.ef;
  }
  if (arguments.recall) {
    if (!(*arguments.recall > 0 && *arguments.recall <= 1)) {
      return {StatusCode::invalid_argument, "--recall must be above 0 and at most 1"};
    }
    if (arguments.ef || arguments.radius) {
      return {StatusCode::invalid_argument,
              "--recall stands for --ef, and is for the k nearest: leave out --ef and --radius"};
    }
    arguments.search.recall = *arguments.recall;
  }
  if (!arguments.preset.empty()) {
    CLI_ASSIGN(arguments.search.preset, parse_preset(arguments.preset));
    if (arguments.radius) return {StatusCode::invalid_argument, "--preset is for the k nearest: leave out --radius"};
  }
  arguments.source.id_field.clear();  // queries need no ids
  arguments.source.payload_field.clear();
  return {};
}

/// A process that asks once has to measure first.
Status prepare(Collection collection, const Arguments& arguments) {
  if (arguments.search.recall == 0 || arguments.search.exact) return {};
  return collection.calibrate(arguments.search.preset);
}

int run(Arguments& arguments) {
  if (Status status = check(arguments); !status.ok()) return fail(status);
  Result<Database> database = open_store(arguments.at.store, open_options(Access::read));
  if (!database.ok()) return fail(database.status());
  int code = kExitOk;
  Status status;
  const auto collection = choose_collection(*database, arguments.at.store, arguments.at.collection);
  if (!collection.ok()) {
    status = collection.status();
  } else if (status = prepare(*collection, arguments); !status.ok()) {
    // said below
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
  command->add_option("-k,--k", arguments->k, "Results per query [10; with --radius all of them]");
  command->add_option("--radius", arguments->radius, "All points within this distance instead of the k nearest");
  command->add_option("--ef", arguments->ef, "Beam width: larger finds more and takes longer [max(k, 100)]");
  command->add_option(
      "--recall", arguments->recall,
      "Part of the nearest that is wanted, e.g. 0.98, instead of --ef: measured on the collection first");
  command->add_option("--preset", arguments->preset, "balanced (default), fast or exact");
  command->add_option("--deadline-ms", arguments->deadline_ms,
                      "Time for a query; past it the answer is what was found by then, and says so");
  command->add_flag("--exact", arguments->search.exact, "Compare with every point instead of using the graph");
  command->add_flag("--payload", arguments->search.with_payload, "Print payloads, too");
  command->add_flag("--json", arguments->json, "One JSON object per query and line");
  command->footer(
      "A point with several vectors is found once, by its nearest one: 17[2] is point 17 by its vector 2, the first "
      "is\n"
      "0 and not shown; --json always has \"value\". An answer that the deadline cut short holds what was found by "
      "then:\n"
      "a note on stderr, \"partial\": true with --json, exit code 0.\n"
      "Example: holdfast search ./store notes --vector '[0.1, 0.2, 0.3]' --k 5 --payload");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace holdfast::cli
