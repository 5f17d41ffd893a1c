// Holes H25 to H40: recovery. `guard:` names the code without which the test fails.
#include <cstring>
#include <set>

#include "engine/record.h"
#include "holes/hole_fixture.h"
#include "storage/file_names.h"
#include "storage/wal_reader.h"
#include "storage/wal_writer.h"

namespace holdfast::testing {
namespace {

constexpr std::uint64_t kLengthField = 8;  // of a frame header: docs/format/log.md
constexpr std::uint64_t kFrameHeader = 40;

// guard: engine/recovery.cc replay_frame (replay fills the growing tier, which search scans exactly)
TEST_F(Holes, H25_AGraphThatLacksReplayedPointsIsCompletedBySearch) {
  for (std::uint64_t id = 1; id <= 10; ++id) put(id);
  index();
  checkpoint();
  for (std::uint64_t id = 11; id <= 20; ++id) put(id);
  lose_power();
  EXPECT_EQ(10u, collection().stats().graph_nodes);
  EXPECT_EQ(10u, collection().stats().growing);
  EXPECT_EQ(20u, collection().search(vector_of(15, 1), {.k = 30})->size());
  EXPECT_EQ(PointId(15), collection().search(vector_of(15, 1), {.k = 1})->front().id);
  index();
  EXPECT_EQ(20u, collection().stats().graph_nodes);
  EXPECT_EQ(PointId(15), collection().search(vector_of(15, 1), {.k = 1})->front().id);
}

// guard: engine/search.cc find_candidates (dead nodes route, but take no place); commit_writer.cc publish counts them
TEST_F(Holes, H26_PointsDeletedByTheLogTakeNoPlaceInTheGraphsAnswers) {
  for (std::uint64_t id = 1; id <= 30; ++id) put(id);
  index();
  checkpoint();
  for (std::uint64_t id = 1; id <= 20; ++id) erase(id);
  lose_power();
  EXPECT_EQ(30u, collection().stats().graph_nodes);
  const auto hits = collection().search(vector_of(5, 1), {.k = 10, .ef = 100});
  ASSERT_TRUE(hits.ok());
  EXPECT_EQ(10u, hits->size()) << "ghosts took places";
  for (const Hit& hit : *hits) EXPECT_GT(hit.id.number(), 20u);
}

// guard: engine/recovery.cc log_options (`after`) and engine/load.cc (growing_begin of the image)
TEST_F(Holes, H27_ReplayAddsNothingToTheGraphTwice) {
  for (std::uint64_t id = 1; id <= 20; ++id) put(id);
  index();
  checkpoint();
  for (int round = 0; round < 3; ++round) {
    lose_power();
    index();
    EXPECT_EQ(20u, collection().stats().graph_nodes);
    EXPECT_EQ(20u, collection().stats().slots);
  }
  put(21);
  lose_power();
  index();
  EXPECT_EQ(21u, collection().stats().graph_nodes);
}

// guard: none needed: there is no reconciliation by counts (engine/recovery.cc replays the log through apply)
TEST_F(Holes, H28_EqualCountsAreNotTakenForEqualContent) {
  for (std::uint64_t id = 1; id <= 10; ++id) put(id);
  index();
  checkpoint();
  for (std::uint64_t id = 1; id <= 5; ++id) {
    put(100 + id);
    erase(id);
  }
  lose_power();
  EXPECT_EQ(10u, collection().snapshot().size());
  EXPECT_EQ(PointId(103), collection().search(vector_of(103, 1), {.k = 1})->front().id);
  expect_survives(CrashPolicy::lose_all());
}

/// Appends a whole, synced frame that the engine did not make.
void append_foreign_frame(SimFileSystem& disk, const std::string& segment, ByteSpan body) {
  const std::string directory = segment.substr(0, segment.rfind('/'));
  storage::ReadLogOptions options;
  options.directory = directory;
  const Bytes header_bytes = *disk.read_whole(segment);
  storage::SegmentHeader header;
  ASSERT_EQ(storage::HeaderState::valid, storage::decode_segment_header(header_bytes, header));
  options.collection = header.collection;
  auto tail = storage::read_log(disk, options, {});
  ASSERT_TRUE(tail.ok());
  ASSERT_TRUE(storage::seal_tail(disk, options, *tail).ok());
  storage::WalOptions wal;
  wal.directory = directory;
  wal.collection = header.collection;
  wal.segment_bytes = 16 * 1024;
  storage::WalWriter writer(disk, wal, tail->end);
  ASSERT_TRUE(writer.append(std::span(&body, 1)).ok());
  ASSERT_TRUE(writer.sync().ok());
}

// guard: engine/recovery.cc replay_frame (every error of replay refuses the collection); engine/record.cc decode_batch
TEST_F(Holes, H29_ErrorsDuringReplayAreNotSwallowed) {
  put(1);
  put(2);
  WriteBatch wrong_dimension;
  wrong_dimension.upsert(3, std::vector<float>{1, 2, 3});
  Bytes cut_short = engine::encode_batch(put_batch(3, 1));
  cut_short.resize(cut_short.size() - 3);
  for (const Bytes& body : {engine::encode_batch(wrong_dimension), cut_short, Bytes(50, std::byte{9})}) {
    const auto found = disk().crash(CrashPolicy::lose_all());
    append_foreign_frame(*found, files_with(*found, ".log").front(), body);
    expect_damage(*found, "lsn 3");
  }
}

// guard: engine/recovery.cc log_options (`after`): the image's lsn makes replay idempotent
TEST_F(Holes, H30_ACrashBetweenPublishingAnImageAndCuttingTheLogIsHarmless) {
  for (int round = 1; round <= 4; ++round) {
    for (std::uint64_t id = 1; id <= 6; ++id) put(id, round);
    erase(6);
    index();
    bool published = false;
    std::uint64_t crashes = 0;
    disk().on_call([&](const CallInfo& call) {
      published |= call.kind == CallKind::rename && call.target.find("/manifest-") != std::string::npos;
      if (!published) return;
      ++crashes;
      for (const CrashPolicy& policy : {CrashPolicy::keep_all(), CrashPolicy::lose_all()}) {
        auto found = disk().crash(policy, call.index);
        expect_intact(*found);
        // Open, lose power at once, open: again and again.
        for (int i = 0; i < 3; ++i) {
          EXPECT_TRUE(opening(*found).ok());
          found = found->crash(CrashPolicy::lose_all(), call.index);
        }
        expect_intact(*found);
      }
    });
    checkpoint();
    disk().on_call(nullptr);
    EXPECT_GT(crashes, 1u);
  }
}

// guard: storage/wal_reader.cc unreadable_segment, missing_in_last: a log is never ignored as a whole
TEST_F(Holes, H31_ADamagedBeginningIsNotTakenForAnOlderFormat) {
  for (std::uint64_t id = 1; id <= 5; ++id) put(id);
  const std::string segment = files_with(disk(), ".log").front();
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{8}, std::uint64_t{16}, std::uint64_t{40},
                                     std::uint64_t{48}, group_offset(1), group_offset(1) + 16, group_offset(1) + 60}) {
    SCOPED_TRACE("byte " + std::to_string(offset));
    const auto found = disk().crash(CrashPolicy::lose_all());
    ASSERT_TRUE(found->corrupt(segment, offset, std::byte{0x10}).ok());
    expect_damage(*found, name_of(segment));
  }
}

