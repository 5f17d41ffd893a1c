#include <rocksdb/db.h>

#include <array>
#include <string>

#include "base/try.h"
#include "bench/record_store.h"

namespace holdfast::bench {

namespace {

Status check(const rocksdb::Status& status) {
  return status.ok() ? Status() : Status(StatusCode::io_error, "RocksDB: " + status.ToString());
}

class RocksdbRecords : public RecordStore {
 public:
  Status open(const std::filesystem::path& path) {
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB* database = nullptr;
    HF_TRY(check(rocksdb::DB::Open(options, path.string(), &database)));
    database_.reset(database);
    durable_.sync = true;
    return {};
  }

  Status put(unsigned /*writer*/, std::uint64_t id, std::span<const float> vector, std::string_view payload) override {
    std::array<char, 8> key;
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>(id >> (56 - 8 * i));  // in order of ids
    std::string value(reinterpret_cast<const char*>(vector.data()), vector.size_bytes());
    value += payload;
    return check(database_->Put(durable_, {key.data(), key.size()}, value));
  }
  Result<RecordCounts> counts() override {
    RecordCounts counts;
    const std::unique_ptr<rocksdb::Iterator> records(database_->NewIterator({}));
    for (records->SeekToFirst(); records->Valid(); records->Next()) ++counts.records;
    HF_TRY(check(records->status()));
    return counts;
  }
  Status close() override {
    const Status closed = check(database_->Close());
    database_.reset();
    return closed;
  }

 private:
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::WriteOptions durable_;
};

}  // namespace

OpenedStore open_rocksdb_records(const std::filesystem::path& path) {
  auto store = std::make_unique<RocksdbRecords>();
  HF_TRY(store->open(path));
  return OpenedStore(std::move(store));
}

}  // namespace holdfast::bench
