#include "base/try.h"
#include "bench/record_store.h"
#include "holdfast/database.h"

namespace holdfast::bench {

namespace {

class HoldfastRecords : public RecordStore {
 public:
  HoldfastRecords(Database database, Collection collection)
      : database_(std::move(database)), collection_(std::move(collection)), before_(collection_.stats()) {}

  Status put(unsigned /*writer*/, std::uint64_t id, std::span<const float> vector, std::string_view payload) override {
    return collection_.upsert(id, vector, payload, {.bulk = true}).status();
  }
  Result<RecordCounts> counts() override {
    const CollectionStats after = collection_.stats();
    return RecordCounts{after.points, after.syncs - before_.syncs, after.groups - before_.groups};
  }
  Status close() override { return database_.close(); }

 private:
  Database database_;
  Collection collection_;
  CollectionStats before_;
};

}  // namespace

OpenedStore open_holdfast_records(const std::filesystem::path& path, std::uint32_t dim, Durability durability) {
  OpenOptions options;
  options.durability = durability;
  options.checkpoint_on_close = false;
  HF_ASSIGN(Database database, Database::open(path, options));
  HF_ASSIGN(Collection collection, database.create_collection("points", {.dimension = dim}));
  return OpenedStore(std::make_unique<HoldfastRecords>(std::move(database), std::move(collection)));
}

}  // namespace holdfast::bench
