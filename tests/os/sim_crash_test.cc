// Which disks a crash may leave: every policy, and the rules that no policy may break.
#include "support/sim_crash.h"

#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include "os/os_test_util.h"
#include "support/sim_file_system.h"

namespace holdfast::testing {
namespace {

using Access = os::FileSystem::Access;
using Unit = CrashPolicy::Unit;
using Boundary = CrashPolicy::Boundary;
using Fill = CrashPolicy::Fill;

std::string sectors(std::string_view letters) {
  std::string text;
  for (const char letter : letters) text.append(kSectorSize, letter);
  return text;
}
/// The first byte of each sector; '?' if the sector is mixed, '.' for zeros.
std::string letters_of(ByteSpan bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += kSectorSize) {
    const ByteSpan sector = bytes.subspan(at, std::min<std::size_t>(kSectorSize, bytes.size() - at));
    const bool same = std::all_of(sector.begin(), sector.end(), [&](std::byte b) { return b == sector[0]; });
    text += !same ? '?' : sector[0] == std::byte{0} ? '.' : static_cast<char>(sector[0]);
  }
  return text;
}

class SimCrashTest : public ::testing::Test {
 protected:
  /// A durable file of whole sectors, and its handle.
  std::unique_ptr<os::File> durable(const std::string& path, std::string_view letters) {
    EXPECT_OK(fs_.write_whole(path, bytes_of(sectors(letters))));
    return std::move(fs_.open(path, Access::read_write)).value();
  }
  static void write(os::File& file, std::uint64_t sector, std::string_view letters) {
    EXPECT_OK(file.write_at(sector * kSectorSize, bytes_of(sectors(letters))));
  }
  std::string found(const CrashPolicy& policy, const std::string& path = "/a", std::uint64_t seed = 0) const {
    const auto content = fs_.crash(policy, seed)->read_whole(path);
    return content.ok() ? letters_of(*content) : "<gone>";
  }
  std::string names(const CrashPolicy& policy, std::uint64_t seed = 0) const {
    std::string text;
    for (const auto& file : fs_.crash(policy, seed)->files()) text += (text.empty() ? "" : " ") + file.path;
    return text;
  }
  SimFileSystem fs_;
};

TEST_F(SimCrashTest, LoseAllAndKeepAll) {
  const auto a = durable("/a", "aa");
  write(*a, 1, "BB");
  must_create(fs_, "/new");
  EXPECT_OK(fs_.remove("/a"));
  EXPECT_EQ("aa", found(CrashPolicy::lose_all()));
  EXPECT_EQ("/a", names(CrashPolicy::lose_all()));
  EXPECT_EQ("/new", names(CrashPolicy::keep_all()));
  EXPECT_EQ("aB", letters_of(ByteSpan(*fs_.crash(CrashPolicy::keep_one(0))->read_whole("/a"))).substr(0, 2));
}

TEST_F(SimCrashTest, WhatIsSyncedSurvivesEveryPolicy) {
  const auto a = durable("/a", "aaaa");
  write(*a, 1, "BBB");
  EXPECT_OK(a->sync());
  EXPECT_OK(fs_.rename("/a", "/b"));
  EXPECT_OK(fs_.sync_directory("/"));
  EXPECT_EQ(0u, fs_.unsynced_effects());
  write(*a, 3, "C");  // the only sector in doubt
  must_create(fs_, "/x");
  using Kind = CrashPolicy::Kind;
  for (int kind = 0; kind <= static_cast<int>(Kind::anything); ++kind) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      CrashPolicy policy;
      policy.kind = static_cast<Kind>(kind);
      SCOPED_TRACE(policy.to_string() + ", seed " + std::to_string(seed));
      const std::string content = found(policy, "/b", seed);
      EXPECT_TRUE(content == "aBBB" || content == "aBBC") << content;
      EXPECT_EQ("<gone>", found(policy, "/a", seed));
      EXPECT_EQ(0u, fs_.crash(policy, seed)->unsynced_effects());
    }
  }
}