// guard: storage/wal_seal.cc seal_tail: the garbage stays behind in a file that loses its name
TEST_F(Holes, H32_NothingIsAppendedBehindATornTail) {
  std::uint64_t torn = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    start(Metric::l2);
    put(1);
    put(2);
    WriteBatch large;
    for (std::uint64_t id = 10; id < 20; ++id)
      large.upsert(id, vector_of(id, 1), R"({"x":")" + std::string(500, 'x') + "\"}");
    std::unique_ptr<SimFileSystem> found;
    disk().on_call([&](const CallInfo& call) {
      if (call.kind == CallKind::sync && found == nullptr)
        found = disk().crash(CrashPolicy::torn_write(CrashPolicy::Boundary::byte), seed);
    });
    disk().power_off_at(disk().calls() + 1);
    EXPECT_FALSE(try_write(large).ok());
    disk().on_call(nullptr);
    ASSERT_NE(nullptr, found);
    move_to(std::move(found));
    torn += collection().recovery_report().bytes_cut > 0 ? 1 : 0;
    put(3);
    put(4);
    put(5);
    lose_power();
    EXPECT_TRUE(collection().get(5).ok());
    expect_survives(CrashPolicy::lose_all());
  }
  EXPECT_GT(torn, 5u) << "the test must see torn tails";
}

