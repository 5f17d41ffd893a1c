#include "storage/wal_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "storage/storage_test_util.h"
#include "storage/wal_scan.h"
#include "support/sim_file_system.h"

namespace holdfast::storage {
namespace {

constexpr std::uint64_t kSalt = 0x5A17;

Bytes frame_with(Lsn lsn, const Bytes& body, std::uint64_t salt = kSalt) {
  Bytes bytes(kFrameHeaderBytes);
  put_bytes(bytes, body);
  FrameHeader header;
  header.length = static_cast<std::uint32_t>(body.size());
  header.lsn = lsn;
  header.synced_lsn = lsn - 1;
  header.prev = 77;
  encode_frame_header(header, salt, bytes);
  return bytes;
}

TEST(WalFormat, SegmentHeaderComesBack) {
  SegmentHeader header;
  header.collection = kCollection;
  header.first_lsn = 8;
  header.salt = kSalt;
  header.previous = {7, 1234};
  header.file_bytes = 1 << 20;
  std::array<std::byte, kSegmentHeaderBytes> sector;
  encode_segment_header(header, sector);
  SegmentHeader found;
  ASSERT_EQ(decode_segment_header(sector, found), HeaderState::valid);
  EXPECT_EQ(found.collection, header.collection);
  EXPECT_EQ(found.first_lsn, header.first_lsn);
  EXPECT_EQ(found.salt, header.salt);
  EXPECT_EQ(found.previous, header.previous);
  EXPECT_EQ(found.file_bytes, header.file_bytes);
  // Any bit, and any missing byte, is noticed; a damaged version is damage, not a newer format.
  for (std::size_t bit = 0; bit < sector.size() * 8; ++bit) {
    sector[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_EQ(decode_segment_header(sector, found), HeaderState::damaged) << "bit " << bit;
    sector[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  }
  EXPECT_EQ(decode_segment_header(ByteSpan(sector).first(4095), found), HeaderState::damaged);
  header.version = kWalFormatVersion + 1;
  encode_segment_header(header, sector);
  EXPECT_EQ(decode_segment_header(sector, found), HeaderState::newer_version);
}

// The layout is a promise: a change here needs a new format version and a reader for the old one.
TEST(WalFormat, LayoutOfAFrameIsFixed) {
  const Bytes bytes = frame_with(0x0102030405060708, pattern(3, 1));
  ASSERT_EQ(bytes.size(), 43U);
  EXPECT_EQ(load<std::uint32_t>(bytes.data() + 8), 3U);
  EXPECT_EQ(load<std::uint8_t>(bytes.data() + 12), 1U);
  EXPECT_EQ(load<std::uint8_t>(bytes.data() + 13), 0U);
  EXPECT_EQ(load<std::uint64_t>(bytes.data() + 16), 0x0102030405060708U);
  EXPECT_EQ(load<std::uint64_t>(bytes.data() + 24), 0x0102030405060707U);
  EXPECT_EQ(load<std::uint64_t>(bytes.data() + 32), 77U);
  EXPECT_EQ(load<std::uint64_t>(bytes.data()), 0xE9B967F0EBEBD500U) << std::hex << load<std::uint64_t>(bytes.data());
}

TEST(WalFormat, EveryBitOfAFrameCounts) {
  Bytes bytes = frame_with(5, pattern(100, 1));
  ASSERT_TRUE(decode_frame(bytes, 0, kSalt));
  EXPECT_FALSE(decode_frame(bytes, 0, kSalt + 1)) << "another salt";
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_FALSE(decode_frame(bytes, 0, kSalt)) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_frame(ByteSpan(bytes).first(size), 0, kSalt)) << "cut at " << size;
  }
  EXPECT_FALSE(decode_frame(bytes, ~std::uint64_t{0}, kSalt));
}

TEST(WalScan, FindsAFrameAtEveryAlignedOffset) {
  const Bytes frame = frame_with(9, pattern(50, 2));
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{8}, std::size_t{64}, std::size_t{4096 - 8}, std::size_t{6000}}) {
    for (const bool noise : {false, true}) {
      Bytes file = noise ? pattern(8192, 3) : Bytes(8192);
      std::copy(frame.begin(), frame.end(), file.begin() + static_cast<std::ptrdiff_t>(at));
      const auto found = find_frame(file, 0, file.size(), kSalt);
      ASSERT_TRUE(found) << at;
      EXPECT_EQ(found->offset, at);
      EXPECT_EQ(found->header.lsn, 9U);
      EXPECT_EQ(found->end(), at + frame.size());
      EXPECT_FALSE(find_frame(file, at + 8, file.size(), kSalt));
      EXPECT_FALSE(find_frame(file, 0, at, kSalt));
    }
  }
}

TEST(WalScan, ZerosAreMeasuredExactly) {
  for (const std::size_t size : {0U, 1U, 7U, 8U, 63U, 64U, 65U, 200U}) {
    Bytes bytes(size);
    EXPECT_EQ(find_nonzero(bytes, 0), size);
    EXPECT_EQ(end_of_nonzero(bytes, 0), 0U);
    for (std::size_t at = 0; at < size; ++at) {
      bytes[at] = std::byte{1};
      EXPECT_EQ(find_nonzero(bytes, 0), at / 8 * 8);
      EXPECT_EQ(end_of_nonzero(bytes, 0), at + 1);
      EXPECT_EQ(end_of_nonzero(bytes, at + 1), at + 1);
      EXPECT_EQ(end_of_nonzero(bytes, at), at + 1);
      bytes[at] = std::byte{0};
    }
  }
}

// Bodies that are full of plausible headers with long lengths: without the header check this is quadratic (hours).
TEST(WalScan, LookAlikesStayLinear) {
  Bytes file(std::size_t{4} << 20);
  for (std::size_t at = 0; at + kFrameHeaderBytes <= file.size(); at += 16) {
    store<std::uint32_t>(file.data() + at + 8, static_cast<std::uint32_t>((file.size() - at) / 2));
    store<std::uint16_t>(file.data() + at + 12, 1);
    store<std::uint16_t>(file.data() + at + 14, 7);
  }
  EXPECT_FALSE(find_frame(file, 0, file.size(), kSalt));
}

// Read piece by piece, and pieces of zeros are left out: the bytes are the file's all the same.
TEST(WalScan, ASegmentIsReadAsItIs) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  testing::SimFileSystem disk(1);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{4'096}, kPiece - 1, kPiece, kPiece + 1, 3 * kPiece + 4'096}) {
    for (const std::size_t at : {std::size_t{0}, kPiece - 1, kPiece, 2 * kPiece + 5, 3 * kPiece + 4'095}) {
      SCOPED_TRACE(std::to_string(size) + ", a byte at " + std::to_string(at));
      Bytes content(size);
      if (at < size) content[at] = std::byte{7};
      const std::string path = "/" + std::to_string(size) + "-" + std::to_string(at);
      auto file = disk.create(path);
      ASSERT_TRUE(file.ok() && (*file)->write_at(0, content).ok());
      const auto read = read_segment_bytes(**file);
      ASSERT_TRUE(read.ok()) << read.status().to_string();
      EXPECT_TRUE(std::equal(content.begin(), content.end(), read->bytes().begin(), read->bytes().end()));
    }
  }
}

}  // namespace
}  // namespace holdfast::storage
