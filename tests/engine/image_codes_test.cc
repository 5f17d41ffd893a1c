// Codes in images (engine/code_loading.h): after open they come back without training, and nothing depends on them
// having done so, whatever became of their files.
#include <algorithm>
#include <map>

#include "engine/image.h"
#include "engine/repair.h"
#include "engine/store_fixture.h"
#include "engine/verify.h"
#include "index/code_image.h"
#include "storage/extent_format.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::testing {
namespace {

using engine::ExtentKind;

constexpr std::uint64_t kPoints = 2'000;

/// Whole numbers of one byte: codes are the components themselves, and exact distances are taken from them, so that a
/// code of another vector is a wrong distance.
std::vector<float> bytes_of(std::uint64_t seed, std::uint32_t dimension) {
  std::vector<float> vector = vector_of(seed, dimension);
  for (float& x : vector) x = static_cast<float>(static_cast<int>(x * 120 + 125));
  return vector;
}

class ImageCodes : public SimStore {
 protected:
  void open() {
    collection_.reset();
    if (database_) HF_ASSERT_OK(database_->close());
    database_.reset();
    engine::EngineOptions options = options_on(fs_);
    options.open.checkpoint_on_close = false;
    options.open.vacuum_percent = 100;  // when the test says so
    auto database = Database::open_with("/store", options);
    HF_ASSERT_OK(database);
    database_.emplace(std::move(database).value());
    if (auto found = database_->collection("c"); found.ok()) collection_ = *found;
  }
  void make_points(std::uint64_t points = kPoints) {
    open();
    collection_ = make(*database_);
    put_all(0, points, 0);
    HF_ASSERT_OK(c().wait_until_indexed());
    HF_ASSERT_OK(c().checkpoint());
  }
  /// Points [begin, end) with the vectors of their ids + shift.
  void put_all(std::uint64_t begin, std::uint64_t end, std::uint64_t shift, float scale = 1) {
    WriteBatch batch;
    for (std::uint64_t id = begin; id < end; ++id) {
      std::vector<float> vector = bytes_of(id + shift, kDimension);
      for (float& x : vector) x *= scale;
      batch.upsert(id, vector);
      seeds_[id] = id + shift;
    }
    HF_ASSERT_OK(c().write(batch));
  }
  /// Rows of [begin, end) are used again by other points, which are nodes when it returns.
  void use_rows_again(std::uint64_t begin, std::uint64_t end, std::uint64_t shift) {
    WriteBatch gone;
    for (std::uint64_t id = begin; id < end; ++id) {
      gone.erase(id);
      seeds_.erase(id);
    }
    HF_ASSERT_OK(c().write(gone));
    HF_ASSERT_OK(c().vacuum());
    const std::uint64_t slots = c().stats().slots;
    put_all(begin + shift, end + shift, 0);
    HF_ASSERT_OK(c().wait_until_indexed());
    EXPECT_EQ(slots, c().stats().slots) << "no row was used again";
  }
  /// Every point is found where it is.
  void expect_all_found(std::uint64_t every = 1) {
    const Snapshot snapshot = c().snapshot();
    std::uint64_t lost = 0;
    for (const auto& [id, seed] : seeds_) {
      if (id % every != 0) continue;
      const auto hits = snapshot.search(bytes_of(seed, kDimension), {.k = 1, .ef = 64});
      HF_ASSERT_OK(hits);
      ASSERT_FALSE(hits->empty());
      lost += hits->front().id == PointId(id) && hits->front().distance == 0 ? 0 : 1;
    }
    EXPECT_LE(lost, seeds_.size() / every / 50);
  }
  std::vector<Hits> answers() {
    std::vector<Hits> all;
    for (std::uint64_t seed = 70'000; seed < 70'040; ++seed) {
      auto hits = c().search(bytes_of(seed, kDimension), {.k = 10, .ef = 20});
      EXPECT_TRUE(hits.ok());
      if (hits.ok()) all.push_back(std::move(hits).value());
    }
    return all;
  }

