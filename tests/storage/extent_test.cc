#include "storage/extent.h"

#include <filesystem>
#include <thread>

#include "storage/extent_format.h"
#include "storage/storage_test_util.h"
#include "support/temp_dir.h"

namespace holdfast::storage {
namespace {

class ExtentTest : public ::testing::Test {
 protected:
  ExtentTest() { EXPECT_OK(fs_.create_directory("/ext")); }

  static ExtentInfo wanted(std::uint64_t number = 7) {
    ExtentInfo info;
    info.number = number;
    info.kind = 3;
    info.field = 1;
    info.first_slot = 1 << 14;
    info.slot_count = 99;
    return info;
  }
  ExtentInfo write(ByteSpan data, const ExtentInfo& info = wanted(), std::size_t piece = 100'000) {
    auto writer = ExtentWriter::create(fs_, "/ext", kCollection, info);
    EXPECT_TRUE(writer.ok()) << writer.status().to_string();
    for (std::size_t at = 0; at < data.size(); at += piece) {
      EXPECT_OK((*writer)->append(data.subspan(at, std::min(piece, data.size() - at))));
    }
    auto finished = (*writer)->finish();
    EXPECT_TRUE(finished.ok()) << finished.status().to_string();
    return finished.ok() ? *finished : info;
  }
  Result<std::shared_ptr<const Extent>> open(const ExtentInfo& info) {
    return Extent::open(fs_, "/ext", kCollection, info);
  }
  static std::string path(std::uint64_t number = 7) { return "/ext/" + extent_name(number); }

  testing::SimFileSystem fs_;
};

TEST_F(ExtentTest, DataComesBackForEverySize) {
  std::uint64_t number = 1;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{8}, kExtentPageBytes - 1, kExtentPageBytes,
        kExtentPageBytes + 1, std::size_t{1} << 20, (std::size_t{1} << 20) + 5, (std::size_t{3} << 20) + 12345}) {
    for (const std::size_t piece : {std::size_t{999}, std::size_t{5} << 20}) {
      const Bytes data = pattern(size, number);
      const ExtentInfo info = write(data, wanted(number++), piece);
      EXPECT_EQ(info.data_bytes, size);
      const auto extent = open(info);
      ASSERT_TRUE(extent.ok()) << extent.status().to_string();
      EXPECT_TRUE(std::equal(data.begin(), data.end(), (*extent)->data().begin(), (*extent)->data().end()));
      EXPECT_EQ((*extent)->info(), info);
      EXPECT_OK((*extent)->verify_all());
      EXPECT_EQ((*extent)->pages(), (size + kExtentPageBytes - 1) / kExtentPageBytes);
    }
  }
}

