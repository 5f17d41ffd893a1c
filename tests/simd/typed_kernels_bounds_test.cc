// T2: nothing outside of rows and queries is read, nothing past the results is written. Pages that may not be touched
// before and behind them work in every build, heap blocks of the exact size under AddressSanitizer.
#include <gtest/gtest.h>

#include <memory>

#include "simd/guarded_room.h"
#include "simd/typed_cases.h"

namespace holdfast::simd::testing {
namespace {

constexpr std::uint64_t kSeed = 13;
constexpr std::size_t kDimensionMax = 200;

TEST(TypedKernelsBounds, ReadNothingBeyondGuardPages) {
  GuardedRoom query_room(kDimensionMax * sizeof(float));
  GuardedRoom row_room(kDimensionMax * sizeof(float));
  ASSERT_TRUE(query_room.usable() && row_room.usable());
  for (const TypedKernels* table : available_typed_kernels()) {
    for (const ElementType& type : kElementTypes) {
      const RowKernels& rows = table->*type.kernels;
      for (std::size_t dim = 0; dim <= kDimensionMax; ++dim) {
        SeededRandom random(kSeed + dim);
        std::vector<float> query(dim);
        fill(query, Pattern::uniform, random);
        const TypedRow row(type, dim, Draw::moderate, random);
        const float l2 = rows.l2(query.data(), row.bytes.data(), dim);
        const float dot = rows.dot(query.data(), row.bytes.data(), dim);
        for (const bool at_end : {false, true}) {
          const float* const q = query_room.put<float>(query, at_end);
          const void* const r = row_room.put<unsigned char>(row.bytes, at_end);
          const void* const four[4] = {r, r, r, r};
          float out[4];
          ASSERT_EQ(bits(rows.l2(q, r, dim)), bits(l2)) << table->name << ", " << type.name << ", dim " << dim;
          ASSERT_EQ(bits(rows.dot(q, r, dim)), bits(dot)) << table->name << ", " << type.name << ", dim " << dim;
          rows.l2_x4(q, four, dim, out);
          ASSERT_EQ(bits(out[3]), bits(l2)) << table->name << ", " << type.name << ", dim " << dim;
          rows.dot_x4(q, four, dim, out);
          ASSERT_EQ(bits(out[3]), bits(dot)) << table->name << ", " << type.name << ", dim " << dim;
          const std::unique_ptr<float[]> decoded(new float[dim]);
          rows.decode(r, dim, decoded.get());
        }
      }
    }
  }
}

TEST(TypedKernelsBounds, DecodeWritesNothingBeyondGuardPages) {
  GuardedRoom room(kDimensionMax * sizeof(float));
  ASSERT_TRUE(room.usable());
  for (const TypedKernels* table : available_typed_kernels()) {
    for (const ElementType& type : kElementTypes) {
      for (std::size_t dim = 0; dim <= kDimensionMax; ++dim) {
        SeededRandom random(kSeed + dim);
        const TypedRow row(type, dim, Draw::moderate, random);
        const std::vector<float> zeros(dim);
        for (const bool at_end : {false, true}) {
          auto* const out = const_cast<float*>(room.put<float>(zeros, at_end));
          (table->*type.kernels).decode(row.bytes.data(), dim, out);
          for (std::size_t i = 0; i < dim; ++i) ASSERT_EQ(out[i], row.values[i]) << table->name << ", " << type.name;
        }
      }
    }
  }
}

TEST(TypedKernelsBounds, ReadNothingBeyondHeapBlocks) {
  for (const TypedKernels* table : available_typed_kernels()) {
    for (const ElementType& type : kElementTypes) {
      const RowKernels& rows = table->*type.kernels;
      for (std::size_t dim = 0; dim <= kDimensionMax; ++dim) {
        const auto query = std::make_unique<float[]>(dim);
        const auto row = std::make_unique<unsigned char[]>(dim * type.bytes);
        const void* const four[4] = {row.get(), row.get(), row.get(), row.get()};
        float out[4];
        rows.l2_x4(query.get(), four, dim, out);
        ASSERT_EQ(out[0], 0.0f);
        rows.dot_x4(query.get(), four, dim, out);
        ASSERT_EQ(out[0], 0.0f);
        ASSERT_EQ(rows.l2(query.get(), row.get(), dim) + rows.dot(query.get(), row.get(), dim), 0.0f);
        rows.decode(row.get(), dim, query.get());
      }
    }
  }
}

TEST(BytePairsBounds, ReadNothingBeyondGuardPages) {
  GuardedRoom room_a(kDimensionMax);
  GuardedRoom room_b(kDimensionMax);
  ASSERT_TRUE(room_a.usable() && room_b.usable());
  for (const BytePairKernels* table : available_byte_pair_kernels()) {
    for (const BytePairs* pairs : {&table->i8, &table->u8}) {
      for (std::size_t dim = 0; dim <= kDimensionMax; ++dim) {
        SeededRandom random(kSeed + dim);
        const TypedRow a(kElementTypes[4], dim, Draw::any_bits, random);
        const TypedRow b(kElementTypes[4], dim, Draw::any_bits, random);
        for (const bool at_end : {false, true}) {
          const void* const x = room_a.put<unsigned char>(a.bytes, at_end);
          const void* const y = room_b.put<unsigned char>(b.bytes, at_end);
          const void* const four[4] = {y, y, y, y};
          float out[4];
          pairs->l2_x4(x, four, dim, out);
          ASSERT_EQ(out[0], pairs->l2(x, y, dim)) << table->name << ", dim " << dim;
          pairs->dot_x4(x, four, dim, out);
          ASSERT_EQ(out[0], pairs->dot(x, y, dim)) << table->name << ", dim " << dim;
        }
      }
    }
  }
}

TEST(BytePairsBounds, ReadNothingBeyondHeapBlocks) {
  for (const BytePairKernels* table : available_byte_pair_kernels()) {
    for (const BytePairs* pairs : {&table->i8, &table->u8}) {
      for (std::size_t dim = 0; dim <= kDimensionMax; ++dim) {
        const auto a = std::make_unique<unsigned char[]>(dim);
        const auto b = std::make_unique<unsigned char[]>(dim);
        const void* const four[4] = {b.get(), b.get(), b.get(), b.get()};
        float out[4];
        pairs->l2_x4(a.get(), four, dim, out);
        ASSERT_EQ(out[3] + pairs->l2(a.get(), b.get(), dim), 0.0f);
        pairs->dot_x4(a.get(), four, dim, out);
        ASSERT_EQ(out[3] + pairs->dot(a.get(), b.get(), dim), 0.0f);
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::simd::testing