  std::string directory() {
    for (const auto& file : fs_.files()) {
      const std::size_t at = file.path.find("/ext/");
      if (at != std::string::npos) return file.path.substr(0, at);
    }
    return {};
  }
  storage::Manifest manifest() {
    return storage::read_manifest(fs_, directory(), storage::list_manifests(fs_, directory()).value().front()).value();
  }
  engine::ImageState state() {
    const storage::Manifest newest = manifest();
    return engine::decode_image_state(newest.state, newest.lsn).value();
  }
  std::optional<storage::ExtentInfo> named(ExtentKind kind) {
    for (const storage::ExtentInfo& extent : manifest().extents) {
      if (extent.kind == static_cast<std::uint8_t>(kind)) return extent;
    }
    return {};
  }
  std::string path_of(ExtentKind kind) { return directory() + "/ext/" + storage::extent_name(named(kind)->number); }
  Bytes data_of(const storage::ExtentInfo& info) {
    const auto extent =
        storage::Extent::open(fs_, directory() + "/ext", manifest().collection, info, os::Mapping::read_only).value();
    return {extent->data().begin(), extent->data().end()};
  }
  /// A checkpoint with other bytes in the extent of that kind, all checksums right.
  void forge(ExtentKind kind, const Bytes& data) {
    storage::Manifest next = manifest();
    ++next.generation;
    for (storage::ExtentInfo& extent : next.extents) {
      if (extent.kind != static_cast<std::uint8_t>(kind)) continue;
      extent.number = next.next_extent++;
      auto writer = storage::ExtentWriter::create(fs_, directory() + "/ext", next.collection, extent).value();
      HF_ASSERT_OK(writer->append(data));
      extent = writer->finish().value();
    }
    HF_ASSERT_OK(storage::write_manifest(fs_, directory(), next));
  }
  void close() {
    collection_.reset();
    HF_ASSERT_OK(database_->close());
    database_.reset();
  }
  std::uint64_t damage_found() {
    const auto copy = fs_.clone();  // the store may be open
    const auto report = engine::verify_store(*copy, "/store", {});
    EXPECT_TRUE(report.ok()) << report.status().to_string();
    std::uint64_t found = 0;
    for (const VerifyFinding& finding : report->findings) {
      if (finding.severity != VerifyFinding::Severity::damage) continue;
      ++found;
      messages_ += finding.file + ": " + finding.message + "\n";
    }
    return found;
  }
  Collection& c() { return *collection_; }