TEST_F(ExtentTest, IsDurableWhenFinished) {
  const ExtentInfo info = write(pattern(200'000, 1));
  EXPECT_OK(fs_.sync_directory("/ext"));
  EXPECT_OK(fs_.sync_directory("/"));
  const auto crashed = fs_.crash(testing::CrashPolicy::lose_all());
  const auto extent = Extent::open(*crashed, "/ext", kCollection, info);
  ASSERT_TRUE(extent.ok()) << extent.status().to_string();
  EXPECT_OK((*extent)->verify_all());
}

TEST_F(ExtentTest, AnExistingFileIsNeverOverwritten) {
  write(pattern(10, 1));
  EXPECT_CODE(already_exists, ExtentWriter::create(fs_, "/ext", kCollection, wanted()).status());
  EXPECT_TRUE(fs_.exists(path()).value());
}

TEST_F(ExtentTest, AnUnfinishedFileIsRemoved) {
  {
    auto writer = ExtentWriter::create(fs_, "/ext", kCollection, wanted());
    ASSERT_TRUE(writer.ok());
    EXPECT_OK((*writer)->append(pattern(100, 1)));
  }
  EXPECT_FALSE(fs_.exists(path()).value());
}

TEST_F(ExtentTest, AFailedWriteCannotBeFinished) {
  for (const StatusCode code : {StatusCode::disk_full, StatusCode::io_error}) {
    auto writer = ExtentWriter::create(fs_, "/ext", kCollection, wanted());
    ASSERT_TRUE(writer.ok());
    fs_.fail_at(fs_.calls(), code);
    EXPECT_EQ((*writer)->append(pattern(std::size_t{2} << 20, 1)).code(), code);
    EXPECT_EQ((*writer)->append(pattern(10, 1)).code(), code);
    EXPECT_EQ((*writer)->finish().status().code(), code);
  }
}

TEST_F(ExtentTest, AFailedSyncIsReported) {
  auto writer = ExtentWriter::create(fs_, "/ext", kCollection, wanted());
  ASSERT_TRUE(writer.ok());
  fs_.fail_sync_at(fs_.calls() + 1, testing::UnsyncedPages::kept_dirty);
  EXPECT_CODE(io_error, (*writer)->finish().status());
  EXPECT_CODE(io_error, (*writer)->finish().status()) << "and not retried";
}

// Every bit: the extent does not open, or the page does not verify, or (padding) the data are the same.
TEST_F(ExtentTest, EveryBitFlipIsNoticed) {
  const Bytes data = pattern(kExtentPageBytes + 100, 5);
  const ExtentInfo info = write(data);
  const std::uint64_t size = fs_.read_whole(path())->size();
  std::uint64_t padding = 0;
  // All bits of the header's fields, the end of the data and what follows; of the long runs between, a sample.
  const auto dense = [](std::uint64_t at) { return at < 128 || at >= kExtentDataOffset + kExtentPageBytes - 300; };
  for (std::uint64_t at = 0; at < size; at += dense(at) ? 1 : 211) {
    for (unsigned bit = 0; bit < 8; bit += dense(at) ? 1 : 8) {
      const auto mask = static_cast<std::byte>(1U << bit);
      EXPECT_OK(fs_.corrupt(path(), at, mask));
      const auto extent = open(info);
      const Status status = extent.ok() ? (*extent)->verify_all() : extent.status();
      if (status.ok()) {
        EXPECT_GE(at, kExtentDataOffset + data.size());
        EXPECT_LT(at, extent_table_offset(data.size()));
        ++padding;
      } else {
        EXPECT_CODE(data_damaged, status) << at;
        EXPECT_TRUE(contains(status.message(), path() + " at ")) << status.to_string();
      }
      EXPECT_OK(fs_.corrupt(path(), at, mask));
    }
  }
  EXPECT_EQ(padding, (extent_table_offset(data.size()) - kExtentDataOffset - data.size()) * 8);
}

TEST_F(ExtentTest, EveryTruncationIsNoticed) {
  const ExtentInfo info = write(pattern(5000, 5));
  Bytes whole = fs_.read_whole(path()).value();
  for (std::size_t size = whole.size(); size-- > 0;) {
    whole.resize(size);
    EXPECT_OK(fs_.write_whole(path(), whole));
    EXPECT_CODE(data_damaged, open(info).status()) << size;
  }
  EXPECT_OK(fs_.remove(path()));
  EXPECT_CODE(not_found, open(info).status());
}

TEST_F(ExtentTest, SwappedAndStalePagesAreNoticed) {
  const Bytes data = pattern(2 * kExtentPageBytes, 5);
  const ExtentInfo info = write(data);
  const ExtentInfo other = write(data, wanted(8));
  const Bytes good = fs_.read_whole(path()).value();
  const auto page = [&](Bytes& bytes, std::uint64_t n) {
    return bytes.begin() + static_cast<std::ptrdiff_t>(kExtentDataOffset + n * kExtentPageBytes);
  };

  // Pages 0 and 1, with their checksums in the table left alone: another place does not validate.
  Bytes swapped = good;
  std::swap_ranges(page(swapped, 0), page(swapped, 1), page(swapped, 1));
  EXPECT_OK(fs_.write_whole(path(), swapped));
  EXPECT_CODE(data_damaged, open(info).value()->verify_all());

  // The same data in another extent has another checksum: a page is never mistaken for one of a sibling.
  Bytes sibling = fs_.read_whole(path(8)).value();
  EXPECT_NE(load<std::uint64_t>(good.data() + extent_table_offset(data.size())),
            load<std::uint64_t>(sibling.data() + extent_table_offset(data.size())));
  EXPECT_NE(info.checksum, other.checksum);

  // An earlier file of the same name, number and data.
  EXPECT_OK(fs_.remove(path()));
  const ExtentInfo rewritten = write(data);
  EXPECT_CODE(data_damaged, open(info).status());
  EXPECT_OK(open(rewritten).status());
}

TEST_F(ExtentTest, MustBeTheExtentThatTheManifestNames) {
  const ExtentInfo info = write(pattern(100, 5));
  const auto differs = [&](auto change) {
    ExtentInfo asked = info;
    change(asked);
    return open(asked).status().code() == StatusCode::data_damaged;
  };
  EXPECT_TRUE(differs([](ExtentInfo& i) { ++i.kind; }));
  EXPECT_TRUE(differs([](ExtentInfo& i) { ++i.field; }));
  EXPECT_TRUE(differs([](ExtentInfo& i) { ++i.first_slot; }));
  EXPECT_TRUE(differs([](ExtentInfo& i) { ++i.slot_count; }));
  EXPECT_TRUE(differs([](ExtentInfo& i) { ++i.data_bytes; }));
  EXPECT_TRUE(differs([](ExtentInfo& i) { i.data_bytes = ~std::uint64_t{0}; }));
  EXPECT_TRUE(differs([](ExtentInfo& i) { ++i.checksum; }));
  Uuid other = kCollection;
  other[3] ^= 1;
  EXPECT_CODE(data_damaged, Extent::open(fs_, "/ext", other, info).status());
}

TEST_F(ExtentTest, ANewerFormatIsNotTouched) {
  const ExtentInfo info = write(pattern(100, 5));
  Bytes content = fs_.read_whole(path()).value();
  ExtentHeader header;
  ASSERT_EQ(decode_extent_header(content, header), ExtentPart::valid);
  header.version = 2;
  encode_extent_header(header, std::span<std::byte, kExtentHeaderBytes>(content.data(), kExtentHeaderBytes));
  EXPECT_OK(fs_.write_whole(path(), content));
  EXPECT_CODE(unsupported_format, open(info).status());
}

TEST_F(ExtentTest, VerifyChecksOnlyTheRangeAndOnlyOnce) {
  const ExtentInfo info = write(pattern(4 * kExtentPageBytes, 5));
  EXPECT_OK(fs_.corrupt(path(), kExtentDataOffset + 2 * kExtentPageBytes + 5, std::byte{1}));
  const auto extent = open(info).value();
  EXPECT_OK(extent->verify(0, 2 * kExtentPageBytes));
  EXPECT_OK(extent->verify(0, 0));
  EXPECT_OK(extent->verify(3 * kExtentPageBytes, 1));
  EXPECT_CODE(data_damaged, extent->verify(2 * kExtentPageBytes - 1, 2));
  EXPECT_CODE(data_damaged, extent->verify(2 * kExtentPageBytes - 1, 2)) << "damage is not remembered as good";
  EXPECT_CODE(data_damaged, extent->verify_page(2));
  EXPECT_OK(extent->verify_page(3));
  EXPECT_CODE(invalid_argument, extent->verify_page(4));
  EXPECT_CODE(invalid_argument, extent->verify(4 * kExtentPageBytes, 1));
  EXPECT_CODE(invalid_argument, extent->verify(1, ~std::uint64_t{0}));
}

// Table and footer stand behind the data in the file. They are nobody's rows.
TEST_F(ExtentTest, RoomBehindTheDataIsZeroedAndMayBeWritten) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1'000}, kExtentPageBytes + 5, 3 * kExtentPageBytes}) {
    const Bytes data = pattern(size, 5);
    const ExtentInfo info = write(data);
    for (const std::size_t room : {std::size_t{0}, size + 64, size + 10 * kExtentPageBytes}) {
      const auto extent =
          Extent::open(fs_, "/ext", kCollection, info, os::Mapping::private_writable, nullptr, room).value();
      const std::span<std::byte> writable = extent->writable_data();
      ASSERT_EQ(writable.size(), std::max(size, room));
      EXPECT_TRUE(std::ranges::all_of(writable.subspan(size), [](std::byte byte) { return byte == std::byte{0}; }));
      std::ranges::fill(writable.subspan(size), std::byte{9});
      EXPECT_OK(extent->verify_all());
      EXPECT_TRUE(std::ranges::equal(data, extent->data()));
    }
    EXPECT_OK(fs_.remove(path()));
  }
}

