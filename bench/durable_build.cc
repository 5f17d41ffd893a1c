#include "bench/durable_build.h"

#include <algorithm>
#include <optional>

#include "bench/load_support.h"
#include "bench/machine.h"
#include "bench/report.h"

namespace holdfast::bench {

OpenOptions open_options(const BuildSettings& settings) {
  OpenOptions options;
  options.indexing_threads = settings.threads;
  return options;
}

Store open_store(const std::filesystem::path& path, const OpenOptions& options) {
  Database database = must(Database::open(path, options));
  Collection collection = must(database.collection(kCollection));
  return {std::move(database), std::move(collection)};
}

Store build_durably(const std::filesystem::path& path, const Matrix& base, Metric metric, const BuildSettings& settings,
                    BuildTimes& times) {
  Database database = must(Database::open(path, open_options(settings)));
  CollectionConfig config{
      .dimension = base.dim, .metric = metric, .m = settings.m, .ef_construction = settings.ef_construction};
  if (settings.configure != nullptr) settings.configure(config);
  Collection collection = must(database.create_collection(kCollection, config));

  std::optional<Ticker> progress;
  if (settings.progress) {
    progress.emplace(std::chrono::seconds(settings.progress_s), [&] { settings.progress(collection.stats()); });
  }
  const Stopwatch total;
  WriteBatch batch;
  for (std::uint32_t begin = 0; begin < base.rows; begin += settings.batch) {
    batch.clear();
    const std::uint32_t end = std::min(base.rows, begin + settings.batch);
    for (std::uint32_t row = begin; row < end; ++row) batch.upsert(row, base.row(row));
    must(collection.write(batch, {.durability = Durability::sync, .bulk = true}).status());
  }
  times.write_s = total.seconds();
  must(collection.wait_until_indexed());
  times.index_s = total.seconds() - times.write_s;
  must(collection.checkpoint());
  times.checkpoint_s = total.seconds() - times.write_s - times.index_s;

  const CollectionStats stats = collection.stats();
  if (stats.points != base.rows || stats.graph_nodes != base.rows || stats.growing != 0) {
    fail("the build is not complete: " + std::to_string(stats.graph_nodes) + " of " + std::to_string(base.rows) +
         " points are in the graph");
  }
  return {std::move(database), std::move(collection)};
}

}  // namespace holdfast::bench
