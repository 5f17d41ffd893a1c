// Checkpoints: what they hold, what they rewrite, what they remove.
#include <map>
#include <set>

#include "engine/store_fixture.h"
#include "storage/file_names.h"

namespace holdfast::testing {
namespace {

class CheckpointTest : public SimStore {
 protected:
  /// Paths of the store's files whose name contains `part`.
  std::set<std::string> files(const std::string& part) {
    std::set<std::string> found;
    for (const auto& file : fs_.files()) {
      if (!file.is_directory && file.path.find(part) != std::string::npos) found.insert(file.path);
    }
    return found;
  }
};

TEST_F(CheckpointTest, an_image_holds_everything_and_the_log_shrinks) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 500; ++id) HF_ASSERT_OK(put(c, id, id));
  HF_ASSERT_OK(c.erase(3));
  HF_ASSERT_OK(c.wait_until_indexed());
  const std::size_t segments = files(".log").size();
  ASSERT_GT(segments, 3u) << "the test needs a log of several segments";
  HF_ASSERT_OK(c.checkpoint());
  HF_ASSERT_OK(put(c, 3, 4));
  HF_ASSERT_OK(c.checkpoint());  // only the second one makes the log below the first needless
  EXPECT_LT(files(".log").size(), segments);
  EXPECT_EQ(c.stats().log_bytes, 0u);
  HF_ASSERT_OK(db.close());
  Database again = open_database();
  Collection reopened = again.collection("c").value();
  EXPECT_EQ(reopened.recovery_report().frames_replayed, 0u);
  EXPECT_TRUE(reopened.recovery_report().clean);
  EXPECT_EQ(reopened.stats().growing, 1u) << "what was indexed stays indexed";
  EXPECT_EQ(reopened.snapshot().size(), 500u);
  for (std::uint64_t id = 0; id < 500; ++id) EXPECT_TRUE(holds(reopened, id, id == 3 ? 4 : id));
}

TEST_F(CheckpointTest, nothing_changed_means_nothing_written) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 50; ++id) HF_ASSERT_OK(put(c, id, id));
  HF_ASSERT_OK(c.checkpoint());
  const auto before = files("/store");
  const std::uint64_t generation = c.stats().checkpoint_generation;
  HF_ASSERT_OK(c.checkpoint());
  EXPECT_EQ(c.stats().checkpoint_generation, generation);
  EXPECT_EQ(files("/store"), before);
}

