// Bits of the extents that hold codes: each is named or changes nothing, and none costs an answer or an older image.
// HOLDFAST_ROT_STRIDE and HOLDFAST_ROT_SEED as in bit_rot_test.cc.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "engine/image.h"
#include "engine/store_fixture.h"
#include "engine/verify.h"
#include "rot/rot_lab.h"
#include "storage/extent_format.h"

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 3;
constexpr std::uint64_t kPoints = 1'100;
constexpr std::size_t kKindAt = 64;  ///< in the header of an extent

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class CodeRot : public ::testing::Test {
 protected:
  static engine::EngineOptions options(os::FileSystem& disk) {
    engine::EngineOptions options = options_on(disk);
    options.open.checkpoint_on_close = false;
    options.open.indexing_threads = 1;
    return options;
  }
  /// Whole numbers: distances are taken from the codes.
  static std::vector<float> point(std::uint64_t seed) {
    std::vector<float> vector = vector_of(seed, kDimension);
    for (float& x : vector) x = static_cast<float>(static_cast<int>(x * 120 + 125));
    return vector;
  }
  void SetUp() override {
    SimFileSystem disk(5);
    auto db = Database::open_with("/store", options(disk));
    HF_ASSERT_OK(db);
    auto made = db->create_collection("c", {.dimension = kDimension, .m = 4, .ef_construction = 16});
    HF_ASSERT_OK(made);
    WriteBatch batch;
    for (std::uint64_t id = 0; id < kPoints; ++id) batch.upsert(id, point(id));
    HF_ASSERT_OK(made->write(batch));
    HF_ASSERT_OK(made->wait_until_indexed());
    HF_ASSERT_OK(made->checkpoint());
    sound_ = answers(*made);
    made = Status(StatusCode::closed, "");
    HF_ASSERT_OK(db->close());
    disk_ = disk.kill_process();
    for (const std::string& path : rot_files(*disk_)) {
      const Bytes bytes = disk_->read_whole(path).value();
      if (!path.ends_with(".ext") || !engine::is_of_codes(static_cast<engine::ExtentKind>(bytes[kKindAt]))) continue;
      files_.push_back(path);
    }
    ASSERT_EQ(2U, files_.size()) << "codes and their quantizer";
  }
  static std::vector<Hits> answers(const Collection& collection) {
    std::vector<Hits> all;
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      auto hits = collection.search(point(seed + 50'000), {.k = 8, .ef = 24});
      EXPECT_TRUE(hits.ok()) << hits.status().to_string();
      if (hits.ok()) all.push_back(std::move(hits).value());
    }
    return all;
  }
  [[nodiscard]] bool same(const std::vector<Hits>& found) const {
    return std::equal(found.begin(), found.end(), sound_.begin(), sound_.end(), [](const Hits& a, const Hits& b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                        [](const Hit& x, const Hit& y) { return x.id == y.id && x.distance == y.distance; });
    });
  }
  /// What is wrong with a store of which `path` was changed; `unseen`: verify says nothing of it.
  std::string judge(const SimFileSystem& damaged, const std::string& path, bool& unseen) const {
    const auto copy = damaged.clone();
    {
      auto db = Database::open_with("/store", options(*copy));
      if (!db.ok()) return "the store was refused: " + db.status().to_string();
      auto collection = db->collection("c");
      if (!collection.ok()) return "the collection was refused: " + collection.status().to_string();
      if (collection->recovery_report().fell_back) return "another image was used";
      if (Status status = collection->wait_until_indexed(); !status.ok()) return status.to_string();
      if (collection->stats().code_bytes == 0) return "there are no codes";
      // Codes of the same training are the same; another training may walk elsewhere, with exact distances.
      const bool trained = collection->stats().code_trainings != 0;
      if (!same(answers(*collection)) && !trained) return "SILENT: other answers";
    }
    const auto report = engine::verify_store(*damaged.clone(), "/store", {});
    if (!report.ok()) return "verify: " + report.status().to_string();
    unseen = std::none_of(report->findings.begin(), report->findings.end(), [&](const VerifyFinding& finding) {
      return finding.file.find(file_name(path)) != std::string::npos;
    });
    return {};
  }
  /// The up to seven zeros between the data and the page table.
  [[nodiscard]] bool is_dead(const Bytes& bytes, std::uint64_t at) const {
    const auto data = load<std::uint64_t>(bytes.data() + bytes.size() - storage::kExtentFooterBytes + 8);
    return at >= storage::kExtentDataOffset + data && at < storage::extent_table_offset(data);
  }

  std::unique_ptr<SimFileSystem> disk_;
  std::vector<Hits> sound_;
  std::vector<std::string> files_;
};

TEST_F(CodeRot, EveryFlippedBitIsNamedAndChangesNoAnswer) {
  const std::uint64_t seed = number_of("HOLDFAST_ROT_SEED", 1);
  const std::uint64_t stride = std::max<std::uint64_t>(1, number_of("HOLDFAST_ROT_STRIDE", 80));
  SeededRandom random(seed);
  std::size_t flipped = 0;
  for (const std::string& path : files_) {
    const Bytes bytes = disk_->read_whole(path).value();
    for (std::uint64_t at = 0; at < bytes.size(); ++at) {
      const bool structure = at < 128 || (at >= storage::kExtentDataOffset && bytes[at] != std::byte{0});
      if (random.below(structure ? stride : 20 * stride) != 0) continue;
      const auto mask = static_cast<std::byte>(1U << random.below(8));
      ASSERT_TRUE(disk_->corrupt(path, at, mask).ok());
      bool unseen = false;
      std::string problem = judge(*disk_, path, unseen);
      ASSERT_TRUE(disk_->corrupt(path, at, mask).ok());
      if (problem.empty() && unseen && !is_dead(bytes, at)) problem = "nobody notices";
      EXPECT_EQ("", problem) << path << " byte " << at << ", seed " << seed;
      ++flipped;
    }
  }
  std::printf("rot of codes: %zu bits flipped\n", flipped);
  EXPECT_GT(flipped, 50U);
}

TEST_F(CodeRot, FilesThatAreCutGoneOrInEachOthersPlaceCostNoAnswer) {
  for (const std::string& path : files_) {
    const Bytes bytes = disk_->read_whole(path).value();
    bool unseen = false;
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{100}, std::size_t{4'096}, std::size_t{4'200}, bytes.size() - 1}) {
      const auto copy = disk_->clone();
      ASSERT_TRUE(
          copy->write_whole(path, Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size))).ok());
      EXPECT_EQ("", judge(*copy, path, unseen)) << path << " cut at " << size;
      EXPECT_FALSE(unseen);
    }
    const auto gone = disk_->clone();
    ASSERT_TRUE(gone->remove(path).ok());
    EXPECT_EQ("", judge(*gone, path, unseen)) << path << " removed";
    EXPECT_FALSE(unseen);
    const auto other = disk_->clone();
    ASSERT_TRUE(other->write_whole(path, disk_->read_whole(files_[path == files_[0] ? 1 : 0]).value()).ok());
    EXPECT_EQ("", judge(*other, path, unseen)) << path << " with the other one's bytes";
    EXPECT_FALSE(unseen);
  }
}

}  // namespace
}  // namespace holdfast::testing
