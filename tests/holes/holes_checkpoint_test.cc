// Holes H11 to H23: checkpoints. `guard:` names the code without which the test fails.
#include <atomic>
#include <thread>

#include "holes/hole_fixture.h"
#include "storage/file_names.h"

namespace holdfast::testing {
namespace {

using Boundary = CrashPolicy::Boundary;
using Fill = CrashPolicy::Fill;

// guard: storage/manifest.cc write_manifest -> os/paths.cc write_file_atomically
TEST_F(Holes, H11_AnImageIsNeverWrittenToItsFinalPlace) {
  for (std::uint64_t id = 1; id <= 8; ++id) put(id);
  index();
  for (int round = 2; round < 5; ++round) {
    put(1, round);
    crash_at_every_call_of([&] { checkpoint(); },
                           {CrashPolicy::lose_all(), CrashPolicy::keep_all(), CrashPolicy::torn_write(Boundary::sector),
                            CrashPolicy::torn_write(Boundary::byte)});
  }
}

// guard: storage/extent_writer.cc finish (sync) and os/paths.cc write_new_file (sync)
TEST_F(Holes, H12_AFileIsSyncedBeforeItsName) {
  for (std::uint64_t id = 1; id <= 8; ++id) put(id);
  index();
  for (int round = 2; round < 5; ++round) {
    put(1, round);
    crash_at_every_call_of([&] { checkpoint(); },
                           {CrashPolicy::size_without_data(Fill::zeros), CrashPolicy::size_without_data(Fill::garbage),
                            CrashPolicy::size_without_data(Fill::stale), CrashPolicy::random_subset()});
  }
}

// guard: os/paths.cc write_file_atomically (directory sync); storage/wal_seal.cc remove_segments_through (K3)
TEST_F(Holes, H13_ARenameIsDurableBeforeTheLogIsCut) {
  for (std::uint64_t id = 1; id <= 8; ++id) put(id);
  index();
  for (int round = 2; round < 6; ++round) {
    for (std::uint64_t id = 1; id <= 4; ++id) put(id, round);
    crash_at_every_call_of([&] { checkpoint(); }, {CrashPolicy::directory_suffix(), CrashPolicy::directory_subset(),
                                                   CrashPolicy::anything(), CrashPolicy::lose_all()});
  }
}

/// Upserts a fresh id at every call of a checkpoint that touches a path with `part` in it.
class WritesDuringCheckpoint {
 public:
  WritesDuringCheckpoint(SimFileSystem& disk, std::string part, std::function<void()> write)
      : disk_(disk), part_(std::move(part)), write_(std::move(write)) {
    disk_.on_call([this](const CallInfo& call) {
      if (busy_ || (call.path + call.target).find(part_) == std::string::npos) return;
      busy_ = true;
      write_();
      ++writes;
      busy_ = false;
    });
  }
  ~WritesDuringCheckpoint() { disk_.on_call(nullptr); }
  std::uint64_t writes = 0;

 private:
  SimFileSystem& disk_;
  const std::string part_;
  std::function<void()> write_;
  bool busy_ = false;
};

// guard: engine/checkpoint.cc take_instant (view and lsn are taken in one step)
TEST_F(Holes, H14_WritesDuringACheckpointAreInTheImageOrInTheLog) {
  std::uint64_t next_id = 1;
  put(next_id++);
  index();
  int updates = 100;
  for (int round = 0; round < 4; ++round) {
    WritesDuringCheckpoint writes(disk(), "/ext/", [&] {
      put(next_id++, round);
      put(1, ++updates);  // and a death
    });
    checkpoint();
    EXPECT_GT(writes.writes, 5u);
    RecoveryReport report;
    EXPECT_TRUE(opening(*disk().crash(CrashPolicy::lose_all()), &report).ok());
    EXPECT_FALSE(report.fell_back) << "the image mixes two instants";
  }
  checkpoint();  // the log is now cut behind all but the last of them
  expect_survives(CrashPolicy::lose_all());
  lose_power();
  EXPECT_EQ(next_id - 1, collection().snapshot().size());
}

// guard: storage/wal_seal.cc remove_segments_through (the newest segment stays); segments are sealed before there is a
// writer (engine/recovery.cc make_writable), and never written again
TEST_F(Holes, H15_TheLogIsNotRewrittenUnderItsWriter) {
  std::string current;  // the segment that took the last frame
  std::uint64_t next_id = 1, cuts = 0;
  bool busy = false;
  disk().on_call([&](const CallInfo& call) {
    if (call.kind == CallKind::write && call.path.find("/wal/") != std::string::npos) current = call.path;
    const bool unnames = call.kind == CallKind::remove || call.kind == CallKind::rename;
    if (unnames && call.path.ends_with(".log")) {
      ++cuts;
      EXPECT_NE(call.path, files_with(disk(), ".log").back()) << to_string(call.kind) << ": it may be written to";
    }
    if (busy || (call.path + call.target).find("/manifest-") == std::string::npos) return;
    busy = true;
    put(next_id++);  // on the way to the cut the writer takes a new segment into use
    busy = false;
  });
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 20; ++i) put(next_id++, round);
    index();
    checkpoint();
    expect_survives(CrashPolicy::lose_all());
    expect_intact(*disk().kill_process(), Loss::process);
  }
  disk().on_call(nullptr);
  EXPECT_GT(cuts, 5u) << "the log was never cut";
  EXPECT_FALSE(current.empty());
  lose_power();
  if (HasFailure()) return;
  EXPECT_EQ(next_id - 1, collection().snapshot().size());
}

