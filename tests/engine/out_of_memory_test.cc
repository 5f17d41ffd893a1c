// Every allocation of a write fails once, and the first ones of a checkpoint and an indexing step. Nothing hangs,
// nothing that was told to have failed is there, nothing acknowledged is lost.
#include <cstdlib>
#include <map>
#include <new>

#include "engine/store_fixture.h"

namespace {

/// Allocations of this thread until one fails; negative: none will.
thread_local long allocations_left = -1;

bool must_fail() noexcept { return allocations_left >= 0 && allocations_left-- == 0; }

}  // namespace

// Replaces those of the whole test program. Not inlined, or GCC takes free() for a mismatch of new.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (must_fail()) throw std::bad_alloc();
  if (void* const at = std::malloc(bytes == 0 ? 1 : bytes)) return at;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return must_fail() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
}
[[gnu::noinline]] void operator delete(void* at) noexcept { std::free(at); }
[[gnu::noinline]] void operator delete(void* at, std::size_t) noexcept { std::free(at); }
[[gnu::noinline]] void operator delete(void* at, const std::nothrow_t&) noexcept { std::free(at); }

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 8;
constexpr long kMost = 120;  // more than a write makes

/// Runs `call` with its n-th allocation failing; false if it had fewer.
template <class Call>
bool with_failure(long n, Call call) {
  allocations_left = n;
  call();
  const bool failed = allocations_left < 0;
  allocations_left = -1;
  return failed;
}

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
