// The demo: ingests WordNet durably, kills the ingesting process with SIGKILL again and again, checks after each kill
// that nothing acknowledged is lost, and then asks the store some questions.
//
//   wordnet_demo [--dir D] [--kills N] [--seed S] [--keep] [--questions Q...]
//   wordnet_demo ask "a young dog" --dir D            after a run with --keep --dir D
//   wordnet_demo ingest ...                           the process that dies; started by the first form only
//
// Exit status: 0 if nothing is lost or partial and recall is sane, 1 otherwise.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <random>

#include "demo_answers.h"
#include "demo_corpus.h"
#include "demo_store.h"
#include "demo_watch.h"
#include "progress_bar.h"

namespace demo {
namespace {

using holdfast::Status;
using holdfast::StatusCode;
using Clock = std::chrono::steady_clock;

constexpr double kRecallMin = 0.9;
constexpr std::uint32_t kQualityQueries = 500;
constexpr std::uint32_t kAnswers = 3;

struct Arguments {
  Paths paths;
  std::filesystem::path wordnet = kWordnetDirectory;
  unsigned kills = 4;
  std::uint64_t seed = 0;
  bool keep = false;
  std::vector<std::string> questions;
  int event_pipe = -1;
};

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

void print_indented(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::printf("      %.*s\n", static_cast<int>(end), text.data());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// What the whole run is about.
struct Tally {
  std::uint64_t acknowledged = 0;
  std::uint64_t found = 0;
  bool sound = true;  ///< nothing partial, nothing unknown, in any check
};

Status check_and_report(const holdfast::Collection& synsets, const Corpus& corpus, Record& record, Tally& tally) {
  auto expected = record.expectation();
  if (!expected.ok()) return expected.status();
  auto report = check(synsets, corpus, *expected);
  if (!report.ok()) return report.status();
  std::printf("    checked: %s acknowledged, %s found with exact vector and payload, %s lost, %s unknown\n",
              grouped(report->acknowledged).c_str(), grouped(report->found).c_str(),
              grouped(report->acknowledged - report->found).c_str(), grouped(report->unknown).c_str());
  if (report->in_flight > 0) {
    const bool partial = report->in_flight_found != 0 && report->in_flight_found != report->in_flight;
    std::printf("    the batch in flight (%s points, never acknowledged) is %s\n", grouped(report->in_flight).c_str(),
                partial                        ? "PARTIAL"
                : report->in_flight_found == 0 ? "not there at all"
                                               : "there as a whole");
  }
  if (!report->good()) std::printf("    FAILED: %s\n", report->first_problem.c_str());
  tally.acknowledged = report->acknowledged;
  tally.found = report->found;
  tally.sound = tally.sound && report->good();
  return record.settle(report->in_flight > 0 && report->in_flight_found == report->in_flight);
}

void report_kill(const RunResult& run, std::uint64_t total) {
  std::printf("    killed process %d with SIGKILL at %.1f %%", static_cast<int>(run.pid),
              100 * static_cast<double>(run.acknowledged) / static_cast<double>(total));
  if (run.in_batch) std::printf(", a batch in flight");
  if (run.in_checkpoint) std::printf(", a checkpoint half-way");
  if (run.growing > 0) std::printf(", %s points waiting for the graph", grouped(run.growing).c_str());
  std::printf("\n");
}

/// Starts the ingest again and again until it ends by itself; `kills` are how it ends before.
Status ingest_and_kill(const Arguments& arguments, const Corpus& corpus, Tally& tally) {
  Record record(arguments.paths.record());
  const std::vector<Kill> kills = plan_kills(arguments.kills, arguments.seed);
  for (std::size_t round = 0; round <= kills.size(); ++round) {
    auto expected = record.expectation();
    if (!expected.ok()) return expected.status();
    std::printf("\n%s %zu of %zu\n", round < kills.size() ? "kill" : "the rest: round", round + 1,
                round < kills.size() ? kills.size() : kills.size() + 1);
    auto run = run_ingest(arguments.paths, arguments.wordnet, record, expected->acknowledged, corpus.size(),
                          round < kills.size() ? &kills[round] : nullptr);
    if (!run.ok()) return run.status();
    if (run->killed) report_kill(*run, corpus.size());
    if (!run->killed && round < kills.size()) return {StatusCode::internal, "it was done before it could be killed"};

    auto store = open_store(arguments.paths);
    if (!store.ok()) return store.status();
    const holdfast::RecoveryReport& recovery = store->synsets.recovery_report();
    std::printf("    opened again in %.1f ms; recovery report:\n", recovery.total_ms);
    print_indented(recovery.to_string());
    if (Status status = check_and_report(store->synsets, corpus, record, tally); !status.ok()) return status;
    if (Status status = store->database.close(); !status.ok()) return status;
  }
  return {};
}

Status finish_graph(const Paths& paths) {
  auto store = open_store(paths);
  if (!store.ok()) return store.status();
  const std::uint64_t total = store->synsets.stats().points;
  const std::uint64_t start = total - std::min(total, store->synsets.stats().growing);
  {
    ProgressBar progress("indexing", start, total);
    for (std::uint64_t growing = total; growing > 0;) {
      growing = store->synsets.stats().growing;
      progress.update(total - std::min(total, growing));
      if (growing > 0) ::usleep(50'000);  // a redraw interval; wait_until_indexed() below does the waiting
    }
  }
  if (Status status = store->synsets.wait_until_indexed(); !status.ok()) return status;
  if (Status status = store->synsets.checkpoint(); !status.ok()) return status;
  return store->database.close();
}

Status print_answers(const Arguments& arguments, const Corpus& corpus, const TextEmbedder& embedder, Tally& tally) {
  const auto begin = Clock::now();
  auto store = open_store(arguments.paths);
  if (!store.ok()) return store.status();
  if (auto first = store->synsets.search(embedder.embed("first"), {}); !first.ok()) return first.status();
  const double open_ms = milliseconds_since(begin);

  std::printf("\nquestions\n");
  for (const std::string& question : arguments.questions) {
    if (Status status = answer(store->synsets, embedder, question, kAnswers); !status.ok()) return status;
  }
  auto quality = measure(store->synsets, embedder, corpus, kQualityQueries, arguments.seed % corpus.size());
  if (!quality.ok()) return quality.status();
  const holdfast::CollectionStats stats = store->synsets.stats();
  std::printf("\nfigures\n");
  std::printf("  recall@10    %.4f against exact search, %u queries\n", quality->recall_at_10, quality->queries);
  std::printf("  queries/s    %s through the graph, %s exact, one thread\n",
              grouped(static_cast<std::uint64_t>(quality->graph_qps)).c_str(),
              grouped(static_cast<std::uint64_t>(quality->exact_qps)).c_str());
  std::printf("  open         %.1f ms after a clean close, first answer included\n", open_ms);
  std::printf("  on disk      %s (log included)\n", human_bytes(stats.disk_bytes).c_str());
  std::printf("  in memory    %s vectors + %s graph, ids and the like + %s payloads (the files are mapped)\n",
              human_bytes(stats.vector_bytes).c_str(), human_bytes(stats.overhead_bytes).c_str(),
              human_bytes(stats.payload_bytes).c_str());
  if (quality->recall_at_10 < kRecallMin) {
    std::printf("  FAILED: recall is below %.2f\n", kRecallMin);
    tally.sound = false;
  }
  return store->database.close();
}

Status run(const Arguments& arguments, Tally& tally) {
  std::error_code error;
  std::filesystem::create_directories(arguments.paths.directory, error);
  if (error) return {StatusCode::io_error, "cannot make " + arguments.paths.directory.string()};
  if (std::filesystem::exists(arguments.paths.store()) || std::filesystem::exists(arguments.paths.record())) {
    return {StatusCode::already_exists, arguments.paths.directory.string() +
                                            " holds an earlier run; remove it, or ask it: wordnet_demo ask --dir " +
                                            arguments.paths.directory.string()};
  }
  auto begin = Clock::now();
  auto corpus = Corpus::read(arguments.wordnet);
  if (!corpus.ok()) return corpus.status();
  std::printf("WordNet: %s synsets\n", grouped(corpus->size()).c_str());
  const TextEmbedder embedder = corpus->learn();
  corpus->embed_all(embedder);
  if (Status status = corpus->save_vectors(arguments.paths.vectors()); !status.ok()) return status;
  std::printf("embedded: %u dimensions from %s words, %.1f s\n", embedder.dimension(),
              grouped(embedder.vocabulary_size()).c_str(), milliseconds_since(begin) / 1000);
  std::printf("seed: %llu (the same kills again: --seed %llu --kills %u)\n",
              static_cast<unsigned long long>(arguments.seed), static_cast<unsigned long long>(arguments.seed),
              arguments.kills);
  begin = Clock::now();
  if (Status status = ingest_and_kill(arguments, *corpus, tally); !status.ok()) return status;
  if (Status status = finish_graph(arguments.paths); !status.ok()) return status;
  std::printf("\neverything durable, in the graph and in a checkpoint after %.1f s, %u kills and checks included\n",
              milliseconds_since(begin) / 1000, arguments.kills);
  return print_answers(arguments, *corpus, embedder, tally);
}

Status ask(const Arguments& arguments) {
  auto store = open_store(arguments.paths);
  if (!store.ok()) return store.status();
  auto corpus = Corpus::read(arguments.wordnet);
  if (!corpus.ok()) return corpus.status();
  const TextEmbedder embedder = corpus->learn();
  for (const std::string& question : arguments.questions) {
    if (Status status = answer(store->synsets, embedder, question, 10); !status.ok()) return status;
  }
  if (!arguments.questions.empty()) return {};
  std::printf("Describe what you look for; an empty line ends.\n");
  for (std::string line; std::printf("> "), std::fflush(stdout), std::getline(std::cin, line) && !line.empty();) {
    if (Status status = answer(store->synsets, embedder, line, 10); !status.ok()) std::puts(status.to_string().c_str());
  }
  return {};
}

int failed(const Status& status) {
  std::fflush(stdout);
  std::fprintf(stderr, "wordnet_demo: %s\n", status.to_string().c_str());
  return 1;
}

int run_and_sum_up(Arguments arguments, bool has_directory) {
  if (!has_directory) {
    arguments.paths.directory =
        std::filesystem::temp_directory_path() / ("holdfast-demo-" + std::to_string(::getpid()));
  }
  if (arguments.questions.empty()) arguments.questions = default_questions();
  Tally tally;
  const Status status = run(arguments, tally);
  if (!arguments.keep && status.code() != StatusCode::already_exists) {
    std::error_code ignored;  // what cannot be removed is only left over
    for (const auto& path : {arguments.paths.store(), arguments.paths.record(), arguments.paths.vectors()}) {
      std::filesystem::remove_all(path, ignored);
    }
    std::filesystem::remove(arguments.paths.directory, ignored);  // if nothing else is in it
  } else if (status.ok()) {
    std::printf("\nkept; ask your own questions: wordnet_demo ask --dir %s\n", arguments.paths.directory.c_str());
  }
  if (!status.ok()) return failed(status);
  std::printf("\nacknowledged %llu, found %llu, lost %llu\n", static_cast<unsigned long long>(tally.acknowledged),
              static_cast<unsigned long long>(tally.found),
              static_cast<unsigned long long>(tally.acknowledged - tally.found));
  return tally.sound && tally.found == tally.acknowledged ? 0 : 1;
}

int main_of(int argc, char** argv) {
  Arguments arguments;
  arguments.seed = std::random_device{}();
  CLI::App app("Ingests WordNet, kills itself again and again, loses nothing, answers questions.", "wordnet_demo");
  auto* directory =
      app.add_option("--dir", arguments.paths.directory, "where to work (default: a temporary directory)");
  app.add_option("--wordnet", arguments.wordnet, "where the data files are")->capture_default_str();
  app.add_option("--kills", arguments.kills, "how often to kill")->capture_default_str()->check(CLI::Range(0, 50));
  app.add_option("--seed", arguments.seed, "when to kill (default: random, printed)");
  app.add_flag("--keep", arguments.keep, "leave the store for `wordnet_demo ask`");
  app.add_option("--questions", arguments.questions, "ask these instead of the usual ones");

  auto* ask_command = app.add_subcommand("ask", "ask a store that was kept; without a question, ask again and again");
  ask_command->add_option("question", arguments.questions, "in words");
  ask_command->add_option("--dir", arguments.paths.directory, "of the run with --keep")->required();
  ask_command->add_option("--wordnet", arguments.wordnet);

  auto* ingest_command = app.add_subcommand("ingest", "")->group("");  // not for people
  ingest_command->add_option("--dir", arguments.paths.directory)->required();
  ingest_command->add_option("--wordnet", arguments.wordnet);
  ingest_command->add_option("--event-pipe", arguments.event_pipe)->required();
  CLI11_PARSE(app, argc, argv);

  if (ingest_command->parsed()) {
    const Status status = ingest(arguments.paths, arguments.wordnet, arguments.event_pipe);
    return status.ok() ? 0 : failed(status);
  }
  if (ask_command->parsed()) {
    const Status status = ask(arguments);
    return status.ok() ? 0 : failed(status);
  }
  return run_and_sum_up(std::move(arguments), directory->count() > 0);
}

}  // namespace
}  // namespace demo

int main(int argc, char** argv) { return demo::main_of(argc, argv); }
