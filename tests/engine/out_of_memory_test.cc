// Every allocation of a write fails once, and the first ones of a checkpoint and an indexing step. Nothing hangs,
// nothing that was told to have failed is there, nothing acknowledged is lost.
#include <map>

#include "engine/allocation_faults.h"
#include "engine/store_fixture.h"

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 8;
constexpr long kMost = 120;  // more than a write makes

TEST(OutOfMemory, any_allocation_of_a_write_may_fail) {
  const TempDir directory;
  engine::EngineOptions options = options_on(os::posix_file_system());
  options.open.log_segment_bytes = 16 * 1024;  // a new segment every third write
  options.open.indexing_threads = 1;
  const auto open = [&] { return Database::open_with(directory.path() + "/store", options).value(); };
  CollectionConfig config;
  config.dimension = kDimension;
  {
    Database db = open();
    HF_ASSERT_OK(db.create_collection("c", config));
  }
  std::uint64_t next_id = 0;
  std::map<std::uint64_t, Status> outcomes;
  Database db = open();
  Collection c = db.collection("c").value();
  bool failed = true;
  for (long n = 0; n < kMost; ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    failed = false;
    for (int times = 0; times < 4; ++times) {
      const std::uint64_t id = next_id++;
      const std::vector<float> vector = vector_of(id, kDimension);
      const std::string payload = payload_of(id);
      Status status;
      failed |= with_failure(n, [&] { status = c.upsert(id, vector, payload).status(); });
      outcomes[id] = status;
      if (!status.ok()) {
        EXPECT_TRUE(status.code() == StatusCode::resource_exhausted || status.code() == StatusCode::outcome_unknown)
            << status.to_string();
      }
      EXPECT_EQ(c.get(id).ok(), status.ok()) << "visible if and only if acknowledged: " << status.to_string();
      if (!c.stats().write_error.empty()) {
        db.close().ignore();  // says that it is read-only
        db = open();
        c = db.collection("c").value();
      }
    }
    (void)with_failure(n, [&] { c.wait_until_indexed().ignore(); });
    (void)with_failure(n, [&] { c.checkpoint().ignore(); });
    HF_EXPECT_OK(c.wait_until_indexed());
    HF_EXPECT_OK(c.checkpoint());
  }
  EXPECT_FALSE(failed) << "every allocation of a write was reached";
  HF_EXPECT_OK(db.close());
  db = open();
  c = db.collection("c").value();
  for (const auto& [id, status] : outcomes) {
    if (status.code() == StatusCode::outcome_unknown) continue;
    EXPECT_EQ(c.get(id).ok(), status.ok()) << "id " << id << ": " << status.to_string();
  }
}

}  // namespace
}  // namespace holdfast::testing
