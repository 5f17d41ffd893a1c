// A small store on the simulated disk, driven step by step beside its model.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "support/oracle.h"
#include "support/store_driver.h"

namespace holdfast::testing {

class Holes : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kDimension = 4;

  void SetUp() override { start(Metric::l2); }

  /// A store with the empty collection "c".
  void start(Metric metric) {
    driver_.reset();
    disk_ = std::make_unique<SimFileSystem>(7);
    engine::EngineOptions options = small_store(*disk_);
    // 15 groups fit into a segment; group n of a segment stands at byte 4096 n.
    options.open.log_segment_bytes = 64 * 1024;
    driver_ = std::make_unique<StoreDriver>(options);
    driver_->check_reads = true;
    ASSERT_TRUE(driver_->open().ok());
    Step step;
    step.kind = Step::Kind::create;
    step.config = {.dimension = kDimension, .metric = metric, .m = 6, .ef_construction = 32};
    must(step);
  }

  // --- steps that must succeed ---
  void must(Step step) {
    step.collection = "c";
    const Status status = driver_->run(step);
    ASSERT_TRUE(status.ok()) << step.to_string() << ": " << status.to_string();
    ASSERT_EQ("", driver_->problem());
  }
  void must(Step::Kind kind) {
    Step step;
    step.kind = kind;
    must(step);
  }
  void must_write(const WriteBatch& batch, std::optional<Durability> durability = std::nullopt) {
    Step step;
    step.batch = batch;
    step.durability = durability;
    must(step);
  }
  Status try_write(const WriteBatch& batch) {
    Step step;
    step.collection = "c";
    step.batch = batch;
    return driver_->run(step);
  }
  /// Vector and payload both tell the value.
  static std::vector<float> vector_of(std::uint64_t id, int value) {
    return {static_cast<float>(id), static_cast<float>(value), 1.0F, 0.5F};
  }
  static std::string payload_of(int value) { return R"({"value":)" + std::to_string(value) + "}"; }
  static WriteBatch put_batch(std::uint64_t id, int value) {
    WriteBatch batch;
    batch.upsert(id, vector_of(id, value), payload_of(value));
    return batch;
  }
  void put(std::uint64_t id, int value = 1) { must_write(put_batch(id, value)); }
  void erase(std::uint64_t id) {
    WriteBatch batch;
    batch.erase(id);
    must_write(batch);
  }
  void index() { must(Step::Kind::index); }
  void checkpoint() { must(Step::Kind::checkpoint); }

  [[nodiscard]] Collection collection() {
    auto found = driver_->database().collection("c");
    EXPECT_TRUE(found.ok()) << found.status().to_string();
    return std::move(found).value();
  }
  [[nodiscard]] const Model& model() const { return driver_->model(); }
  [[nodiscard]] SimFileSystem& disk() { return *disk_; }

  // --- crashes ---
  /// The oracle's whole questionnaire on a copy of `found`.
  void expect_intact(const SimFileSystem& found, Loss loss = Loss::power, std::uint64_t seed = 1) {
    const auto copy = found.clone();
    EXPECT_EQ("", check_crash_state(*copy, model(), loss, small_store(*copy), seed));
  }
  void expect_survives(const CrashPolicy& policy, std::uint64_t seed = 1) {
    SCOPED_TRACE(policy.to_string() + ", policy seed " + std::to_string(seed));
    expect_intact(*disk_->crash(policy, seed), Loss::power, seed);
  }
  /// `found` opens, and no point has this id.
  static void expect_absent(SimFileSystem& found, std::uint64_t id) {
    const auto database = Database::open_with(kStorePath, small_store(found));
    ASSERT_TRUE(database.ok()) << database.status().to_string();
    const auto collection = database->collection("c");
    ASSERT_TRUE(collection.ok()) << collection.status().to_string();
    EXPECT_EQ(StatusCode::not_found, collection->get(id).status().code());
  }
  /// Crashes before every call of `work`.
  void crash_at_every_call_of(const std::function<void()>& work, const std::vector<CrashPolicy>& policies) {
    std::uint64_t calls = 0;
    disk_->on_call([&](const CallInfo& call) {
      ++calls;
      SCOPED_TRACE(std::string(to_string(call.kind)) + " " + call.path);
      for (std::size_t i = 0; i < policies.size(); ++i) expect_survives(policies[i], call.index * 31 + i);
    });
    work();
    disk_->on_call(nullptr);
    EXPECT_GT(calls, 1u);
  }
  /// Makes a new process on the disk (`found` or what kill -9 leaves) and goes on there.
  void move_to(std::unique_ptr<SimFileSystem> found) {
    const Model before = model();
    driver_->let_go();
    graveyard_.push_back(std::move(disk_));
    disk_ = std::move(found);
    engine::EngineOptions options = small_store(*disk_);
    options.open.log_segment_bytes = 64 * 1024;
    driver_ = std::make_unique<StoreDriver>(options);
    driver_->check_reads = true;
    driver_->model() = before;
    const Status opened = driver_->open();
    ASSERT_TRUE(opened.ok()) << opened.to_string();
    ASSERT_EQ("", driver_->problem());
  }
  void lose_power() { move_to(disk_->crash(CrashPolicy::lose_all(), 1)); }

  /// What opening `found` says about collection "c".
  static Status opening(SimFileSystem& found, RecoveryReport* report = nullptr) {
    const auto database = Database::open_with(kStorePath, small_store(found));
    if (!database.ok()) return database.status();
    const auto collection = database->collection("c");
    if (collection.ok() && report != nullptr) *report = collection->recovery_report();
    return collection.status();
  }
  /// It must be refused as damage that names `file`, and not a byte may change.
  static void expect_damage(SimFileSystem& found, const std::string& file) {
    const std::uint64_t before = content_of(found);
    const Status status = opening(found);
    EXPECT_EQ(StatusCode::data_damaged, status.code()) << status.to_string();
    EXPECT_NE(std::string::npos, status.message().find(file)) << status.to_string();
    EXPECT_EQ(before, content_of(found)) << "opening a damaged collection changed its files";
  }
  /// Names and bytes of everything below the collections' directories.
  static std::uint64_t content_of(const SimFileSystem& found) {
    std::uint64_t hash = 0;
    for (const auto& file : found.files()) {
      if (file.is_directory || file.path.find("/c-") == std::string::npos) continue;
      hash = mix64(hash ^ std::hash<std::string>{}(file.path));
      const Bytes bytes = *found.read_whole(file.path);
      for (const std::byte byte : bytes) hash = mix64(hash ^ static_cast<std::uint64_t>(byte));
    }
    return hash;
  }

  // --- files ---
  static std::vector<std::string> files_with(const SimFileSystem& found, const std::string& part) {
    std::vector<std::string> paths;
    for (const auto& file : found.files()) {
      if (!file.is_directory && file.path.find(part) != std::string::npos) paths.push_back(file.path);
    }
    return paths;
  }
  static std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
  static std::uint64_t group_offset(std::uint64_t number) { return 4096 * number; }

  std::unique_ptr<SimFileSystem> disk_;
  std::unique_ptr<StoreDriver> driver_;
  std::vector<std::unique_ptr<SimFileSystem>> graveyard_;
};

}  // namespace holdfast::testing
