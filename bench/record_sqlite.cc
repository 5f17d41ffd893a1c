#include <sqlite3.h>

#include <vector>

#include "base/mutex.h"
#include "base/try.h"
#include "bench/record_store.h"

namespace holdfast::bench {

namespace {

constexpr int kBusyMs = 60'000;
constexpr const char* kSchema = "CREATE TABLE IF NOT EXISTS points(id INTEGER PRIMARY KEY, vector BLOB, payload TEXT)";

/// One connection with its prepared INSERT. For one thread at a time.
class Connection {
 public:
  Connection() = default;
  ~Connection() {
    sqlite3_finalize(insert_);
    sqlite3_close(database_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Status open(const std::filesystem::path& file) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    HF_TRY(check(sqlite3_open_v2(file.c_str(), &database_, flags, nullptr)));
    HF_TRY(check(sqlite3_busy_timeout(database_, kBusyMs)));
    HF_TRY(run("PRAGMA journal_mode=WAL"));
    HF_TRY(run("PRAGMA synchronous=FULL"));
    HF_TRY(run(kSchema));
    return check(sqlite3_prepare_v2(database_, "INSERT INTO points VALUES(?, ?, ?)", -1, &insert_, nullptr));
  }

  Status put(std::uint64_t id, std::span<const float> vector, std::string_view payload) {
    sqlite3_bind_int64(insert_, 1, static_cast<sqlite3_int64>(id));
    sqlite3_bind_blob(insert_, 2, vector.data(), static_cast<int>(vector.size_bytes()), SQLITE_STATIC);
    sqlite3_bind_text(insert_, 3, payload.data(), static_cast<int>(payload.size()), SQLITE_STATIC);
    sqlite3_step(insert_);
    return check(sqlite3_reset(insert_));  // says what the step came to
  }

  Result<std::uint64_t> count() {
    sqlite3_stmt* query = nullptr;
    HF_TRY(check(sqlite3_prepare_v2(database_, "SELECT count(*) FROM points", -1, &query, nullptr)));
    sqlite3_step(query);
    const auto rows = static_cast<std::uint64_t>(sqlite3_column_int64(query, 0));
    HF_TRY(check(sqlite3_finalize(query)));
    return rows;
  }

 private:
  Status run(const char* sql) { return check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr)); }
  [[nodiscard]] Status check(int code) const {
    if (code == SQLITE_OK) return {};
    return {StatusCode::io_error, std::string("SQLite: ") + sqlite3_errmsg(database_)};
  }

  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

class SqliteRecords : public RecordStore {
 public:
  Status open(const std::filesystem::path& path, unsigned connections) {
    std::filesystem::create_directories(path);
    for (unsigned i = 0; i < connections; ++i) {
      connections_.push_back(std::make_unique<Connection>());
      HF_TRY(connections_.back()->open(path / "records.sqlite"));
    }
    return {};
  }

  Status put(unsigned writer, std::uint64_t id, std::span<const float> vector, std::string_view payload) override {
    if (connections_.size() > 1) return connections_[writer]->put(id, vector, payload);
    const MutexLock lock(mutex_);
    return connections_[0]->put(id, vector, payload);
  }
  Result<RecordCounts> counts() override {
    HF_ASSIGN(const std::uint64_t records, connections_[0]->count());
    return RecordCounts{.records = records};
  }
  Status close() override {
    connections_.clear();
    return {};
  }

 private:
  std::vector<std::unique_ptr<Connection>> connections_;
  Mutex mutex_;  // of the only connection, if there is but one
};

}  // namespace

OpenedStore open_sqlite_records(const std::filesystem::path& path, unsigned writers, Sharing sharing) {
  auto store = std::make_unique<SqliteRecords>();
  HF_TRY(store->open(path, sharing == Sharing::connection_each ? writers : 1));
  return OpenedStore(std::move(store));
}

}  // namespace holdfast::bench