// guard: engine/checkpoint.cc checkpoint_locked (nothing is removed unless the manifest was written)
TEST_F(Holes, H16_AFailedCheckpointIsReportedAndCutsNothing) {
  for (const StatusCode code : {StatusCode::disk_full, StatusCode::io_error}) {
    for (std::uint64_t after = 0; after < 200; ++after) {
      start(Metric::l2);
      for (std::uint64_t id = 1; id <= 4; ++id) put(id);
      checkpoint();
      put(5);
      const std::uint64_t index = disk().calls() + after;
      disk().fail_at(index, code, true);
      const Status status = collection().checkpoint();
      const bool reached = disk().calls() > index;
      disk().clear_faults();
      const std::uint64_t held = collection().stats().checkpoint_lsn;
      if (reached) {  // and once more, with something new to hold: two failures are not two images
        try_write(put_batch(6, 1)).ignore();  // read-only, if a sync failed
        disk().fail_at(disk().calls() + after, code, true);
        collection().checkpoint().ignore();
        disk().clear_faults();
      }
      SCOPED_TRACE("fault at call " + std::to_string(after) + " of the checkpoint: " + status.to_string());
      expect_survives(CrashPolicy::lose_all());
      expect_survives(CrashPolicy::keep_all());
      if (!reached) {
        EXPECT_TRUE(status.ok());
        EXPECT_GT(after, 10u);
        break;
      }
      // What fails after the manifest is only the removal of what it replaced.
      EXPECT_EQ(status.ok() ? 5u : 4u, held);
    }
  }
}

// guard: engine/checkpoint.cc checkpoint_locked: the log is cut by images that are there, not by those that were asked
TEST_F(Holes, H17_TheLogIsCutByTheOlderImageThatIsThere) {
  for (const StatusCode code : {StatusCode::disk_full, StatusCode::io_error}) {
    for (std::uint64_t after = 0; after < 12; ++after) {
      SCOPED_TRACE(std::string(to_string(code)) + " at call " + std::to_string(after) + " of the second checkpoint");
      start(Metric::l2);
      for (std::uint64_t id = 1; id <= 20; ++id) put(id, 1);  // more than one segment
      checkpoint();
      for (std::uint64_t id = 1; id <= 20; ++id) put(id, 2);
      disk().fail_at(disk().calls() + after, code);
      if (collection().checkpoint().ok()) continue;
      for (std::uint64_t id = 1; id <= 20; ++id) put(id, 3);
      checkpoint();
      // The newest image does not answer: the older one and the log behind it have everything.
      const auto found = disk().crash(CrashPolicy::lose_all());
      ASSERT_TRUE(found->corrupt(files_with(*found, "/manifest-").back(), 100, std::byte{1}).ok());
      const auto reopened = Database::open_with(kStorePath, small_store(*found));
      ASSERT_TRUE(reopened.ok());
      EXPECT_EQ("", check_current(*reopened, model()));
    }
  }
}

