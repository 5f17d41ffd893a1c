// What a search costs in instructions and cache misses, counted by callgrind (valgrind): for machines without hardware
// counters, and exact to the instruction. Nothing is timed. The processor that valgrind imitates has AVX2 and no more.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "bench/child.h"
#include "bench/hnswlib_peer.h"
#include "bench/holdfast_contestant.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr int kFunctionsShown = 12;
// Of the machine that the figures are taken on: 48 KiB L1, 2 MiB L2. The simulation knows two levels; what is shared
// with other machines is left out.
constexpr const char* kFirstLevel = "--D1=49152,12,64";
constexpr const char* kLastLevel = "--LL=2097152,16,64";

/// The value of `event` in a callgrind.out file: a line "events: Ir Dr ..." names the columns of "totals: 123 45 ...".
double total_of(const std::filesystem::path& file, const std::string& event) {
  std::ifstream lines(file);
  std::string names;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("events: ", 0) == 0) names = line.substr(8);
    if (line.rfind("totals: ", 0) != 0) continue;
    std::istringstream columns(names);
    std::istringstream values(line.substr(8));
    std::string name;
    for (double value = 0; columns >> name && values >> value;) {
      if (name == event) return value;
    }
  }
  return 0;
}

/// The functions in which the instructions are, most first, as callgrind_annotate lists them.
void print_functions(const std::filesystem::path& file) {
  Child annotate("callgrind_annotate", {"--show=Ir", "--threshold=95", file.string()});
  int shown = 0;
  bool listed = false;
  while (const auto line = annotate.read_line()) {
    if (line->find("file:function") != std::string::npos) listed = true;
    const auto percent = line->find("%)");
    if (!listed || percent == std::string::npos || shown == kFunctionsShown) continue;
    std::printf("    %s\n", line->substr(0, 180).c_str());
    ++shown;
  }
  annotate.wait();
}

}  // namespace

void run_profile(const ProfileArguments& arguments) {
  const Dataset set = dataset_or_stand_in(arguments.common, arguments.dataset);
  Report report(arguments.common.out, "profile-" + arguments.dataset);
  Scratch scratch(arguments.common.out);
  const Setting setting{set, arguments.build, {}, {}, scratch, 0, {}};
  const auto queries = scratch.fresh("queries");
  must(write_matrix(queries, set.queries.values, set.queries.dim));
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  std::printf("== profile of %s: %u queries at ef %u, per query\n", set.name.c_str(), set.queries.rows, arguments.ef);
  for (std::size_t kind = 0; kind < store_kinds().size(); ++kind) {
    const auto store = scratch.fresh("store");
    BuildSettings settings = arguments.build;
    settings.configure = store_kinds()[kind].configure;
    BuildTimes times;
    Database database = build_durably(store, set.base, set.metric, settings, times).database;
    must(database.close());
    for (std::size_t mode = 0; mode < store_kinds()[kind].searches.size(); ++mode) {
      const char* const way = store_kinds()[kind].searches[mode].name;
      const std::string name = set.name + ", " + store_kinds()[kind].name + (*way == '\0' ? "" : " ") + way;
      const auto counts = scratch.fresh("callgrind");
      Child valgrind("valgrind",
                     {"--tool=callgrind", "-q", "--cache-sim=yes", kFirstLevel, kLastLevel,
                      "--toggle-collect=holdfast::Snapshot::search(*", "--callgrind-out-file=" + counts.string(), self,
                      "serve-once", "--store", store.string(), "--query-file", queries.string(), "--ef",
                      std::to_string(arguments.ef), "--kind", std::to_string(kind), "--mode", std::to_string(mode)});
      static_cast<void>(valgrind.read_all());
      if (!valgrind.wait()) {
        std::printf("SKIPPED: %s (valgrind is not there, or failed)\n", name.c_str());
        continue;
      }
      const auto per_query = [&](std::initializer_list<const char*> events) {
        double sum = 0;
        for (const char* const event : events) sum += total_of(counts, event);
        return sum / set.queries.rows;
      };
      report.figure(name + ": instructions", per_query({"Ir"}), "/query");
      report.figure(name + ": reads of memory", per_query({"Dr"}), "/query");
      report.figure(name + ": reads that L1 missed", per_query({"D1mr"}), "/query");
      report.figure(name + ": reads that L2 missed", per_query({"DLmr"}), "/query");
      std::printf("  %s: functions by instructions\n", name.c_str());
      print_functions(counts);
    }
  }
  report.finish();
}

}  // namespace holdfast::bench