TEST_F(SimCrashTest, SyncOfAFileDoesNotMakeItsNameDurable) {
  const auto a = must_create(fs_, "/a");
  write(*a, 0, "A");
  EXPECT_OK(a->sync());
  EXPECT_EQ("<gone>", found(CrashPolicy::lose_all()));
  EXPECT_EQ("A", found(CrashPolicy::keep_all()));
}

TEST_F(SimCrashTest, SyncOfADirectoryDoesNotMakeDataDurable) {
  const auto a = must_create(fs_, "/a");
  write(*a, 0, "A");
  EXPECT_OK(fs_.sync_directory("/"));
  EXPECT_EQ("", found(CrashPolicy::lose_all())) << "a durable name of an empty file";
}

TEST_F(SimCrashTest, ANewDirectoryNeedsItsParent) {
  EXPECT_OK(fs_.create_directory("/d"));
  const auto a = must_create(fs_, "/d/a");
  EXPECT_OK(fs_.sync_directory("/d"));
  EXPECT_EQ("", names(CrashPolicy::lose_all()));
  EXPECT_OK(fs_.sync_directory("/"));
  EXPECT_EQ("/d /d/a", names(CrashPolicy::lose_all()));
}

TEST_F(SimCrashTest, DropAndKeepEachOperation) {
  const auto a = durable("/a", "....");
  const auto b = durable("/b", "..");
  write(*a, 0, "AA");
  write(*b, 0, "B");
  write(*a, 3, "CC");  // grows
  ASSERT_EQ(3u, fs_.unsynced_effects());
  const auto both = [&](const CrashPolicy& policy) { return found(policy, "/a") + "|" + found(policy, "/b"); };
  EXPECT_EQ("...CC|B.", both(CrashPolicy::drop_one(0)));
  EXPECT_EQ("AA.CC|..", both(CrashPolicy::drop_one(1)));
  EXPECT_EQ("AA..|B.", both(CrashPolicy::drop_one(2)));
  EXPECT_EQ("AA..|..", both(CrashPolicy::keep_one(0)));
  EXPECT_EQ("....|B.", both(CrashPolicy::keep_one(1)));
  EXPECT_EQ("...CC|..", both(CrashPolicy::keep_one(2)));
}

TEST_F(SimCrashTest, DropAndKeepEachSector) {
  const auto a = durable("/a", "xx");
  write(*a, 1, "BCD");  // units: the size, then three sectors
  ASSERT_EQ(4u, fs_.unsynced_effects(Unit::sector));
  EXPECT_EQ("xB", found(CrashPolicy::drop_one(0, Unit::sector))) << "data beyond a lost size is out of reach";
  EXPECT_EQ("xxCD", found(CrashPolicy::drop_one(1, Unit::sector)));
  EXPECT_EQ("xB.D", found(CrashPolicy::drop_one(2, Unit::sector)));
  EXPECT_EQ("xBC.", found(CrashPolicy::drop_one(3, Unit::sector)));
  EXPECT_EQ("xx..", found(CrashPolicy::keep_one(0, Unit::sector)));
  const auto cut = fs_.crash(CrashPolicy::drop_one(0, Unit::sector));
  EXPECT_OK((*cut->open("/a", Access::read_write))->truncate(4 * kSectorSize));
  EXPECT_EQ("xB..", letters_of(*cut->read_whole("/a"))) << "bytes beyond the size are zeros when it grows again";
  EXPECT_EQ("xB", found(CrashPolicy::keep_one(1, Unit::sector)));
}

TEST_F(SimCrashTest, ALaterWriteBringsTheEarlierOneOfItsSector) {
  const auto a = durable("/a", "xx");
  EXPECT_OK(a->write_at(0, bytes_of(std::string(1024, 'E'))));  // both sectors
  EXPECT_OK(a->write_at(100, bytes_of("late")));                // inside of the first
  const std::string kept = text_of(*fs_.crash(CrashPolicy::keep_one(1))->read_whole("/a"));
  EXPECT_EQ(std::string(100, 'E') + "late" + std::string(408, 'E'), kept.substr(0, 512))
      << "write-back takes the sector as it is in the cache";
  EXPECT_EQ(std::string(512, 'x'), kept.substr(512)) << "the other sector was only touched by the lost write";
  const std::string first = text_of(*fs_.crash(CrashPolicy::keep_one(0))->read_whole("/a"));
  EXPECT_EQ(std::string(1024, 'E'), first) << "the earlier image, not what the cache holds now";
}

