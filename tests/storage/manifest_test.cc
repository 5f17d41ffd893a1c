#include "storage/manifest.h"

#include "storage/envelope.h"
#include "storage/file_names.h"
#include "storage/storage_test_util.h"

namespace holdfast::storage {
namespace {

using testing::CrashPolicy;
using testing::SimFileSystem;

Manifest sample(std::uint64_t generation = 5) {
  Manifest manifest;
  manifest.generation = generation;
  manifest.collection = kCollection;
  manifest.lsn = 1234;
  manifest.log_checksum = 99;
  manifest.next_extent = 50;
  manifest.state = pattern(37, 1);
  for (std::uint64_t number : {3, 7, 49}) {
    manifest.extents.push_back({number, 2, 0, static_cast<Slot>(number * 16384), 16384, number * 1000, number * 77});
  }
  return manifest;
}

void expect_same(const Manifest& a, const Manifest& b) {
  EXPECT_EQ(a.generation, b.generation);
  EXPECT_EQ(a.collection, b.collection);
  EXPECT_EQ(a.lsn, b.lsn);
  EXPECT_EQ(a.log_checksum, b.log_checksum);
  EXPECT_EQ(a.next_extent, b.next_extent);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.extents, b.extents);
}

Catalog sample_catalog() {
  Catalog catalog;
  catalog.store = kCollection;
  catalog.generation = 3;
  catalog.collections = {{"words", {1}},
                         {"b\xC3\xBC"
                          "cher",
                          {2}},
                         {"", {3}}};
  return catalog;
}

// Every bit, and every length, of a small file must give data_damaged with the path.
template <class Read>
void expect_all_damage_noticed(SimFileSystem& fs, const std::string& path, Read read) {
  const Bytes whole = fs.read_whole(path).value();
  for (std::uint64_t bit = 0; bit < whole.size() * 8; ++bit) {
    const auto mask = static_cast<std::byte>(1U << (bit % 8));
    EXPECT_OK(fs.corrupt(path, bit / 8, mask));
    const Status status = read();
    EXPECT_CODE(data_damaged, status) << "bit " << bit;
    EXPECT_TRUE(contains(status.message(), path)) << status.to_string();
    EXPECT_OK(fs.corrupt(path, bit / 8, mask));
  }
  for (std::size_t size = 0; size <= whole.size() + 2; ++size) {
    if (size == whole.size()) continue;
    Bytes cut = whole;
    cut.resize(size);
    EXPECT_OK(fs.write_whole(path, cut));
    EXPECT_CODE(data_damaged, read()) << "length " << size;
  }
  EXPECT_OK(fs.write_whole(path, whole));
  EXPECT_OK(read());
}

TEST(ManifestTest, ComesBack) {
  SimFileSystem fs;
  EXPECT_OK(write_manifest(fs, "/", sample()));
  const auto found = read_manifest(fs, "/", 5);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  expect_same(*found, sample());
  EXPECT_CODE(not_found, read_manifest(fs, "/", 6).status());
}

TEST(ManifestTest, AllDamageIsNoticed) {
  SimFileSystem fs;
  EXPECT_OK(write_manifest(fs, "/", sample()));
  expect_all_damage_noticed(fs, "/" + manifest_name(5), [&] { return read_manifest(fs, "/", 5).status(); });
}

TEST(ManifestTest, GenerationsAreListedNewestFirst) {
  SimFileSystem fs;
  for (const std::uint64_t generation : {2, 300, 11}) EXPECT_OK(write_manifest(fs, "/", sample(generation)));
  EXPECT_OK(fs.write_whole("/manifest-0000000000000001.tmp", {}));
  EXPECT_EQ(list_manifests(fs, "/").value(), (std::vector<std::uint64_t>{300, 11, 2}));
}

TEST(ManifestTest, AManifestUnderAnotherNameIsNotBelieved) {
  SimFileSystem fs;
  EXPECT_OK(write_manifest(fs, "/", sample()));
  EXPECT_OK(fs.rename("/" + manifest_name(5), "/" + manifest_name(6)));
  EXPECT_CODE(data_damaged, read_manifest(fs, "/", 6).status());
}

TEST(ManifestTest, AnExtentThatIsAlsoFreeIsRefused) {
  SimFileSystem fs;
  Manifest manifest = sample();
  manifest.next_extent = 49;
  EXPECT_OK(write_manifest(fs, "/", manifest));
  EXPECT_CODE(data_damaged, read_manifest(fs, "/", 5).status());
}

// A checksum that fits does not make lengths true.
TEST(ManifestTest, AbsurdCountsAllocateNothing) {
  SimFileSystem fs;
  const EnvelopeFormat format{0x0A4E414D444C4648, 1, 1 << 20, "manifest"};
  for (const std::uint64_t state : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    Bytes body;
    put(body, std::uint64_t{5});
    put_bytes(body, std::as_bytes(std::span(kCollection)));
    for (int i = 0; i < 3; ++i) put(body, std::uint64_t{1});
    put(body, state);
    put(body, ~std::uint32_t{0});
    EXPECT_OK(write_enveloped(fs, "/" + manifest_name(5), format, body));
    EXPECT_CODE(data_damaged, read_manifest(fs, "/", 5).status());
  }
}

TEST(ManifestTest, ANewerFormatIsNotTouched) {
  SimFileSystem fs;
  const EnvelopeFormat newer{0x0A4E414D444C4648, 2, 1 << 20, "manifest"};
  EXPECT_OK(write_enveloped(fs, "/" + manifest_name(5), newer, pattern(10, 1)));
  EXPECT_CODE(unsupported_format, read_manifest(fs, "/", 5).status());
}

// Crash at every call of a swap: before, nothing; afterwards, all; in between, one of the two.
TEST(ManifestTest, CrashAtEveryCall) {
  SimFileSystem fs;
  EXPECT_OK(write_manifest(fs, "/", sample(1)));
  std::uint64_t states = 0;
  fs.on_call([&](const testing::CallInfo& call) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE("call " + std::to_string(call.index) + " seed " + std::to_string(seed));
      const auto crashed = fs.crash(CrashPolicy::anything(), seed);
      expect_same(read_manifest(*crashed, "/", 1).value(), sample(1));
      const auto second = read_manifest(*crashed, "/", 2);
      if (second.ok()) expect_same(*second, sample(2));
      if (!second.ok()) EXPECT_CODE(not_found, second.status());
      ++states;
    }
  });
  EXPECT_OK(write_manifest(fs, "/", sample(2)));
  fs.on_call(nullptr);
  EXPECT_GE(states, 80U);
  const auto crashed = fs.crash(CrashPolicy::lose_all());
  EXPECT_OK(read_manifest(*crashed, "/", 2).status());
}

