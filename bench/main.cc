// holdfast_bench: the figures of docs/figures.md. scripts/bench runs all of it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>

#include "bench/common_options.h"
#include "bench/load.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace holdfast::bench {

Dataset dataset_or_stand_in(const CommonArguments& common, const std::string& name) {
  const auto root = data_root(common.data);
  auto loaded = load_dataset(root, name);
  if (loaded.ok()) {
    Dataset set = std::move(loaded).value();
    shorten(set, common.rows, common.queries);
    return set;
  }
  if (loaded.status().code() != StatusCode::not_found) must(loaded.status());
  std::printf("SKIPPED: %s (%s). Set HOLDFAST_DATA or --data. A synthetic set of its shape takes its place.\n",
              name.c_str(), std::string(loaded.status().message()).c_str());
  std::fflush(stdout);
  Shape shape = must(shape_of(name));
  if (common.rows != 0) shape.rows = std::min(shape.rows, common.rows);
  if (common.queries != 0) shape.queries = std::min(shape.queries, common.queries);
  return synthetic_dataset("synthetic-" + name, shape, 1);
}

namespace {

void add_programs(CLI::App& app) {
  static CompareArguments compare;
  static OpenArguments open;
  static IngestArguments ingest;
  auto* const comparing = app.add_subcommand("compare", "build, recall, speed and memory beside other libraries");
  add_common(*comparing, compare.common);
  add_graph(*comparing, compare.build);
  add_batch(*comparing, compare.build);
  comparing->add_option("--dataset", compare.dataset)->capture_default_str();
  comparing->add_option("--builds", compare.builds)->capture_default_str()->check(CLI::PositiveNumber);
  comparing->add_option("--turns", compare.turns, "of searching")->capture_default_str()->check(CLI::PositiveNumber);
  comparing->add_option("--turn-seconds", compare.turn_seconds, "at least")->capture_default_str();
  comparing->add_option("--peers", compare.peers, "beginnings of names, e.g. faiss,usearch [all that there are]");
  comparing->add_option("--node-peers", compare.node_peers, "folder of the Node driver (scripts/bench makes it)");
  comparing->callback([] { run_compare(compare); });

  static ProfileArguments profile;
  profile.common.rows = 20'000;
  profile.common.queries = 100;
  auto* const profiling = app.add_subcommand("profile", "instructions and cache misses per search, by callgrind");
  add_common(*profiling, profile.common);
  add_graph(*profiling, profile.build);
  profiling->add_option("--dataset", profile.dataset)->capture_default_str();
  profiling->add_option("--ef", profile.ef)->capture_default_str()->check(CLI::PositiveNumber);
  profiling->callback([] { run_profile(profile); });

  auto* const opening = app.add_subcommand("open", "time until a store answers");
  add_common(*opening, open.common);
  add_graph(*opening, open.build);
  add_batch(*opening, open.build);
  opening->add_option("--dataset", open.dataset)->capture_default_str();
  opening->add_option("--frames", open.frames, "in the log at the kill")->capture_default_str();
  opening->add_option("--repetitions", open.repetitions)->capture_default_str()->check(CLI::PositiveNumber);
  opening->add_option("--small-rows", open.small_rows)->capture_default_str()->check(CLI::Range(1'000u, 10'000'000u));
  opening->add_option("--large-rows", open.large_rows)->capture_default_str()->check(CLI::Range(1'000u, 10'000'000u));
  opening->callback([] { run_open(open); });

  static RecallArguments recalls;
  auto* const recalling =
      app.add_subcommand("recall", "recall reached against recall wanted, and what measuring costs");
  add_common(*recalling, recalls.common);
  add_graph(*recalling, recalls.build);
  add_batch(*recalling, recalls.build);
  recalling->add_option("--dataset", recalls.dataset, "[sift, fashion-mnist, gist, word2vec and glove]");
  recalling->callback([] { run_recall(recalls); });

  static MultiQueryArguments multi;
  auto* const asking = app.add_subcommand("multi", "batch search on all cores beside independent processes");
  add_common(*asking, multi.common);
  add_graph(*asking, multi.build);
  asking->add_option("--dataset", multi.dataset)->capture_default_str();
  asking->add_option("--ef", multi.ef)->capture_default_str()->check(CLI::PositiveNumber);
  asking->add_option("--rounds", multi.rounds)->capture_default_str()->check(CLI::PositiveNumber);
  asking->add_option("--seconds", multi.seconds, "of a turn")->capture_default_str();
  asking->callback([] { run_multi_query(multi); });

  static BuildScalingArguments scaling;
  auto* const building = app.add_subcommand("scaling", "a durable build by more and more threads");
  add_common(*building, scaling.common);
  add_graph(*building, scaling.build);
  add_batch(*building, scaling.build);
  building->add_option("--dataset", scaling.dataset)->capture_default_str();
  building->add_option("--rounds", scaling.rounds)->capture_default_str()->check(CLI::PositiveNumber);
  building->callback([] { run_build_scaling(scaling); });

  auto* const ingesting = app.add_subcommand("ingest", "durable records per second, beside other stores and the disk");
  add_common(*ingesting, ingest.common);
  ingesting->add_option("--writers", ingest.writers)->capture_default_str()->check(CLI::PositiveNumber);
  ingesting->add_option("--rounds", ingest.rounds)->capture_default_str()->check(CLI::PositiveNumber);
  ingesting->add_option("--seconds", ingest.seconds, "per measurement")->capture_default_str();
  ingesting->callback([] { run_ingest(ingest); });
}

void add_million(CLI::App& app) {
  static MillionArguments arguments;
  auto* const program = app.add_subcommand("million", "a large synthetic store, built, searched and churned");
  add_out(*program, arguments.common);
  add_graph(*program, arguments.build);
  add_batch(*program, arguments.build);
  program->add_option("--rows", arguments.rows)->capture_default_str()->check(CLI::Range(1'000u, 10'000'000u));
  program->add_option("--small-rows", arguments.small_rows)->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--queries", arguments.queries, "timed")->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--judged", arguments.judged, "of them")->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--turns", arguments.turns, "of searching")->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--percent", arguments.percent, "of the points are churned")->check(CLI::Range(1u, 100u));
  program->add_option("--seed", arguments.seed)->capture_default_str();
  program->callback([] {
    if (arguments.small_rows > arguments.rows) fail("the small store is larger than the large one");
    run_million(arguments);
  });
}

/// Programs that others start; of no use by themselves.
void add_children(CLI::App& app) {
  static std::filesystem::path store;
  static std::filesystem::path queries;
  static std::uint32_t row = 0;
  auto* const once = app.add_subcommand("open-once")->group("");
  once->add_option("--store", store)->required();
  once->add_option("--query-file", queries)->required();
  once->add_option("--row", row);
  once->callback([] { run_open_once(store, queries, row); });
  static ServeArguments serve;
  auto* const serving = app.add_subcommand("serve-once")->group("");
  serving->add_option("--store", serve.store)->required();
  serving->add_option("--query-file", serve.queries)->required();
  serving->add_option("--ef", serve.ef);
  serving->add_option("--kind", serve.kind);
  serving->add_option("--mode", serve.mode);
  serving->callback([] { run_serve_once(serve); });
  static MultiQueryChildArguments searcher;
  auto* const searching = app.add_subcommand("multi-child")->group("");
  searching->add_option("--store", searcher.store)->required();
  searching->add_option("--query-file", searcher.queries)->required();
  searching->add_option("--ef", searcher.ef);
  searching->add_option("--first", searcher.first);
  searching->callback([] { run_multi_query_child(searcher); });
  auto* const writing = app.add_subcommand("write-until-killed")->group("");
  writing->add_option("--store", store)->required();
  writing->callback([] { run_write_until_killed(store); });
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  CLI::App app("Figures of Holdfast; see docs/figures.md");
  app.require_subcommand(1);
  holdfast::bench::add_programs(app);
  holdfast::bench::add_million(app);
  holdfast::bench::add_load_programs(app);
  holdfast::bench::add_children(app);
  try {
    CLI11_PARSE(app, argc, argv);
  } catch (const std::exception& error) {  // std::filesystem, std::bad_alloc
    holdfast::bench::fail(error.what());
  }
  return 0;
}
