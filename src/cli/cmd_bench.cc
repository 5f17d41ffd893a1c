// holdfast bench: how well and how fast searches run on this collection, on this machine.
#include <cstdio>
#include <memory>

#include "cli/bench_run.h"
#include "cli/commands.h"
#include "cli/import/vector_source.h"
#include "cli/index_wait.h"
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

constexpr std::uint64_t kMaxQueries = 1'000'000;
constexpr unsigned kMaxThreads = 1'024;

struct Arguments {
  StoreArguments at;
  std::string queries;
  SourceOptions source;
  std::uint64_t count = 1000;
  std::uint64_t seed = 1;
  BenchSettings settings;
  std::vector<std::uint32_t> efs{20, 50, 100, 200, 400};
  bool no_wait = false;
  bool json = false;
};

Status check(Arguments& arguments) {
  CLI_TRY(check_range("--k", arguments.settings.k, 1, kMaxK - 1));
  CLI_TRY(check_range("--count", arguments.count, 1, kMaxQueries));
  CLI_TRY(check_range("--threads", arguments.settings.threads, 1, kMaxThreads));
  for (const std::uint32_t ef : arguments.efs) CLI_TRY(check_range("--ef", ef, 1, kMaxEf));
  arguments.source.id_field.clear();
  arguments.source.payload_field.clear();
  return {};
}

Result<std::vector<BenchQuery>> queries_of_file(const Arguments& arguments, std::uint32_t dimension) {
  CLI_ASSIGN(const std::unique_ptr<VectorSource> source, open_source(arguments.queries, arguments.source));
  if (source->dimension() != dimension) {
    return Status(StatusCode::invalid_argument, arguments.queries + ": its vectors have " +
                                                    std::to_string(source->dimension()) +
                                                    " components, those of the collection " +
                                                    std::to_string(dimension) + ": choose the file that fits");
  }
  std::vector<BenchQuery> queries;
  Record record;
  while (queries.size() < arguments.count) {
    CLI_ASSIGN(const bool any, source->next(record));
    if (!any) break;
    queries.push_back({record.vector, std::nullopt});
  }
  return queries;
}

std::string json_report(const Arguments& arguments, const Collection& collection, std::size_t queries,
                        const std::vector<BenchResult>& results) {
  JsonArray rows;
  for (const BenchResult& result : results) {
    rows.raw(JsonObject()
                 .number("ef", result.ef)
                 .real("recall", result.recall)
                 .real("qps", result.queries_per_s)
                 .real("mean_ms", result.mean_ms)
                 .real("p50_ms", result.p50_ms)
                 .real("p90_ms", result.p90_ms)
                 .real("p99_ms", result.p99_ms)
                 .real("p99_9_ms", result.p999_ms)
                 .str());
  }
  const CollectionStats stats = collection.stats();
  return JsonObject()
      .text("collection", collection.name())
      .number("points", stats.points)
      .number("growing", stats.growing)
      .number("queries", queries)
      .text("queries_from", arguments.queries.empty() ? "stored points" : arguments.queries)
      .number("k", arguments.settings.k)
      .number("threads", arguments.settings.threads)
      .raw("results", rows.str())
      .str();
}

void print_table(const Arguments& arguments, const std::vector<BenchResult>& results) {
  const auto right = Table::Align::right;
  Table table({{"ef", right},
               {"recall@" + std::to_string(arguments.settings.k), right},
               {"QPS", right},
               {"mean ms", right},
               {"p50 ms", right},
               {"p90 ms", right},
               {"p99 ms", right},
               {"p99.9 ms", right}});
  for (const BenchResult& result : results) {
    table.add({std::to_string(result.ef), format("%.4f", result.recall), format("%.0f", result.queries_per_s),
               format("%.3f", result.mean_ms), format("%.3f", result.p50_ms), format("%.3f", result.p90_ms),
               format("%.3f", result.p99_ms), format("%.3f", result.p999_ms)});
  }
  table.print();
}

int bench(Database& database, const Arguments& arguments) {
  Result<Collection> collection = choose_collection(database, arguments.at.store, arguments.at.collection);
  if (!collection.ok()) return fail(collection.status());
  if (!arguments.no_wait) {
    if (const Status indexed = wait_for_index(database, *collection, std::chrono::seconds(5)); !indexed.ok()) {
      return indexed.code() == StatusCode::cancelled ? kExitInterrupted : fail(indexed);
    }
  }
  const Snapshot snapshot = collection->snapshot();
  const bool sampled = arguments.queries.empty();
  const Result<std::vector<BenchQuery>> queries =
      sampled ? sample_queries(snapshot, static_cast<std::size_t>(arguments.count), arguments.seed)
              : queries_of_file(arguments, collection->config().dimension);
  if (!queries.ok()) return sampled ? fail(queries.status()) : fail_input(queries.status());
  if (queries->empty()) {
    return fail({StatusCode::not_found, sampled ? "'" + collection->name() + "' holds no points: import some first"
                                                : arguments.queries + ": holds no queries: choose another file"});
  }
  note(format("holdfast: %s from %s, k %u, %s; first the exact answers", counted(queries->size(), "query").c_str(),
              sampled ? "stored points, each without itself" : arguments.queries.c_str(), arguments.settings.k,
              counted(arguments.settings.threads, "thread").c_str()));

  const auto failed = [](const Status& status) {
    return status.code() == StatusCode::cancelled ? static_cast<int>(kExitInterrupted) : fail(status);
  };
  const Result<std::vector<ExactBound>> exact = exact_bounds(snapshot, *queries, arguments.settings);
  if (!exact.ok()) return failed(exact.status());
  std::vector<BenchResult> results;
  for (const std::uint32_t ef : arguments.efs) {
    const Result<BenchResult> result = measure(snapshot, *queries, *exact, ef, arguments.settings);
    if (!result.ok()) return failed(result.status());
    results.push_back(*result);
  }
  if (arguments.json) {
    std::puts(json_report(arguments, *collection, queries->size(), results).c_str());
  } else {
    print_table(arguments, results);
  }
  return kExitOk;
}

int run(Arguments& arguments) {
  if (const Status status = check(arguments); !status.ok()) return fail(status);
  catch_interrupts();
  // If the graph is completed first, a checkpoint at close keeps that work.
  const OpenOptions options = open_options(arguments.no_wait ? Access::read : Access::write);
  Result<Database> database = open_store(arguments.at.store, options);
  if (!database.ok()) return fail(database.status());
  const int code = bench(*database, arguments);
  const Status closed = database->close();
  return closed.ok() || code != kExitOk ? code : fail(closed);
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("bench", "Measure recall, throughput and latency on a collection");
  arguments->at.add_to(*command);
  command->add_option("--queries", arguments->queries, "Queries: the rows of this file instead of stored points");
  add_source_options(*command, arguments->source);
  command->add_option("--count", arguments->count, "At most so many queries")->capture_default_str();
  command->add_option("--seed", arguments->seed, "Chooses the stored points")->capture_default_str();
  command->add_option("-k,--k", arguments->settings.k, "Results per query")->capture_default_str();
  command->add_option("--ef", arguments->efs, "Beam widths, e.g. 50,100,200")->delimiter(',')->capture_default_str();
  command->add_option("--threads", arguments->settings.threads, "Threads that search")->capture_default_str();
  command->add_flag("--no-wait", arguments->no_wait, "Measure even if the graph does not hold every point yet");
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "Recall counts hits no farther than the k-th of an exact search. Stored points do not find themselves.\n"
      "Example: holdfast bench ./store notes --ef 50,100,200 --threads 2");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace holdfast::cli
