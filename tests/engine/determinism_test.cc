// The same log gives the same image: whatever the number of threads that build the graph, and whether they do it in the
// background, every extent holds the same bytes. (Salts are random; on a simulated disk they come from its seed, so
// that there whole files are equal. On a real one the canonical form of an extent is its data: kind, first slot,
// bytes.)
#include <map>
#include <tuple>

#include "engine/image.h"
#include "engine/store_fixture.h"
#include "storage/extent.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 8;
constexpr std::uint64_t kIds = 1'200;
using Files = std::map<std::string, Bytes>;
/// Data of the newest image's extents, by kind and first slot.
using Canonical = std::map<std::pair<std::uint8_t, std::uint32_t>, Bytes>;

engine::EngineOptions options_with(os::FileSystem& fs, unsigned threads, bool background) {
  engine::EngineOptions options = options_on(fs, background);
  options.open.indexing_threads = threads;
  options.open.checkpoint_on_close = false;
  options.open.scrub_bytes_per_second = 0;
  options.open.vacuum_percent = 100;  // vacuum when the test says so
  return options;
}

/// A log with inserts, updates, deletes and several vectors per id, and nothing else.
void write_log(os::FileSystem& fs, Metric metric) {
  auto db = Database::open_with("/store", options_with(fs, 1, false));
  HF_ASSERT_OK(db);
  auto collection =
      db->create_collection("c", {.dimension = kDimension, .metric = metric, .m = 8, .ef_construction = 40});
  HF_ASSERT_OK(collection);
  SeededRandom random(11);
  for (std::uint64_t i = 0; i < 220; ++i) {
    WriteBatch batch;
    for (std::uint64_t j = 0; j < 10; ++j) {
      const std::uint64_t id = 1 + (i * 10 + j) * 7 % kIds;  // seven and the number of ids have no common factor
      if (random.below(5) == 0) {
        batch.erase(id);
      } else if (random.below(8) == 0) {
        std::vector<float> both = vector_of(random.next(), kDimension);
        const std::vector<float> second = vector_of(random.next(), kDimension);
        both.insert(both.end(), second.begin(), second.end());
        batch.upsert_values(id, both, 2, payload_of(i));
      } else {
        batch.upsert(id, vector_of(random.next(), kDimension), payload_of(i));
      }
    }
    HF_ASSERT_OK(collection->write(batch));
  }
}

/// Opens, indexes, deletes a part, vacuums, checkpoints.
void build_image(os::FileSystem& fs, unsigned threads, bool background) {
  auto db = Database::open_with("/store", options_with(fs, threads, background));
  HF_ASSERT_OK(db);
  auto collection = db->collection("c");
  HF_ASSERT_OK(collection);
  HF_ASSERT_OK(collection->wait_until_indexed());
  WriteBatch batch;
  for (std::uint64_t id = 1; id <= kIds; id += 6) batch.erase(id);
  HF_ASSERT_OK(collection->write(batch));
  HF_ASSERT_OK(collection->vacuum());
  HF_ASSERT_OK(collection->wait_until_indexed());
  HF_ASSERT_OK(collection->checkpoint());
  HF_ASSERT_OK(db->close());
}

Files files_of(const SimFileSystem& fs) {
  Files files;
  for (const SimFileSystem::FileReport& file : fs.files()) {
    if (!file.is_directory && file.path.find("/LOCK") == std::string::npos) {
      files[file.path] = fs.read_whole(file.path).value();
    }
  }
  return files;
}

Canonical canonical_image(os::FileSystem& fs, const std::string& store) {
  Canonical image;
  const auto entries = fs.list(store);
  EXPECT_TRUE(entries.ok());
  for (const os::DirectoryEntry& entry : *entries) {
    if (storage::parse_name(entry.name).kind != storage::FileKind::collection_directory) continue;
    const std::string directory = os::join(store, entry.name);
    const auto manifest = storage::read_manifest(fs, directory, storage::list_manifests(fs, directory).value().front());
    EXPECT_TRUE(manifest.ok());
    for (const storage::ExtentInfo& info : manifest->extents) {
      const auto extent =
          storage::Extent::open(fs, os::join(directory, storage::kExtentDirectory), manifest->collection, info);
      EXPECT_TRUE(extent.ok() && (*extent)->verify_all().ok());
      const ByteSpan data = (*extent)->data();
      image[{info.kind, info.first_slot}] = Bytes(data.begin(), data.end());
    }
  }
  return image;
}

class Determinism : public ::testing::TestWithParam<Metric> {};
INSTANTIATE_TEST_SUITE_P(Metrics, Determinism, ::testing::Values(Metric::l2, Metric::cosine),
                         [](const auto& metric) { return std::string(to_string(metric.param)); });

TEST_P(Determinism, OneLogGivesTheSameFilesWhateverTheNumberOfThreads) {
  SimFileSystem log(5);
  ASSERT_NO_FATAL_FAILURE(write_log(log, GetParam()));
  Files expected;
  for (const unsigned threads : {1U, 2U, 3U, 8U}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    const auto fs = log.clone();
    ASSERT_NO_FATAL_FAILURE(build_image(*fs, threads, false));
    const Files found = files_of(*fs);
    if (expected.empty()) expected = found;
    ASSERT_EQ(expected.size(), found.size());
    for (const auto& [path, bytes] : expected) {
      const auto same = found.find(path);
      ASSERT_NE(same, found.end()) << path;
      EXPECT_TRUE(bytes == same->second) << path;
    }
  }
}

/// Codes are trained when the background comes to it, on the nodes that are there then. No answer depends on them.
Canonical without_codes(Canonical image) {
  std::erase_if(image, [](const auto& extent) {
    const engine::ExtentKind kind = engine::kind_of(extent.first.first);
    return kind == engine::ExtentKind::codes || kind == engine::ExtentKind::quantizer;
  });
  return image;
}

TEST_P(Determinism, TheBackgroundBuildsTheSameImage) {
  SimFileSystem log(5);
  ASSERT_NO_FATAL_FAILURE(write_log(log, GetParam()));
  const auto by_hand = log.clone();
  ASSERT_NO_FATAL_FAILURE(build_image(*by_hand, 1, false));
  const Canonical expected = without_codes(canonical_image(*by_hand, "/store"));
  ASSERT_GE(expected.size(), 6U);
  for (const unsigned threads : {1U, 4U}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    const auto fs = log.clone();
    ASSERT_NO_FATAL_FAILURE(build_image(*fs, threads, true));
    const Canonical found = without_codes(canonical_image(*fs, "/store"));
    ASSERT_EQ(expected.size(), found.size());
    for (const auto& [place, bytes] : expected) {
      const auto same = found.find(place);
      ASSERT_NE(same, found.end());
      EXPECT_TRUE(bytes == same->second) << "kind " << int{place.first} << ", first slot " << place.second;
    }
  }
}

}  // namespace
}  // namespace holdfast::testing