TEST_F(ExtentTest, ThreadsVerifyTogether) {
  const ExtentInfo info = write(pattern(20 * kExtentPageBytes, 5));
  const auto extent = open(info).value();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { EXPECT_OK(extent->verify_all()); });
  for (std::thread& thread : threads) thread.join();
}

// The mapping of what the file has lost is a signal that ends the process.
TEST_F(ExtentTest, AMappedFileCutShortIsDamageAndNoSignal) {
  const Bytes data = pattern(3 * kExtentPageBytes, 5);
  const ExtentInfo info = write(data);
  const testing::TempDir directory;
  os::FileSystem& fs = os::posix_file_system();
  const std::string real = directory / extent_name(info.number);
  {
    const auto file = fs.create(real);
    ASSERT_TRUE(file.ok()) << file.status().to_string();
    ASSERT_TRUE(is_ok((*file)->write_at(0, *fs_.read_whole(path()))));
  }
  std::vector<std::shared_ptr<const Extent>> extents;
  for (const os::Mapping mapping : {os::Mapping::private_writable, os::Mapping::read_only}) {
    const auto extent = Extent::open(fs, directory.path(), kCollection, info, mapping);
    ASSERT_TRUE(extent.ok()) << extent.status().to_string();
    EXPECT_OK((*extent)->verify(0, 1));
    extents.push_back(*extent);
  }
  std::filesystem::resize_file(real, kExtentDataOffset + kExtentPageBytes + 4096);
  for (const auto& extent : extents) {
    const Status status = extent->verify_all();
    EXPECT_CODE(data_damaged, status);
    EXPECT_TRUE(contains(status.message(), real + " at " + std::to_string(kExtentDataOffset + kExtentPageBytes)))
        << status.to_string();
    EXPECT_CODE(data_damaged, extent->verify(2 * kExtentPageBytes, 1));
    EXPECT_FALSE(extent->all_verified());
  }
}

