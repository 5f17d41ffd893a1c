// The process that gets killed: writes, checkpoints and holds snapshots from several threads until then.
//
//   kill_worker <store> <seed> <event pipe>
//
// The seed decides everything: options, batches, and after how many batches it closes by itself if nobody kills it.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/random.h"
#include "crash/kill_workload.h"
#include "holdfast/database.h"

namespace holdfast::testing {
namespace {

using Kind = KillEvent::Kind;

class Worker {
 public:
  Worker(Collection collection, std::uint64_t seed, int pipe)
      : collection_(std::move(collection)), seed_(seed), pipe_(pipe), batches_(100 + SeededRandom(seed).below(2'000)) {}

  void run() {
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < kKillThreads; ++t) threads.emplace_back([this, t] { write(t); });
    threads.emplace_back([this] { checkpoint(); });
    threads.emplace_back([this] { hold_snapshots(); });
    for (std::thread& thread : threads) thread.join();
  }

 private:
  void tell(const KillEvent& event) const {
    if (!send(pipe_, event)) std::_Exit(kWorkerFailed);  // the watcher is gone
  }
  static void require(const Status& status, const char* what) {
    if (status.ok()) return;
    std::fprintf(stderr, "kill_worker: %s: %s\n", what, status.to_string().c_str());
    std::_Exit(kWorkerFailed);
  }

  void write(std::uint32_t thread) {
    SeededRandom random(mix64(seed_ + thread));
    for (std::uint64_t number = 1; number <= batches_; ++number) {
      const WriteBatch batch = kill_batch(seed_, thread, number);
      WriteOptions options;
      // All levels survive the death of the process; mixing them must not change that.
      if (random.below(3) == 0) options.durability = static_cast<Durability>(random.below(3));
      tell({.kind = Kind::write_begins, .thread = thread, .number = number});
      require(collection_.write(batch, options).status(), "write");
      tell({.kind = Kind::write_acknowledged, .thread = thread, .number = number});
      progress();
      if (random.below(200) == 0) require(collection_.flush(), "flush");
    }
    writers_done_.fetch_add(1, std::memory_order_release);  // pairs with writing()
    progress();
  }

  void progress() noexcept {
    written_.fetch_add(1, std::memory_order_release);  // pairs with written()
    written_.notify_all();
  }
  [[nodiscard]] std::uint64_t written() const noexcept {
    return written_.load(std::memory_order_acquire);  // pairs with progress()
  }
  /// Returns once so many batches are written, or the writers are done: the last of them counts itself done before it
  /// makes progress for the last time, so nobody waits for a change that does not come.
  void wait_until_written(std::uint64_t count) const noexcept {
    for (std::uint64_t now = written(); now < count && writing(); now = written()) {
      written_.wait(now, std::memory_order_acquire);  // pairs with progress()
    }
  }

  [[nodiscard]] bool writing() const noexcept {
    return writers_done_.load(std::memory_order_acquire) < kKillThreads;  // pairs with write()
  }

  /// Checkpoints on demand, besides those of the background.
  void checkpoint() {
    SeededRandom random(mix64(seed_ ^ 0xC4EC));
    wait_until_written(random.below(200));
    while (writing()) {
      tell({.kind = Kind::checkpoint_begins});
      require(collection_.checkpoint(), "checkpoint");
      tell({.kind = Kind::checkpoint_ends});
      wait_until_written(written() + random.below(600));
    }
  }

  /// Holds each snapshot over some batches and asks it the same question before and after.
  void hold_snapshots() {
    SeededRandom random(mix64(seed_ ^ 0x5A9));
    while (writing()) {
      const Snapshot snapshot = collection_.snapshot();
      const std::vector<float> query = kill_vector(random.next(), random.next());
      const SearchOptions options{.k = 20, .with_payload = true, .exact = random.below(2) == 0};
      auto before = snapshot.search(query, options);
      require(before.status(), "search");
      wait_until_written(written() + random.below(100));
      auto after = snapshot.search(query, options);
      require(after.status(), "search");
      const bool same =
          std::equal(before->begin(), before->end(), after->begin(), after->end(), [](const Hit& a, const Hit& b) {
            return a.id == b.id && a.distance == b.distance && a.payload == b.payload;
          });
      if (!same) std::_Exit(kWorkerSnapshotChanged);
    }
  }

  Collection collection_;
  const std::uint64_t seed_;
  const int pipe_;
  const std::uint64_t batches_;  // of each thread
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint32_t> writers_done_{0};
};

int work(const char* path, std::uint64_t seed, int pipe) {
  const auto failed = [](const Status& status) {
    std::fprintf(stderr, "kill_worker: %s\n", status.to_string().c_str());
    return kWorkerFailed;
  };
  if (!send(pipe, {.kind = Kind::opening})) return kWorkerFailed;
  auto database = Database::open(path, kill_options(seed));
  if (!database.ok()) return failed(database.status());
  auto collection = database->collection(kKillCollection);
  if (collection.status().code() == StatusCode::not_found) {
    collection = database->create_collection(kKillCollection, kill_config());
  }
  if (!collection.ok()) return failed(collection.status());
  if (!send(pipe, {.kind = Kind::opened})) return kWorkerFailed;
  Worker(*collection, seed, pipe).run();
  if (!send(pipe, {.kind = Kind::closing})) return kWorkerFailed;
  if (Status status = database->close(); !status.ok()) return failed(status);
  return send(pipe, {.kind = Kind::closed}) ? kWorkerDone : kWorkerFailed;
}

}  // namespace
}  // namespace holdfast::testing

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  return holdfast::testing::work(argv[1], std::strtoull(argv[2], nullptr, 10),
                                 static_cast<int>(std::strtol(argv[3], nullptr, 10)));
}