// guard: engine/recovery.cc read_generations: only damage makes an image not count; one that cannot be read now does
TEST_F(Holes, H17_AnImageThatDoesNotAnswerIsNotLeftOut) {
  for (std::uint64_t id = 1; id <= 5; ++id) put(id);
  checkpoint();
  put(6);
  checkpoint();
  const auto whole = disk().crash(CrashPolicy::lose_all());
  const std::string newest = files_with(*whole, "/manifest-").back();
  std::uint64_t asked = 0;
  for (std::uint64_t skip = 0;; ++skip) {
    const auto found = whole->clone();
    found->count_reads(true);
    std::uint64_t reads = 0;
    found->on_call([&](const CallInfo& call) {
      if (call.path == newest && reads++ == skip) found->fail_at(call.index, StatusCode::io_error);
    });
    const std::uint64_t before = content_of(*found);
    const Status status = opening(*found);
    found->on_call(nullptr);
    if (reads <= skip) break;
    ++asked;
    EXPECT_EQ(StatusCode::io_error, status.code()) << "read " << skip << ": " << status.to_string();
    EXPECT_EQ(before, content_of(*found)) << "read " << skip;
    RecoveryReport report;
    EXPECT_TRUE(opening(*found, &report).ok());
    EXPECT_FALSE(report.fell_back);
    EXPECT_EQ(6u, report.checkpoint_lsn);
  }
  EXPECT_GE(asked, 3u) << "opened, measured and read";
}

// guard: engine/checkpoint.cc checkpoint_locked (skips only if neither lsn nor epoch moved)
TEST_F(Holes, H18_AnEmptiedCollectionStaysEmpty) {
  for (std::uint64_t id = 1; id <= 5; ++id) put(id);
  index();
  checkpoint();
  for (std::uint64_t id = 1; id <= 5; ++id) erase(id);
  for (int round = 0; round < 3; ++round) {
    expect_survives(CrashPolicy::lose_all());
    checkpoint();
    lose_power();
    EXPECT_EQ(0u, collection().snapshot().size());
    EXPECT_TRUE(collection().search(vector_of(1, 1), {.k = 10})->empty());
  }
}

// guard: engine/recovery.cc log_options (`after`): frames that the image holds are not applied again
TEST_F(Holes, H19_AnImageKnowsItsLsn) {
  for (std::uint64_t id = 1; id <= 5; ++id) put(id);
  put(1, 2);
  checkpoint();  // the log still holds everything: it goes back to the older of two generations
  ASSERT_FALSE(files_with(disk(), ".log").empty());
  lose_power();
  EXPECT_EQ(0u, collection().recovery_report().frames_replayed);
  EXPECT_EQ(6u, collection().recovery_report().checkpoint_lsn);
  EXPECT_EQ(6u, collection().stats().slots);
  EXPECT_EQ(5u, collection().snapshot().size());
  put(6);
  lose_power();
  EXPECT_EQ(1u, collection().recovery_report().frames_replayed);
  EXPECT_EQ(6u, collection().stats().slots) << "6 has the row of the version of 1 that died before the checkpoint";
}

