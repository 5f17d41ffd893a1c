#include "bench/holdfast_contestant.h"

#include <cstdio>
#include <fstream>

#include "bench/child.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr std::uint32_t kWarmUpQueries = 200;
constexpr std::uint32_t kWarmUpBeam = 100;

}  // namespace

const std::vector<StoreKind>& store_kinds() {
  static const std::vector<StoreKind> kinds = {
      // name, what its collection is made with, ways to search it: name, what they ask for
      {"holdfast f32",
       [](CollectionConfig&) {},
       {{"balanced", [](SearchOptions&) {}}, {"fast", [](SearchOptions& options) { options.preset = Preset::fast; }}}},
  };
  return kinds;
}

HoldfastContestant::HoldfastContestant(const Setting& setting, std::size_t kind)
    : Contestant(store_kinds()[kind].name), setting_(setting), kind_(kind) {}

HoldfastContestant::~HoldfastContestant() = default;

std::vector<std::string> HoldfastContestant::modes() const {
  std::vector<std::string> names;
  for (const SearchKind& search : store_kinds()[kind_].searches) names.emplace_back(search.name);
  return names;
}

Result<BuildCost> HoldfastContestant::build() {
  drop();
  path_ = setting_.scratch.fresh("store");
  BuildSettings settings = setting_.build;
  settings.configure = store_kinds()[kind_].configure;
  BuildTimes times;
  const double processor = processor_seconds();
  store_ = std::make_unique<Store>(build_durably(path_, setting_.set.base, setting_.set.metric, settings, times));
  BuildCost cost{times.total_s(), processor_seconds() - processor, {}};
  char parts[96];
  std::snprintf(parts, sizeof parts, "write, durable %.2f + rest of the graph %.2f + checkpoint %.2f", times.write_s,
                times.index_s, times.checkpoint_s);
  cost.parts = parts;
  take_snapshot();
  return cost;
}

Result<Turn> HoldfastContestant::turn(std::size_t mode, std::uint32_t ef) {
  SearchOptions options{.k = kNearest, .ef = ef};
  store_kinds()[kind_].searches[mode].choose(options);
  const Matrix& queries = setting_.set.queries;
  Status failed;
  Turn turn = timed_turn(setting_, [&](std::uint32_t q, std::uint32_t* rows) {
    const auto hits = snapshot_->search(queries.row(q), options);
    if (!hits.ok()) {
      failed = hits.status();
      return;
    }
    for (const Hit& hit : hits.value()) *rows++ = static_cast<std::uint32_t>(hit.id.number());
  });
  if (!failed.ok()) return failed;
  return turn;
}

std::uint64_t HoldfastContestant::disk_bytes() const { return stats().disk_bytes; }
CollectionStats HoldfastContestant::stats() const { return store_->collection.stats(); }

void HoldfastContestant::drop() {
  if (store_ == nullptr) return;
  snapshot_.reset();
  must(store_->database.close());
  store_.reset();
  std::error_code ignored;  // the scratch directory goes as a whole at the end
  std::filesystem::remove_all(path_, ignored);
}

double HoldfastContestant::reopen() {
  snapshot_.reset();
  if (store_ != nullptr) must(store_->database.close());
  store_ = std::make_unique<Store>(open_store(path_, open_options(setting_.build)));
  const RecoveryReport& recovery = store_->collection.recovery_report();
  if (!recovery.clean || recovery.frames_replayed != 0) fail("the store was not closed cleanly");
  // Codes are made anew after open; a snapshot that is taken before is searched by rows.
  must(store_->collection.wait_until_indexed());
  take_snapshot();
  return recovery.total_ms;
}

/// A new one, warm, and with everything that a way to search wants to have made in the background: the first searches
/// of a snapshot read what no search has read yet.
void HoldfastContestant::take_snapshot() {
  const Matrix& queries = setting_.set.queries;
  const auto search = [&](const SearchKind& kind, std::uint32_t q) {
    SearchOptions options{.k = kNearest, .ef = kWarmUpBeam};
    kind.choose(options);
    must(snapshot_->search(queries.row(q), options).status());
  };
  snapshot_ = store_->collection.snapshot();
  for (const SearchKind& kind : store_kinds()[kind_].searches) search(kind, 0);
  must(store_->collection.wait_until_indexed());
  snapshot_ = store_->collection.snapshot();
  for (const SearchKind& kind : store_kinds()[kind_].searches) {
    for (std::uint32_t q = 0; q < std::min(kWarmUpQueries, queries.rows); ++q) search(kind, q);
  }
}

ServingMemory HoldfastContestant::serving_memory(std::uint32_t ef) {
  snapshot_.reset();
  must(store_->database.close());
  store_.reset();
  const ServingMemory memory = serving_memory_of(path_, setting_.set.queries, kind_, ef, setting_.scratch);
  reopen();
  return memory;
}

ServingMemory serving_memory_of(const std::filesystem::path& store, const Matrix& queries, std::size_t kind,
                                std::uint32_t ef, Scratch& scratch) {
  const auto asked = scratch.fresh("queries");
  must(write_matrix(asked, queries.values, queries.dim));
  Child child({"serve-once", "--store", store.string(), "--query-file", asked.string(), "--ef", std::to_string(ef),
               "--kind", std::to_string(kind)});
  const auto reply = nlohmann::json::parse(child.read_all(), nullptr, false);
  if (!child.wait() || reply.is_discarded()) fail("the serving process failed");
  return {reply["anonymous"], reply["vectors"], reply["other"]};
}

}  // namespace holdfast::bench