// guard: storage/wal_seal.cc copy_last_segment: what was found may be in the page cache only
TEST_F(Holes, H32_WhatIsWrittenBehindAFoundTailDoesNotOutliveIt) {
  for (int killed = 0; killed < 3; ++killed) {
    must_write(put_batch(1, killed), Durability::none);
    move_to(disk().kill_process());
    put(2, killed);
    expect_absent(*disk().crash(CrashPolicy::lose_all()), 3);
    if (HasFatalFailure()) return;
    expect_survives(CrashPolicy::lose_all());
  }
  lose_power();
  EXPECT_EQ(payload_of(2), collection().get(1)->payload);
  EXPECT_EQ(payload_of(2), collection().get(2)->payload);
}

// guard: storage/wal_reader.cc missing_in_last, row E3 (`synced_lsn` proves that the frame was durable)
TEST_F(Holes, H33_DamageInTheMiddleIsNotCutAsATornTail) {
  for (std::uint64_t id = 1; id <= 8; ++id) put(id);
  const std::string segment = files_with(disk(), ".log").front();
  for (std::uint64_t group = 1; group <= 6; ++group) {
    for (const std::uint64_t offset :
         {std::uint64_t{0}, kLengthField, std::uint64_t{16}, std::uint64_t{24}, std::uint64_t{32}, kFrameHeader + 10}) {
      SCOPED_TRACE("frame " + std::to_string(group) + ", byte " + std::to_string(offset));
      const auto found = disk().crash(CrashPolicy::lose_all());
      ASSERT_TRUE(found->corrupt(segment, group_offset(group) + offset, std::byte{1}).ok());
      expect_damage(*found, name_of(segment) + " at ");
      ASSERT_TRUE(found->corrupt(segment, group_offset(group) + offset, std::byte{1}).ok());
      expect_intact(*found);  // nothing was destroyed by looking
    }
  }
}

// guard: storage/wal_reader.cc lose (a damaged frame refuses the log; it is never stepped over)
TEST_F(Holes, H34_ADamagedFrameIsNotSkipped) {
  put(1, 1);
  put(1, 2);  // frame 2
  put(2, 1);
  erase(2);  // frame 4
  put(3, 1);
  put(4, 1);
  const std::string segment = files_with(disk(), ".log").front();
  for (const std::uint64_t group : {2u, 4u}) {
    const auto found = disk().crash(CrashPolicy::lose_all());
    ASSERT_TRUE(found->corrupt(segment, group_offset(group) + kFrameHeader + 4, std::byte{0xFF}).ok());
    expect_damage(*found, name_of(segment));
  }
}

// guard: storage/wal_reader.cc search_evidence: valid frames are looked for behind the damaged one, whatever its length
TEST_F(Holes, H35_ALengthThatOverrunsTheFileHidesNoValidFrames) {
  for (std::uint64_t id = 1; id <= 8; ++id) put(id);
  const std::string segment = files_with(disk(), ".log").front();
  for (std::uint64_t byte = 1; byte < 4; ++byte) {
    const auto found = disk().crash(CrashPolicy::lose_all());
    ASSERT_TRUE(found->corrupt(segment, group_offset(3) + kLengthField + byte, std::byte{0x7F}).ok());
    expect_damage(*found, name_of(segment) + " at ");
  }
}

// guard: storage/wal_format.cc decode_frame, extent_reader.cc, manifest.cc (lengths are checked against the file first)
TEST_F(Holes, H36_ADamagedLengthAllocatesNothing) {
  for (std::uint64_t id = 1; id <= 5; ++id) put(id);
  const std::string segment = files_with(disk(), ".log").front();
  // The last frame: nothing proves it, so it is cut, and nobody asks for 4 GiB.
  const auto found = disk().crash(CrashPolicy::lose_all());
  for (std::uint64_t byte = 0; byte < 4; ++byte) {
    ASSERT_TRUE(found->corrupt(segment, group_offset(5) + kLengthField + byte, std::byte{0xFF}).ok());
  }
  RecoveryReport report;
  EXPECT_TRUE(opening(*found, &report).ok());
  EXPECT_EQ(4u, report.last_lsn);
  EXPECT_GT(report.bytes_cut, 0u);
  // Every 8-byte word of a manifest and of an extent, as a length or a count of almost 2^64.
  index();
  checkpoint();
  for (const std::string& path : {files_with(disk(), "/manifest-").back(), files_with(disk(), "/ext/").front()}) {
    const std::uint64_t size = std::min<std::uint64_t>(disk().read_whole(path)->size(), 512);
    for (std::uint64_t at = 0; at + 8 <= size; at += 8) {
      const auto copy = disk().crash(CrashPolicy::lose_all());
      for (std::uint64_t i = 0; i < 8; ++i) ASSERT_TRUE(copy->corrupt(path, at + i, std::byte{0xFF}).ok());
      const Status status = opening(*copy, &report);  // the older checkpoint and the log hold the same
      EXPECT_TRUE(status.ok()) << status.to_string();
    }
  }
}