TEST_F(SimCrashTest, SizesReachTheDiskInOrder) {
  const auto a = durable("/a", "xxxx");
  EXPECT_OK(a->truncate(0));
  write(*a, 0, "Y");
  EXPECT_EQ("Y", found(CrashPolicy::drop_one(0))) << "the size 512 implies the truncation before it";
  EXPECT_EQ("", found(CrashPolicy::drop_one(1)));
  EXPECT_EQ("xxxx", found(CrashPolicy::lose_all()));
  const auto b = durable("/b", "xxxx");
  EXPECT_OK(b->truncate(0));
  write(*b, 3, "Z");
  EXPECT_EQ("...Z", found(CrashPolicy::keep_one(3), "/b")) << "nothing from before the truncation comes back";
}

TEST_F(SimCrashTest, RandomSubsetsReorderAcrossFilesAndTearWrites) {
  const auto a = durable("/a", "aaaaaaaa");
  const auto b = durable("/b", "bb");
  write(*a, 0, "AAAAAAAA");
  write(*b, 0, "BB");
  std::set<std::string> states;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const auto disk = fs_.crash(CrashPolicy::random_subset(), seed);
    const std::string state = letters_of(*disk->read_whole("/a")) + letters_of(*disk->read_whole("/b"));
    ASSERT_EQ(10u, state.size());
    ASSERT_EQ(std::string::npos, state.find_first_not_of("aAbB")) << state;
    states.insert(state);
  }
  EXPECT_GT(states.size(), 150u);
  EXPECT_TRUE(states.contains("aaaaaaaaBB") || states.contains("aaaaaaaaBb") || states.contains("aaaaaaaabB"))
      << "the later write of another file may be there without the earlier one";
  EXPECT_TRUE(std::any_of(states.begin(), states.end(), [](const std::string& s) {
    return s.substr(0, 8).find("aA") != std::string::npos && s.substr(0, 8).find("Aa") != std::string::npos;
  })) << "holes inside of one write";
}

TEST_F(SimCrashTest, TornWrites) {
  const auto a = durable("/a", "xxxx");
  write(*a, 0, "P");
  EXPECT_OK(a->write_at(700, bytes_of(std::string(1000, 'T'))));  // sectors 1 to 3, not aligned
  std::set<std::string> by_sector;
  std::set<std::size_t> written;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::string whole = text_of(*fs_.crash(CrashPolicy::torn_write(Boundary::sector), seed)->read_whole("/a"));
    EXPECT_EQ(std::string(512, 'P'), whole.substr(0, 512)) << "what was before the last write is there";
    const auto is_new = [&](std::size_t at) { return whole[at] == 'T' ? '1' : '0'; };
    by_sector.insert({is_new(800), is_new(1100), is_new(1600)});
    EXPECT_EQ(is_new(700), is_new(1023));

    const std::string torn = text_of(*fs_.crash(CrashPolicy::torn_write(Boundary::byte), seed)->read_whole("/a"));
    written.insert(static_cast<std::size_t>(std::count(torn.begin(), torn.end(), 'T')));
    EXPECT_EQ(std::string(188, 'x'), torn.substr(512, 188));
  }
  EXPECT_EQ((std::set<std::string>{"000", "100", "110", "111", "011", "001"}), by_sector);
  EXPECT_GT(written.size(), 150u);
}

TEST_F(SimCrashTest, SizeWithoutData) {
  const auto a = durable("/a", "xx");
  durable("/other", "ssssssssssssssss");
  write(*a, 1, "YYYYYYY");
  EXPECT_EQ("xx......", found(CrashPolicy::size_without_data()));
  const std::string garbage = found(CrashPolicy::size_without_data(Fill::garbage));
  EXPECT_EQ("xx??????", garbage);
  bool saw_stale = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    saw_stale = saw_stale || found(CrashPolicy::size_without_data(Fill::stale), "/a", seed) == "xxssssss";
  }
  EXPECT_TRUE(saw_stale);
}

