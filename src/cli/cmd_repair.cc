// holdfast repair: shows what is damaged and what could be done, and does what it is allowed to.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/text.h"
#include "holdfast/admin.h"

namespace holdfast::cli {
namespace {

constexpr Salvage kSalvages[] = {Salvage::drop_checkpoint,  Salvage::trim_log,       Salvage::rebuild_graph,
                                 Salvage::rebuild_ids,      Salvage::rebuild_codes,  Salvage::drop_points,
                                 Salvage::cut_log,          Salvage::skip_frames,    Salvage::roll_back,
                                 Salvage::rebuild_manifest, Salvage::rebuild_catalog};

struct Arguments {
  std::string store;
  std::string collection;
  std::vector<Salvage> allowed;
  bool lossless = false;
  bool all = false;
  bool dry_run = false;
  bool json = false;
  std::uint32_t dimension = 0;
  std::string metric;
};

/// What each option of the same name permits, for the help.
const char* help_of(Salvage salvage) {
  switch (salvage) {
    case Salvage::drop_checkpoint: return "Set a damaged checkpoint aside where another one and the log hold all of it";
    case Salvage::trim_log: return "Set damaged log aside where the checkpoint holds all of it";
    case Salvage::rebuild_graph: return "Build a damaged graph anew from the vectors; loses nothing, takes long";
    case Salvage::rebuild_ids: return "Sort the ids anew from the rows; loses nothing";
    case Salvage::rebuild_codes: return "Leave damaged codes out, to be made anew from the vectors; loses nothing";
    case Salvage::drop_points: return "LOSES the points of which a row is damaged; prints their ids";
    case Salvage::cut_log: return "LOSES every batch from the damaged one on; prints their ids";
    case Salvage::skip_frames: return "LOSES the damaged batches only; what they replaced or deleted is back";
    case Salvage::roll_back: return "LOSES every batch since the last checkpoint; prints their ids";
    case Salvage::rebuild_manifest:
      return "Make a manifest out of the extents; LOSES markers, and what unreadable files held";
    case Salvage::rebuild_catalog: return "Make a catalog out of the collections' manifests";
  }
  return "";
}

std::string json_loss(const RepairLoss& loss) {
  JsonArray ids, unnamed;
  for (const PointId& id : loss.ids) ids.raw(json_id(id));
  for (const std::string& what : loss.unnamed) unnamed.raw(json_string(what));
  return JsonObject()
      .raw("ids", ids.str())
      .number("unknown_points", loss.unknown_points)
      .number("first_lsn", loss.first_lsn)
      .number("last_lsn", loss.last_lsn)
      .number("unread_batches", loss.unread_batches)
      .raw("unnamed", unnamed.str())
      .str();
}

std::string json_report(const RepairReport& report) {
  JsonArray steps, hopeless, aside;
  for (const RepairStep& step : report.steps) {
    steps.raw(JsonObject()
                  .text("salvage", to_string(step.salvage))
                  .text("collection", step.collection)
                  .text("file", step.file)
                  .number("offset", step.offset)
                  .number("length", step.length)
                  .text("damage", step.damage)
                  .text("explanation", step.explanation)
                  .raw("lost", json_loss(step.loss))
                  .boolean("alternative", step.alternative)
                  .boolean("chosen", step.chosen)
                  .boolean("done", step.done)
                  .str());
  }
  for (const std::string& why : report.hopeless) hopeless.raw(json_string(why));
  for (const std::string& directory : report.set_aside) aside.raw(json_string(directory));
  return JsonObject()
      .boolean("sound", report.nothing_to_repair())
      .raw("steps", steps.str())
      .raw("hopeless", hopeless.str())
      .raw("set_aside", aside.str())
      .str();
}

std::string loss_text(const RepairLoss& loss) {
  std::vector<std::string> parts;
  if (!loss.ids.empty()) {
    std::string ids;
    for (const PointId& id : loss.ids) ids += (ids.empty() ? "" : ", ") + id.to_string();
    parts.push_back(counted(loss.ids.size(), "point") + ": " + ids);
  }
  if (loss.unknown_points != 0) parts.push_back(counted(loss.unknown_points, "row") + " whose ids cannot be read");
  if (loss.first_lsn != 0) {
    std::string batches = loss.last_lsn == 0 ? "every batch from lsn " + std::to_string(loss.first_lsn) + " on"
                                             : "batches of lsn " + std::to_string(loss.first_lsn) + " to " +
                                                   std::to_string(loss.last_lsn);
    if (loss.unread_batches != 0) batches += ", " + grouped(loss.unread_batches) + " of them unreadable";
    parts.push_back(batches);
  }
  parts.insert(parts.end(), loss.unnamed.begin(), loss.unnamed.end());
  return parts.empty() ? "nothing" : join(parts, "; ");
}

void print_step(const RepairStep& step, bool acted) {
  const std::string name(to_string(step.salvage));
  const char* state = step.done     ? "done"
                      : step.chosen ? (acted ? "not done, others are missing" : "chosen")
                                    : "not chosen";
  std::printf("%s--%s (%s)\n", step.alternative ? "one of several: " : "", name.c_str(), state);
  if (!step.collection.empty()) std::printf("  collection: %s\n", step.collection.c_str());
  std::printf("  damage: %s, offset %s: %s\n", step.file.c_str(), std::to_string(step.offset).c_str(),
              step.damage.c_str());
  std::printf("  what it does: %s\n", step.explanation.c_str());
  std::printf("  %s: %s\n", step.done ? "lost" : "loses", loss_text(step.loss).c_str());
}

void print_text(const RepairReport& report, bool acted) {
  if (report.nothing_to_repair()) {
    std::puts("sound: nothing to repair");
    return;
  }
  for (const RepairStep& step : report.steps) print_step(step, acted);
  for (const std::string& why : report.hopeless) {
    std::printf("no salvage: %s: restore a backup, or drop the collection\n", why.c_str());
  }
  for (const std::string& directory : report.set_aside) {
    std::printf("set aside: %s holds what was taken out, and a REPORT; remove it when it is not needed any more\n",
                directory.c_str());
  }
  if (report.incomplete()) {
    std::puts("not repaired: choose from the options above; without one, nothing is changed");
  } else if (!acted) {
    std::puts("nothing was changed: run the command again without --dry-run");
  }
}

/// What one of them keeps the other gives up: which one is meant has to be said.
bool contradicts_itself(const std::vector<Salvage>& allowed) {
  const auto asked = [&](Salvage salvage) {
    return std::find(allowed.begin(), allowed.end(), salvage) != allowed.end();
  };
  return asked(Salvage::cut_log) + asked(Salvage::skip_frames) + asked(Salvage::roll_back) > 1;
}

int run(Arguments& arguments) {
  if (contradicts_itself(arguments.allowed)) {
    std::fputs("holdfast: --cut-log, --skip-frames and --roll-back exclude each other: choose one of them\n", stderr);
    return kExitUsage;
  }
  RepairOptions options;
  options.collection = arguments.collection;
  options.allowed = arguments.allowed;
  options.all_lossless = arguments.lossless || arguments.all;
  if (arguments.all) {
    for (const Salvage salvage : kSalvages) options.allowed.push_back(salvage);  // cut_log before its alternatives
  }
  options.dimension = arguments.dimension;
  if (!arguments.metric.empty()) {
    const Result<Metric> metric = parse_metric(arguments.metric);
    if (!metric.ok()) return fail(metric.status());
    options.metric = *metric;
  }
  Progress progress("reading", "bytes", std::chrono::seconds(10));
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    progress.update(done, total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total));
  };
  const bool act = !arguments.dry_run && (!options.allowed.empty() || options.all_lossless);
  const Result<RepairReport> report = act ? repair(arguments.store, options) : plan_repair(arguments.store, options);
  progress.clear();
  if (!report.ok()) {
    fail(report.status());
    return report.status().code() == StatusCode::not_found ? kExitUsage : kExitStore;
  }
  if (arguments.json) {
    std::puts(json_report(*report).c_str());
  } else {
    print_text(*report, act);
  }
  const bool repaired = act && !report->incomplete();
  return report->nothing_to_repair() || repaired ? kExitOk : kExitNo;
}

}  // namespace