  std::optional<Database> database_;
  std::optional<Collection> collection_;
  std::map<std::uint64_t, std::uint64_t> seeds_;  ///< id to the seed of its vector
  std::string messages_;
};

TEST_F(ImageCodes, come_back_without_training) {
  make_points();
  EXPECT_EQ(1U, c().stats().code_trainings);
  ASSERT_TRUE(named(ExtentKind::codes) && named(ExtentKind::quantizer));
  EXPECT_EQ(1U, state().codes.training);
  EXPECT_EQ(kPoints, named(ExtentKind::codes)->slot_count);
  const auto before = answers();
  open();
  EXPECT_EQ(0U, c().stats().code_bytes) << "an open reads none of them";
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_GE(c().stats().code_bytes, kPoints * kDimension);
  EXPECT_EQ(0U, c().stats().code_trainings);
  expect_same_answers(before, answers());
  expect_all_found();
  EXPECT_EQ(0U, damage_found()) << messages_;
}

TEST_F(ImageCodes, stay_in_the_image_while_nobody_has_loaded_them) {
  make_points();
  const storage::ExtentInfo codes = *named(ExtentKind::codes);
  const storage::ExtentInfo quantizer = *named(ExtentKind::quantizer);
  for (std::uint64_t i = 0; i < 3; ++i) {
    open();
    put_all(5'000 + i, 5'001 + i, 0);
    HF_ASSERT_OK(c().checkpoint());
    EXPECT_EQ(0U, c().stats().code_bytes);
    EXPECT_EQ(codes, *named(ExtentKind::codes));
    EXPECT_EQ(quantizer, *named(ExtentKind::quantizer));
  }
  open();
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(0U, c().stats().code_trainings);
  expect_all_found();
}

// The rows of an extent that is named again held other vectors when it was written.
TEST_F(ImageCodes, rows_that_were_used_again_have_the_codes_of_their_new_vectors) {
  make_points();
  const storage::ExtentInfo codes = *named(ExtentKind::codes);
  use_rows_again(0, 150, 10'000);
  HF_ASSERT_OK(c().checkpoint());
  EXPECT_EQ(codes, *named(ExtentKind::codes)) << "a few rows are no reason to write it again";
  open();
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(0U, c().stats().code_trainings);
  for (std::uint64_t id = 10'000; id < 10'150; ++id) {
    const auto hits = c().search(bytes_of(id, kDimension), {.k = 1, .ef = 64});
    HF_ASSERT_OK(hits);
    EXPECT_EQ(PointId(id), hits->front().id);
    EXPECT_EQ(0, hits->front().distance);
  }
  EXPECT_EQ(0U, damage_found()) << messages_;
}

TEST_F(ImageCodes, rows_that_the_log_uses_again_have_the_codes_of_their_new_vectors) {
  make_points();
  open();
  use_rows_again(0, 150, 10'000);
  open();  // the image of before, and the log
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(0U, c().stats().code_trainings);
  expect_all_found();
}

TEST_F(ImageCodes, new_nodes_that_come_while_codes_are_loaded_get_theirs) {
  make_points(1'500);
  open();
  put_all(1'500, 1'900, 0);  // indexed before and after the codes are there
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(0U, c().stats().code_trainings);
  expect_all_found();
  HF_ASSERT_OK(c().checkpoint());
  EXPECT_EQ(0U, damage_found()) << messages_;
}

TEST_F(ImageCodes, are_written_again_when_a_part_of_the_nodes_has_none_in_the_image) {
  make_points();
  storage::ExtentInfo codes = *named(ExtentKind::codes);
  int written = 0;
  for (std::uint64_t round = 0; round < 6; ++round) {
    use_rows_again(round * 150, (round + 1) * 150, 10'000);
    HF_ASSERT_OK(c().checkpoint());
    written += *named(ExtentKind::codes) == codes ? 0 : 1;
    codes = *named(ExtentKind::codes);
    open();
    HF_ASSERT_OK(c().wait_until_indexed());
    EXPECT_EQ(0U, c().stats().code_trainings) << round;
    expect_all_found(7);
  }
  EXPECT_EQ(2, written) << "150 rows a time, more than three sixteenths of 2,000 after each third";
}

TEST_F(ImageCodes, of_a_new_training_replace_those_of_the_one_before) {
  make_points(1'100);
  const storage::ExtentInfo quantizer = *named(ExtentKind::quantizer);
  open();
  put_all(1'100, 11'200, 0);
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(1U, c().stats().code_trainings) << "ten times the nodes that it was trained on";
  HF_ASSERT_OK(c().checkpoint());
  EXPECT_EQ(2U, state().codes.training);
  EXPECT_NE(quantizer, *named(ExtentKind::quantizer));
  open();
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(0U, c().stats().code_trainings);
  expect_all_found(11);
  EXPECT_EQ(0U, damage_found()) << messages_;
}

// Rows beyond the ranges are counted over sessions: two times 700 are too many, 700 are not.
TEST_F(ImageCodes, drift_is_remembered) {
  make_points();
  put_all(20'000, 20'700, 0, 9);
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(1U, c().stats().code_trainings);
  HF_ASSERT_OK(c().checkpoint());
  EXPECT_EQ(700U, state().codes.cut_rows);
  EXPECT_FALSE(state().codes.exact);
  open();
  HF_ASSERT_OK(c().wait_until_indexed());
  HF_ASSERT_OK(c().checkpoint());
  EXPECT_EQ(700U, state().codes.cut_rows) << "rows of the image that had to be encoded count once";
  put_all(21'000, 21'700, 0, 9);
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(1U, c().stats().code_trainings);
}

TEST_F(ImageCodes, an_image_of_few_points_has_none) {
  make_points(900);
  EXPECT_FALSE(named(ExtentKind::codes) || named(ExtentKind::quantizer));
  EXPECT_EQ(0U, state().codes.training);
  open();
  put_all(900, 1'300, 0);
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(1U, c().stats().code_trainings);
  HF_ASSERT_OK(c().checkpoint());
  open();
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(0U, c().stats().code_trainings);
  expect_all_found();
}

// --- damage ---

struct Damage {
  const char* name;
  ExtentKind kind;
  std::uint64_t offset;  ///< in the file; 0xFFFF: it is removed
  bool trained;          ///< again
};

class DamagedCodes : public ImageCodes, public ::testing::WithParamInterface<Damage> {};

TEST_P(DamagedCodes, are_made_anew_and_no_answer_changes) {
  make_points();
  const auto before = answers();
  const storage::ExtentInfo damaged = *named(GetParam().kind);
  const std::string path = path_of(GetParam().kind);
  close();
  if (GetParam().offset == 0xFFFF) {
    HF_ASSERT_OK(fs_.remove(path));
  } else {
    HF_ASSERT_OK(fs_.corrupt(path, GetParam().offset, std::byte{4}));
  }
  EXPECT_EQ(1U, damage_found());
  EXPECT_NE(std::string::npos, messages_.find(storage::extent_name(damaged.number))) << messages_;
  open();
  EXPECT_FALSE(c().recovery_report().fell_back);
  HF_ASSERT_OK(c().wait_until_indexed());
  EXPECT_EQ(GetParam().trained ? 1U : 0U, c().stats().code_trainings);
  EXPECT_GE(c().stats().code_bytes, kPoints * kDimension);
  EXPECT_EQ(1U, c().stats().damaged_pages);
  expect_same_answers(before, answers());
  HF_ASSERT_OK(c().checkpoint());
  EXPECT_NE(damaged.number, named(GetParam().kind)->number);
  put_all(6'000, 6'001, 0);
  HF_ASSERT_OK(c().checkpoint());  // the older image, which names it, goes
  messages_.clear();
  EXPECT_EQ(0U, damage_found()) << messages_;
}

INSTANTIATE_TEST_SUITE_P(
    Places, DamagedCodes,
    ::testing::Values(Damage{"head", ExtentKind::codes, storage::kExtentDataOffset + 17, false},
                      Damage{"bits", ExtentKind::codes, storage::kExtentDataOffset + 30, false},
                      Damage{"codes", ExtentKind::codes, storage::kExtentDataOffset + 12'000, false},
                      Damage{"header", ExtentKind::codes, 70, false}, Damage{"gone", ExtentKind::codes, 0xFFFF, false},
                      Damage{"quantizer", ExtentKind::quantizer, storage::kExtentDataOffset + 40, true},
                      Damage{"header_of_the_quantizer", ExtentKind::quantizer, 70, true},
                      Damage{"quantizer_gone", ExtentKind::quantizer, 0xFFFF, true}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_F(ImageCodes, opening_with_everything_verified_does_without_damaged_ones) {
  make_points();
  HF_ASSERT_OK(fs_.corrupt(path_of(ExtentKind::codes), storage::kExtentDataOffset + 12'000, std::byte{4}));
  close();
  engine::EngineOptions options = options_on(fs_);
  options.open.verify_on_open = VerifyOnOpen::everything;
  auto database = Database::open_with("/store", options);
  HF_ASSERT_OK(database);
  auto collection = database->collection("c");
  HF_ASSERT_OK(collection);
  EXPECT_FALSE(collection->recovery_report().fell_back);
  EXPECT_EQ(1U, collection->stats().damaged_pages);
  HF_ASSERT_OK(collection->wait_until_indexed());
  EXPECT_GE(collection->stats().code_bytes, kPoints * kDimension);
}

TEST_F(ImageCodes, repair_leaves_damaged_ones_out) {
  for (const ExtentKind kind : {ExtentKind::codes, ExtentKind::quantizer}) {
    SCOPED_TRACE(engine::to_string(kind));
    if (!database_) make_points();
    HF_ASSERT_OK(fs_.corrupt(path_of(kind), storage::kExtentDataOffset + 40, std::byte{4}));
    close();
    RepairOptions options;
    options.all_lossless = true;
    const auto plan = engine::repair_store(fs_, "/store", options, engine::RepairMode::plan);
    HF_ASSERT_OK(plan);
    ASSERT_EQ(1U, plan->steps.size());
    EXPECT_EQ(Salvage::rebuild_codes, plan->steps.front().salvage);
    EXPECT_TRUE(plan->steps.front().loss.nothing());
    HF_ASSERT_OK(engine::repair_store(fs_, "/store", options, engine::RepairMode::act));
    EXPECT_EQ(0U, damage_found()) << messages_;
    open();
    HF_ASSERT_OK(c().wait_until_indexed());
    EXPECT_EQ(1U, c().stats().code_trainings);
    expect_all_found(7);
    HF_ASSERT_OK(c().checkpoint());
    HF_ASSERT_OK(c().checkpoint());
  }
}

// --- forged: the checksums are right ---

TEST_F(ImageCodes, verify_names_codes_that_are_not_those_of_the_vectors) {
  make_points();
  Bytes data = data_of(*named(ExtentKind::codes));
  const index::CodeLayout layout{static_cast<std::uint32_t>(kPoints), kDimension};
  data[layout.codes_at() + 77 * kDimension + 3] ^= std::byte{1};
  close();
  forge(ExtentKind::codes, data);
  EXPECT_EQ(1U, damage_found());
  EXPECT_NE(std::string::npos, messages_.find("the code of row 77 is not that of its vector")) << messages_;
}

TEST_F(ImageCodes, what_no_training_and_no_checkpoint_makes_is_refused_and_made_anew) {
  make_points();
  const Bytes codes = data_of(*named(ExtentKind::codes));
  const Bytes quantizer = data_of(*named(ExtentKind::quantizer));
  close();
  std::vector<std::pair<ExtentKind, Bytes>> forgeries;
  for (const std::size_t at : {0, 14, 16, 20}) {  // training, lsn (beyond the image), rows, components
    forgeries.emplace_back(ExtentKind::codes, codes);
    forgeries.back().second[at] ^= std::byte{1};
  }
  forgeries.emplace_back(ExtentKind::codes, Bytes(codes.begin(), codes.end() - 1));
  forgeries.emplace_back(ExtentKind::codes, Bytes(10));
  for (const std::size_t at : {0, 8, 12, 13}) {  // training, components, flags
    forgeries.emplace_back(ExtentKind::quantizer, quantizer);
    forgeries.back().second[at] ^= std::byte{4};
  }
  forgeries.emplace_back(ExtentKind::quantizer, Bytes(quantizer.begin(), quantizer.end() - 4));
  for (const auto& [kind, data] : forgeries) {
    SCOPED_TRACE(engine::to_string(kind));
    forge(kind, data);
    EXPECT_EQ(1U, damage_found());
    open();
    HF_ASSERT_OK(c().wait_until_indexed());
    EXPECT_EQ(1U, c().stats().damaged_pages);
    EXPECT_EQ(kind == ExtentKind::quantizer ? 1U : 0U, c().stats().code_trainings);
    expect_all_found(37);
    close();
    forge(ExtentKind::codes, codes);
    forge(ExtentKind::quantizer, quantizer);
    ASSERT_EQ(0U, damage_found()) << messages_;
  }
}

TEST_F(ImageCodes, a_manifest_that_contradicts_itself_is_refused) {
  make_points();
  close();
  const storage::Manifest sound = manifest();
  const auto refused = [&](auto change) {
    storage::Manifest next = sound;
    ++next.generation;
    change(next);
    EXPECT_TRUE(storage::write_manifest(fs_, directory(), next).ok());
    open();
    const bool fell_back = collection_ && collection_->recovery_report().fell_back;
    close();
    EXPECT_TRUE(fs_.remove(directory() + "/" + storage::manifest_name(next.generation)).ok());
    return fell_back;
  };
  const auto of = [](storage::Manifest& manifest, ExtentKind kind) {
    return std::find_if(manifest.extents.begin(), manifest.extents.end(), [&](const storage::ExtentInfo& extent) {
      return extent.kind == static_cast<std::uint8_t>(kind);
    });
  };
  EXPECT_FALSE(refused([](storage::Manifest&) {}));
  EXPECT_TRUE(refused([&](storage::Manifest& m) { m.extents.erase(of(m, ExtentKind::quantizer)); }));
  EXPECT_FALSE(refused([&](storage::Manifest& m) { m.extents.erase(of(m, ExtentKind::codes)); })) << "it has some";
  EXPECT_TRUE(refused([&](storage::Manifest& m) { ++of(m, ExtentKind::codes)->slot_count; }));
  EXPECT_TRUE(refused([&](storage::Manifest& m) { of(m, ExtentKind::codes)->first_slot = kChunkSlots; }));
  EXPECT_TRUE(refused([&](storage::Manifest& m) { of(m, ExtentKind::codes)->kind |= engine::kPatchBit; }));
  EXPECT_TRUE(refused([&](storage::Manifest& m) {
    engine::ImageState image = engine::decode_image_state(m.state, m.lsn).value();
    image.codes.training = 0;
    m.state = engine::encode_image_state(image);
  }));
}

}  // namespace
}  // namespace holdfast::testing
