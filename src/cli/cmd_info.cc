// holdfast info: what a store holds and how it is.
#include <cstdio>
#include <memory>
#include <string_view>

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
  StoreArguments at;
  bool json = false;
};

std::string json_recovery(const RecoveryReport& report) {
  JsonArray removed, notes;
  for (const std::string& file : report.files_removed) removed.raw(json_string(file));
  for (const std::string& text : report.notes) notes.raw(json_string(text));
  return JsonObject()
      .boolean("clean", report.clean)
      .number("checkpoint_lsn", report.checkpoint_lsn)
      .number("checkpoint_generation", report.checkpoint_generation)
      .boolean("fell_back", report.fell_back)
      .number("last_lsn", report.last_lsn)
      .number("frames_replayed", report.frames_replayed)
      .number("bytes_replayed", report.bytes_replayed)
      .number("bytes_cut", report.bytes_cut)
      .text("cut_reason", report.cut_reason)
      .raw("files_removed", removed.str())
      .raw("notes", notes.str())
      .real("load_ms", report.load_ms)
      .real("replay_ms", report.replay_ms)
      .real("total_ms", report.total_ms)
      .str();
}

std::string json_collection(const Collection& collection) {
  const CollectionConfig& config = collection.config();
  const CollectionStats stats = collection.stats();
  return JsonObject()
      .text("name", collection.name())
      .number("dimension", config.dimension)
      .text("metric", to_string(config.metric))
      .text("type", to_string(config.type))
      .number("m", config.m)
      .number("ef_construction", config.ef_construction)
      .number("points", stats.points)
      .number("values", stats.values)
      .number("slots", stats.slots)
      .number("dead_slots", stats.dead_slots)
      .number("free_slots", stats.free_slots)
      .number("dead_in_graph", stats.dead_in_graph)
      .number("growing", stats.growing)
      .number("graph_nodes", stats.graph_nodes)
      .number("graph_levels", stats.graph_levels)
      .number("last_lsn", stats.last_lsn)
      .number("synced_lsn", stats.synced_lsn)
      .number("checkpoint_lsn", stats.checkpoint_lsn)
      .number("checkpoint_generation", stats.checkpoint_generation)
      .number("log_bytes", stats.log_bytes)
      .number("disk_bytes", stats.disk_bytes)
      .number("vector_bytes", stats.vector_bytes)
      .number("overhead_bytes", stats.overhead_bytes)
      .number("payload_bytes", stats.payload_bytes)
      .number("retained_bytes", stats.retained_bytes)
      .number("reclaim_backlog", stats.reclaim_backlog)
      .number("pinned_snapshots", stats.pinned_snapshots)
      .number("oldest_snapshot_lsn", stats.oldest_snapshot_lsn)
      .number("oldest_snapshot_age_ms", stats.oldest_snapshot_age_ms)
      .number("expired_snapshots", stats.expired_snapshots)
      .number("vacuumed_slots", stats.vacuumed_slots)
      .number("writer_stalls", stats.writer_stalls)
      .number("writer_stall_us", stats.writer_stall_us)
      .number("scrubbed_bytes", stats.scrubbed_bytes)
      .number("scrub_passes", stats.scrub_passes)
      .number("damaged_pages", stats.damaged_pages)
      .text("damage", stats.damage)
      .text("checkpoint_error", stats.checkpoint_error)
      .text("write_error", stats.write_error)
      .raw("recovery", json_recovery(collection.recovery_report()))
      .str();
}

std::string json_store(const std::string& path, const std::vector<Collection>& collections, const Database& database) {
  JsonArray served, quarantined;
  for (const Collection& collection : collections) served.raw(json_collection(collection));
  for (const QuarantinedCollection& bad : database.quarantined()) {
    quarantined.raw(JsonObject()
                        .text("name", bad.name)
                        .text("code", to_string(bad.status.code()))
                        .text("reason", bad.status.message())
                        .str());
  }
  return JsonObject().text("store", path).raw("collections", served.str()).raw("quarantined", quarantined.str()).str();
}

/// The report in one line: its parts stand on lines of their own.
std::string recovery_text(const RecoveryReport& report) {
  constexpr std::string_view kNewLine = "\n  ";
  std::string text = report.to_string();
  for (std::size_t at = text.find(kNewLine); at != std::string::npos; at = text.find(kNewLine, at)) {
    text.replace(at, kNewLine.size(), "; ");
  }
  return text;
}

std::string snapshots_text(const CollectionStats& stats) {
  std::string text = grouped(stats.pinned_snapshots) + " held";
  if (stats.pinned_snapshots != 0) {
    text += format(", the oldest at lsn %llu for %s", static_cast<unsigned long long>(stats.oldest_snapshot_lsn),
                   human_duration(static_cast<double>(stats.oldest_snapshot_age_ms) / 1000).c_str());
  }
  return text + ", " + human_bytes(stats.retained_bytes) + " retained, " + counted(stats.reclaim_backlog, "row") +
         " waiting for them, " + grouped(stats.expired_snapshots) + " expired";
}

std::string points_text(const CollectionStats& stats) {
  std::string text = grouped(stats.points);
  if (stats.values != stats.points) text += " with " + counted(stats.values, "vector");
  return text + ", " + grouped(stats.growing) + " not yet in the graph";
}