// guard: engine/checkpoint.cc checkpoint (checkpoint_mutex); numbers of generations and extents are never used twice
TEST_F(Holes, H20_TwoCheckpointsAtOnceDoNotMixTheirFiles) {
  std::atomic<int> failures{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> owners;
  for (int owner = 0; owner < 2; ++owner) {
    owners.emplace_back([&, handle = collection()]() mutable {
      while (!stop.load()) failures += handle.checkpoint().ok() ? 0 : 1;
    });
  }
  for (std::uint64_t id = 1; id <= 150; ++id) put(id % 40, static_cast<int>(id));
  stop.store(true);
  for (std::thread& owner : owners) owner.join();
  EXPECT_EQ(0, failures.load());
  expect_survives(CrashPolicy::lose_all());
  // The copy of a stale owner under the name that the next manifest will be written to.
  checkpoint();
  const std::string manifest = files_with(disk(), "/manifest-").back();
  const std::string next = storage::manifest_name(collection().stats().checkpoint_generation + 1);
  ASSERT_TRUE(disk().write_whole(os::join(os::parent(manifest), next + ".tmp"), *disk().read_whole(manifest)).ok());
  put(1, 1'000);
  checkpoint();
  expect_survives(CrashPolicy::lose_all());
}

// guard: engine/recovery.cc remove_orphans, storage/wal_seal.cc seal_tail, database_state.cc remove_orphan_directories
TEST_F(Holes, H21_LeftoversAreRemovedAndNeverLoaded) {
  for (std::uint64_t id = 1; id <= 5; ++id) put(id);
  checkpoint();
  put(6);
  const std::string manifest = files_with(disk(), "/manifest-").back();
  const std::string directory = manifest.substr(0, manifest.rfind('/'));
  const std::string segment = files_with(disk(), ".log").back();
  const Bytes whole_manifest = *disk().read_whole(manifest);
  const std::vector<std::pair<std::string, Bytes>> leftovers{
      {directory + "/manifest-00000000000000ff.tmp", whole_manifest},
      {directory + "/wal/next.tmp", *disk().read_whole(segment)},
      {directory + "/wal/sealed.tmp", Bytes(100, std::byte{7})},
      {directory + "/ext/00000000000000ff.ext", *disk().read_whole(files_with(disk(), "/ext/").front())},
      {std::string(kStorePath) + "/CATALOG.tmp", *disk().read_whole(std::string(kStorePath) + "/CATALOG")}};
  const auto found = disk().crash(CrashPolicy::lose_all());
  for (const auto& [path, bytes] : leftovers) ASSERT_TRUE(found->write_whole(path, bytes).ok());
  expect_intact(*found);
  RecoveryReport report;
  EXPECT_TRUE(opening(*found, &report).ok());
  EXPECT_GE(report.files_removed.size(), 3u);  // sealing the log takes its temporary file for itself
  for (const auto& [path, bytes] : leftovers) EXPECT_FALSE(*found->exists(path)) << path;
}

// guard: engine/recovery.cc remove_orphans (R2)
TEST_F(Holes, H21_WhatAnUnreadableManifestMayNameIsNoLeftover) {
  for (std::uint64_t id = 1; id <= 5; ++id) put(id);
  index();
  checkpoint();
  put(6);
  index();
  checkpoint();
  const auto found = disk().crash(CrashPolicy::lose_all());
  const std::string newest = files_with(*found, "/manifest-").back();
  RecoveryReport report;
  for (const bool readable : {false, true}) {  // a bit that comes and goes
    ASSERT_TRUE(found->corrupt(newest, 100, std::byte{1}).ok());
    ASSERT_TRUE(opening(*found, &report).ok());
    EXPECT_EQ(!readable, report.fell_back);
    EXPECT_EQ(readable ? 6u : 5u, report.checkpoint_lsn);
  }
}

// guard: engine/checkpoint.cc ImageWriter::unchanged (K2)
TEST_F(Holes, H22_ACheckpointWritesWhatChanged) {
  driver_->check_reads = false;                      // many rows; asked for at the end
  constexpr std::uint64_t kRows = 2 * 16'384 + 100;  // two full chunks and a bit
  for (std::uint64_t id = 0; id < kRows;) {
    WriteBatch batch;
    for (int i = 0; i < 8'192 && id < kRows; ++i, ++id) batch.upsert(id, vector_of(id, 1));
    must_write(batch, Durability::none);
  }
  std::uint64_t bytes = 0;
  disk().on_call([&](const CallInfo& call) {
    if (call.kind == CallKind::write && call.path.find("/ext/") != std::string::npos) bytes += call.size;
  });
  checkpoint();
  const std::uint64_t everything = std::exchange(bytes, 0);
  put(kRows);
  checkpoint();
  const std::uint64_t after_insert = std::exchange(bytes, 0);
  erase(5);
  checkpoint();
  const std::uint64_t after_delete = std::exchange(bytes, 0);
  disk().on_call(nullptr);
  EXPECT_GT(everything, kRows * (16 + 16 + 16));
  EXPECT_LT(after_insert, everything / 20) << "only the last chunk";
  EXPECT_LT(after_delete, everything / 3) << "the stamps of one chunk";
  lose_power();
  EXPECT_EQ(kRows, collection().snapshot().size());
  EXPECT_EQ(StatusCode::not_found, collection().get(5).status().code());
  EXPECT_TRUE(collection().get(kRows).ok());
}

// guard: engine/checkpoint.cc checkpoint_locked (the manifest carries the instant's lsn, not the log's end)
TEST_F(Holes, H23_WhatIsAppliedAfterTheImageIsNotTrimmed) {
  std::uint64_t next_id = 1;
  put(next_id++);
  for (int round = 0; round < 4; ++round) {
    WritesDuringCheckpoint writes(disk(), "/manifest-", [&] {
      for (int i = 0; i < 10; ++i) put(next_id++, round);  // together more than a segment
    });
    checkpoint();
    EXPECT_GT(writes.writes, 2u);
    expect_survives(CrashPolicy::lose_all());
    expect_survives(CrashPolicy::keep_all());
  }
  lose_power();
  if (HasFailure()) return;
  EXPECT_EQ(next_id - 1, collection().snapshot().size());
}

}  // namespace
}  // namespace holdfast::testing
