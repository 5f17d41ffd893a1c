// The repair of checksums: without it a fuzzer would try the checksums and nothing behind them, and nobody would know.
#include "fuzz/targets/repair.h"

#include <gtest/gtest.h>

#include "holdfast/database.h"
#include "storage/extent_format.h"
#include "storage/file_names.h"
#include "storage/manifest.h"
#include "storage/wal_reader.h"
#include "support/oracle.h"

namespace holdfast::fuzz {
namespace {

using storage::FileKind;
using testing::SimFileSystem;

/// A store with a checkpoint and a log behind it.
Bundle sample_store() {
  SimFileSystem fs(5);
  engine::EngineOptions options = testing::small_store(fs);
  options.open.disk_reserve_bytes = 0;  // a bundle keeps no file of zeros
  auto database = Database::open_with("/store", options);
  EXPECT_TRUE(database.ok());
  auto collection = database->create_collection("points", {.dimension = 4, .metric = Metric::l2});
  EXPECT_TRUE(collection.ok());
  const auto put = [&](std::uint64_t id) {
    EXPECT_TRUE(collection->upsert(id, std::vector<float>(4, static_cast<float>(id)), R"({"a":1})").ok());
  };
  for (std::uint64_t id = 0; id < 20; ++id) put(id);
  EXPECT_TRUE(collection->wait_until_indexed().ok());
  EXPECT_TRUE(collection->checkpoint().ok());
  for (std::uint64_t id = 20; id < 30; ++id) put(id);
  EXPECT_TRUE(database->close().ok());
  return read_bundle(fs, "/store");
}

FileKind kind_of(const BundledFile& file) {
  return storage::parse_name(file.name.substr(file.name.rfind('/') + 1)).kind;
}

BundledFile& file_of(Bundle& bundle, FileKind kind) {
  for (BundledFile& file : bundle) {
    if (kind_of(file) == kind && !file.bytes.empty()) return file;
  }
  ADD_FAILURE() << "no such file";
  return bundle.front();
}

TEST(FuzzRepair, WhatIsSoundStaysAsItIs) {
  const Bundle sound = sample_store();
  Bundle repaired = sound;
  repair_store(repaired);
  ASSERT_EQ(repaired.size(), sound.size());
  for (std::size_t i = 0; i < sound.size(); ++i) {
    EXPECT_EQ(repaired[i].name, sound[i].name);
    EXPECT_TRUE(repaired[i].bytes == sound[i].bytes) << sound[i].name;
  }
}

TEST(FuzzRepair, BundlesUnpackToWhatWasPacked) {
  const Bundle bundle = sample_store();
  const Bundle again = unpack(pack(bundle));
  ASSERT_EQ(again.size(), bundle.size());
  for (std::size_t i = 0; i < bundle.size(); ++i) {
    EXPECT_EQ(again[i].name, bundle[i].name);
    EXPECT_TRUE(again[i].bytes == bundle[i].bytes) << bundle[i].name;
  }
}

// A byte of a body is changed: the frame, and the chain from it on, are valid again.
TEST(FuzzRepair, AChangedFrameIsReadAndSoAreThoseBehindIt) {
  Bundle bundle = sample_store();
  BundledFile& segment = file_of(bundle, FileKind::segment);
  segment.bytes[storage::kSegmentHeaderBytes + storage::kFrameHeaderBytes + 20] ^= std::byte{1};
  SimFileSystem fs(1);
  storage::SegmentHeader header;
  ASSERT_EQ(storage::decode_segment_header(segment.bytes, header), storage::HeaderState::valid);
  ASSERT_FALSE(storage::decode_frame(segment.bytes, storage::kSegmentHeaderBytes, header.salt).has_value());
  repair_store(bundle);
  ASSERT_TRUE(fs.create_directory("/wal").ok());
  for (const BundledFile& file : bundle) {
    if (kind_of(file) != FileKind::segment) continue;
    ASSERT_TRUE(fs.write_whole("/wal/" + file.name.substr(file.name.rfind('/') + 1), file.bytes).ok());
  }
  storage::ReadLogOptions options;
  options.directory = "/wal";
  options.collection = header.collection;
  options.after = header.first_lsn - 1;
  std::uint64_t batches = 0;
  const auto tail = storage::read_log(fs, options, [&](const storage::FrameView& frame) {
    batches += frame.type == storage::FrameType::batch ? 1 : 0;
    return Status();
  });
  ASSERT_TRUE(tail.ok());
  EXPECT_EQ(tail->verdict, storage::LogVerdict::complete) << tail->reason;
  EXPECT_GE(batches, 20u);
}

TEST(FuzzRepair, AChangedExtentIsBelievedAndNamedByItsManifest) {
  Bundle bundle = sample_store();
  BundledFile& extent = file_of(bundle, FileKind::extent);
  extent.bytes[storage::kExtentDataOffset] ^= std::byte{1};
  repair_store(bundle);
  const auto info = repair_extent(extent.bytes);
  ASSERT_TRUE(info.has_value());
  bool named = false;
  for (const BundledFile& file : bundle) {
    if (kind_of(file) != FileKind::manifest) continue;
    const std::string name = file.name.substr(file.name.rfind('/') + 1);
    SimFileSystem fs(1);
    ASSERT_TRUE(fs.write_whole("/" + name, file.bytes).ok());
    const auto manifest = storage::read_manifest(fs, "/", storage::parse_name(name).number);
    ASSERT_TRUE(manifest.ok()) << manifest.status().to_string();
    for (const auto& other : manifest->extents) named |= other.number == info->number && other == *info;
  }
  EXPECT_TRUE(named);
}

}  // namespace
}  // namespace holdfast::fuzz
