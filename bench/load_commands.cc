// The command line of the load programs.
#include "bench/common_options.h"
#include "bench/load.h"

namespace holdfast::bench {

namespace {

void add_capture(CLI::App& load) {
  static LoadCaptureArguments arguments;
  auto* const program = load.add_subcommand("capture", "capture and release of a snapshot, at two sizes");
  add_common(*program, arguments.common);
  program->add_option("--dim", arguments.dim)->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--small-rows", arguments.small_rows)->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--large-rows", arguments.large_rows)->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--rounds", arguments.rounds)->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--captures", arguments.captures, "per round")->capture_default_str()->check(CLI::PositiveNumber);
  program->callback([] { run_load_capture(arguments); });
}

void add_interference(CLI::App& load) {
  static LoadInterferenceArguments arguments;
  auto* const program = load.add_subcommand("interference", "one reader beside checkpoints, vacuum and the indexer");
  add_common(*program, arguments.common);
  add_graph(*program, arguments.build);
  program->add_option("--dataset", arguments.dataset)->capture_default_str();
  program->add_option("--ef", arguments.ef)->capture_default_str();
  program->add_option("--rounds", arguments.rounds)->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--seconds", arguments.seconds, "of a slice")->capture_default_str();
  program->add_option("--percent", arguments.percent, "of the points come and go")->check(CLI::Range(1u, 100u));
  program->add_option("--seed", arguments.seed)->capture_default_str();
  program->callback([] { run_load_interference(arguments); });
}

void add_checkpoint(CLI::App& load) {
  static LoadCheckpointArguments arguments;
  auto* const program = load.add_subcommand("checkpoint", "what a checkpoint writes, by how much changed");
  add_common(*program, arguments.common);
  add_graph(*program, arguments.build);
  program->add_option("--dataset", arguments.dataset)->capture_default_str();
  program->add_option("--rounds", arguments.rounds, "of each change")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  program->add_option("--percent", arguments.percent, "of the points that change")->delimiter(',');
  program->add_flag("--vacuum,!--no-vacuum", arguments.vacuum, "before each checkpoint")->capture_default_str();
  program->add_option("--seed", arguments.seed)->capture_default_str();
  program->callback([] { run_load_checkpoint(arguments); });
}

void add_churn_options(CLI::App& program, LoadChurnArguments& arguments) {
  add_graph(program, arguments.build);
  program.add_option("--operations", arguments.operations)->capture_default_str()->check(CLI::Range(100u, ~0u));
  program.add_option("--writers", arguments.writers)->capture_default_str()->check(CLI::PositiveNumber);
  program.add_option("--batch", arguments.batch, "operations per write")->check(CLI::PositiveNumber);
  program.add_option("--ef", arguments.ef)->capture_default_str();
  program.add_option("--seed", arguments.seed)->capture_default_str();
  add_durability(program, arguments.durability);
}

void add_churn(CLI::App& load) {
  static LoadChurnArguments arguments;
  auto* const program = load.add_subcommand("churn", "random upserts and deletes, then compared with a fresh store");
  add_common(*program, arguments.common);
  add_churn_options(*program, arguments);
  program->add_option("--dataset", arguments.dataset)->capture_default_str();
  program->callback([] { run_load_churn(arguments); });

  static LoadChurnChildArguments child;
  static std::string metric;
  auto* const part = load.add_subcommand("churn-child")->group("");
  add_churn_options(*part, child.churn);
  part->add_option("--store", child.store)->required();
  part->add_option("--pool", child.pool)->required();
  part->add_option("--query-file", child.queries)->required();
  part->add_option("--live", child.live)->required();
  part->add_option("--live-points", child.live_points)->required();
  part->add_option("--metric", metric)->required();
  part->add_flag("--fresh", child.fresh);
  part->callback([] {
    child.metric = parse_metric(metric).value();
    run_load_churn_child(child);
  });
}

void add_snapshot_cost(CLI::App& load) {
  static LoadSnapshotCostArguments arguments;
  auto* const program = load.add_subcommand("snapshot-cost", "ingest with and without a snapshot that lives");
  add_common(*program, arguments.common);
  add_graph(*program, arguments.build);
  program->add_option("--dataset", arguments.dataset)->capture_default_str();
  add_batch(*program, arguments.build);
  program->add_option("--rounds", arguments.rounds)->capture_default_str()->check(CLI::PositiveNumber);
  program->callback([] { run_load_snapshot_cost(arguments); });
}

void add_holders(CLI::App& load) {
  static LoadHoldersArguments arguments;
  auto* const program = load.add_subcommand("holders", "snapshots asked again and again beside writers");
  add_common(*program, arguments.common);
  add_graph(*program, arguments.build);
  add_durability(*program, arguments.durability);
  program->add_option("--dataset", arguments.dataset)->capture_default_str();
  program->add_option("--holders", arguments.holders)->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--writers", arguments.writers)->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--asked", arguments.asked, "queries of each holder")->check(CLI::PositiveNumber);
  program->add_option("--batch", arguments.batch, "operations per write")->check(CLI::PositiveNumber);
  program->add_option("--seconds", arguments.seconds)->capture_default_str();
  program->add_option("--seed", arguments.seed)->capture_default_str();
  program->callback([] { run_load_holders(arguments); });
}

void add_pinned(CLI::App& load) {
  static LoadPinnedArguments arguments;
  auto* const program = load.add_subcommand("pinned", "searches on a snapshot beside other snapshots and a writer");
  add_common(*program, arguments.common);
  add_graph(*program, arguments.build);
  program->add_option("--dataset", arguments.dataset)->capture_default_str();
  program->add_option("--ef", arguments.ef)->capture_default_str();
  program->add_option("--snapshots", arguments.snapshots, "besides the reader's")->capture_default_str();
  program->add_option("--rounds", arguments.rounds)->capture_default_str()->check(CLI::PositiveNumber);
  program->add_option("--seconds", arguments.seconds, "of a slice")->capture_default_str();
  program->add_option("--seed", arguments.seed)->capture_default_str();
  program->callback([] { run_load_pinned(arguments); });
}

void add_smooth(CLI::App& load) {
  static LoadSmoothArguments arguments;
  auto* const program = load.add_subcommand("ingest-smooth", "a writer faster than the indexer, second by second");
  add_common(*program, arguments.common);
  add_durability(*program, arguments.durability);
  program->add_option("--dataset", arguments.dataset)->capture_default_str();
  program->add_option("--batch", arguments.batch, "points per write")->check(CLI::PositiveNumber);
  program->add_option("--seconds", arguments.seconds, "of each mode")->capture_default_str();
  program->callback([] { run_load_smooth(arguments); });
}

}  // namespace

void add_load_programs(CLI::App& app) {
  auto* const load = app.add_subcommand("load", "the store with everything running at once");
  load->require_subcommand(1);
  add_capture(*load);
  add_interference(*load);
  add_checkpoint(*load);
  add_churn(*load);
  add_snapshot_cost(*load);
  add_holders(*load);
  add_pinned(*load);
  add_smooth(*load);
}

}  // namespace holdfast::bench
