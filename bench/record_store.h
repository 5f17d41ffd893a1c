// Stores of small records that writers fill one record at a time, each durable when its call returns: Holdfast, and
// what it is measured against in `ingest`. A record is an id, a vector and a payload.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "holdfast/status.h"
#include "holdfast/types.h"

namespace holdfast::bench {

/// What became of the records, where the store says so.
struct RecordCounts {
  std::uint64_t records = 0;
  std::uint64_t syncs = 0;   ///< 0: it does not say
  std::uint64_t groups = 0;  ///< log writes; 0: it does not say
};

class RecordStore {
 public:
  virtual ~RecordStore() = default;
  /// `writer` numbers the calling threads from 0. Each `id` comes once.
  [[nodiscard]] virtual Status put(unsigned writer, std::uint64_t id, std::span<const float> vector,
                                   std::string_view payload) = 0;
  /// After the last put.
  [[nodiscard]] virtual Result<RecordCounts> counts() = 0;
  [[nodiscard]] virtual Status close() = 0;
};

using OpenedStore = Result<std::unique_ptr<RecordStore>>;

/// One point per batch, in bulk mode: what is measured is the log, not how writers are slowed down when the graph falls
/// behind. The indexer runs beside it.
[[nodiscard]] OpenedStore open_holdfast_records(const std::filesystem::path& path, std::uint32_t dim,
                                                Durability durability);

/// How several writers share an SQLite database.
enum class Sharing : std::uint8_t { connection_each, one_connection };
/// WAL, synchronous=FULL, one INSERT per transaction. Everything else as it comes.
[[nodiscard]] OpenedStore open_sqlite_records(const std::filesystem::path& path, unsigned writers, Sharing sharing);

/// WriteOptions::sync, its own group commit. Everything else as it comes.
[[nodiscard]] OpenedStore open_rocksdb_records(const std::filesystem::path& path);

}  // namespace holdfast::bench
