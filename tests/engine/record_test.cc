#include "engine/record.h"

#include <gtest/gtest.h>

#include <cstring>

#include "index/components.h"

namespace holdfast::engine {
namespace {

WriteBatch sample() {
  WriteBatch batch;
  const std::vector<float> vector{1, -2, 3.5F};
  batch.upsert(7, vector, "{\"a\":1}");
  batch.erase(PointId::from_parts(PointId::Kind::uuid, 1, 2));
  batch.set_marker("key", "value");
  batch.upsert(8, vector);
  return batch;
}

TEST(Record, round_trip) {
  const Bytes body = encode_batch(sample());
  const auto decoded = decode_batch(body, 3);
  ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
  const auto& operations = *decoded;
  ASSERT_EQ(operations.size(), 4u);
  EXPECT_EQ(operations[0].id, PointId(7));
  float vector[3];
  std::memcpy(vector, operations[0].vectors.data(), sizeof vector);
  EXPECT_EQ(vector[2], 3.5F);
  EXPECT_EQ(operations[0].payload->text(), "{\"a\":1}");
  EXPECT_EQ(operations[1].kind, WriteBatch::Kind::erase);
  EXPECT_TRUE(operations[1].id.is_uuid());
  EXPECT_EQ(operations[2].key, "key");
  EXPECT_EQ(operations[2].value, "value");
  EXPECT_EQ(operations[3].payload, nullptr);
}

TEST(Record, every_truncation_is_refused) {
  const Bytes body = encode_batch(sample());
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_EQ(decode_batch(ByteSpan(body).first(size), 3).status().code(), StatusCode::data_damaged) << size;
  }
}

TEST(Record, every_flipped_bit_decodes_or_is_refused_but_never_overruns) {
  Bytes body = encode_batch(sample());
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    body[bit / 8] ^= std::byte(1 << (bit % 8));
    const auto decoded = decode_batch(body, 3);
    EXPECT_TRUE(decoded.ok() || decoded.status().code() == StatusCode::data_damaged);
    body[bit / 8] ^= std::byte(1 << (bit % 8));
  }
}

TEST(Record, another_dimension_is_refused) { EXPECT_FALSE(decode_batch(encode_batch(sample()), 4).ok()); }

// The first of the two would die when it was born, and no image may say so.
TEST(Record, an_id_that_stands_twice_is_refused) {
  const std::vector<float> vector{1, 2, 3};
  for (const std::uint64_t others : {0, 1, 500}) {
    SCOPED_TRACE(others);
    WriteBatch batch;
    batch.upsert(7, vector);
    for (std::uint64_t id = 0; id < others; ++id) batch.erase(100 + id);
    EXPECT_TRUE(decode_batch(encode_batch(batch), 3).ok());
    WriteBatch twice = batch;
    twice.upsert(7, vector);
    EXPECT_EQ(decode_batch(encode_batch(twice), 3).status().code(), StatusCode::data_damaged);
    twice = batch;
    twice.erase(7);
    EXPECT_EQ(decode_batch(encode_batch(twice), 3).status().code(), StatusCode::data_damaged);
  }
  WriteBatch markers;
  markers.set_marker("a", "1");
  markers.set_marker("a", "2");
  EXPECT_TRUE(decode_batch(encode_batch(markers), 3).ok()) << "a marker is no id";
}

TEST(Record, an_id_that_nobody_could_ask_for_is_refused) {
  WriteBatch batch;
  batch.erase(PointId::from_parts(PointId::Kind::number, 1, 2));
  EXPECT_EQ(decode_batch(encode_batch(batch), 3).status().code(), StatusCode::data_damaged);
}

TEST(Record, descriptions_are_short) {
  EXPECT_EQ(describe_batch(encode_batch(sample())),
            "2 upserts, 1 erase, 1 marker: 7, -00000000-0000-0001-0000-000000000002, 8");
  WriteBatch many;
  for (std::uint64_t id = 0; id < 100; ++id) many.erase(id);
  EXPECT_EQ(describe_batch(encode_batch(many)), "0 upserts, 100 erases: -0, -1, -2, -3, -4, -5, -6, -7, -8, -9, ...");
  EXPECT_EQ(describe_batch({}), "does not decode");
}

TEST(Record, vectors_of_every_type_come_back) {
  for (const ComponentType type :
       {ComponentType::f32, ComponentType::f16, ComponentType::bf16, ComponentType::i8, ComponentType::u8}) {
    SCOPED_TRACE(std::string(to_string(type)));
    WriteBatch batch;
    batch.upsert_values(PointId::uuid({1, 2, 3}), std::vector<float>{1, 2, 3, 4, 5, 100}, 2, "{}");
    batch.erase(9);
    const Bytes body = encode_batch(batch, type);
    const auto decoded = decode_batch(body, 3, type);
    ASSERT_TRUE(decoded.ok());
    ASSERT_EQ(2U, decoded->size());
    EXPECT_TRUE(decoded->front().id.is_uuid());
    ASSERT_EQ(6 * index::component_bytes(type), decoded->front().vectors.size());
    std::vector<float> back(6);
    index::decode_components(type, decoded->front().vectors.data(), 6, back.data());
    EXPECT_EQ((std::vector<float>{1, 2, 3, 4, 5, 100}), back);
    for (const ComponentType other : {ComponentType::f32, ComponentType::bf16, ComponentType::u8}) {
      EXPECT_EQ(other == type, decode_batch(body, 3, other).ok()) << to_string(other);
    }
    std::size_t seen = 0;
    EXPECT_TRUE(visit_ids(body, [&](WriteBatch::Kind kind, PointId, VectorShape shape) {
      ++seen;
      if (kind == WriteBatch::Kind::upsert) EXPECT_TRUE(shape.dimension == 3 && shape.type == type);
    }));
    EXPECT_EQ(2U, seen);
  }
}

TEST(Record, an_unknown_type_is_refused) {
  WriteBatch batch;
  batch.upsert(7, std::vector<float>{1, 2, 3});
  Bytes body = encode_batch(batch);
  body[5] = std::byte{0x50};  // behind the count and the kind
  EXPECT_EQ(decode_batch(body, 3).status().code(), StatusCode::data_damaged);
}

}  // namespace
}  // namespace holdfast::engine
