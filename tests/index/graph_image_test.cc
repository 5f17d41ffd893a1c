#include <cstring>

#include "index/fixture.h"
#include "index/read_check.h"

namespace holdfast::index {
namespace {

struct Images {
  Bytes level0;
  Bytes upper;
};

Images images_of(const World& world) {
  Images images;
  world.graph->encode_level0(0, world.end, world.root.epoch, images.level0);
  world.graph->encode_upper(0, world.end, world.root.epoch, images.upper);
  return images;
}

std::shared_ptr<Bytes> shared(const Bytes& bytes) { return std::make_shared<Bytes>(bytes); }

Status attach(World& world, const std::shared_ptr<Bytes>& level0, Slot slot_end) {
  return world.graph->attach_level0(0, *level0, slot_end, level0);
}

TEST(GraphImage, GivesTheSameAnswersAndCanBeExtended) {
  const auto vectors = clustered(2'000, 16, 20, 51);
  World first(16, Metric::l2, {8, 60});
  first.add_rows(vectors);
  first.index_until(1'500, 2);
  const Images images = images_of(first);

  World second(16, Metric::l2, {8, 60});
  second.add_rows(vectors);
  ASSERT_TRUE(attach(second, shared(images.level0), second.end).ok());
  ASSERT_TRUE(second.graph->load_upper(0, images.upper, second.end).ok());
  second.root = first.root;
  second.next = 1'500;
  EXPECT_EQ(second.graph->changed_epoch(0), 0U);
  EXPECT_TRUE(second.image(second.root.epoch) == first.image(first.root.epoch));
  for (std::size_t i = 0; i < 100; ++i) ASSERT_EQ(first.search(vectors[i], 10, 40), second.search(vectors[i], 10, 40));

  first.index_all();
  second.index_all();
  EXPECT_TRUE(second.image(second.root.epoch) == first.image(first.root.epoch));
  EXPECT_TRUE(second.image(1'500) == second.image(second.root.epoch));
  constexpr std::uint64_t kLostLastLink = 2;  // to pruning, before hnsw_connect.cc looks
  expect_sound(first, kLostLastLink);
  expect_sound(second, kLostLastLink);
}

TEST(GraphImage, AttachedRowsStandBelowEveryEpoch) {
  const auto vectors = clustered(700, 8, 5, 52);
  World first(8, Metric::l2, {8, 40});
  first.add_rows(vectors);
  first.index_until(600, 1);
  const Images images = images_of(first);
  World second(8, Metric::l2, {8, 40});
  second.add_rows(vectors);
  ASSERT_TRUE(attach(second, shared(images.level0), second.end).ok());
  ASSERT_TRUE(second.graph->load_upper(0, images.upper, second.end).ok());
  second.root = first.root;
  second.next = 600;
  const GraphRoot old_root = second.root;
  second.index_all();
  EXPECT_TRUE(second.image(old_root.epoch) == first.image(first.root.epoch));

  std::atomic<std::uint64_t> meter{0};
  const EpochLists lists;
  lists.met_old(kChunkSlots, kChunkSlots, meter);
  ASSERT_NE(lists.table(), nullptr);
  for (int turn = 0; turn < 2; ++turn) {  // the second one finds what the first one kept
    for (std::size_t i = 0; i < 50; ++i) {
      std::vector<Candidate> answer;
      search_graph(*second.graph, old_root, Query(*second.table, vectors[i].data()), 10, 40, {}, answer,
                   {.lists = &lists, .lists_meter = &meter});
      ASSERT_EQ(first.search(vectors[i], 10, 40), answer);
    }
  }
}

TEST(GraphImage, MisalignedBytesAreCopied) {
  World first(8, Metric::l2, {8, 40});
  first.add_rows(clustered(100, 8, 5, 53));
  first.index_all();
  const Images images = images_of(first);
  auto shifted = std::make_shared<Bytes>(images.level0.size() + 1);
  std::memcpy(shifted->data() + 1, images.level0.data(), images.level0.size());
  World second(8, Metric::l2, {8, 40});
  ASSERT_TRUE(second.graph->attach_level0(0, ByteSpan(*shifted).subspan(1), 100, nullptr).ok());
  Bytes again;
  second.graph->encode_level0(0, 100, 1, again);
  EXPECT_TRUE(again == images.level0);
}

TEST(GraphImage, DamagedLevel0IsRefusedWithItsOffset) {
  World world(8, Metric::l2, {8, 40});
  world.add_rows(clustered(100, 8, 5, 54));
  world.index_all();
  const Images images = images_of(world);
  const std::size_t stride = world.graph->level0_row_bytes();
  const auto outcome = [&](const Bytes& bytes, Slot slot_end) {
    World fresh(8, Metric::l2, {8, 40});
    return attach(fresh, shared(bytes), slot_end);
  };
  EXPECT_TRUE(outcome(images.level0, 100).ok());
  Bytes bad = images.level0;
  store<std::uint32_t>(bad.data() + 3 * stride, 17);  // 2M is 16
  EXPECT_EQ(outcome(bad, 100).code(), StatusCode::data_damaged);
  EXPECT_NE(outcome(bad, 100).message().find("byte " + std::to_string(3 * stride)), std::string::npos);
  bad = images.level0;
  store<std::uint32_t>(bad.data() + 5 * stride + 4, 100);
  EXPECT_EQ(outcome(bad, 100).code(), StatusCode::data_damaged);
  bad = images.level0;
  bad.pop_back();
  EXPECT_EQ(outcome(bad, 100).code(), StatusCode::data_damaged);
  EXPECT_EQ(outcome(images.level0, 99).code(), StatusCode::data_damaged);
  EXPECT_EQ(outcome(images.level0, 0).code(), StatusCode::data_damaged);
}

TEST(GraphImage, DamagedUpperLevelsAreRefused) {
  World world(8, Metric::l2, {4, 40});
  world.add_rows(clustered(300, 8, 5, 55));
  world.index_all();
  const Images images = images_of(world);
  const auto outcome = [&](const Bytes& bytes, Slot slot_end) {
    World fresh(8, Metric::l2, {4, 40});
    EXPECT_TRUE(attach(fresh, shared(images.level0), 300).ok());
    return fresh.graph->load_upper(0, bytes, slot_end);
  };
  EXPECT_TRUE(outcome(images.upper, 300).ok());
  for (std::size_t size = 0; size < images.upper.size(); ++size) {
    const Bytes cut(images.upper.begin(), images.upper.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_EQ(outcome(cut, 300).code(), StatusCode::data_damaged) << size;
  }
  Bytes longer = images.upper;
  longer.push_back(std::byte{0});
  EXPECT_EQ(outcome(longer, 300).code(), StatusCode::data_damaged);
  EXPECT_EQ(outcome(images.upper, 5).code(), StatusCode::data_damaged);
}

// They would stay in the way of whatever is inserted there, for good.
TEST(GraphImage, UpperLevelsOfNoNodeAreRefused) {
  World world(8, Metric::l2, {4, 40});
  world.add_rows(clustered(300, 8, 5, 55));
  world.index_all();
  Images images = images_of(world);
  const auto row = load<std::uint32_t>(images.upper.data() + sizeof(std::uint32_t));
  store<std::uint32_t>(images.level0.data() + row * world.graph->level0_row_bytes(), 0xFFFFFFFF);
  World fresh(8, Metric::l2, {4, 40});
  ASSERT_TRUE(attach(fresh, shared(images.level0), 300).ok());
  const Status status = fresh.graph->load_upper(0, images.upper, 300);
  EXPECT_EQ(status.code(), StatusCode::data_damaged);
  EXPECT_NE(status.message().find("row " + std::to_string(row) + ", no node"), std::string::npos) << status.message();
}

// Whatever passes validation can be searched, checked and extended: no byte of an image may lead out of range (ASan
// looks).
TEST(GraphImage, FlippedBytesAreRefusedOrHarmless) {
  const auto vectors = clustered(230, 8, 5, 56);
  World world(8, Metric::l2, {4, 40});
  world.add_rows(vectors);
  world.index_until(200, 1);
  const Images images = images_of(world);
  SeededRandom random(57);
  int harmless = 0;
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(round);
    Images bad = images;
    Bytes& bytes = random.below(2) == 0 ? bad.level0 : bad.upper;
    bytes[random.below(bytes.size())] ^= static_cast<std::byte>(1U << random.below(8));
    World fresh(8, Metric::l2, {4, 40});
    fresh.add_rows(vectors);
    if (!attach(fresh, shared(bad.level0), fresh.end).ok()) continue;
    if (!fresh.graph->load_upper(0, bad.upper, fresh.end).ok()) continue;
    fresh.root = world.root;
    ++harmless;
    (void)fresh.search(vectors[0], 10, 50);
    (void)check_graph(*fresh.graph, fresh.root, fresh.end);
    std::vector<NewNode> batch;
    for (Slot slot = 200; slot < 230; ++slot) batch.push_back({slot, static_cast<int>(slot % 3)});
    auto root = fresh.graph->writer().insert(fresh.root, batch, 1, fresh.retired);
    if (!root.ok()) continue;  // a slot that the image calls a node already
    fresh.root = *root;
    (void)fresh.search(vectors[0], 10, 50);
  }
  EXPECT_GT(harmless, 0);
}

/// Lists that are read when they are touched, from bytes of which `damaged` parts do not verify.
struct LazyImage {
  Images images;
  std::uint64_t level0_verified = 0, upper_verified = 0;
  std::uint64_t bad_begin = 0, bad_end = 0;  ///< bytes of level 0
  bool bad_upper = false;

  MappedLists lists() {
    MappedLists made;
    made.level0 = images.level0;
    made.verify_level0 = [this](std::uint64_t offset, std::uint64_t length) -> Status {
      ++level0_verified;
      if (offset < bad_end && bad_begin < offset + length) return {StatusCode::data_damaged, "level0 at 1"};
      return {};
    };
    made.upper = images.upper;
    made.verify_upper = [this](std::uint64_t, std::uint64_t) -> Status {
      ++upper_verified;
      return bad_upper ? Status(StatusCode::data_damaged, "upper at 1") : Status();
    };
    return made;
  }
};

TEST(GraphImage, UncheckedListsAreReadWhenTheyAreTouched) {
  const auto vectors = clustered(2'000, 16, 20, 61);
  World first(16, Metric::l2, {8, 60});
  first.add_rows(vectors);
  first.index_until(1'500, 2);
  LazyImage image{images_of(first)};
  World second(16, Metric::l2, {8, 60});
  second.add_rows(vectors);
  ASSERT_TRUE(second.graph->attach_unchecked(0, image.lists(), second.end).ok());
  second.root = first.root;
  second.next = 1'500;
  EXPECT_EQ(0U, image.level0_verified + image.upper_verified);
  EXPECT_TRUE(second.graph->contains(3, second.root.epoch));
  EXPECT_EQ(1U, image.level0_verified);
  EXPECT_TRUE(second.graph->contains(4, second.root.epoch));
  EXPECT_EQ(1U, image.level0_verified) << "a block is verified once";
  EXPECT_EQ(0U, image.upper_verified);
  for (std::size_t i = 0; i < 100; ++i) ASSERT_EQ(first.search(vectors[i], 10, 40), second.search(vectors[i], 10, 40));
  EXPECT_EQ(1U, image.upper_verified);
  EXPECT_TRUE(second.image(second.root.epoch) == first.image(first.root.epoch));
  first.index_all();
  second.index_all();
  EXPECT_TRUE(second.image(second.root.epoch) == first.image(first.root.epoch));
  expect_sound(second);
}

TEST(GraphImage, WhatIsDamagedWhenItIsTouchedIsToldAndChangesNothing) {
  const auto vectors = clustered(1'000, 8, 10, 62);
  World first(8, Metric::l2, {4, 40});
  first.add_rows(vectors);
  first.index_until(900, 1);
  const std::size_t stride = first.graph->level0_row_bytes();
  for (const bool upper : {false, true}) {
    SCOPED_TRACE(upper);
    LazyImage image{images_of(first)};
    image.bad_upper = upper;
    if (!upper) image.bad_begin = 300 * stride, image.bad_end = 301 * stride;
    World world(8, Metric::l2, {4, 40});
    world.add_rows(vectors);
    ASSERT_TRUE(world.graph->attach_unchecked(0, image.lists(), world.end).ok());
    world.root = first.root;
    {
      const ReadCheck check;
      EXPECT_TRUE(world.graph->contains(10, world.root.epoch));
      EXPECT_TRUE(check.ok());
      for (std::size_t i = 0; i < 20; ++i) (void)world.search(vectors[i * 40], 10, 100);
      EXPECT_EQ(StatusCode::data_damaged, check.status().code());
    }
    std::vector<NewNode> batch;
    for (Slot slot = 900; slot < 1'000; ++slot) batch.push_back({slot, static_cast<int>(slot % 3)});
    const auto inserted = world.graph->writer().insert(world.root, batch, 1, world.retired);
    EXPECT_EQ(StatusCode::data_damaged, inserted.status().code());
    SlotSet doomed;
    doomed.insert(950);  // no node, so that no list names it: what is left to fail is the reading
    const auto removed = world.graph->writer().remove(world.root, doomed, world.end, world.retired);
    EXPECT_EQ(StatusCode::data_damaged, removed.status().code());
    EXPECT_TRUE(world.retired.empty());
    EXPECT_EQ(0U, world.graph->changed_epoch(0));
  }
}

// Links and counts are checked as at open, though the bytes verify: they may be forged.
TEST(GraphImage, UncheckedListsAreCheckedForWhatTheySay) {
  World first(8, Metric::l2, {4, 40});
  first.add_rows(clustered(600, 8, 5, 63));
  first.index_all();
  const std::size_t stride = first.graph->level0_row_bytes();
  LazyImage image{images_of(first)};
  store<Slot>(image.images.level0.data() + 300 * stride + 4, 600);
  World world(8, Metric::l2, {4, 40});
  ASSERT_TRUE(world.graph->attach_unchecked(0, image.lists(), 600).ok());
  const ReadCheck check;
  EXPECT_TRUE(world.graph->contains(255, 1));
  EXPECT_TRUE(check.ok());
  EXPECT_FALSE(world.graph->contains(256, 1));
  EXPECT_NE(std::string::npos, check.status().message().find("link to slot 600")) << check.status().to_string();
}

TEST(GraphCheck, NamesWhatIsWrong) {
  World world(8, Metric::l2, {4, 40});
  world.add_rows(clustered(50, 8, 5, 58));
  world.index_all();
  expect_sound(world);
  const Images images = images_of(world);
  const std::size_t stride = world.graph->level0_row_bytes();
  const auto violations = [&](auto change) {
    auto bytes = shared(images.level0);
    GraphRoot root = world.root;
    change(*bytes, root);
    World fresh(8, Metric::l2, {4, 40});
    EXPECT_TRUE(attach(fresh, bytes, 50).ok());
    EXPECT_TRUE(fresh.graph->load_upper(0, images.upper, 50).ok());
    return check_graph(*fresh.graph, root, 50).violations.size();
  };
  EXPECT_EQ(violations([](Bytes&, GraphRoot&) {}), 0U);
  EXPECT_GT(violations([&](Bytes& b, GraphRoot&) { store<Slot>(b.data() + 7 * stride + 4, 7); }), 0U);
  EXPECT_GT(violations([&](Bytes& b, GraphRoot&) { store(b.data() + 8, load<Slot>(b.data() + 4)); }), 0U);
  EXPECT_GT(violations([&](Bytes& b, GraphRoot&) { store(b.data() + 9 * stride, 0xFFFFFFFF); }), 0U);
  EXPECT_GT(violations([](Bytes&, GraphRoot& root) { root.nodes += 1; }), 0U);
  EXPECT_GT(violations([](Bytes&, GraphRoot& root) { root.levels += 1; }), 0U);
  EXPECT_GT(violations([](Bytes&, GraphRoot& root) { root.entry = 1'000'000; }), 0U);
}

}  // namespace
}  // namespace holdfast::index