TEST(CatalogTest, ComesBack) {
  SimFileSystem fs;
  EXPECT_CODE(not_found, read_catalog(fs, "/").status());
  EXPECT_OK(write_catalog(fs, "/", sample_catalog()));
  const auto found = read_catalog(fs, "/");
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_EQ(found->store, kCollection);
  EXPECT_EQ(found->generation, 3U);
  ASSERT_EQ(found->collections.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(found->collections[i].name, sample_catalog().collections[i].name);
    EXPECT_EQ(found->collections[i].uuid, sample_catalog().collections[i].uuid);
  }
}

// What counts on from them would begin again at 0, below everything that exists.
TEST(ManifestTest, NumbersWithoutSuccessorsAreRefused) {
  SimFileSystem fs;
  for (const bool lsn : {true, false}) {
    Manifest manifest;
    manifest.generation = 1;
    (lsn ? manifest.lsn : manifest.next_extent) = ~std::uint64_t{0};
    EXPECT_OK(write_manifest(fs, "/", manifest));
    EXPECT_CODE(data_damaged, read_manifest(fs, "/", 1).status());
  }
}

TEST(CatalogTest, AllDamageIsNoticed) {
  SimFileSystem fs;
  EXPECT_OK(write_catalog(fs, "/", sample_catalog()));
  expect_all_damage_noticed(fs, "/CATALOG", [&] { return read_catalog(fs, "/").status(); });
}

TEST(CatalogTest, TwoCollectionsOfOneNameOrDirectoryAreRefused) {
  SimFileSystem fs;
  Catalog catalog = sample_catalog();
  catalog.collections[1].name = "words";
  EXPECT_OK(write_catalog(fs, "/", catalog));
  EXPECT_CODE(data_damaged, read_catalog(fs, "/").status());
  catalog = sample_catalog();
  catalog.collections[1].uuid = catalog.collections[0].uuid;
  EXPECT_OK(write_catalog(fs, "/", catalog));
  EXPECT_CODE(data_damaged, read_catalog(fs, "/").status());
}

}  // namespace
}  // namespace holdfast::storage
