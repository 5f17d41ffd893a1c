// One test per defect that was found, named after what went wrong.
#include "engine/store_fixture.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::testing {
namespace {

class Regression : public SimStore {
 protected:
  /// The directory of the only collection of the store.
  static std::string collection_directory(SimFileSystem& fs) {
    for (const auto& file : fs.files()) {
      const std::string name = file.path.substr(file.path.rfind('/') + 1);
      if (storage::parse_name(name).kind == storage::FileKind::collection_directory) return file.path;
    }
    return {};
  }
};

// Killed between making a segment and its first frame, the next open removed the segment before it, too, which the
// older of the two kept checkpoints needs. With the newest one damaged, acknowledged batches were gone without a word.
TEST_F(Regression, an_empty_newest_segment_cost_the_older_checkpoint_its_log) {
  std::unique_ptr<SimFileSystem> killed;
  {
    Database db = open_database();
    Collection c = make(db);
    for (std::uint64_t id = 1; id <= 3; ++id) HF_ASSERT_OK(put(c, id, id));
    HF_ASSERT_OK(c.checkpoint());  // generation 2
    for (std::uint64_t id = 4; id <= 6; ++id) HF_ASSERT_OK(put(c, id, id));
    HF_ASSERT_OK(c.checkpoint());  // generation 3
    bool renamed = false;
    fs_.on_call([&](const CallInfo& call) {
      if (renamed && call.kind == CallKind::write && !killed) killed = fs_.kill_process();
      renamed |= call.kind == CallKind::rename && call.target.ends_with(storage::segment_name(7));
    });
    HF_ASSERT_OK(put(c, 7, 7));
    fs_.on_call(nullptr);
  }
  ASSERT_NE(killed, nullptr);
  HF_ASSERT_OK(Database::open_with("/store", options_on(*killed)));
  HF_ASSERT_OK(killed->corrupt(os::join(collection_directory(*killed), storage::manifest_name(3)), 100, std::byte{1}));
  Database again = Database::open_with("/store", options_on(*killed)).value();
  Collection c = again.collection("c").value();
  EXPECT_TRUE(c.recovery_report().fell_back);
  for (std::uint64_t id = 1; id <= 6; ++id) EXPECT_TRUE(holds(c, id, id));
}

}  // namespace
}  // namespace holdfast::testing
