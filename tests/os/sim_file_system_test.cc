// Calls, faults and copies of the simulated disk. What a crash may leave is tested in sim_crash_test.cc.
#include "support/sim_file_system.h"

#include "os/os_test_util.h"

namespace holdfast::testing {
namespace {

using Access = os::FileSystem::Access;

/// "/a" durable with `text`; its handle.
std::unique_ptr<os::File> durable_file(SimFileSystem& fs, const std::string& path, std::string_view text) {
  EXPECT_OK(fs.write_whole(path, bytes_of(text)));
  auto file = fs.open(path, Access::read_write);
  EXPECT_TRUE(file.ok());
  return std::move(file).value();
}
std::string cached(const SimFileSystem& fs, const std::string& path) {
  const auto content = fs.read_whole(path);
  return content.ok() ? text_of(*content) : "<" + std::string(to_string(content.status().code())) + ">";
}
std::string after_power_loss(const SimFileSystem& fs, const std::string& path) {
  return cached(*fs.crash(CrashPolicy::lose_all()), path);
}

TEST(SimCalls, ChangingCallsAreCountedInOrder) {
  SimFileSystem fs;
  std::vector<std::string> seen;
  fs.on_call([&](const CallInfo& call) {
    EXPECT_EQ(seen.size(), call.index);
    seen.push_back(std::string(to_string(call.kind)) + " " + call.path);
  });
  EXPECT_OK(fs.create_directory("/d"));
  auto file = must_create(fs, "/d/a");
  EXPECT_OK(file->write_at(0, bytes_of("x")));
  EXPECT_OK(file->truncate(5));
  EXPECT_OK(file->sync());
  (void)*fs.list("/");
  (void)*file->size();
  EXPECT_OK(fs.rename("/d/a", "/d/b"));
  EXPECT_OK(fs.sync_directory("/d"));
  EXPECT_OK(fs.remove("/d/b"));
  EXPECT_OK(fs.remove_directory("/d"));
  EXPECT_TRUE(fs.lock("/LOCK").ok());
  const std::vector<std::string> expected{"create directory /d", "create /d/a", "write /d/a",        "truncate /d/a",
                                          "sync /d/a",           "rename /d/a", "sync directory /d", "remove /d/b",
                                          "remove directory /d", "lock /LOCK"};
  EXPECT_EQ(expected, seen);
  EXPECT_EQ(expected.size(), fs.calls());
  fs.on_call(nullptr);
  EXPECT_OK(fs.create_directory("/e"));
  EXPECT_EQ(expected.size(), seen.size());
}

TEST(SimCalls, ReadsAreCountedAndFailOnDemand) {
  SimFileSystem fs;
  auto file = durable_file(fs, "/a", "abc");
  EXPECT_EQ(0u, fs.calls());
  fs.count_reads(true);
  Bytes out(3);
  EXPECT_TRUE(file->read_at(0, out).ok());
  EXPECT_TRUE(file->map().ok());
  EXPECT_TRUE(file->size().ok());
  EXPECT_TRUE(fs.list("/").ok());
  EXPECT_TRUE(fs.exists("/a").ok());
  EXPECT_TRUE(fs.open("/a", Access::read).ok());
  EXPECT_EQ(6u, fs.calls());
  fs.fail_at(6, StatusCode::io_error, true);
  EXPECT_CODE(io_error, file->read_at(0, out).status());
  EXPECT_CODE(io_error, file->map().status());
  EXPECT_CODE(io_error, file->size().status());
  EXPECT_CODE(io_error, fs.list("/").status());
  EXPECT_CODE(io_error, fs.exists("/a").status());
  EXPECT_CODE(io_error, fs.open("/a", Access::read).status());
}

TEST(SimFaults, OnceAndForEver) {
  SimFileSystem fs;
  fs.fail_at(1, StatusCode::io_error);
  fs.fail_at(3, StatusCode::not_found, true);
  EXPECT_OK(fs.create_directory("/0"));
  const Status failed = fs.create_directory("/1");
  EXPECT_CODE(io_error, failed);
  EXPECT_TRUE(contains(failed.message(), "create directory /1") && contains(failed.message(), "call 1"));
  EXPECT_FALSE(*fs.exists("/1"));
  EXPECT_OK(fs.create_directory("/2"));
  EXPECT_CODE(not_found, fs.create_directory("/3"));
  EXPECT_CODE(not_found, fs.create_directory("/4"));
  fs.clear_faults();
  EXPECT_OK(fs.create_directory("/5"));
}

TEST(SimFaults, EveryKindOfCallCanFailWithoutEffect) {
  SimFileSystem fs;
  auto file = durable_file(fs, "/a", "abc");
  EXPECT_OK(fs.create_directory("/d"));
  EXPECT_OK(file->write_at(3, bytes_of("d")));
  const auto before = fs.unsynced_effects();
  fs.fail_at(fs.calls(), StatusCode::io_error, true);
  EXPECT_CODE(io_error, fs.create("/x").status());
  EXPECT_CODE(io_error, file->write_at(0, bytes_of("X")));
  EXPECT_CODE(io_error, file->truncate(0));
  EXPECT_CODE(io_error, file->sync());
  EXPECT_CODE(io_error, fs.rename("/a", "/b"));
  EXPECT_CODE(io_error, fs.remove("/a"));
  EXPECT_CODE(io_error, fs.create_directory("/e"));
  EXPECT_CODE(io_error, fs.remove_directory("/d"));
  EXPECT_CODE(io_error, fs.sync_directory("/"));
  EXPECT_CODE(io_error, fs.lock("/LOCK").status());
  EXPECT_EQ(before, fs.unsynced_effects());
  EXPECT_EQ(2u, fs.files().size());
  EXPECT_EQ("abcd", cached(fs, "/a"));
}

TEST(SimFaults, TheHookMayPlanAFaultForTheCallItAnnounces) {
  SimFileSystem fs;
  fs.on_call([&](const CallInfo& call) {
    if (call.kind == CallKind::remove) fs.fail_at(call.index, StatusCode::io_error);
  });
  must_create(fs, "/a");
  EXPECT_CODE(io_error, fs.remove("/a"));
  EXPECT_TRUE(*fs.exists("/a"));
}

TEST(SimFaults, ShortWrite) {
  SimFileSystem fs;
  auto file = durable_file(fs, "/a", "");
  fs.short_write_at(0, 3);
  EXPECT_CODE(disk_full, file->write_at(0, bytes_of("abcdef")));
  EXPECT_EQ("abc", cached(fs, "/a"));
  EXPECT_OK(file->write_at(3, bytes_of("d")));
  EXPECT_EQ("abcd", cached(fs, "/a"));
}

TEST(SimFaults, FailedSyncThatKeepsThePagesDirty) {
  SimFileSystem fs;
  auto file = durable_file(fs, "/a", "old");
  fs.fail_sync_at(1, UnsyncedPages::kept_dirty);
  EXPECT_OK(file->write_at(0, bytes_of("new")));
  EXPECT_CODE(io_error, file->sync());
  EXPECT_EQ("new", cached(fs, "/a"));
  EXPECT_EQ("old", after_power_loss(fs, "/a"));
  EXPECT_OK(file->sync());
  EXPECT_EQ("new", after_power_loss(fs, "/a"));
}

TEST(SimFaults, FailedSyncThatMarksThePagesClean) {
  SimFileSystem fs;
  auto file = durable_file(fs, "/a", "old");
  fs.fail_sync_at(1, UnsyncedPages::marked_clean);
  EXPECT_OK(file->write_at(0, bytes_of("new")));
  EXPECT_CODE(io_error, file->sync());
  EXPECT_EQ("new", cached(fs, "/a"));
  EXPECT_OK(file->sync());  // the lie of a retried fsync
  EXPECT_EQ("new", cached(fs, "/a"));
  EXPECT_EQ("old", after_power_loss(fs, "/a"));
  EXPECT_EQ("old", cached(*fs.crash(CrashPolicy::keep_all()), "/a"));
  EXPECT_EQ("new", cached(*fs.kill_process(), "/a"));

  EXPECT_OK(file->write_at(600, bytes_of("later")));  // another sector: written by the next sync
  EXPECT_OK(file->sync());
  const Bytes durable = *fs.crash(CrashPolicy::lose_all())->read_whole("/a");
  ASSERT_EQ(605u, durable.size());
  EXPECT_EQ("old", text_of(ByteSpan(durable).first(3)));
  EXPECT_EQ("later", text_of(ByteSpan(durable).last(5)));

  EXPECT_EQ("new", cached(fs, "/a").substr(0, 3));
  fs.evict_clean_pages();
  EXPECT_EQ("old", cached(fs, "/a").substr(0, 3));
}

TEST(SimFaults, FailedSyncThatDropsThePages) {
  SimFileSystem fs;
  auto file = durable_file(fs, "/a", "old");
  fs.fail_sync_at(1, UnsyncedPages::dropped);
  EXPECT_OK(file->write_at(0, bytes_of("newer")));
  EXPECT_CODE(io_error, file->sync());
  EXPECT_EQ(std::string("old\0\0", 5), cached(fs, "/a")) << "the size is no page: it stays";
  EXPECT_OK(file->sync());
  EXPECT_EQ(std::string("old\0\0", 5), after_power_loss(fs, "/a"));
}

TEST(SimFaults, FailedDirectorySync) {
  for (const UnsyncedPages outcome : {UnsyncedPages::kept_dirty, UnsyncedPages::marked_clean, UnsyncedPages::dropped}) {
    SimFileSystem fs;
    fs.fail_sync_at(1, outcome);
    must_create(fs, "/a");
    EXPECT_CODE(io_error, fs.sync_directory("/"));
    EXPECT_TRUE(*fs.exists("/a"));
    must_create(fs, "/b");
    EXPECT_OK(fs.sync_directory("/"));
    const auto found = fs.crash(CrashPolicy::lose_all());
    EXPECT_EQ(outcome == UnsyncedPages::kept_dirty, *found->exists("/a"));
    EXPECT_TRUE(*found->exists("/b"));
  }
}

TEST(SimPower, OffMeansOff) {
  SimFileSystem fs;
  auto file = durable_file(fs, "/a", "abc");
  fs.power_off_at(1);
  EXPECT_OK(file->write_at(0, bytes_of("X")));
  const Status status = file->sync();
  EXPECT_CODE(io_error, status);
  EXPECT_TRUE(contains(status.message(), "power is off")) << status.to_string();
  EXPECT_FALSE(fs.powered());
  const auto calls = fs.calls();
  Bytes out(1);
  EXPECT_CODE(io_error, file->read_at(0, out).status());
  EXPECT_CODE(io_error, file->size().status());
  EXPECT_CODE(io_error, fs.remove("/a"));
  EXPECT_CODE(io_error, fs.open("/a", Access::read).status());
  EXPECT_CODE(io_error, fs.list("/").status());
  EXPECT_CODE(io_error, fs.free_bytes("/").status());
  EXPECT_EQ(calls, fs.calls());
  EXPECT_EQ("abc", after_power_loss(fs, "/a"));
  EXPECT_TRUE(fs.crash(CrashPolicy::lose_all())->powered());
}

TEST(SimPower, TheLastCallMayHaveHappened) {
  SimFileSystem fs;
  auto file = durable_file(fs, "/a", "");
  fs.power_off_at(0, 3);
  EXPECT_CODE(io_error, file->write_at(0, bytes_of("abcdef")));
  EXPECT_EQ("abc", cached(*fs.crash(CrashPolicy::keep_all()), "/a"));

  SimFileSystem other;
  auto synced = durable_file(other, "/a", "old");
  EXPECT_OK(synced->write_at(0, bytes_of("new")));
  other.power_off_at(1, SimFileSystem::kWholeCall);
  EXPECT_CODE(io_error, synced->sync());
  EXPECT_EQ("new", after_power_loss(other, "/a")) << "synced, but nobody was told";

  SimFileSystem third;
  auto never = durable_file(third, "/a", "old");
  third.power_off_at(0);
  EXPECT_CODE(io_error, never->write_at(0, bytes_of("new")));
  EXPECT_EQ("old", cached(*third.crash(CrashPolicy::keep_all()), "/a"));
}

TEST(SimCopies, ACloneIsTheSameMomentAndIndependent) {
  SimFileSystem fs;
  auto file = durable_file(fs, "/a", "base");
  EXPECT_OK(file->write_at(0, bytes_of("EDIT")));
  fs.fail_at(fs.calls(), StatusCode::io_error, true);
  const auto copy = fs.clone();
  EXPECT_EQ(fs.calls(), copy->calls());
  EXPECT_EQ(1u, copy->unsynced_effects());
  EXPECT_OK(copy->remove("/a"));
  EXPECT_EQ("EDIT", cached(fs, "/a"));
  fs.clear_faults();
  EXPECT_OK(file->sync());
  EXPECT_EQ("base", after_power_loss(*copy, "/a")) << "neither the sync nor the fault belongs to the clone";
  EXPECT_EQ("EDIT", after_power_loss(fs, "/a"));
}

TEST(SimCopies, AStateForEveryCallOfOneRun) {
  SimFileSystem fs;
  std::vector<std::unique_ptr<SimFileSystem>> states;
  fs.on_call([&](const CallInfo&) { states.push_back(fs.clone()); });
  EXPECT_OK(os::write_file_atomically(fs, "/m", bytes_of("one")));
  EXPECT_OK(os::write_file_atomically(fs, "/m", bytes_of("two")));
  fs.on_call(nullptr);
  states.push_back(fs.clone());
  ASSERT_EQ(13u, states.size());  // remove, create, write, sync, rename, sync directory; twice, and the end
  for (std::size_t call = 0; call < states.size(); ++call) {
    const std::string found = after_power_loss(*states[call], "/m");
    EXPECT_EQ(call < 6 ? "<not_found>" : call < 12 ? "one" : "two", found) << "call " << call;
    EXPECT_EQ(std::min<std::size_t>(call + 1, 12), states[call]->calls()) << "the announced call is counted already";
  }
}

TEST(SimCopies, KillKeepsThePageCacheAndFreesLocks) {
  SimFileSystem fs;
  const auto lock = fs.lock("/LOCK");
  auto file = must_create(fs, "/a");
  EXPECT_OK(file->write_at(0, bytes_of("unsynced")));
  const auto next = fs.kill_process();
  EXPECT_EQ("unsynced", cached(*next, "/a"));
  EXPECT_EQ(0u, next->calls());
  EXPECT_TRUE(next->lock("/LOCK").ok());
  EXPECT_CODE(already_open, fs.lock("/LOCK").status());
  EXPECT_EQ("<not_found>", after_power_loss(*next, "/a")) << "what was unsynced before the kill still is";
  EXPECT_TRUE(fs.crash(CrashPolicy::keep_all())->lock("/LOCK").ok());
}

TEST(SimCopies, HandlesMayOutliveTheDisk) {
  auto fs = std::make_unique<SimFileSystem>();
  auto file = must_create(*fs, "/a");
  auto lock = fs->lock("/LOCK");
  fs.reset();
  EXPECT_OK(file->write_at(0, bytes_of("x")));
  EXPECT_EQ(1u, *file->size());
}

TEST(SimSpace, CapacityIsEnforcedAndCanBeFreed) {
  SimFileSystem fs;
  fs.set_capacity(1'000);
  auto file = must_create(fs, "/a");
  EXPECT_OK(file->write_at(0, pattern(600, 1)));
  EXPECT_EQ(400u, *fs.free_bytes("/"));
  const Status full = file->write_at(600, pattern(500, 1));
  EXPECT_CODE(disk_full, full);
  EXPECT_TRUE(contains(full.message(), "write /a")) << full.to_string();
  EXPECT_EQ(1'000u, *file->size()) << "a short write, as on a real disk";
  EXPECT_OK(file->write_at(0, pattern(1'000, 2)));  // overwriting needs no space
  EXPECT_CODE(disk_full, file->truncate(1'001));
  EXPECT_CODE(disk_full, file->allocate(1'001));
  EXPECT_EQ(1'000u, *file->size()) << "all or nothing";
  auto other = must_create(fs, "/b");
  EXPECT_CODE(disk_full, other->write_at(0, bytes_of("x")));
  EXPECT_OK(fs.remove("/a"));
  EXPECT_EQ(0u, *fs.free_bytes("/")) << "an open file keeps its blocks";
  file.reset();
  EXPECT_EQ(1'000u, *fs.free_bytes("/"));
  EXPECT_OK(other->write_at(0, bytes_of("x")));
}

TEST(SimSpace, AFullDiskForEverStillRemoves) {
  SimFileSystem fs;
  auto file = durable_file(fs, "/a", "abc");
  fs.fail_at(0, StatusCode::disk_full, true);
  EXPECT_CODE(disk_full, file->write_at(0, bytes_of("x")));
  EXPECT_CODE(disk_full, file->truncate(10));
  EXPECT_OK(file->truncate(1));
  EXPECT_OK(fs.remove("/a"));
}

TEST(SimHelpers, RandomIsSeeded) {
  SimFileSystem a(7);
  SimFileSystem b(7);
  SimFileSystem c(8);
  const std::uint64_t first = a.random_u64();
  EXPECT_EQ(first, b.random_u64());
  EXPECT_NE(first, c.random_u64());
  const std::uint64_t after_restart = a.crash(CrashPolicy::keep_all(), 1)->random_u64();
  EXPECT_NE(after_restart, a.random_u64()) << "a restart must draw new salts";
}

TEST(SimHelpers, CorruptFlipsOnDiskAndInCache) {
  SimFileSystem fs;
  EXPECT_OK(fs.write_whole("/a", bytes_of("abc")));
  EXPECT_OK(fs.corrupt("/a", 1, std::byte{0x20}));
  EXPECT_EQ("aBc", cached(fs, "/a"));
  EXPECT_EQ("aBc", after_power_loss(fs, "/a"));
  EXPECT_CODE(not_found, fs.corrupt("/a", 3, std::byte{1}));
  EXPECT_CODE(not_found, fs.corrupt("/b", 0, std::byte{1}));
}

TEST(SimHelpers, FilesReportsBothStates) {
  SimFileSystem fs;
  EXPECT_OK(fs.create_directory("/d"));
  EXPECT_OK(fs.sync_directory("/"));
  auto file = must_create(fs, "/d/a");
  EXPECT_OK(file->write_at(0, bytes_of("12345")));
  EXPECT_OK(file->sync());
  EXPECT_OK(file->write_at(5, bytes_of("678")));
  const auto files = fs.files();
  ASSERT_EQ(2u, files.size());
  EXPECT_EQ("/d", files[0].path);
  EXPECT_TRUE(files[0].is_directory && files[0].name_durable);
  EXPECT_EQ("/d/a", files[1].path);
  EXPECT_EQ(8u, files[1].cached_size);
  EXPECT_EQ(5u, files[1].durable_size);
  EXPECT_FALSE(files[1].name_durable);
  EXPECT_EQ(2u, files[1].unsynced);
}

}  // namespace
}  // namespace holdfast::testing