// guard: storage/wal_format.cc decode_frame (the checksum is seeded with the segment's salt)
TEST_F(Holes, H37_FramesOfAPreviousLifeNeverValidate) {
  // Lsn 16 and on, with proof that 15 and on were synced: had they the right salt, they would tell of lost frames.
  for (std::uint64_t id = 1; id <= 20; ++id) put(id);
  const Bytes other_store = *disk().read_whole(files_with(disk(), ".log").back());
  start(Metric::l2);
  for (std::uint64_t id = 1; id <= 3; ++id) put(id);
  const Bytes same_store = *disk().read_whole(files_with(disk(), ".log").back());
  lose_power();  // the next frame goes to a new segment, with a new salt
  put(4);
  const std::string segment = files_with(disk(), ".log").back();
  for (const Bytes& earlier : {other_store, same_store}) {
    // The blocks behind the last frame hold what the file held in an earlier life.
    const auto found = disk().crash(CrashPolicy::lose_all());
    Bytes bytes = *found->read_whole(segment);
    std::memcpy(bytes.data() + group_offset(2), earlier.data() + group_offset(1), 3 * 4096);
    ASSERT_TRUE(found->write_whole(segment, bytes).ok());
    const auto reopened = Database::open_with(kStorePath, small_store(*found));
    ASSERT_TRUE(reopened.ok());
    ASSERT_TRUE(reopened->quarantined().empty()) << reopened->quarantined().front().status.to_string();
    EXPECT_EQ(4u, reopened->collection("c")->snapshot().size());
    EXPECT_EQ(4u, reopened->collection("c")->recovery_report().last_lsn);
    EXPECT_GT(reopened->collection("c")->recovery_report().bytes_cut, 0u);
  }
}

// guard: engine/database_state.cc inspect_place; engine/recovery.cc read_generations; engine/load.cc; wal_reader.cc
TEST_F(Holes, H38_AMissingOrEmptyFileIsNotTakenForAnEmptyStore) {
  for (std::uint64_t id = 1; id <= 6; ++id) put(id);
  index();
  checkpoint();
  put(1, 2);
  erase(2);
  checkpoint();
  put(7);
  put(8);
  const auto whole = disk().crash(CrashPolicy::lose_all());
  std::uint64_t refused = 0, intact = 0;
  for (const auto& file : whole->files()) {
    if (file.is_directory || file.path.ends_with("/LOCK")) continue;
    for (const bool remove : {true, false}) {
      SCOPED_TRACE((remove ? "removed: " : "emptied: ") + file.path);
      const auto found = whole->clone();
      ASSERT_TRUE(remove ? found->remove(file.path).ok() : found->write_whole(file.path, {}).ok());
      ASSERT_TRUE(found->sync_directory(os::parent(file.path)).ok());
      const std::uint64_t before = content_of(*found);
      const Status status = opening(*found);
      if (status.ok()) {
        ++intact;  // it was not needed (an older generation), or the older generation and the log hold the same
        const auto reopened = Database::open_with(kStorePath, small_store(*found));
        ASSERT_TRUE(reopened.ok());
        EXPECT_EQ("", check_current(*reopened, model()));
      } else {
        ++refused;
        EXPECT_TRUE(status.code() == StatusCode::data_damaged || status.code() == StatusCode::not_a_store)
            << status.to_string();
        EXPECT_EQ(before, content_of(*found)) << "a store that does not open was changed";
      }
    }
  }
  EXPECT_GT(refused, 3u);
  EXPECT_GT(intact, 3u);
}

