// One suite for every FileSystem: the simulated disk is only worth something if it behaves like the real one.
#include "os/file_system.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "os/os_test_util.h"
#include "support/sim_file_system.h"
#include "support/temp_dir.h"

namespace holdfast::testing {
namespace {

using os::FileSystem;

enum class Kind { posix, sim };

class FileSystemTest : public ::testing::TestWithParam<Kind> {
 protected:
  FileSystemTest() {
    if (GetParam() == Kind::sim) {
      EXPECT_OK(sim_.create_directory("/store"));
    }
  }
  FileSystem& fs() { return GetParam() == Kind::posix ? os::posix_file_system() : sim_; }
  std::string at(const std::string& name) const {
    return (GetParam() == Kind::posix ? directory_.path() : std::string("/store")) + "/" + name;
  }
  std::string root() const { return os::parent(at("x")); }
  void put_file(const std::string& name, std::string_view text) {
    EXPECT_OK(must_create(fs(), at(name))->write_at(0, bytes_of(text)));
  }

 private:
  TempDir directory_;
  SimFileSystem sim_;
};

INSTANTIATE_TEST_SUITE_P(Both, FileSystemTest, ::testing::Values(Kind::posix, Kind::sim),
                         [](const auto& kind) { return kind.param == Kind::posix ? "Posix" : "Sim"; });

TEST_P(FileSystemTest, CreateMakesAnEmptyFileOnce) {
  EXPECT_FALSE(*fs().exists(at("a")));
  EXPECT_EQ(0u, *must_create(fs(), at("a"))->size());
  EXPECT_TRUE(*fs().exists(at("a")));
  const Status again = fs().create(at("a")).status();
  EXPECT_CODE(already_exists, again);
  EXPECT_TRUE(contains(again.message(), "create") && contains(again.message(), at("a"))) << again.to_string();
  EXPECT_CODE(not_found, fs().create(at("missing/a")).status());
  EXPECT_CODE(io_error, fs().create(at("a/b")).status());
}

TEST_P(FileSystemTest, OpenWantsAFile) {
  const Status missing = fs().open(at("a"), FileSystem::Access::read).status();
  EXPECT_CODE(not_found, missing);
  EXPECT_TRUE(contains(missing.message(), "open") && contains(missing.message(), at("a"))) << missing.to_string();
  EXPECT_CODE(io_error, fs().open(root(), FileSystem::Access::read).status());
  EXPECT_CODE(io_error, fs().open(root(), FileSystem::Access::read_write).status());
}

TEST_P(FileSystemTest, WritesAnywhereReadsWhatIsThere) {
  auto file = must_create(fs(), at("a"));
  const Bytes data = pattern(10'000, 1);
  EXPECT_OK(file->write_at(5'000, data));
  EXPECT_EQ(15'000u, *file->size());
  EXPECT_OK(file->write_at(7, {}));
  EXPECT_EQ(15'000u, *file->size());

  Bytes out(20'000, std::byte{0xEE});
  EXPECT_EQ(15'000u, *file->read_at(0, out));
  EXPECT_TRUE(std::all_of(out.begin(), out.begin() + 5'000, [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_TRUE(std::equal(data.begin(), data.end(), out.begin() + 5'000));
  EXPECT_EQ(1u, *file->read_at(14'999, out));
  EXPECT_EQ(0u, *file->read_at(15'000, out));
  EXPECT_EQ(0u, *file->read_at(1'000'000, out));

  EXPECT_OK(file->write_at(4'090, bytes_of("across pages")));
  const auto reader = fs().open(at("a"), FileSystem::Access::read);
  Bytes word(12);
  EXPECT_EQ(12u, *(*reader)->read_at(4'090, word));
  EXPECT_EQ("across pages", text_of(word));
}

TEST_P(FileSystemTest, RandomWritesAgreeWithAModel) {
  constexpr std::uint64_t kSeed = 20;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  SeededRandom random(kSeed);
  auto file = must_create(fs(), at("a"));
  Bytes model;
  for (int step = 0; step < 400; ++step) {
    const std::uint64_t offset = random.below(600'000);
    if (random.below(5) == 0) {
      EXPECT_OK(file->truncate(offset));
      model.resize(offset);
    } else {
      Bytes data = pattern(random.below(9'000), random.next());
      if (random.below(4) == 0) std::fill(data.begin(), data.end(), std::byte{0});
      EXPECT_OK(file->write_at(offset, data));
      if (!data.empty() && model.size() < offset + data.size()) model.resize(offset + data.size());
      std::copy(data.begin(), data.end(), model.begin() + static_cast<std::ptrdiff_t>(data.empty() ? 0 : offset));
    }
    if (random.below(10) == 0) EXPECT_OK(file->sync());
    if (step % 20 == 0) {
      ASSERT_TRUE(must_read(fs(), at("a")) == model) << "step " << step;
    }
  }
  EXPECT_TRUE(must_read(fs(), at("a")) == model);
}

TEST_P(FileSystemTest, AReaderCannotWrite) {
  put_file("a", "text");
  const auto reader = fs().open(at("a"), FileSystem::Access::read);
  const Status status = (*reader)->write_at(0, bytes_of("X"));
  EXPECT_CODE(io_error, status);
  EXPECT_TRUE(contains(status.message(), at("a"))) << status.to_string();
  EXPECT_CODE(io_error, (*reader)->truncate(0));
  EXPECT_EQ("text", text_of(must_read(fs(), at("a"))));
}

TEST_P(FileSystemTest, TruncateCutsAndGrowsWithZeros) {
  auto file = must_create(fs(), at("a"));
  EXPECT_OK(file->write_at(0, pattern(9'000, 2)));
  EXPECT_OK(file->truncate(3));
  EXPECT_OK(file->truncate(9'000));
  const Bytes content = must_read(fs(), at("a"));
  ASSERT_EQ(9'000u, content.size());
  EXPECT_EQ(pattern(9'000, 2)[2], content[2]);
  EXPECT_TRUE(std::all_of(content.begin() + 3, content.end(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST_P(FileSystemTest, AllocateSetsSpaceAsideAndTruncateGivesItBack) {
  auto file = must_create(fs(), at("a"));
  EXPECT_OK(file->write_at(0, bytes_of("text")));
  const Status allocated = file->allocate(1'000'000);
  if (allocated.code() == StatusCode::invalid_argument) GTEST_SKIP() << "skipped: " << allocated.to_string();
  EXPECT_OK(allocated);
  EXPECT_EQ(1'000'000u, *file->size());
  EXPECT_OK(file->allocate(10));
  EXPECT_EQ(1'000'000u, *file->size()) << "never less";
  EXPECT_OK(file->truncate(4));
  EXPECT_EQ("text", text_of(must_read(fs(), at("a"))));
  const auto reader = fs().open(at("a"), os::FileSystem::Access::read);
  EXPECT_CODE(io_error, (*reader)->allocate(100));
}

TEST_P(FileSystemTest, MapShowsTheWholeFileAndOutlivesItsName) {
  auto file = must_create(fs(), at("a"));
  EXPECT_TRUE((*file->map())->bytes().empty());
  const Bytes data = pattern(10'001, 3);
  EXPECT_OK(file->write_at(0, data));
  const auto map = file->map();
  ASSERT_TRUE(map.ok());
  file.reset();
  EXPECT_OK(fs().remove(at("a")));
  EXPECT_TRUE(std::ranges::equal(data, (*map)->bytes()));
}

TEST_P(FileSystemTest, MapMayHaveRoomBehindTheFile) {
  constexpr std::size_t kRoom = 100'000;
  const Bytes data = pattern(10'001, 3);
  auto file = must_create(fs(), at("a"));
  for (const std::size_t size : {std::size_t{0}, data.size()}) {
    EXPECT_OK(file->write_at(0, ByteSpan(data).first(size)));
    const auto map = file->map(os::Mapping::private_writable, kRoom);
    ASSERT_TRUE(map.ok());
    EXPECT_TRUE(std::ranges::equal(ByteSpan(data).first(size), (*map)->bytes()));
    const std::span<std::byte> room = (*map)->writable();
    ASSERT_EQ(kRoom, room.size());
    EXPECT_TRUE(std::ranges::equal(ByteSpan(data).first(size), room.first(size)));
    EXPECT_TRUE(std::ranges::all_of(room.subspan(size), [](std::byte byte) { return byte == std::byte{0}; }));
    std::ranges::fill(room, std::byte{7});
    EXPECT_EQ(size, *file->size());
  }
  const auto reader = fs().open(at("a"), os::FileSystem::Access::read);
  const auto again = (*reader)->map(os::Mapping::private_writable, 100);  // less than there is
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(std::ranges::equal(data, (*again)->writable())) << "what was written is nobody else's";
  const auto read_only = (*reader)->map(os::Mapping::read_only, kRoom);
  ASSERT_TRUE(read_only.ok());
  EXPECT_TRUE((*read_only)->writable().empty());
}

TEST_P(FileSystemTest, RenameReplacesFiles) {
  put_file("a", "new");
  put_file("b", "old");
  const auto old = fs().open(at("b"), FileSystem::Access::read);
  EXPECT_OK(fs().rename(at("a"), at("b")));
  EXPECT_FALSE(*fs().exists(at("a")));
  EXPECT_EQ("new", text_of(must_read(fs(), at("b"))));
  Bytes still(3);
  EXPECT_EQ(3u, *(*old)->read_at(0, still));
  EXPECT_EQ("old", text_of(still));
  EXPECT_OK(fs().rename(at("b"), at("b")));
  EXPECT_EQ("new", text_of(must_read(fs(), at("b"))));

  const Status missing = fs().rename(at("a"), at("c"));
  EXPECT_CODE(not_found, missing);
  EXPECT_TRUE(contains(missing.message(), at("a")) && contains(missing.message(), at("c"))) << missing.to_string();
  EXPECT_CODE(not_found, fs().rename(at("b"), at("missing/b")));
}

TEST_P(FileSystemTest, RenameOfDirectories) {
  EXPECT_OK(fs().create_directory(at("d")));
  EXPECT_OK(fs().create_directory(at("empty")));
  put_file("d/file", "inside");
  put_file("f", "outside");
  EXPECT_CODE(io_error, fs().rename(at("f"), at("d")));
  EXPECT_CODE(io_error, fs().rename(at("d"), at("f")));
  EXPECT_CODE(io_error, fs().rename(at("d"), at("d/inner")));
  EXPECT_CODE(already_exists, fs().rename(at("empty"), at("d")));
  EXPECT_OK(fs().rename(at("d"), at("empty")));
  EXPECT_EQ("inside", text_of(must_read(fs(), at("empty/file"))));
  EXPECT_OK(fs().rename(at("empty/file"), at("moved")));
  EXPECT_EQ("inside", text_of(must_read(fs(), at("moved"))));
  EXPECT_TRUE(fs().list(at("empty"))->empty());
}

TEST_P(FileSystemTest, RemoveTakesTheNameNotTheOpenFile) {
  auto file = must_create(fs(), at("a"));
  EXPECT_OK(file->write_at(0, bytes_of("held")));
  EXPECT_OK(fs().remove(at("a")));
  EXPECT_FALSE(*fs().exists(at("a")));
  EXPECT_OK(fs().sync_directory(root()));
  EXPECT_OK(file->write_at(4, bytes_of("fast")));
  Bytes text(8);
  EXPECT_EQ(8u, *file->read_at(0, text));
  EXPECT_EQ("heldfast", text_of(text));
  put_file("a", "another");  // the same name, another file
  EXPECT_EQ(8u, *file->size());

  EXPECT_CODE(not_found, fs().remove(at("missing")));
  EXPECT_CODE(io_error, fs().remove(root()));
}

TEST_P(FileSystemTest, Directories) {
  EXPECT_OK(fs().create_directory(at("d")));
  EXPECT_CODE(already_exists, fs().create_directory(at("d")));
  EXPECT_CODE(not_found, fs().create_directory(at("x/y")));
  put_file("d/file", "");
  EXPECT_CODE(already_exists, fs().remove_directory(at("d")));
  EXPECT_CODE(io_error, fs().remove_directory(at("d/file")));
  EXPECT_CODE(not_found, fs().remove_directory(at("x")));
  EXPECT_OK(fs().sync_directory(at("d")));
  EXPECT_CODE(not_found, fs().sync_directory(at("x")));
  EXPECT_CODE(io_error, fs().sync_directory(at("d/file")));
  EXPECT_OK(fs().remove(at("d/file")));
  EXPECT_OK(fs().remove_directory(at("d")));
  EXPECT_FALSE(*fs().exists(at("d")));
  EXPECT_CODE(io_error, [&] {
    put_file("plain", "");
    return fs().exists(at("plain/below")).status();
  }());
}

TEST_P(FileSystemTest, ListIsInNameOrder) {
  for (const char* name : {"b", "a10", "a9", "c"}) put_file(name, "");
  EXPECT_OK(fs().create_directory(at("bb")));
  const std::vector<os::DirectoryEntry> expected{{"a10"}, {"a9"}, {"b"}, {"bb", true}, {"c"}};
  EXPECT_EQ(expected, *fs().list(root()));
  EXPECT_CODE(not_found, fs().list(at("missing")).status());
  EXPECT_CODE(io_error, fs().list(at("b")).status());
}

TEST_P(FileSystemTest, OneHolderOfALock) {
  auto held = fs().lock(at("LOCK"));
  ASSERT_TRUE(held.ok()) << held.status().to_string();
  const Status second = fs().lock(at("LOCK")).status();
  EXPECT_CODE(already_open, second);
  EXPECT_TRUE(contains(second.message(), at("LOCK")) && contains(second.message(), std::to_string(::getpid())))
      << second.to_string();
  EXPECT_TRUE(fs().lock(at("OTHER")).ok());
  held.value().reset();
  EXPECT_TRUE(*fs().exists(at("LOCK")));
  EXPECT_TRUE(fs().lock(at("LOCK")).ok());
  EXPECT_CODE(not_found, fs().lock(at("missing/LOCK")).status());
}

TEST_P(FileSystemTest, RandomAndFreeSpace) {
  EXPECT_NE(fs().random_u64(), fs().random_u64());
  EXPECT_GT(*fs().free_bytes(root()), 0u);
  EXPECT_CODE(not_found, fs().free_bytes(at("missing")).status());
}

TEST_P(FileSystemTest, WriteFileAtomicallyReplaces) {
  EXPECT_OK(os::write_file_atomically(fs(), at("m"), bytes_of("one")));
  EXPECT_EQ("one", text_of(must_read(fs(), at("m"))));
  put_file("m.tmp", "left behind by a crash, and longer");
  EXPECT_OK(os::write_file_atomically(fs(), at("m"), bytes_of("two")));
  EXPECT_EQ("two", text_of(must_read(fs(), at("m"))));
  EXPECT_EQ(1u, fs().list(root())->size());
  EXPECT_CODE(not_found, os::write_file_atomically(fs(), at("missing/m"), {}));
  EXPECT_OK(fs().create_directory(at("d")));
  EXPECT_CODE(io_error, os::write_file_atomically(fs(), at("d"), bytes_of("x")));
  EXPECT_FALSE(*fs().exists(at("d.tmp"))) << "the temporary file of a failed replacement stays";
}

TEST_P(FileSystemTest, ReadFileHasALimit) {
  put_file("a", "12345");
  EXPECT_EQ("12345", text_of(*os::read_file(fs(), at("a"), 5)));
  const Status status = os::read_file(fs(), at("a"), 4).status();
  EXPECT_CODE(data_damaged, status);
  EXPECT_TRUE(contains(status.message(), at("a"))) << status.to_string();
  EXPECT_CODE(not_found, os::read_file(fs(), at("b"), 4).status());
}

TEST_P(FileSystemTest, ThreadsReadOneFileAndWriteTheirOwn) {
  const Bytes shared = pattern(50'000, 5);
  EXPECT_OK(must_create(fs(), at("shared"))->write_at(0, shared));
  const auto file = fs().open(at("shared"), FileSystem::Access::read);
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      const std::string own = at("own" + std::to_string(t));
      auto mine = fs().create(own);
      for (std::uint64_t i = 0; i < 50; ++i) {
        Bytes out(100);
        const std::uint64_t offset = (t * 1'000 + i * 77) % 49'000;
        const auto count = (*file)->read_at(offset, out);
        if (!count.ok() || !std::equal(out.begin(), out.end(), shared.begin() + static_cast<std::ptrdiff_t>(offset))) {
          ++wrong[t];
        }
        if (!(*mine)->write_at(i * 10, pattern(10, t)).ok() || !(*mine)->sync().ok()) ++wrong[t];
      }
      if (*(*mine)->size() != 500) ++wrong[t];
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::vector<int>(4), wrong);
}

TEST(Paths, JoinAndParent) {
  EXPECT_EQ("a/b", os::join("a", "b"));
  EXPECT_EQ("a/b", os::join("a/", "b"));
  EXPECT_EQ("/b", os::join("/", "b"));
  EXPECT_EQ("a", os::parent("a/b"));
  EXPECT_EQ("a", os::parent("a//b/"));
  EXPECT_EQ("/", os::parent("/a"));
  EXPECT_EQ("/", os::parent("/"));
  EXPECT_EQ(".", os::parent("a"));
}

TEST_P(FileSystemTest, LinkIsASecondNameForTheSameBytes) {
  put_file("a", "one");
  ASSERT_TRUE(fs().link(at("a"), at("b")).ok());
  auto file = fs().open(at("a"), FileSystem::Access::read_write);
  ASSERT_TRUE(file.ok());
  EXPECT_OK((*file)->write_at(0, bytes_of("two")));
  EXPECT_EQ("two", text_of(must_read(fs(), at("b"))));
  EXPECT_OK(fs().remove(at("a")));
  EXPECT_EQ("two", text_of(must_read(fs(), at("b"))));
  EXPECT_FALSE(*fs().exists(at("a")));

  put_file("c", "three");
  const Status taken = fs().link(at("c"), at("b"));
  EXPECT_CODE(already_exists, taken);
  EXPECT_TRUE(contains(taken.message(), at("c")) && contains(taken.message(), at("b"))) << taken.to_string();
  EXPECT_EQ("two", text_of(must_read(fs(), at("b"))));
  EXPECT_CODE(not_found, fs().link(at("missing"), at("d")));
  EXPECT_CODE(not_found, fs().link(at("c"), at("missing/d")));
}

TEST_P(FileSystemTest, ExchangeSwapsTwoNames) {
  EXPECT_OK(fs().create_directory(at("a")));
  EXPECT_OK(fs().create_directory(at("b")));
  put_file("a/in_a", "1");
  put_file("b/in_b", "2");
  ASSERT_TRUE(fs().exchange(at("a"), at("b")).ok());
  EXPECT_TRUE(*fs().exists(at("a/in_b")) && *fs().exists(at("b/in_a")));
  EXPECT_FALSE(*fs().exists(at("a/in_a")));
  EXPECT_OK(fs().exchange(at("a"), at("a")));
  EXPECT_CODE(not_found, fs().exchange(at("a"), at("missing")));
  EXPECT_CODE(not_found, fs().exchange(at("missing"), at("a")));
}

}  // namespace
}  // namespace holdfast::testing