TEST_F(ExtentTest, APageThatTheDiskCannotReadIsDamageAndNoSignal) {
  const ExtentInfo info = write(pattern(3 * kExtentPageBytes, 5));
  std::uint64_t reported = 0;
  const auto note = [&](const DamagedPage& page) { reported += page.page == 1 ? 1 : 100; };
  const auto extent = Extent::open(fs_, "/ext", kCollection, info, os::Mapping::read_only, note).value();
  fs_.count_reads(true);
  fs_.on_call([&](const testing::CallInfo& call) {
    const bool second = call.offset == kExtentDataOffset + kExtentPageBytes;
    if (call.kind == testing::CallKind::read && second) fs_.fail_at(call.index, StatusCode::io_error);
  });
  EXPECT_OK(extent->verify(0, kExtentPageBytes));
  EXPECT_CODE(io_error, extent->verify_all()) << "an opening may be tried again";
  EXPECT_EQ(0U, reported);
  const Status status = extent->verify(kExtentPageBytes, 1);
  EXPECT_CODE(data_damaged, status);
  EXPECT_TRUE(contains(status.message(), path() + " at " + std::to_string(kExtentDataOffset + kExtentPageBytes)))
      << status.to_string();
  fs_.on_call(nullptr);
  EXPECT_CODE(data_damaged, extent->verify(kExtentPageBytes, 1)) << "and is not believed later";
  EXPECT_OK(extent->verify(2 * kExtentPageBytes, 1));
  EXPECT_EQ(1U, reported);
}

TEST_F(ExtentTest, AnExtentWhoseFileWasRemovedIsCheckedThroughItsMapping) {
  const ExtentInfo info = write(pattern(3 * kExtentPageBytes, 5));
  const auto extent = open(info).value();
  EXPECT_OK(fs_.remove(path()));
  EXPECT_OK(extent->verify_all());
  EXPECT_TRUE(extent->all_verified());
}

}  // namespace
}  // namespace holdfast::storage