// guard: engine/checkpoint.cc remove_unneeded (K3: the log goes back to the older image); recovery.cc load_newest
TEST_F(Holes, H39_AnUnreadableImageCostsALongerReplayNotTheData) {
  for (int round = 1; round <= 3; ++round) {
    for (std::uint64_t id = 1; id <= 20; ++id) put(id, round);  // more than one segment
    index();
    checkpoint();
  }
  put(21);
  const std::vector<std::string> manifests = files_with(disk(), "/manifest-");
  ASSERT_EQ(2u, manifests.size());
  const auto found = disk().crash(CrashPolicy::lose_all());
  ASSERT_TRUE(found->corrupt(manifests.back(), 100, std::byte{1}).ok());
  {
    RecoveryReport report;
    const auto copy = found->clone();
    EXPECT_TRUE(opening(*copy, &report).ok());
    EXPECT_TRUE(report.fell_back);
    EXPECT_FALSE(report.notes.empty());
    const auto reopened = Database::open_with(kStorePath, small_store(*copy));
    ASSERT_TRUE(reopened.ok());
    EXPECT_EQ("", check_current(*reopened, model()));
  }
  {  // Nor is one that lacks a file the end.
    const auto copy = disk().crash(CrashPolicy::lose_all());
    ASSERT_TRUE(copy->remove(files_with(*copy, "/ext/").back()).ok());
    RecoveryReport report;
    const Status opened = opening(*copy, &report);
    EXPECT_TRUE(opened.ok()) << opened.to_string();
    EXPECT_TRUE(report.fell_back);
  }
  // All of them, also one whose removal the crash has undone.
  for (const std::string& path : files_with(*found, "/manifest-")) {
    if (path == manifests.back()) continue;
    ASSERT_TRUE(found->corrupt(path, 100, std::byte{1}).ok());
  }
  expect_damage(*found, "manifest-");
}

// guard: engine/recovery.cc read_generations, log_options (R1: every readable manifest proves what it holds)
TEST_F(Holes, H39_TheOlderImageIsNotUsedIfTheLogDoesNotReachTheNewerOne) {
  for (std::uint64_t id = 1; id <= 3; ++id) put(id);
  checkpoint();
  put(4);
  put(5);
  const std::string segment = files_with(disk(), ".log").back();  // its last frame has nothing behind it
  checkpoint();
  const auto found = disk().crash(CrashPolicy::lose_all());
  ASSERT_TRUE(found->corrupt(files_with(*found, "/ext/").back(), 100, std::byte{1}).ok());
  RecoveryReport report;
  const auto copy = found->clone();
  ASSERT_TRUE(opening(*copy, &report).ok());
  ASSERT_TRUE(report.fell_back) << "the test must damage the newer image";
  ASSERT_TRUE(found->corrupt(segment, group_offset(2) + kFrameHeader + 4, std::byte{0xFF}).ok());
  expect_damage(*found, name_of(segment));
}

