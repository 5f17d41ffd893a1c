// What open_time.cc does in processes of its own.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "base/random.h"
#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

constexpr unsigned kWriters = 8;

}  // namespace

void run_open_once(const std::filesystem::path& store, const std::filesystem::path& queries, std::uint32_t row) {
  const Matrix all = must(parse_matrix(must(read_file(queries)), Encoding::f32));
  OpenOptions options;
  options.checkpoint_on_close = false;

  const Stopwatch watch;
  const Store opened = open_store(store, options);
  const double open_ms = watch.ms();
  const Hits hits = must(opened.collection.search(all.row(row % all.rows), {.k = 10, .ef = 100}));
  const double answer_ms = watch.ms();

  if (hits.size() != 10) fail("the first answer has " + std::to_string(hits.size()) + " hits");
  const RecoveryReport& recovery = opened.collection.recovery_report();
  const nlohmann::json result = {{"answer_ms", answer_ms},
                                 {"open_ms", open_ms},
                                 {"search_ms", answer_ms - open_ms},
                                 {"load_ms", recovery.load_ms},
                                 {"replay_ms", recovery.replay_ms},
                                 {"recovery_ms", recovery.total_ms},
                                 {"clean", recovery.clean},
                                 {"frames_replayed", recovery.frames_replayed},
                                 {"bytes_replayed", recovery.bytes_replayed},
                                 {"bytes_cut", recovery.bytes_cut},
                                 {"points", opened.collection.stats().points}};
  Database database = opened.database;
  must(database.close());
  std::printf("%s\n", result.dump().c_str());
}

void run_write_until_killed(const std::filesystem::path& store) {
  OpenOptions options;
  options.checkpoint_log_bytes = ~std::uint64_t{0};  // the log is to keep every frame
  Store opened = open_store(store, options);
  const std::uint64_t first = opened.collection.stats().points;
  const std::uint32_t dim = opened.collection.config().dimension;
  must(opened.collection.checkpoint());
  std::atomic<std::uint64_t> next{first};  // hands out ids; the collection synchronises itself
  const auto work = [&](unsigned seed) {
    SeededRandom random(seed);
    std::vector<float> vector(dim);
    while (true) {  // until killed
      for (float& component : vector) component = static_cast<float>(random.below(128));
      must(opened.collection.upsert(next++, vector).status());
      const char acknowledged = 'a';
      if (::write(STDOUT_FILENO, &acknowledged, 1) != 1) fail("nobody counts the acknowledgements");
    }
  };
  std::vector<std::thread> writers;
  for (unsigned t = 1; t <= kWriters; ++t) writers.emplace_back(work, t);
  for (std::thread& writer : writers) writer.join();
}

}  // namespace holdfast::bench
