#include "storage/file_names.h"

#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

TEST(FileNames, EveryNameIsParsedBack) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xABCDEF}, kMaxFileNumber}) {
    EXPECT_EQ(parse_name(manifest_name(number)).kind, FileKind::manifest);
    EXPECT_EQ(parse_name(manifest_name(number)).number, number);
    EXPECT_EQ(parse_name(segment_name(number)).kind, FileKind::segment);
    EXPECT_EQ(parse_name(segment_name(number)).number, number);
    EXPECT_EQ(parse_name(extent_name(number)).kind, FileKind::extent);
    EXPECT_EQ(parse_name(extent_name(number)).number, number);
  }
  Uuid uuid{};
  for (std::size_t i = 0; i < uuid.size(); ++i) uuid[i] = static_cast<std::uint8_t>(i * 16 + i);
  EXPECT_EQ(to_text(uuid), "00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_EQ(parse_name(collection_directory_name(uuid)).kind, FileKind::collection_directory);
}

TEST(FileNames, NameOrderIsNumberOrder) {
  EXPECT_LT(segment_name(9), segment_name(10));
  EXPECT_LT(segment_name(0xFF), segment_name(0x100));
  EXPECT_LT(manifest_name(1), manifest_name(kMaxFileNumber));
}

TEST(FileNames, FixedNames) {
  EXPECT_EQ(parse_name("LOCK").kind, FileKind::lock);
  EXPECT_EQ(parse_name("CATALOG").kind, FileKind::catalog);
  EXPECT_EQ(parse_name("wal").kind, FileKind::wal_directory);
  EXPECT_EQ(parse_name("ext").kind, FileKind::extent_directory);
  EXPECT_EQ(parse_name("next.tmp").kind, FileKind::temporary);
  EXPECT_EQ(parse_name("CATALOG.tmp").kind, FileKind::temporary);
}

TEST(FileNames, StrangeNamesAreUnknown) {
  for (const char* name :
       {"", ".", "c-", "lock", "manifest-", "manifest-1", "manifest-000000000000000G", "manifest-00000000000000001",
        "manifest-ffffffffffffffff", "8000000000000000.log", "000000000000000A.log", "1.log", ".log",
        "0000000000000001.logs", "0000000000000001.ext ", "c-00112233-4455-6677-8899-aabbccddeef",
        "c-00112233x4455-6677-8899-aabbccddeeff", "README"}) {
    EXPECT_EQ(parse_name(name).kind, FileKind::unknown) << name;
  }
}

}  // namespace
}  // namespace holdfast::storage
