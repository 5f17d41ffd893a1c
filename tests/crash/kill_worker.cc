// The process that gets killed: writes, checkpoints, vacuums, backs up, creates and drops a second collection, and
// holds snapshots, from several threads, until then.
//
//   kill_worker <store> <seed> <event pipe> <backup or -> <mount or -> [<point> <passing> <manner>]
//
// The seed decides everything: options, batches, and after how many batches it closes by itself if nobody kills it.
// With a point (KillPoint), it ends itself there.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "crash/kill_points.h"
#include "crash/kill_workload.h"
#include "engine/backup.h"
#include "engine/options.h"
#include "holdfast/database.h"

namespace holdfast::testing {
namespace {

using Kind = KillEvent::Kind;

/// The two ends of the worker: events out, and no way back from an error.
class Reporter {
 public:
  explicit Reporter(int pipe) : pipe_(pipe) {}
  void tell(const KillEvent& event) const {
    if (!send(pipe_, event)) std::_Exit(kWorkerFailed);  // the watcher is gone
  }
  static void require(const Status& status, const char* what) {
    if (status.ok()) return;
    std::fprintf(stderr, "kill_worker: %s: %s\n", what, status.to_string().c_str());
    std::_Exit(kWorkerFailed);
  }
  /// `work` between two events.
  template <class Work>
  void around(Kind begins, Kind ends, std::uint32_t thread, const char* what, Work work, KillEvent event = {}) const {
    event.kind = begins;
    event.thread = thread;
    tell(event);
    require(work(), what);
    event.kind = ends;
    tell(event);
  }

 private:
  const int pipe_;
};

/// Snapshots that are kept over many batches, each with a question and the answer that it gave first.
class SnapshotHolder {
 public:
  SnapshotHolder(std::uint64_t seed, bool may_expire) : random_(seed), may_expire_(may_expire) {}

