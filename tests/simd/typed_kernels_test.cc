// Rows of every element type, in every table of this machine: T1 against the float32 kernels of the same table, T3
// against a reference in double precision.
#include "simd/typed_kernels.h"

#include <gtest/gtest.h>

#include "simd/typed_cases.h"

namespace holdfast::simd::testing {
namespace {

constexpr std::uint64_t kSeed = 20240917;

class TypedKernelsTest : public ::testing::TestWithParam<const TypedKernels*> {
 protected:
  const TypedKernels& table_ = *GetParam();
  /// The float32 kernels of the same instruction set.
  const Kernels& floats() const {
    for (const Kernels* table : available_kernels()) {
      if (std::string_view(table->name) == table_.name) return *table;
    }
    return *available_kernels()[0];
  }
};

INSTANTIATE_TEST_SUITE_P(Tables, TypedKernelsTest,
                         ::testing::ValuesIn(available_typed_kernels().begin(), available_typed_kernels().end()),
                         [](const auto& table) { return std::string(table.param->name); });

std::string describe(const ElementType& type, std::size_t dim) {
  return std::string(type.name) + ", dim " + std::to_string(dim) + ", seed " + std::to_string(kSeed + dim);
}

TEST_P(TypedKernelsTest, GivesTheBitsOfTheFloatKernels) {
  ASSERT_STREQ(floats().name, table_.name);
  for (const ElementType& type : kElementTypes) {
    const RowKernels& rows = table_.*type.kernels;
    for (const Draw draw : {Draw::any_bits, Draw::moderate}) {
      for (const std::size_t dim : dimensions()) {
        SCOPED_TRACE(describe(type, dim));
        SeededRandom random(kSeed + dim);
        std::vector<float> query(dim);
        fill(query, Pattern::uniform, random);
        const TypedRow four[4] = {
            {type, dim, draw, random}, {type, dim, draw, random}, {type, dim, draw, random}, {type, dim, draw, random}};
        const void* const places[4] = {four[0].bytes.data(), four[1].bytes.data(), four[2].bytes.data(),
                                       four[3].bytes.data()};
        float l2[4];
        float dot[4];
        rows.l2_x4(query.data(), places, dim, l2);
        rows.dot_x4(query.data(), places, dim, dot);
        for (std::size_t j = 0; j < 4; ++j) {
          const std::uint32_t expected_l2 = bits(floats().l2(query.data(), four[j].values.data(), dim));
          const std::uint32_t expected_dot = bits(floats().dot(query.data(), four[j].values.data(), dim));
          ASSERT_EQ(bits(l2[j]), expected_l2) << "row " << j;
          ASSERT_EQ(bits(dot[j]), expected_dot) << "row " << j;
          ASSERT_EQ(bits(rows.l2(query.data(), places[j], dim)), expected_l2) << "row " << j;
          ASSERT_EQ(bits(rows.dot(query.data(), places[j], dim)), expected_dot) << "row " << j;
        }
      }
    }
  }
}

TEST_P(TypedKernelsTest, IsWithinTheErrorBoundOfDoublePrecision) {
  for (const ElementType& type : kElementTypes) {
    const RowKernels& rows = table_.*type.kernels;
    for (const std::size_t dim : dimensions()) {
      SCOPED_TRACE(describe(type, dim));
      SeededRandom random(kSeed + dim);
      std::vector<float> query(dim);
      fill(query, Pattern::uniform, random);
      const TypedRow row(type, dim, Draw::moderate, random);
      const Reference l2 = reference(query, row.values, true);
      ASSERT_NEAR(rows.l2(query.data(), row.bytes.data(), dim), l2.exact, l2.tolerance);
      const Reference dot = reference(query, row.values, false);
      ASSERT_NEAR(rows.dot(query.data(), row.bytes.data(), dim), dot.exact, dot.tolerance);
    }
  }
}

TEST_P(TypedKernelsTest, DecodesEveryTail) {
  for (const ElementType& type : kElementTypes) {
    for (const std::size_t dim : dimensions()) {
      SCOPED_TRACE(describe(type, dim));
      SeededRandom random(kSeed + dim);
      const TypedRow row(type, dim, Draw::any_bits, random);
      std::vector<float> out(dim + 2, -7.0f);
      (table_.*type.kernels).decode(row.bytes.data(), dim, out.data() + 1);
      ASSERT_EQ(out.front(), -7.0f);
      ASSERT_EQ(out.back(), -7.0f);
      for (std::size_t i = 0; i < dim; ++i) ASSERT_EQ(bits(out[i + 1]), bits(row.values[i])) << "component " << i;
    }
  }
}

TEST_P(TypedKernelsTest, DecodesEveryElementThereIs) {
  for (const ElementType& type : kElementTypes) {
    if (type.bytes > 2) continue;
    std::vector<unsigned char> bytes;
    std::vector<float> values;
    for (std::uint32_t bits = 0; bits < 1u << 8 * type.bytes; ++bits) {
      unsigned char element[2];
      std::memcpy(element, &bits, 2);
      if (!TypedRow::is_finite(type, element)) continue;
      bytes.insert(bytes.end(), element, element + type.bytes);
      values.push_back(type.value(element));
    }
    std::vector<float> out(values.size());
    (table_.*type.kernels).decode(bytes.data(), values.size(), out.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(bits(out[i]), bits(values[i])) << type.name << ", element " << i;
    }
  }
}

TEST_P(TypedKernelsTest, TakesRowsOfEveryAlignment) {
  for (const ElementType& type : kElementTypes) {
    const RowKernels& rows = table_.*type.kernels;
    for (const std::size_t dim : {1, 7, 16, 33, 100, 128}) {
      SCOPED_TRACE(describe(type, dim));
      SeededRandom random(kSeed + dim);
      std::vector<float> query(dim);
      fill(query, Pattern::uniform, random);
      const TypedRow row(type, dim, Draw::any_bits, random);
      const std::uint32_t l2 = bits(rows.l2(query.data(), row.bytes.data(), dim));
      const std::uint32_t dot = bits(rows.dot(query.data(), row.bytes.data(), dim));
      std::vector<unsigned char> memory(row.bytes.size() + 64);
      for (std::size_t at = 0; at < 64; ++at) {
        std::memcpy(memory.data() + at, row.bytes.data(), row.bytes.size());
        const void* const place = memory.data() + at;
        const void* const places[4] = {place, row.bytes.data(), place, place};
        float four[4];
        rows.l2_x4(query.data(), places, dim, four);
        ASSERT_EQ(bits(rows.l2(query.data(), place, dim)), l2) << "alignment " << at;
        ASSERT_EQ(bits(rows.dot(query.data(), place, dim)), dot) << "alignment " << at;
        for (const float one : four) ASSERT_EQ(bits(one), l2) << "alignment " << at;
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::simd::testing
