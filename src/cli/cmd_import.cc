// holdfast import: the rows of a file into a collection; see import_run.h for how it survives being stopped.
//
// The file is opened and checked before the store is touched: a bad file leaves no trace.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/import/file_identity.h"
#include "cli/import_run.h"
#include "cli/index_wait.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/source_options.h"
#include "cli/store.h"
#include "cli/text.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

struct Arguments {
  WordArguments at;  // words: [COLLECTION] FILE
  std::string file;
  SourceOptions source;
  ImportSettings settings;
  bool row_ids = false;
  bool create = false;
  std::optional<std::string> metric;
  std::optional<std::string> type;
  CollectionConfig config;
  std::string durability = "sync";
  std::uint32_t threads = 0;
  bool no_index = false;
  bool no_note = false;
  double report_every_s = 5;
};

Status check(Arguments& arguments) {
  if (arguments.at.words.size() > 2 || (arguments.at.words.size() == 2 && !arguments.at.collection.empty())) {
    return {StatusCode::invalid_argument, "import takes one file: write 'holdfast import STORE [COLLECTION] FILE'"};
  }
  arguments.file = arguments.at.words.back();
  if (arguments.at.words.size() == 2) arguments.at.collection = arguments.at.words.front();
  if (arguments.create && arguments.at.collection.empty()) {
    return {StatusCode::invalid_argument,
            "--create needs a name: write 'holdfast import STORE COLLECTION FILE --create'"};
  }
  CLI_TRY(check_range("--batch", arguments.settings.batch_rows, 1, kMaxBatchOperations - 1));
  CLI_TRY(check_range("--m", arguments.config.m, 2, kMaxM));
  CLI_TRY(check_range("--ef-construction", arguments.config.ef_construction, arguments.config.m, kMaxEfConstruction));
  if (!arguments.source.format.empty()) CLI_TRY(source_format(arguments.file, arguments.source.format).status());
  CLI_ASSIGN(arguments.settings.durability, parse_durability(arguments.durability));
  if (arguments.metric) {
    CLI_ASSIGN(arguments.config.metric, parse_metric(*arguments.metric));
  }
  if (arguments.type) {
    CLI_ASSIGN(arguments.config.type, parse_component_type(*arguments.type));
  }
  if (arguments.row_ids) arguments.source.id_field.clear();
  arguments.settings.keeps_note = !arguments.no_note;
  return {};
}

/// What makes two imports of one file different imports: how its rows become points.
std::string reading_of(const Arguments& arguments, SourceFormat format) {
  std::string reading(to_string(format));
  for (const std::string& part :
       {std::to_string(arguments.settings.first_id), arguments.source.dataset, arguments.source.id_field,
        arguments.source.vector_field, arguments.source.payload_field}) {
    reading.append(1, '\0').append(part);
  }
  return reading;
}

Result<std::string> identity_of(const Arguments& arguments) {
  CLI_ASSIGN(const InputFile file, InputFile::open(arguments.file));
  CLI_ASSIGN(const SourceFormat format, source_format(arguments.file, arguments.source.format));
  return file_identity(file, reading_of(arguments, format));
}

Result<Collection> collection_for(Database& database, Arguments& arguments, const VectorSource& source) {
  Result<Collection> found = choose_collection(database, arguments.at.store, arguments.at.collection);
  if (arguments.create && found.status().code() == StatusCode::not_found) {
    arguments.config.dimension = source.dimension();
    return database.create_collection(arguments.at.collection, arguments.config);
  }
  if (!found.ok()) return found;
  const CollectionConfig& config = found->config();
  if (config.dimension != source.dimension()) {
    return Status(StatusCode::invalid_argument, arguments.file + ": its vectors have " +
                                                    std::to_string(source.dimension()) + " components, those of '" +
                                                    found->name() + "' have " + std::to_string(config.dimension) +
                                                    ": choose another collection, or make one with --create");
  }
  if (arguments.metric && config.metric != arguments.config.metric) {
    return Status(StatusCode::invalid_argument,
                  "'" + found->name() + "' compares by " + std::string(to_string(config.metric)) + ", not by " +
                      std::string(to_string(arguments.config.metric)) + ": leave out --metric or choose another name");
  }
  if (arguments.type && config.type != arguments.config.type) {
    return Status(StatusCode::invalid_argument,
                  "'" + found->name() + "' stores " + std::string(to_string(config.type)) + ", not " +
                      std::string(to_string(arguments.config.type)) + ": leave out --type or choose another name");
  }
  return found;
}

/// "imported 1,000 rows of base.npy into notes in 0:03 (333/s); 1,000 points now"
void print_outcome(const Arguments& arguments, const Collection& collection, const ImportOutcome& outcome,
                   double seconds) {
  const std::uint64_t rows = outcome.rows - outcome.rows_before;
  std::printf("imported %s of %s into %s in %s (%s/s); %s now\n", counted(rows, "row").c_str(), arguments.file.c_str(),
              collection.name().c_str(), human_duration(seconds).c_str(),
              grouped(static_cast<std::uint64_t>(static_cast<double>(rows) / std::max(seconds, 1e-3))).c_str(),
              counted(collection.stats().points, "point").c_str());
}

int interrupted_at(const ImportOutcome& outcome, const Arguments& arguments) {
  note("holdfast: interrupted: the first " + counted(outcome.rows, "row") + " of " + arguments.file +
       " are stored; run the same command again to go on");
  return kExitInterrupted;
}