TEST_F(SimCrashTest, DirectoriesLoseASuffix) {
  for (const char* name : {"/1", "/2", "/3"}) must_create(fs_, name);
  EXPECT_OK(fs_.rename("/3", "/4"));
  EXPECT_OK(fs_.remove("/1"));
  std::set<std::string> states;
  for (std::uint64_t seed = 0; seed < 200; ++seed) states.insert(names(CrashPolicy::directory_suffix(), seed));
  EXPECT_EQ((std::set<std::string>{"", "/1", "/1 /2", "/1 /2 /3", "/1 /2 /4", "/2 /4"}), states);
}

TEST_F(SimCrashTest, DirectoriesLoseSingleOperations) {
  durable("/old", "o");
  must_create(fs_, "/1");
  EXPECT_OK(fs_.remove("/old"));
  must_create(fs_, "/2");
  std::set<std::string> states;
  for (std::uint64_t seed = 0; seed < 300; ++seed) states.insert(names(CrashPolicy::directory_subset(), seed));
  EXPECT_EQ((std::set<std::string>{"", "/1", "/1 /2", "/2", "/old", "/1 /old", "/2 /old", "/1 /2 /old"}), states);
}

TEST_F(SimCrashTest, DirectoriesLoseIndependently) {
  EXPECT_OK(fs_.create_directory("/d"));
  EXPECT_OK(fs_.create_directory("/e"));
  EXPECT_OK(fs_.sync_directory("/"));
  must_create(fs_, "/d/a");
  must_create(fs_, "/e/b");
  std::set<std::string> states;
  for (std::uint64_t seed = 0; seed < 100; ++seed) states.insert(names(CrashPolicy::directory_suffix(), seed));
  EXPECT_EQ((std::set<std::string>{"/d /e", "/d /d/a /e", "/d /e /e/b", "/d /d/a /e /e/b"}), states);
}

TEST_F(SimCrashTest, RenameIsAtomicWithinADirectory) {
  durable("/a", "n");
  durable("/b", "o");
  EXPECT_OK(fs_.rename("/a", "/b"));
  EXPECT_EQ("/a /b", names(CrashPolicy::lose_all()));
  EXPECT_EQ("o", found(CrashPolicy::lose_all(), "/b"));
  EXPECT_EQ("/b", names(CrashPolicy::keep_all()));
  EXPECT_EQ("n", found(CrashPolicy::keep_all(), "/b"));
  std::set<std::string> states;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const CrashPolicy policy = CrashPolicy::directory_subset();
    states.insert(names(policy, seed) + " " + found(policy, "/b", seed));
  }
  EXPECT_EQ((std::set<std::string>{"/a /b o", "/b n"}), states);
}

TEST_F(SimCrashTest, RenameBetweenDirectoriesIsTwoChanges) {
  EXPECT_OK(fs_.create_directory("/d"));
  EXPECT_OK(fs_.sync_directory("/"));
  durable("/a", "n");
  EXPECT_OK(fs_.rename("/a", "/d/a"));
  EXPECT_EQ(1u, fs_.unsynced_effects());
  EXPECT_EQ("/a /d", names(CrashPolicy::drop_one(0)));
  EXPECT_EQ("/d /d/a", names(CrashPolicy::keep_one(0)));
  const auto other = fs_.clone();
  EXPECT_OK(fs_.sync_directory("/d"));
  EXPECT_EQ("/a /d /d/a", names(CrashPolicy::lose_all())) << "in both";
  EXPECT_EQ("n", found(CrashPolicy::lose_all(), "/d/a"));
  EXPECT_OK(other->sync_directory("/"));
  EXPECT_EQ(1u, other->crash(CrashPolicy::lose_all())->files().size()) << "in neither: only /d is left";
}