// guard: engine/checkpoint.cc (ids, stamps, vectors and graph of an image belong to one view, K1)
TEST_F(Holes, H40_ASecondCrashAfterReconciliationLeavesNothingStale) {
  for (std::uint64_t id = 1; id <= 12; ++id) put(id);
  index();
  checkpoint();
  for (std::uint64_t id = 1; id <= 4; ++id) erase(id);
  for (std::uint64_t id = 5; id <= 8; ++id) put(id, 50);
  lose_power();  // the first crash: recovery meets deletes and updates of points in the graph
  index();
  crash_at_every_call_of([&] { checkpoint(); },
                         {CrashPolicy::lose_all(), CrashPolicy::keep_all(), CrashPolicy::anything()});
  lose_power();
  for (std::uint64_t id = 5; id <= 8; ++id) {
    const auto hits = collection().search(vector_of(id, 1), {.k = 12});
    ASSERT_TRUE(hits.ok());
    for (const Hit& hit : *hits) {
      EXPECT_TRUE(hit.id != PointId(id) || hit.distance > 1'000.0F) << "the vector from before the update";
    }
  }
}

// guard: engine/recovery.cc replay_frame (stages and applies rows; no indexer); engine/search.cc (the growing tier)
TEST_F(Holes, H43_AReplayBuildsNoGraphAndServesAtOnce) {
  constexpr std::uint64_t kIndexed = 10, kAll = 300;
  const auto expect_all_found = [&](std::uint64_t nodes) {
    const CollectionStats before = collection().stats();
    EXPECT_EQ(nodes, before.graph_nodes) << "the replay inserted into the graph";
    EXPECT_EQ(kAll - nodes, before.growing);
    for (const bool exact : {true, false}) {
      const auto hits = collection().search(vector_of(kAll, 1), {.k = kAll, .ef = kAll, .exact = exact});
      ASSERT_TRUE(hits.ok());
      EXPECT_EQ(kAll, hits->size());
      EXPECT_EQ(PointId(kAll), hits->front().id);
    }
    const CollectionStats after = collection().stats();
    EXPECT_EQ(before.graph_nodes, after.graph_nodes);
    EXPECT_EQ(before.graph_epoch, after.graph_epoch) << "a search published a graph";
  };
  for (std::uint64_t id = 1; id <= kIndexed; ++id) put(id);
  index();
  checkpoint();
  for (std::uint64_t id = kIndexed + 1; id <= kAll; ++id) put(id);
  const std::uint64_t epoch = collection().stats().graph_epoch;
  lose_power();
  EXPECT_EQ(epoch, collection().stats().graph_epoch) << "the replay published a graph";
  EXPECT_EQ(kAll - kIndexed, collection().recovery_report().frames_replayed);
  expect_all_found(kIndexed);
  lose_power();  // and again: what was replayed was not written into any image meanwhile
  expect_all_found(kIndexed);
}

TEST_F(Holes, H43_AReplayOfEverythingServesAtOnce) {
  for (std::uint64_t id = 1; id <= 100; ++id) put(id);
  index();  // a graph that no checkpoint holds
  lose_power();
  EXPECT_EQ(0u, collection().stats().graph_nodes);
  EXPECT_EQ(100u, collection().stats().growing);
  const auto hits = collection().search(vector_of(77, 1), {.k = 100});
  ASSERT_TRUE(hits.ok());
  EXPECT_EQ(100u, hits->size());
  EXPECT_EQ(PointId(77), hits->front().id);
}

/// The disks that crashes before every call of opening `found` leave, each once.
std::vector<std::unique_ptr<SimFileSystem>> crash_recovery_of(const SimFileSystem& found,
                                                              std::set<std::uint64_t>& seen) {
  std::vector<std::unique_ptr<SimFileSystem>> left;
  const auto disk = found.clone();
  disk->reseed(1);  // recoveries that do the same leave the same disk
  disk->on_call([&](const CallInfo& call) {
    const auto keep = [&](std::unique_ptr<SimFileSystem> next) {
      if (seen.insert(next->fingerprint()).second) left.push_back(std::move(next));
    };
    keep(disk->crash(CrashPolicy::lose_all(), call.index));
    keep(disk->crash(CrashPolicy::keep_all(), call.index));
    for (std::uint64_t i = 0; i < disk->unsynced_effects(); ++i) {
      keep(disk->crash(CrashPolicy::drop_one(i), call.index));
      keep(disk->crash(CrashPolicy::keep_one(i), call.index));
    }
  });
  EXPECT_TRUE(Database::open_with(kStorePath, small_store(*disk)).ok());
  disk->on_call(nullptr);
  return left;
}

// guard: engine/recovery.cc make_writable (R3: the found tail is copied, synced and renamed) and remove_orphans (R2)
TEST_F(Holes, H44_ACrashDuringRecoveryAndOneDuringTheNextAreLikeOneCrash) {
  for (std::uint64_t id = 1; id <= 8; ++id) put(id);
  index();
  checkpoint();
  for (std::uint64_t id = 5; id <= 8; ++id) put(id, 2);
  erase(1);
  // Power fails in the middle of a group, and in the middle of a checkpoint: something is there to cut, and to remove.
  std::vector<std::pair<std::unique_ptr<SimFileSystem>, Model>> crashed;
  disk().on_call([&](const CallInfo& call) {
    const bool in_group = call.kind == CallKind::sync && call.path.find("/wal/") != std::string::npos;
    const bool in_image = call.kind == CallKind::rename && call.path.find("manifest") != std::string::npos;
    if (in_group || in_image) crashed.emplace_back(disk().crash(CrashPolicy::anything(), call.index), model());
  });
  put(9);
  checkpoint();
  disk().on_call(nullptr);
  ASSERT_GE(crashed.size(), 2u);
  std::size_t first = 0, second = 0;
  for (const auto& [found, before] : crashed) {
    Model settled;
    const auto copy = found->clone();
    ASSERT_EQ("", check_crash_state(*copy, {before, Loss::power, nullptr, &settled}, small_store(*copy), 1));
    const auto expect_the_same = [&, model = &settled](const SimFileSystem& left) {
      const auto again = left.clone();
      ASSERT_EQ("", check_crash_state(*again, *model, Loss::power, small_store(*again), ++second));
    };
    std::set<std::uint64_t> seen;
    for (const auto& once : crash_recovery_of(*found, seen)) {
      ++first;
      expect_the_same(*once);
      for (const auto& twice : crash_recovery_of(*once, seen)) expect_the_same(*twice);
    }
  }
  EXPECT_GT(first, 10u);
  EXPECT_GT(second, 2 * first) << "the recovery of the first crash was hardly crashed";
}

}  // namespace
}  // namespace holdfast::testing