void print_collection(const Collection& collection) {
  const CollectionConfig& config = collection.config();
  const CollectionStats stats = collection.stats();
  const std::uint64_t beside = stats.overhead_bytes + stats.payload_bytes;
  std::vector<std::pair<std::string, std::string>> fields{
      {"collection", collection.name()},
      {"vectors", format("%u components of %s, %s", config.dimension, std::string(to_string(config.type)).c_str(),
                         std::string(to_string(config.metric)).c_str())},
      {"graph", format("M %u, ef_construction %u; %s in %u levels", config.m, config.ef_construction,
                       counted(stats.graph_nodes, "node").c_str(), stats.graph_levels)},
      {"points", points_text(stats)},
      {"rows", grouped(stats.slots) + " (" + grouped(stats.dead_slots) + " dead, of which " +
                   grouped(stats.dead_in_graph) + " in the graph; " + grouped(stats.free_slots) + " free; " +
                   grouped(stats.vacuumed_slots) + " vacuumed since open)"},
      {"snapshots", snapshots_text(stats)},
      {"writers", counted(stats.writer_stalls, "stall") +
                      format(" since open, %.1f ms in all", static_cast<double>(stats.writer_stall_us) / 1000)},
      {"memory",
       human_bytes(stats.vector_bytes) + " vectors, " + human_bytes(beside) + " beside them" +
           (stats.points == 0 ? std::string()
                              : format(" (%.0f bytes per point without payloads)",
                                       static_cast<double>(stats.overhead_bytes) / static_cast<double>(stats.points)))},
      {"disk", human_bytes(stats.disk_bytes)},
      {"log", "lsn " + std::to_string(stats.last_lsn) + ", " + human_bytes(stats.log_bytes) +
                  " since the checkpoint, durable to lsn " + std::to_string(stats.synced_lsn)},
      {"checkpoint", "generation " + std::to_string(stats.checkpoint_generation) + ", holds lsn " +
                         std::to_string(stats.checkpoint_lsn)},
      {"last open", recovery_text(collection.recovery_report())},
  };
  if (stats.damaged_pages != 0) {
    fields.emplace_back("damage", counted(stats.damaged_pages, "page") + " found since open: " + stats.damage);
  }
  if (!stats.checkpoint_error.empty()) fields.emplace_back("no checkpoint", stats.checkpoint_error);
  if (!stats.write_error.empty()) fields.emplace_back("read-only", stats.write_error);
  print_fields(fields);
}

void print_store(const std::vector<Collection>& collections) {
  Table table({{"collection"},
               {"points", Table::Align::right},
               {"dimension", Table::Align::right},
               {"metric"},
               {"disk", Table::Align::right},
               {"last open"}});
  for (const Collection& collection : collections) {
    const CollectionStats stats = collection.stats();
    table.add({collection.name(), std::to_string(stats.points), std::to_string(collection.config().dimension),
               std::string(to_string(collection.config().metric)),
               stdout_is_terminal() ? human_bytes(stats.disk_bytes) : std::to_string(stats.disk_bytes),
               collection.recovery_report().clean ? "clean" : "recovered"});
  }
  table.print();
}

Status print_all(const Database& database, const Arguments& arguments) {
  std::vector<Collection> collections;
  for (const std::string& name : database.collections()) {
    CLI_ASSIGN(Collection collection, database.collection(name));
    collections.push_back(std::move(collection));
  }
  if (arguments.json) {
    std::puts(json_store(arguments.at.store, collections, database).c_str());
    return {};
  }
  const std::vector<QuarantinedCollection> quarantined = database.quarantined();
  if (collections.size() == 1) {
    print_collection(collections.front());
  } else if (!collections.empty()) {
    print_store(collections);
  } else if (quarantined.empty()) {
    std::puts("no collections");
  }
  for (const QuarantinedCollection& bad : quarantined) {
    std::printf("quarantined: %s: %s\n", bad.name.c_str(), bad.status.to_string().c_str());
  }
  return {};
}

Status print_one(const Database& database, const Arguments& arguments) {
  CLI_ASSIGN(const Collection collection, choose_collection(database, arguments.at.store, arguments.at.collection));
  if (arguments.json) {
    std::puts(json_collection(collection).c_str());
  } else {
    print_collection(collection);
  }
  return {};
}

Status run(const Arguments& arguments) {
  CLI_ASSIGN(Database database, open_store(arguments.at.store, open_options(Access::read)));
  Status status = arguments.at.collection.empty() ? print_all(database, arguments) : print_one(database, arguments);
  return close_store(database, std::move(status));
}

}  // namespace

void add_info(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("info", "Show what a store or a collection holds and how it is");
  command->add_option("STORE", arguments->at.store, "Directory of the store")->required();
  command->add_option("COLLECTION,-c,--collection", arguments->at.collection, "Only this collection");
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer("Example: holdfast info ./store notes");
  command->callback([arguments, &exit_code] {
    const Status status = run(*arguments);
    exit_code = status.ok() ? kExitOk : fail(status);
  });
}

}  // namespace holdfast::cli