TEST_F(SimCrashTest, ARemovedFileReturnsUntilItsDirectoryIsSynced) {
  auto a = durable("/a", "a");
  a.reset();
  EXPECT_OK(fs_.remove("/a"));
  EXPECT_EQ("a", found(CrashPolicy::lose_all()));
  EXPECT_OK(fs_.sync_directory("/"));
  EXPECT_EQ("<gone>", found(CrashPolicy::lose_all()));
}

TEST_F(SimCrashTest, ARemovedFileOfAnUnsyncedDirectoryCanReturnAfterAnotherSync) {
  EXPECT_OK(fs_.create_directory("/d"));
  EXPECT_OK(fs_.sync_directory("/"));
  write(*must_create(fs_, "/a"), 0, "A");
  EXPECT_OK(fs_.remove("/a"));
  EXPECT_OK(fs_.sync_directory("/d"));  // forgets what nothing can reach; /a can still be reached by a crash
  EXPECT_EQ("A", found(CrashPolicy::drop_one(2)));
}

TEST_F(SimCrashTest, ACrashForgetsWhatItLost) {
  SimDisk disk;
  const auto id = disk.create("/a", false);
  ASSERT_TRUE(id.ok());
  EXPECT_TRUE(crash_disk(disk, CrashPolicy::keep_all(), 0).exists(*id));
  EXPECT_FALSE(crash_disk(disk, CrashPolicy::lose_all(), 0).exists(*id));
}