/// The import itself, on an open store. Returns the exit code.
int import_into(Database& database, Arguments& arguments, VectorSource& source, const std::string& identity) {
  Result<Collection> collection = collection_for(database, arguments, source);
  if (!collection.ok()) return fail(collection.status());
  ImportRun import(*collection, source, arguments.settings, std::filesystem::path(arguments.file).filename().string(),
                   identity);
  const Result<ImportNote> earlier = import.earlier();
  if (!earlier.ok()) return fail(earlier.status());
  const bool nothing_to_do =
      earlier->complete || (arguments.settings.limit && earlier->rows >= *arguments.settings.limit);
  if (nothing_to_do && earlier->rows != 0) {
    std::printf("%s is imported already (%s); --restart imports it again\n", arguments.file.c_str(),
                counted(earlier->rows, "row").c_str());
    return kExitOk;
  }
  if (earlier->rows != 0) {
    note("holdfast: continuing after " + counted(earlier->rows, "row") + " of an earlier import of " + arguments.file);
  }

  Progress progress("importing", "rows", std::chrono::duration<double>(arguments.report_every_s));
  const Result<ImportOutcome> outcome = import.run(*earlier, progress);
  const double seconds = progress.elapsed_s();
  progress.clear();
  if (!outcome.ok()) return import.input_failed() ? fail_input(outcome.status()) : fail(outcome.status());
  if (outcome->end == ImportEnd::interrupted) return interrupted_at(*outcome, arguments);
  if (Status status = collection->flush(); !status.ok()) return fail(status);
  print_outcome(arguments, *collection, *outcome, seconds);
  if (arguments.no_index) return kExitOk;
  const Status indexed = wait_for_index(database, *collection, std::chrono::duration<double>(arguments.report_every_s));
  if (indexed.code() == StatusCode::cancelled) {
    note("holdfast: interrupted: every row is stored; the graph is completed whenever the store is open");
    return kExitInterrupted;
  }
  return indexed.ok() ? kExitOk : fail(indexed);
}

int run(Arguments& arguments) {
  if (Status status = check(arguments); !status.ok()) return fail(status);
  const Result<std::unique_ptr<VectorSource>> source = open_source(arguments.file, arguments.source);
  if (!source.ok()) return fail_input(source.status());
  const Result<std::string> identity = identity_of(arguments);
  if (!identity.ok()) return fail_input(identity.status());

  catch_interrupts();
  OpenOptions options = open_options(arguments.create ? Access::create : Access::write);
  options.indexing_threads = arguments.threads;
  Result<Database> database = open_store(arguments.at.store, options);
  if (!database.ok()) return fail(database.status());
  const int code = import_into(*database, arguments, **source, *identity);
  const Status closed = database->close();
  return closed.ok() || code != kExitOk ? code : fail(closed);
}

}  // namespace

void add_import(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("import", "Store the rows of a file; continues where an earlier run stopped");
  arguments->at.add_to(*command, "FILE", "One file, after the collection if it is named");
  add_source_options(*command, arguments->source);
  command->add_option("--id-field", arguments->source.id_field, "JSONL: member that holds the id")
      ->capture_default_str();
  command
      ->add_option("--payload-field", arguments->source.payload_field,
                   "JSONL: member that holds the payload; '*': all the others together")
      ->capture_default_str();
  command->add_flag("--row-ids", arguments->row_ids, "JSONL: number the rows instead of reading ids");
  command->add_option("--first-id", arguments->settings.first_id, "Id of the first row where rows are numbered")
      ->capture_default_str();
  command->add_flag("--create", arguments->create, "Make store and collection if they are missing");
  command->add_option("--metric", arguments->metric, "With --create: l2 (default), inner_product or cosine");
  command->add_option("--type", arguments->type, "With --create: f32 (default), f16, bf16, i8 or u8");
  command->add_option("--m", arguments->config.m, "With --create: links per point")->capture_default_str();
  command->add_option("--ef-construction", arguments->config.ef_construction, "With --create: beam width in building")
      ->capture_default_str();
  command->add_option("--batch", arguments->settings.batch_rows, "Rows per atomic write")->capture_default_str();
  command->add_option("--limit", arguments->settings.limit, "Only the first so many rows of the file");
  command->add_option("--durability", arguments->durability, "sync, interval or none")->capture_default_str();
  command->add_option("--threads", arguments->threads, "Threads that build the graph; 0: one per core")
      ->capture_default_str();
  command->add_flag("--no-index", arguments->no_index, "Do not wait until the graph holds every row");
  command->add_flag("--restart", arguments->settings.restart, "Begin anew instead of continuing");
  command->add_flag("--no-note", arguments->no_note, "Keep no note of progress: the import cannot be continued");
  command
      ->add_option("--report-every", arguments->report_every_s,
                   "Seconds between progress lines where there is no terminal; 0: one per batch")
      ->capture_default_str();
  command->footer(
      "JSONL: one point per line, {\"id\": 17, \"vector\": [0.1, 0.2], \"payload\": {\"t\": \"x\"}}; the payload may "
      "be\n"
      "missing; ids are numbers or UUIDs. Several vectors under one id: \"vectors\": [[0.1, 0.2], [0.3, 0.4]]; a list\n"
      "of numbers there is one vector.\n"
      "Examples: holdfast import ./store notes notes.jsonl --create --metric cosine\n"
      "          holdfast import ./store sift sift-128-euclidean.hdf5 --create");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace holdfast::cli