TEST_F(CheckpointTest, unchanged_extents_are_named_again) {
  // Two chunks; only the second one is touched between the checkpoints.
  Database db = open_database();
  Collection c = make(db);
  WriteBatch batch;
  for (std::uint64_t id = 0; id < 20'000; ++id) {
    batch.upsert(id, vector_of(id, kDimension));
    if (batch.size() < 1000) continue;
    HF_ASSERT_OK(c.write(batch));
    batch.clear();
  }
  HF_ASSERT_OK(c.checkpoint());
  const auto before = files("/ext/");
  HF_ASSERT_OK(c.erase(19'999));
  HF_ASSERT_OK(c.checkpoint());
  std::size_t fresh = 0;
  for (const std::string& file : files("/ext/")) fresh += before.contains(file) ? 0 : 1;
  EXPECT_EQ(fresh, 2u)
      << "one stamp changed: its extent is new, and the one that names the rows that wait for the graph";
  HF_ASSERT_OK(c.erase(0));
  HF_ASSERT_OK(c.checkpoint());
  HF_ASSERT_OK(db.close());
  Database again = open_database();
  Collection reopened = again.collection("c").value();
  EXPECT_EQ(reopened.snapshot().size(), 19'998u);
  EXPECT_TRUE(missing(reopened, 0));
  EXPECT_TRUE(missing(reopened, 19'999));
}

TEST_F(CheckpointTest, two_generations_and_no_more_are_kept) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t round = 0; round < 6; ++round) {
    HF_ASSERT_OK(put(c, round, round));
    HF_ASSERT_OK(c.checkpoint());
    EXPECT_LE(files("/manifest-").size(), 2u);
  }
  EXPECT_EQ(files("/manifest-").size(), 2u);
}

TEST_F(CheckpointTest, an_emptied_collection_stays_empty) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 100; ++id) HF_ASSERT_OK(put(c, id, id));
  HF_ASSERT_OK(c.wait_until_indexed());
  HF_ASSERT_OK(c.checkpoint());
  for (std::uint64_t id = 0; id < 100; ++id) HF_ASSERT_OK(c.erase(id));
  HF_ASSERT_OK(c.checkpoint());
  HF_ASSERT_OK(db.close());
  Database again = open_database();
  Collection reopened = again.collection("c").value();
  EXPECT_EQ(reopened.snapshot().size(), 0u);
  SearchOptions options;
  options.k = 100;
  EXPECT_TRUE(reopened.search(vector_of(5, kDimension), options)->empty());
}

TEST_F(CheckpointTest, a_failed_checkpoint_changes_nothing_and_leaves_nothing) {
  engine::EngineOptions options = options_on(fs_);
  options.open.disk_reserve_bytes = 0;  // with a reserve it would succeed
  Database db = Database::open_with("/store", options).value();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 200; ++id) HF_ASSERT_OK(put(c, id, id));
  HF_ASSERT_OK(c.checkpoint());
  HF_ASSERT_OK(put(c, 1000, 1000));
  const auto extents = files("/ext/");
  const auto manifests = files("/manifest-");
  std::uint64_t used = 0;
  for (const auto& file : fs_.files()) used += file.is_directory ? 0 : file.cached_size;
  fs_.set_capacity(used + 6'000);  // too little for the image
  HF_EXPECT_CODE(StatusCode::disk_full, c.checkpoint());
  EXPECT_EQ(files("/ext/"), extents);
  EXPECT_EQ(files("/manifest-"), manifests);
  EXPECT_TRUE(holds(c, 1000, 1000));
  fs_.set_capacity(0);
  HF_ASSERT_OK(c.checkpoint());
  HF_ASSERT_OK(put(c, 1001, 1001));
  const auto killed = fs_.crash(CrashPolicy::lose_all());
  Database again = Database::open_with("/store", options_on(*killed)).value();
  EXPECT_EQ(again.collection("c")->snapshot().size(), 202u);
}

TEST_F(CheckpointTest, the_image_is_of_one_instant_while_writers_go_on) {
  Database db = open_database();  // no other thread: it would call the hook, and write marks that count as frames
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 500; ++id) HF_ASSERT_OK(put(c, id, id));
  // Writes land between the calls of the checkpoint, from the file system's hook: after the instant was taken.
  std::uint64_t next = 10'000;
  bool inside = false;
  fs_.on_call([&](const CallInfo& call) {
    if (inside || call.path.find("/ext/") == std::string::npos || call.kind != CallKind::create) return;
    inside = true;
    HF_EXPECT_OK(put(c, next, next));
    HF_EXPECT_OK(c.erase(next - 10'000));
    ++next;
    inside = false;
  });
  HF_ASSERT_OK(c.checkpoint());
  fs_.on_call(nullptr);
  ASSERT_GT(next, 10'000u);
  const auto crashed = fs_.crash(CrashPolicy::lose_all());
  Database again = Database::open_with("/store", options_on(*crashed)).value();
  Collection reopened = again.collection("c").value();
  EXPECT_EQ(reopened.recovery_report().frames_replayed, 2 * (next - 10'000));
  for (std::uint64_t id = 0; id < 500; ++id) {
    if (id < next - 10'000) {
      EXPECT_TRUE(missing(reopened, id)) << id;
      EXPECT_TRUE(holds(reopened, id + 10'000, id + 10'000));
    } else {
      EXPECT_TRUE(holds(reopened, id, id));
    }
  }
}

}  // namespace
}  // namespace holdfast::testing
