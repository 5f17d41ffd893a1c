// The process that is going to be killed.
//
// Two threads: this one writes batches, the other writes checkpoints now and then, so that the kill can hit either.
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "demo_events.h"
#include "demo_store.h"

namespace demo {
namespace {

using holdfast::Collection;
using holdfast::Database;
using holdfast::Result;
using holdfast::Status;

constexpr std::uint64_t kBatchPoints = 200;
constexpr std::uint32_t kBatchesPerCheckpoint = 60;
/// Points that the graph does not hold are compared one by one; a polite writer waits when they pile up.
constexpr std::uint64_t kGrowingMax = 8'000;

/// Writes checkpoints in the background when asked to.
class Checkpointer {
 public:
  Checkpointer(Collection collection, int event_pipe) : collection_(std::move(collection)), event_pipe_(event_pipe) {}
  ~Checkpointer() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  void request(std::uint32_t batch) {
    {
      const std::lock_guard lock(mutex_);
      requested_ = batch;
    }
    wake_.notify_one();
  }
  [[nodiscard]] Status status() {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stop_ || requested_ != 0; });
      if (stop_) return;
      const std::uint32_t batch = std::exchange(requested_, 0);
      lock.unlock();
      Status status = send_event(event_pipe_, {.kind = EventKind::checkpoint_begins, .batch = batch});
      if (status.ok()) status = collection_.checkpoint();
      if (status.ok()) status = send_event(event_pipe_, {.kind = EventKind::checkpoint_ends, .batch = batch});
      lock.lock();
      if (!status.ok()) status_ = status;
    }
  }

  Collection collection_;
  const int event_pipe_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::uint32_t requested_ = 0;
  bool stop_ = false;
  Status status_;
  std::thread thread_{[this] { run(); }};  // last: it uses everything above
};

Result<Collection> open_or_create(Database& database, std::uint32_t dimension) {
  auto existing = database.collection(kCollection);
  if (existing.ok() || existing.status().code() != holdfast::StatusCode::not_found) return existing;
  return database.create_collection(
      kCollection, {.dimension = dimension, .metric = holdfast::Metric::cosine, .ef_construction = 120});
}

std::uint64_t resume_position(const Collection& synsets) {
  const std::string text = synsets.marker("next").value_or("0");
  std::uint64_t next = 0;
  std::from_chars(text.data(), text.data() + text.size(), next);
  return next;
}

Status write_batches(const Corpus& corpus, Collection& synsets, int event_pipe) {
  Checkpointer checkpointer(synsets, event_pipe);
  holdfast::WriteBatch batch;
  std::uint32_t number = 0;
  for (std::uint64_t begin = resume_position(synsets); begin < corpus.size(); begin += batch.size() - 1) {
    const std::uint64_t count = std::min<std::uint64_t>(kBatchPoints, corpus.size() - begin);
    batch.clear();
    for (std::uint64_t i = begin; i < begin + count; ++i)
      batch.upsert(corpus.id(i), corpus.vector(i), corpus.payload(i));
    batch.set_marker("next", std::to_string(begin + count));  // durable together with the points

    Event event{.kind = EventKind::about_to_write, .batch = ++number, .begin = begin, .count = count};
    if (Status status = send_event(event_pipe, event); !status.ok()) return status;
    auto receipt = synsets.write(batch, {.durability = holdfast::Durability::sync});
    if (!receipt.ok()) return receipt.status();
    event.kind = EventKind::acknowledged;
    event.growing = synsets.stats().growing;
    if (Status status = send_event(event_pipe, event); !status.ok()) return status;

    if (number % kBatchesPerCheckpoint == 0) checkpointer.request(number);
    if (Status status = checkpointer.status(); !status.ok()) return status;
    if (event.growing <= kGrowingMax) continue;
    if (Status status = synsets.wait_until_indexed(); !status.ok()) return status;
  }
  return {};
}

}  // namespace

Status ingest(const Paths& paths, const std::filesystem::path& wordnet_directory, int event_pipe) {
  auto corpus = Corpus::read(wordnet_directory);
  if (!corpus.ok()) return corpus.status();
  if (Status status = corpus->load_vectors(paths.vectors()); !status.ok()) return status;
  auto database = Database::open(paths.store());
  if (!database.ok()) return database.status();
  auto synsets = open_or_create(*database, static_cast<std::uint32_t>(corpus->vector(0).size()));
  if (!synsets.ok()) return synsets.status();
  if (Status status = write_batches(*corpus, *synsets, event_pipe); !status.ok()) return status;
  if (Status status = database->close(); !status.ok()) return status;
  return send_event(event_pipe, {.kind = EventKind::finished});
}

}  // namespace demo
