// Vectors that are stored as f16, bf16, i8 or u8: what is kept of them, what is refused, and that everything else is as
// with float32.
#include <cmath>
#include <limits>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

class Types : public OnSetting {
 protected:
  [[nodiscard]] bool whole() const {
    return GetParam().type == ComponentType::i8 || GetParam().type == ComponentType::u8;
  }
  StatusCode outcome(const Vector& vector) { return collection().upsert(999, vector).status().code(); }
};
HF_ON_SETTINGS(Types, every_type);

TEST_P(Types, HoldWhatEveryTypeHolds) {
  create_here();
  EXPECT_EQ(GetParam().type, collection().config().type);
  fill(0, 300);
  for (std::uint64_t id = 300; id < 320; ++id) {
    Vector vectors;
    for (std::uint64_t value = 0; value < 3; ++value) {
      const Vector one = vector_of(id * 10 + value);
      vectors.insert(vectors.end(), one.begin(), one.end());
    }
    put_values(id, vectors, 3, R"({"several":true})");
  }
  bring();
  for (std::uint64_t id = 0; id < 300; id += 6) erase(id);
  for (std::uint64_t id = 1; id < 300; id += 6) put(id, vector_of(id + 9'000));
  expect_holds_truth();
  HF_OK(collection().vacuum());
  expect_holds_truth();
  fill(1'000, 80);  // rows that are used again
  expect_holds_truth();
  reopen();
  EXPECT_EQ(GetParam().type, collection().config().type);
  expect_holds_truth();
  expect_sound();
}

TEST_P(Types, ComeBackFromTheLog) {
  create_here(7);
  fill(0, 60);
  bring();
  fill(30, 60);
  options_.open.checkpoint_on_close = false;
  reopen(false);
  expect_holds_truth();
}

TEST_P(Types, KeepTheNearestValue) {
  if (whole()) return;  // nothing is rounded there
  create_here();
  // Half a unit of the last place, of the component.
  const float unit = GetParam().type == ComponentType::f16 ? 0x1p-11F : 0x1p-8F;
  for (std::uint64_t id = 0; id < 50; ++id) HF_OK(collection().upsert(id, real_numbers(id, config_.dimension)));
  bring();
  for (std::uint64_t id = 0; id < 50; ++id) {
    const Vector written = real_numbers(id, config_.dimension);
    const auto point = collection().get(id);
    HF_OK(point);
    bool rounded = false;
    for (std::size_t i = 0; i < written.size(); ++i) {
      EXPECT_LE(std::abs(point->vector[i] - written[i]), unit * std::abs(written[i]) + 0x1p-25F);
      rounded = rounded || point->vector[i] != written[i];
    }
    EXPECT_TRUE(rounded);
    // Distances are those of what is stored, for a query of float32.
    const Vector query = real_numbers(1'000 + id, config_.dimension);
    const auto hits = collection().search(query, {.k = 50, .ef = 50});
    HF_OK(hits);
    ASSERT_EQ(50U, hits->size());
    for (const Hit& hit : *hits) {
      const Vector stored = collection().get(hit.id)->vector;
      EXPECT_TRUE(nearly(hit.distance, true_distance(config_.metric, stored, query)));
      EXPECT_EQ(hit.distance, collection().snapshot().distance(hit.id, query).value());
    }
  }
}

TEST_P(Types, RefuseWhatTheyDoNotHold) {
  create_here(3);
  constexpr float kInf = std::numeric_limits<float>::infinity();
  std::vector<float> held;
  std::vector<float> refused{kInf, -kInf, std::nanf("")};
  switch (GetParam().type) {
    case ComponentType::f32: break;
    case ComponentType::f16:
      held = {65'504, -65'504, 65'519, 1.0F / 3, 0x1p-24F};
      refused.insert(refused.end(), {65'520, -65'520, 1e30F});
      break;
    case ComponentType::bf16:
      held = {1e18F, -1e18F, 1.0F / 3};
      refused.insert(refused.end(), {std::numeric_limits<float>::max(), 3.4e38F});
      break;
    case ComponentType::i8:
      held = {-128, 127, -0.0F, 5};
      refused.insert(refused.end(), {-129, 128, 0.5F, 1e-20F, -127.5F});
      break;
    case ComponentType::u8:
      held = {0, 255, -0.0F, 5};
      refused.insert(refused.end(), {-1, 256, 0.5F, 1e-20F, 254.5F});
      break;
  }
  const std::uint64_t before = collection().snapshot().size();
  for (const float x : refused) {
    EXPECT_EQ(StatusCode::invalid_argument, outcome({1, x, 2})) << x;
    WriteBatch batch;
    batch.upsert_values(5, Vector{1, 2, 3, 1, 2, x}, 2);
    EXPECT_EQ(StatusCode::invalid_argument, collection().write(batch).status().code()) << x;
  }
  EXPECT_EQ(before, collection().snapshot().size());
  for (const float x : held) {
    EXPECT_EQ(StatusCode::ok, outcome({1, x, 2})) << x;
    const auto point = collection().get(999);
    HF_OK(point);
    if (whole()) EXPECT_EQ(x, point->vector[1]);
  }
  // A query is not stored, so it may be any float32.
  HF_OK(collection().search(Vector{0.25F, 70'000, -1'000}));
}

TEST_P(Types, RefuseWhatRoundsToZeroUnderCosine) {
  create_here(3);
  if (GetParam().type == ComponentType::bf16 || whole()) return;  // they keep small numbers, or refuse them anyway
  const bool cosine = GetParam().metric == Metric::cosine;
  EXPECT_EQ(cosine ? StatusCode::invalid_argument : StatusCode::ok, outcome({1e-9F, 0, 1e-10F}));
  EXPECT_EQ(StatusCode::ok, outcome({1e-6F, 0, 1e-10F}));
}

TEST_P(Types, AreFoundByCodes) {
  if (GetParam().tier != Tier::indexed) return;
  create_here(24);
  fill(0, 2'500);
  bring();
  HF_OK(collection().wait_until_indexed());
  EXPECT_GT(collection().stats().code_bytes, 0U);
  std::size_t found = 0;
  for (std::uint64_t seed = 50'000; seed < 50'040; ++seed) {
    const Vector query = vector_of(seed);
    const auto hits = collection().search(query, {.k = 10, .ef = 200});
    HF_OK(hits);
    EXPECT_TRUE(sensible(*hits, query));
    const double tenth = neighbors(query)[9].distance;
    for (const Hit& hit : *hits) found += hit.distance <= tenth + 2e-6 + 2e-6 * std::abs(tenth) ? 1 : 0;
  }
  EXPECT_GE(found, 380U);  // of 400
}

TEST(TypeNames, GoThereAndBack) {
  for (const char* name : {"f32", "f16", "bf16", "i8", "u8"}) {
    const auto type = parse_component_type(name);
    ASSERT_TRUE(type.ok());
    EXPECT_EQ(name, to_string(*type));
  }
  EXPECT_EQ(StatusCode::invalid_argument, parse_component_type("f8").status().code());
  EXPECT_EQ(StatusCode::invalid_argument, parse_component_type("").status().code());
}

}  // namespace
}  // namespace holdfast::testing