  void turn(const Collection& collection) {
    constexpr std::size_t kHeld = 4;
    const bool take = held_.empty() || (held_.size() < kHeld && random_.below(2) == 0);
    if (take) return ask_new(collection);
    const std::size_t i = random_.below(held_.size());
    if (!same_answer(held_[i])) std::_Exit(kWorkerSnapshotChanged);
    if (held_[i].snapshot.expired() || random_.below(4) == 0) {
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

 private:
  struct Held {
    Snapshot snapshot;
    std::vector<float> query;
    SearchOptions options;
    Hits answer;
  };

  void ask_new(const Collection& collection) {
    Held held{collection.snapshot(), kill_query(random_.next()), {.k = 20, .with_payload = true}, {}};
    held.options.exact = random_.below(2) == 0;
    auto hits = held.snapshot.search(held.query, held.options);
    if (expired(hits.status())) return;
    Reporter::require(hits.status(), "search");
    held.answer = std::move(hits).value();
    held_.push_back(std::move(held));
  }

  bool same_answer(const Held& held) const {
    const auto hits = held.snapshot.search(held.query, held.options);
    if (expired(hits.status())) return true;
    Reporter::require(hits.status(), "search of a held snapshot");
    return std::equal(hits->begin(), hits->end(), held.answer.begin(), held.answer.end(),
                      [](const Hit& a, const Hit& b) {
                        return a.id == b.id && a.distance == b.distance && a.payload == b.payload && a.value == b.value;
                      });
  }
  [[nodiscard]] bool expired(const Status& status) const {
    return may_expire_ && status.code() == StatusCode::snapshot_expired;
  }

  SeededRandom random_;
  const bool may_expire_;
  std::deque<Held> held_;
};

class Worker {
 public:
  Worker(Database database, Collection collection, std::uint64_t seed, Reporter reporter, KillSwitch& kill,
         std::string store, std::string backup)
      : database_(std::move(database)),
        collection_(std::move(collection)),
        seed_(seed),
        life_(kill_life(seed)),
        report_(reporter),
        backup_fs_(make_kill_file_system(kill, KillRole::backup)),
        store_(std::move(store)),
        backup_(std::move(backup)) {}

  void run() {
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < life_.writers; ++t) threads.emplace_back([this, t] { write(t); });
    threads.emplace_back([this] { keep(); });
    for (std::uint32_t t = 0; t < life_.snapshot_holders; ++t) threads.emplace_back([this, t] { hold_snapshots(t); });
    for (std::thread& thread : threads) thread.join();
  }

 private:
  void write(std::uint32_t thread) {
    SeededRandom random(mix64(seed_ + thread));
    for (std::uint64_t number = 1; number <= life_.batches; ++number) {
      const WriteBatch batch = kill_batch(seed_, thread, number);
      const WriteOptions options{.durability = kill_durability(seed_, thread, number), .bulk = random.below(8) == 0};
      report_.tell({.kind = Kind::write_begins, .thread = thread, .number = number});
      const auto receipt = collection_.write(batch, options);
      Reporter::require(receipt.status(), "write");
      report_.tell({.kind = Kind::write_acknowledged, .thread = thread, .number = number, .extra = receipt->lsn});
      progress();
      if (random.below(200) == 0) {
        report_.around(Kind::flush_begins, Kind::flush_ends, thread, "flush", [this] { return collection_.flush(); });
      }
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
    return writers_done_.load(std::memory_order_acquire) < life_.writers;  // pairs with write()
  }

  /// Everything that is not a write of the victim, besides what the background does.
  void keep() {
    SeededRandom random(mix64(seed_ ^ 0xC4EC));
    wait_until_written(random.below(100));
    for (std::uint64_t turn = 1; writing(); ++turn) {
      switch (random.below(8)) {
        case 0:
          report_.around(Kind::vacuum_begins, Kind::vacuum_ends, kKillKeeper, "vacuum",
                         [this] { return collection_.vacuum(); });
          break;
        case 1:
          report_.around(Kind::flush_begins, Kind::flush_ends, kKillKeeper, "flush",
                         [this] { return collection_.flush(); });
          break;
        case 2:
        case 3: host_guest(turn); break;
        case 4:
          if (!backup_.empty()) back_up();
          break;
        default:
          report_.around(Kind::checkpoint_begins, Kind::checkpoint_ends, kKillKeeper, "checkpoint",
                         [this] { return collection_.checkpoint(); });
          break;
      }
      wait_until_written(written() + random.below(100));
    }
  }

  /// The guest goes if it is there, and comes with new points if it is not.
  void host_guest(std::uint64_t number) {
    const KillEvent event{.number = number, .extra = seed_};
    auto guest = database_.collection(kKillGuest);
    if (guest.ok()) {
      return report_.around(
          Kind::drop_begins, Kind::drop_ends, kKillKeeper, "drop",
          [this] { return database_.drop_collection(kKillGuest); }, event);
    }
    report_.around(
        Kind::create_begins, Kind::create_ends, kKillKeeper, "create",
        [&] {
          guest = database_.create_collection(kKillGuest, kill_config());
          return guest.status();
        },
        event);
    report_.around(
        Kind::guest_write_begins, Kind::guest_write_ends, kKillKeeper, "write to the guest",
        [&] {
          return guest->write(kill_guest_batch({seed_, number}), {.durability = Durability::sync}).status();
        },
        event);
  }

  void back_up() {
    report_.around(Kind::backup_begins, Kind::backup_ends, kKillKeeper, "backup",
                   [this] { return engine::backup_store(*backup_fs_, store_, backup_, {}).status(); });
  }

  void hold_snapshots(std::uint32_t thread) {
    SeededRandom random(mix64(seed_ ^ 0x5A9) + thread);
    SnapshotHolder holder(random.next(), life_.snapshots_expire);
    while (writing()) {
      holder.turn(collection_);
      wait_until_written(written() + 1 + random.below(60));
    }
  }

  Database database_;
  Collection collection_;
  const std::uint64_t seed_;
  const KillLife life_;
  const Reporter report_;
  const std::unique_ptr<os::FileSystem> backup_fs_;
  const std::string store_;
  const std::string backup_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint32_t> writers_done_{0};
};

KillMark last_mark(const Collection& collection, std::uint32_t thread) {
  return KillMark::parse(collection.marker(kill_marker_key(thread)).value_or(""));
}

/// What recovery made of the life before.
void report_found(const Reporter& report, const Database& database, const Collection& collection) {
  for (std::uint32_t t = 0; t < kKillThreads; ++t) {
    const KillMark mark = last_mark(collection, t);
    report.tell({.kind = Kind::found, .thread = t, .number = mark.number, .extra = mark.seed});
  }
  const auto guest = database.collection(kKillGuest);
  const KillMark mark = guest.ok() ? last_mark(*guest, kKillKeeper) : KillMark{};
  report.tell({.kind = Kind::guest_found, .thread = guest.ok(), .number = mark.number, .extra = mark.seed});
}

int work(const std::string& store, std::uint64_t seed, int pipe, std::string backup, KillSwitch& kill) {
  const Reporter report(pipe);
  const auto fs = make_kill_file_system(kill, KillRole::store);
  report.tell({.kind = Kind::opening});
  engine::EngineOptions options;
  options.open = kill_life(seed).options;
  options.fs = fs.get();
  auto database = Database::open_with(store, options);
  Reporter::require(database.status(), "open");
  auto collection = database->collection(kKillCollection);
  if (collection.status().code() == StatusCode::not_found) {
    collection = database->create_collection(kKillCollection, kill_config());
  }
  Reporter::require(collection.status(), "the collection");
  report_found(report, *database, *collection);
  kill.enter(KillSwitch::Phase::work);
  report.tell({.kind = Kind::opened});
  {
    // Handles go before the file system does.
    const Collection victim = std::move(collection).value();
    Worker(*database, victim, seed, report, kill, store, std::move(backup)).run();
  }
  kill.enter(KillSwitch::Phase::close);
  report.tell({.kind = Kind::closing});
  Reporter::require(database->close(), "close");
  report.tell({.kind = Kind::closed});
  return kWorkerDone;
}

}  // namespace
}  // namespace holdfast::testing

int main(int argc, char** argv) {
  using namespace holdfast::testing;
  if (argc != 6 && argc != 9) return 2;
  const auto number = [&](int i) { return i < argc ? std::strtoull(argv[i], nullptr, 10) : 0; };
  const int pipe = static_cast<int>(number(3));
  std::optional<KillPoint> point;
  if (argc == 9) point = static_cast<KillPoint>(number(6));
  KillSwitch kill(point, number(7), static_cast<KillManner>(number(8)), argv[5], pipe);
  const std::string backup = argv[4];
  return work(argv[1], number(2), pipe, backup == "-" ? "" : backup, kill);
}