/// The content of /m after a crash, or a word for what went wrong.
std::string state_of_m(const SimFileSystem& disk) {
  const auto content = disk.read_whole("/m");
  if (!content.ok()) return std::string(to_string(content.status().code()));
  if (*content == pattern(3'000, 1)) return "one";
  if (*content == pattern(2'000, 2)) return "two";
  return "torn";
}

TEST_F(SimCrashTest, WriteFileAtomicallyIsAtomicAtEveryCallUnderEveryPolicy) {
  EXPECT_OK(os::write_file_atomically(fs_, "/m", pattern(3'000, 1)));
  std::vector<std::unique_ptr<SimFileSystem>> moments;
  fs_.on_call([&](const CallInfo&) { moments.push_back(fs_.clone()); });
  EXPECT_OK(os::write_file_atomically(fs_, "/m", pattern(2'000, 2)));
  fs_.on_call(nullptr);
  std::vector<CrashPolicy> policies{CrashPolicy::lose_all(), CrashPolicy::keep_all(), CrashPolicy::anything(),
                                    CrashPolicy::random_subset(Fill::garbage), CrashPolicy::directory_subset()};
  for (const auto& moment : moments) {
    for (const CrashPolicy& policy : policies) {
      for (std::uint64_t seed = 0; seed < 50; ++seed) {
        const std::string state = state_of_m(*moment->crash(policy, seed));
        EXPECT_TRUE(state == "one" || state == "two") << state << ": " << policy.to_string() << ", seed " << seed;
      }
    }
  }
  EXPECT_EQ("two", state_of_m(*fs_.crash(CrashPolicy::lose_all()))) << "acknowledged and lost";
}

TEST_F(SimCrashTest, WriteFileAtomicallyNeverShowsTheEffectOfAFailedCall) {
  constexpr std::uint64_t kCalls = 6;  // remove, create, write, sync, rename, sync directory
  for (std::uint64_t call = 0; call < kCalls; ++call) {
    for (int kind = 0; kind < 3; ++kind) {
      SCOPED_TRACE("call " + std::to_string(call) + ", kind " + std::to_string(kind));
      SimFileSystem fs;
      EXPECT_OK(fs.write_whole("/m", pattern(3'000, 1)));
      if (kind == 0) fs.fail_at(call, StatusCode::io_error);
      if (kind == 1) fs.short_write_at(call, 700);
      if (kind == 2) fs.fail_sync_at(call, UnsyncedPages::dropped);
      const Status status = os::write_file_atomically(fs, "/m", pattern(2'000, 2));
      EXPECT_FALSE(status.ok());
      EXPECT_EQ(call == 5 ? "two" : "one", state_of_m(fs)) << "the rename is the commit point";
      EXPECT_EQ(1u, fs.files().size()) << "the temporary file stays";
    }
  }
}

TEST_F(SimCrashTest, AnythingReachesManyStatesAndIsRepeatable) {
  const auto a = durable("/a", "aaaa");
  write(*a, 0, "A");
  write(*a, 2, "BBBB");
  must_create(fs_, "/n");
  EXPECT_OK(fs_.rename("/n", "/m"));
  std::set<std::string> states;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const CrashPolicy policy = CrashPolicy::anything();
    const std::string state = names(policy, seed) + " " + found(policy, "/a", seed);
    EXPECT_EQ(state, names(policy, seed) + " " + found(policy, "/a", seed)) << "seed " << seed;
    states.insert(state);
  }
  EXPECT_GT(states.size(), 60u);
}

TEST_F(SimCrashTest, CrashesOfACrashedDiskGoOnFromThere) {
  const auto a = durable("/a", "aa");
  write(*a, 0, "B");
  const auto first = fs_.crash(CrashPolicy::keep_all());
  const auto file = std::move(first->open("/a", Access::read_write)).value();
  write(*file, 1, "C");
  EXPECT_EQ("Ba", letters_of(*first->crash(CrashPolicy::lose_all())->read_whole("/a")));
  EXPECT_EQ("BC", letters_of(*first->crash(CrashPolicy::keep_all())->read_whole("/a")));
  EXPECT_EQ("aa", found(CrashPolicy::lose_all())) << "the disk that crashed is untouched";
}

TEST_F(SimCrashTest, AgreesWithAModelOfSyncedBytes) {
  // Whatever is written and synced in whatever order: bytes not touched since the last sync are as at that sync, and
  // every other byte is one that it had since then.
  constexpr std::uint64_t kSize = 12'000;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom random(seed);
    SimFileSystem fs(seed);
    EXPECT_OK(fs.write_whole("/a", Bytes(kSize, std::byte{'0'})));
    const auto file = std::move(fs.open("/a", Access::read_write)).value();
    Bytes now(kSize, std::byte{'0'});
    std::vector<std::set<std::byte>> possible(kSize, {std::byte{'0'}});
    for (int step = 0; step < 25; ++step) {
      if (random.below(6) == 0) {
        EXPECT_OK(file->sync());
        for (std::size_t i = 0; i < kSize; ++i) possible[i] = {now[i]};
      }
      const std::uint64_t offset = random.below(kSize);
      const Bytes data(1 + random.below(kSize - offset), static_cast<std::byte>('a' + step));
      EXPECT_OK(file->write_at(offset, data));
      for (std::size_t i = 0; i < data.size(); ++i) {
        now[offset + i] = data[i];
        possible[offset + i].insert(data[i]);
      }
    }
    for (std::uint64_t crash = 0; crash < 20; ++crash) {
      const Bytes disk = *fs.crash(CrashPolicy::anything(), crash)->read_whole("/a");
      ASSERT_EQ(kSize, disk.size());
      for (std::size_t i = 0; i < kSize; ++i) ASSERT_TRUE(possible[i].contains(disk[i])) << "byte " << i;
    }
  }
}

TEST_F(SimCrashTest, CrashStatesAreExploredWhileTheWorkloadGoesOn) {
  // Copies share pages with the disk that goes on changing: for ThreadSanitizer, and for the eye.
  constexpr std::uint64_t kFileSize = 64 * kPageSize;
  const auto file = must_create(fs_, "/a");
  EXPECT_OK(fs_.sync_directory("/"));
  Bytes first = pattern(kFileSize, 1);
  EXPECT_OK(file->write_at(0, first));
  EXPECT_OK(file->sync());
  std::vector<std::unique_ptr<SimFileSystem>> moments;
  std::vector<std::thread> explorers;
  std::vector<int> wrong(4);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    moments.push_back(fs_.clone());
    explorers.emplace_back([&wrong, &first, t, moment = moments.back().get()] {
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const auto disk = moment->crash(CrashPolicy::lose_all(), seed);
        const auto handle = disk->open("/a", Access::read_write);
        if (!(*handle)->write_at(seed * kPageSize, pattern(100, seed)).ok()) ++wrong[t];
        if (*moment->read_whole("/a") != first) ++wrong[t];
      }
    });
  }
  for (std::uint64_t i = 0; i < 400; ++i) EXPECT_OK(file->write_at(i * 1'000, pattern(1'000, i)));
  for (std::thread& explorer : explorers) explorer.join();
  EXPECT_EQ(std::vector<int>(4), wrong);
}

TEST_F(SimCrashTest, CrashStatesAreCheap) {
  // A small store: 20 extents of 64 KiB, a zero-filled log of 1 MiB, eight unsynced appends, a rename under way.
  for (int i = 0; i < 20; ++i) EXPECT_OK(fs_.write_whole("/extent" + std::to_string(i), pattern(64 << 10, 1)));
  EXPECT_OK(fs_.write_whole("/log", Bytes(1 << 20)));
  const auto log = std::move(fs_.open("/log", Access::read_write)).value();
  for (std::uint64_t i = 0; i < 8; ++i) EXPECT_OK(log->write_at(i * kPageSize, pattern(kPageSize, i)));
  EXPECT_OK(fs_.rename("/extent0", "/extent20"));
  constexpr std::uint64_t kStates = 2'000;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t seed = 0; seed < kStates; ++seed) ASSERT_TRUE(fs_.crash(CrashPolicy::anything(), seed)->powered());
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
  std::printf("microseconds per crash state: %.1f\n", spent.count() / kStates);  // printed, not judged: machines differ
}

TEST_F(SimCrashTest, PoliciesHaveNames) {
  EXPECT_EQ("drop_one 3 (operations)", CrashPolicy::drop_one(3).to_string());
  EXPECT_EQ("keep_one 1 (sectors)", CrashPolicy::keep_one(1, Unit::sector).to_string());
  EXPECT_EQ("torn_write at a byte", CrashPolicy::torn_write(Boundary::byte).to_string());
  EXPECT_EQ("size_without_data filled with stale", CrashPolicy::size_without_data(Fill::stale).to_string());
}

TEST_F(SimCrashTest, ALinkIsAnEntryOfItsDirectory) {
  const auto a = durable("/a", "a");
  ASSERT_TRUE(fs_.link("/a", "/b").ok());
  EXPECT_EQ("a", found(CrashPolicy::keep_all(), "/b"));
  EXPECT_EQ("<gone>", found(CrashPolicy::lose_all(), "/b"));
  EXPECT_OK(fs_.sync_directory("/"));
  EXPECT_EQ("a", found(CrashPolicy::lose_all(), "/b"));
  write(*a, 0, "B");  // one file: synced by either name, lost under both
  EXPECT_EQ("a", found(CrashPolicy::lose_all(), "/b"));
  EXPECT_OK(fs_.open("/b", Access::read_write).value()->sync());
  EXPECT_EQ("B", found(CrashPolicy::lose_all(), "/a"));
  EXPECT_OK(fs_.remove("/a"));
  EXPECT_OK(fs_.sync_directory("/"));
  EXPECT_EQ("B", found(CrashPolicy::lose_all(), "/b"));
}

TEST_F(SimCrashTest, AnExchangeHappensWholeOrNotAtAll) {
  durable("/a", "a");
  durable("/b", "b");
  ASSERT_TRUE(fs_.exchange("/a", "/b").ok());
  EXPECT_EQ("a", found(CrashPolicy::lose_all(), "/a"));
  EXPECT_EQ("b", found(CrashPolicy::lose_all(), "/b"));
  EXPECT_EQ("b", found(CrashPolicy::keep_all(), "/a"));
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    const auto policy = CrashPolicy::directory_subset();
    outcomes.insert(found(policy, "/a", seed) + found(policy, "/b", seed));
  }
  EXPECT_EQ((std::set<std::string>{"ab", "ba"}), outcomes);
  EXPECT_OK(fs_.sync_directory("/"));
  EXPECT_EQ("b", found(CrashPolicy::lose_all(), "/a"));
  EXPECT_EQ("a", found(CrashPolicy::lose_all(), "/b"));
}

}  // namespace
}  // namespace holdfast::testing