void add_repair(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("repair", "Show how a damaged store can be saved, and do it if asked");
  command->add_option("STORE", arguments->store, "Directory of the store")->required();
  command->add_option("COLLECTION,-c,--collection", arguments->collection, "Only this collection");
  for (const Salvage salvage : kSalvages) {
    command->add_flag_callback(
        "--" + std::string(to_string(salvage)), [arguments, salvage] { arguments->allowed.push_back(salvage); },
        help_of(salvage));
  }
  command->add_flag("--lossless", arguments->lossless, "Allow every salvage that loses nothing");
  command->add_flag("--yes-all", arguments->all, "Allow every salvage that is needed; for a damaged log, --cut-log");
  command->add_flag("--dry-run", arguments->dry_run, "Show what these options would do; change nothing");
  command->add_option("--dimension", arguments->dimension, "For --rebuild-manifest, where no file tells");
  command->add_option("--metric", arguments->metric, "The same: l2, ip or cosine");
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "Without one of these options it shows what is damaged, which salvages would set it right, and what each would\n"
      "lose, by id where that is known; nothing is changed. A collection is repaired once every salvage that it needs\n"
      "is allowed. What is taken out is kept whole in STORE/repair-<n>, with a REPORT that names everything lost.\n"
      "Needs the store closed. It may be interrupted, and run again.\n"
      "Exit codes: 0 the store is sound, or was repaired; 1 there is damage that was not repaired; 2 wrong usage;\n"
      "3 the repair could not run.\n"
      "Example: holdfast repair ./store                         what is wrong?\n"
      "         holdfast repair ./store --lossless              set right what costs nothing\n"
      "         holdfast repair ./store -c notes --drop-points  give up the damaged points of one collection");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace holdfast::cli
