// The scrubber: finds damage that nobody has touched, in every kind of file; is metered and limited; takes no removal
// for damage.
#include <chrono>
#include <cstdio>
#include <thread>

#include "engine/checkpoint.h"
#include "engine/commit.h"
#include "engine/image.h"
#include "engine/indexer.h"
#include "engine/recovery.h"
#include "engine/scrub.h"
#include "engine/search.h"
#include "engine/stats.h"
#include "rot/mapped_store.h"
#include "rot/rot_lab.h"

namespace holdfast::testing {
namespace {

using engine::CollectionState;

/// Opens one collection of a disk without a database around it.
std::shared_ptr<CollectionState> open_state(SimFileSystem& disk, const std::string& name,
                                            const engine::EngineOptions& options) {
  const auto catalog = storage::read_catalog(disk, "/store");
  if (!catalog.ok()) return nullptr;
  for (const storage::CatalogEntry& entry : catalog->collections) {
    if (entry.name != name) continue;
    engine::RecoveryRequest request;
    request.name = name;
    request.directory = os::join("/store", storage::collection_directory_name(entry.uuid));
    request.uuid = entry.uuid;
    request.options = options;
    request.signals = std::make_shared<engine::Signals>();
    auto state = engine::recover_collection(request);
    return state.ok() ? std::move(state).value() : nullptr;
  }
  return nullptr;
}

/// Steps until the pass is done; returns how many.
int scrub_whole(CollectionState& state, std::uint64_t budget = 1 << 20) {
  for (int steps = 1; steps < 10'000; ++steps) {
    if (engine::scrub_step(state, budget).pass_done) return steps;
  }
  ADD_FAILURE() << "the pass does not end";
  return 0;
}

engine::EngineOptions small_options(SimFileSystem& disk) {
  engine::EngineOptions options = options_on(disk);
  options.open.log_segment_bytes = 16 * 1024;
  options.open.checkpoint_on_close = false;
  return options;
}

TEST(Scrub, FindsNothingInASoundStore) {
  const auto disk = make_rot_store();
  const auto state = open_state(*disk, "plane", small_options(*disk));
  ASSERT_NE(nullptr, state);
  scrub_whole(*state);
  const CollectionStats stats = engine::collect_stats(*state);
  EXPECT_EQ(1U, stats.scrub_passes);
  EXPECT_GT(stats.scrubbed_bytes, 10'000U);
  EXPECT_EQ(0U, stats.damaged_pages) << stats.damage;
  EXPECT_EQ("", stats.damage);
}

// A bit of every file flipped while the store is open: the next pass names the file.
TEST(Scrub, FindsAFlippedBitInEveryKindOfFile) {
  std::uint64_t found = 0;
  std::uint64_t tried = 0;
  const auto sound = make_rot_store();
  for (const std::string& path : rot_files(*sound)) {
    const storage::FileKind kind = storage::parse_name(file_name(path)).kind;
    if (kind != storage::FileKind::extent && kind != storage::FileKind::manifest &&
        kind != storage::FileKind::segment) {
      continue;
    }
    const auto disk = sound->clone();
    for (const char* const name : {"plane", "sphere"}) {
      const auto state = open_state(*disk, name, small_options(*disk));
      ASSERT_NE(nullptr, state);
      if (path.find(state->directory) == std::string::npos) continue;
      // Of a log, what its header says; of the others their first bytes of data. (Opening may have removed the file.)
      const std::uint64_t offset = kind == storage::FileKind::extent ? 4096 + 2 : 60;
      if (!disk->corrupt(path, offset, std::byte{2}).ok()) continue;
      scrub_whole(*state);
      const CollectionStats stats = engine::collect_stats(*state);
      ++tried;
      if (stats.damaged_pages == 0) {
        // An empty segment made ahead holds nothing; and so does data of no bytes.
        EXPECT_TRUE(kind == storage::FileKind::segment || disk->read_whole(path)->size() < 4200) << path;
        continue;
      }
      ++found;
      EXPECT_NE(std::string::npos, stats.damage.find(file_name(path))) << path << ": " << stats.damage;
      scrub_whole(*state);
      EXPECT_EQ(stats.damaged_pages, engine::collect_stats(*state).damaged_pages) << "counted twice: " << path;
    }
  }
  std::printf("scrub: flipped bits found %lu of %lu\n", found, tried);
  EXPECT_GT(found, 20U);
}

// What the checkpoint holds in memory is sound: the next one writes a damaged extent of ids or stamps anew.
TEST(Scrub, TheNextCheckpointReplacesADamagedExtentThatMemoryHolds) {
  const auto disk = make_rot_store();
  const auto state = open_state(*disk, "plane", small_options(*disk));
  ASSERT_NE(nullptr, state);
  HF_ASSERT_OK(engine::checkpoint(*state));
  HF_ASSERT_OK(engine::checkpoint(*state, engine::IfUnchanged::let_go_of_older));
  std::uint64_t healed = 0;
  for (const std::string& path : rot_files(*disk)) {
    if (path.find(state->directory) == std::string::npos || path.find("/ext/") == std::string::npos) continue;
    const auto read = disk->read_whole(path);
    // Went with the extent that it patched, or that patched it; the rows that wait for the graph are always written.
    if (!read.ok()) continue;
    const Bytes& bytes = *read;
    const engine::ExtentKind kind = engine::kind_of(static_cast<std::uint8_t>(bytes[64]));
    if (kind == engine::ExtentKind::payloads || kind == engine::ExtentKind::level0 || bytes.size() < 4200) continue;
    HF_ASSERT_OK(disk->corrupt(path, 4096 + 1, std::byte{1}));
    scrub_whole(*state);
    HF_ASSERT_OK(engine::checkpoint(*state, engine::IfUnchanged::let_go_of_older));
    HF_ASSERT_OK(engine::checkpoint(*state, engine::IfUnchanged::let_go_of_older));
    EXPECT_FALSE(disk->read_whole(path).ok()) << path << " is still there";
    ++healed;
  }
  EXPECT_GE(healed, 3U);  // one by itself, or with what it was written together with
}

TEST(Scrub, AFileThatACheckpointRemovedIsNoDamage) {
  const auto disk = make_rot_store();
  const auto state = open_state(*disk, "plane", small_options(*disk));
  ASSERT_NE(nullptr, state);
  EXPECT_FALSE(engine::scrub_step(*state, 1).pass_done);  // the list is made
  for (int round = 0; round < 3; ++round) {
    WriteBatch batch;
    batch.upsert(500 + static_cast<std::uint64_t>(round), vector_of(1, 4));
    HF_ASSERT_OK(engine::write(*state, batch, {}));
    HF_ASSERT_OK(engine::checkpoint(*state));
  }
  scrub_whole(*state);
  scrub_whole(*state);
  EXPECT_EQ(0U, engine::collect_stats(*state).damaged_pages) << engine::collect_stats(*state).damage;
}

TEST(Scrub, AMissingExtentIsDamage) {
  const auto disk = make_rot_store();
  const auto state = open_state(*disk, "plane", small_options(*disk));
  ASSERT_NE(nullptr, state);
  std::string gone;
  for (const std::string& path : rot_files(*disk)) {
    if (path.find(state->directory) != std::string::npos && path.find("/ext/") != std::string::npos) gone = path;
  }
  HF_ASSERT_OK(disk->remove(gone));
  scrub_whole(*state);
  EXPECT_NE(std::string::npos, engine::collect_stats(*state).damage.find(file_name(gone)));
}

// Of an extent whose header, page table or footer could not be read, a pass said nothing.
TEST(Scrub, AnExtentWhoseHeaderCannotBeReadIsDamage) {
  const auto disk = make_rot_store();
  const auto state = open_state(*disk, "plane", small_options(*disk));
  ASSERT_NE(nullptr, state);
  std::string unreadable;
  for (const std::string& path : rot_files(*disk)) {
    if (path.find(state->directory) != std::string::npos && path.find("/ext/") != std::string::npos) unreadable = path;
  }
  disk->count_reads(true);
  disk->on_call([&](const CallInfo& call) {
    const bool header = call.kind == CallKind::read && call.path == unreadable && call.offset == 0;
    if (header) disk->fail_at(call.index, StatusCode::io_error);
  });
  scrub_whole(*state);
  disk->on_call(nullptr);
  const CollectionStats stats = engine::collect_stats(*state);
  EXPECT_EQ(1U, stats.damaged_pages);
  EXPECT_NE(std::string::npos, stats.damage.find(file_name(unreadable))) << stats.damage;
}

TEST(Scrub, ARottenPointerToTheNewestSegmentIsDamage) {
  const auto disk = make_rot_store();
  const auto state = open_state(*disk, "plane", small_options(*disk));
  ASSERT_NE(nullptr, state);
  const std::string head = os::join(os::join(state->directory, storage::kWalDirectory), storage::kLogHeadFile);
  HF_ASSERT_OK(disk->corrupt(head, disk->read_whole(head)->size() - 1, std::byte{4}));
  scrub_whole(*state);
  scrub_whole(*state);
  const CollectionStats stats = engine::collect_stats(*state);
  EXPECT_EQ(1U, stats.damaged_pages) << "found, and counted once";
  EXPECT_NE(std::string::npos, stats.damage.find(head)) << stats.damage;
}

TEST(Scrub, ALogThatTheDiskCannotReadIsDamage) {
  const auto disk = make_rot_store();
  const auto state = open_state(*disk, "plane", small_options(*disk));
  ASSERT_NE(nullptr, state);
  disk->count_reads(true);
  disk->on_call([&](const CallInfo& call) {
    const bool log = storage::parse_name(file_name(call.path)).kind == storage::FileKind::segment;
    if (call.kind == CallKind::read && log) disk->fail_at(call.index, StatusCode::io_error);
  });
  scrub_whole(*state);
  disk->on_call(nullptr);
  EXPECT_EQ(1U, engine::collect_stats(*state).damaged_pages);
}

TEST(Scrub, AStepReadsNoMoreThanItMayByAPage) {
  const auto disk = make_rot_store();
  const auto state = open_state(*disk, "plane", small_options(*disk));
  ASSERT_NE(nullptr, state);
  engine::scrub_step(*state, 1);  // manifests and log, in one piece
  std::uint64_t most = 0;
  for (bool done = false; !done;) {
    const engine::ScrubStep step = engine::scrub_step(*state, 100);
    done = step.pass_done;
    most = std::max(most, step.bytes);
  }
  EXPECT_LE(most, 100 + storage::kExtentDataOffset + storage::kExtentPageBytes);
}

using ScrubMapped = MappedStore;

// A page that was sound when a reader touched it, and rots in the file afterwards: no reader believes it any more.
TEST_F(ScrubMapped, APageThatRottedAfterItWasVerifiedIsNotBelieved) {
  const auto state = open_state(*disk_, "big", options(*disk_));
  ASSERT_NE(nullptr, state);
  const std::vector<float> query = vector_of(id_on(kBadPage), kWide);
  const auto ask = [&] {
    const engine::Pin view(state->store.pins());
    return engine::search(*state, *view, query, {.k = static_cast<std::uint32_t>(kPoints), .exact = true}).status();
  };
  HF_ASSERT_OK(ask());
  EXPECT_FALSE(state->store.vectors().has_unchecked()) << "all pages were verified";
  flip();
  scrub_whole(*state);
  EXPECT_EQ(1U, engine::collect_stats(*state).damaged_pages);
  EXPECT_TRUE(names_page(ask()));
}

TEST_F(ScrubMapped, TheBackgroundScrubsAndStopsAtOnce) {
  engine::EngineOptions scrubbing = options(*disk_);
  scrubbing.background = true;
  scrubbing.open.scrub_bytes_per_second = std::uint64_t{1} << 30;
  scrubbing.open.scrub_interval = std::chrono::seconds(0);
  flip();
  auto db = Database::open_with("/store", scrubbing);
  HF_ASSERT_OK(db);
  auto big = db->collection("big");
  HF_ASSERT_OK(big);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (big->stats().scrub_passes < 2 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  const CollectionStats stats = big->stats();
  EXPECT_GE(stats.scrub_passes, 2U);
  EXPECT_EQ(1U, stats.damaged_pages);
  EXPECT_TRUE(names_page(Status(StatusCode::data_damaged, stats.damage)));
  HF_EXPECT_OK(db->close());
}

}  // namespace
}  // namespace holdfast::testing
