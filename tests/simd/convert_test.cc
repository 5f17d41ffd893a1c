// Conversions from float32: every value of the small types, and what lies between two neighbors.
#include "simd/convert.h"

#include <gtest/gtest.h>

#include "simd/typed_cases.h"

namespace holdfast::simd::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// One of the two formats of 16 bits.
struct Half {
  const char* name;
  Conversion (*convert)(const float*, std::size_t, std::uint16_t*) noexcept;
  std::uint16_t infinity;
  float (*value)(std::uint16_t);
};
constexpr Half kHalves[] = {
    {"f16", to_f16, 0x7c00, f16_value},
    {"bf16", to_bf16, 0x7f80, [](std::uint16_t half) { return std::bit_cast<float>(std::uint32_t{half} << 16); }}};

struct Converted {
  Conversion conversion;
  std::uint16_t half;
};
Converted convert(const Half& format, float value) {
  Converted result{};
  result.conversion = format.convert(&value, 1, &result.half);
  return result;
}

TEST(ConvertHalf, KeepsEveryValue) {
  for (const Half& format : kHalves) {
    for (std::uint32_t half = 0; half < 0x10000; ++half) {
      if ((half & format.infinity) == format.infinity) continue;
      const Converted converted = convert(format, format.value(static_cast<std::uint16_t>(half)));
      ASSERT_EQ(converted.half, half) << format.name;
      ASSERT_EQ(converted.conversion, Conversion::exact) << format.name << " " << half;
    }
  }
}

TEST(ConvertHalf, RoundsToNearestAndTiesToEven) {
  for (const Half& format : kHalves) {
    for (std::uint32_t lower = 0; lower + 1 < format.infinity; ++lower) {
      const std::uint32_t upper = lower + 1;
      const double middle = (static_cast<double>(format.value(static_cast<std::uint16_t>(lower))) +
                             static_cast<double>(format.value(static_cast<std::uint16_t>(upper)))) /
                            2;
      const auto tie = static_cast<float>(middle);
      ASSERT_EQ(static_cast<double>(tie), middle);
      for (const float sign : {1.0f, -1.0f}) {
        const std::uint32_t sign_bit = sign < 0 ? 0x8000 : 0;
        const Converted at = convert(format, sign * tie);
        ASSERT_EQ(at.half, sign_bit | (lower % 2 == 0 ? lower : upper)) << format.name;
        ASSERT_EQ(at.conversion, Conversion::rounded) << format.name;
        ASSERT_EQ(convert(format, sign * std::nextafter(tie, 0.0f)).half, sign_bit | lower) << format.name;
        ASSERT_EQ(convert(format, sign * std::nextafter(tie, kInfinity)).half, sign_bit | upper) << format.name;
      }
    }
  }
}

TEST(ConvertHalf, TellsWhatIsTooLarge) {
  for (const Half& format : kHalves) {
    const auto largest = static_cast<std::uint16_t>(format.infinity - 1);
    const double last = format.value(largest);
    const double unit = last - format.value(static_cast<std::uint16_t>(largest - 1));
    const auto first_too_large = static_cast<float>(last + unit / 2);  // a tie, and infinity is the even neighbor
    for (const float sign : {1.0f, -1.0f}) {
      const std::uint32_t sign_bit = sign < 0 ? 0x8000 : 0;
      const Converted below = convert(format, sign * std::nextafter(first_too_large, 0.0f));
      EXPECT_EQ(below.half, sign_bit | largest) << format.name;
      EXPECT_EQ(below.conversion, Conversion::rounded) << format.name;
      for (const float value : {first_too_large, std::numeric_limits<float>::max(), kInfinity}) {
        const Converted above = convert(format, sign * value);
        EXPECT_EQ(above.half, sign_bit | format.infinity) << format.name << " " << value;
        EXPECT_EQ(above.conversion, Conversion::out_of_range) << format.name << " " << value;
      }
    }
    const Converted nan = convert(format, kNan);
    EXPECT_EQ(nan.half & format.infinity, format.infinity) << format.name;
    EXPECT_NE(nan.half & ~(format.infinity | 0x8000), 0) << format.name;
    EXPECT_EQ(nan.conversion, Conversion::out_of_range) << format.name;
    // A NaN whose payload lies in the bits that are cut off stays one.
    EXPECT_NE(convert(format, std::bit_cast<float>(0x7f80'0001u)).half & ~(format.infinity | 0x8000), 0) << format.name;
  }
  EXPECT_EQ(convert(kHalves[0], 65519.0f).conversion, Conversion::rounded);
  EXPECT_EQ(convert(kHalves[0], 65520.0f).conversion, Conversion::out_of_range);
}

/// The types of bytes by one signature.
template <class Byte>
Conversion to_bytes(const float* from, std::size_t dim, Byte* to) {
  if constexpr (std::is_same_v<Byte, std::int8_t>) {
    return to_i8(from, dim, to);
  } else {
    return to_u8(from, dim, to);
  }
}

template <class Byte>
void check_bytes() {
  using Limits = std::numeric_limits<Byte>;
  const auto convert_one = [](float value, Conversion expected) {
    Byte byte = 77;
    EXPECT_EQ(to_bytes(&value, 1, &byte), expected) << value;
    return static_cast<int>(byte);
  };
  for (int whole = Limits::min(); whole <= Limits::max(); ++whole) {
    const auto x = static_cast<float>(whole);
    EXPECT_EQ(convert_one(x, Conversion::exact), whole);
    EXPECT_EQ(convert_one(x + 0.25f, Conversion::rounded), whole);
    EXPECT_EQ(convert_one(x - 0.25f, Conversion::rounded), whole);
    EXPECT_EQ(convert_one(std::nextafter(x + 0.5f, x), Conversion::rounded), whole);
    EXPECT_EQ(convert_one(std::nextafter(x - 0.5f, x), Conversion::rounded), whole);
    if (whole == Limits::max()) continue;
    EXPECT_EQ(convert_one(x + 0.5f, Conversion::rounded), whole % 2 == 0 ? whole : whole + 1);
  }
  const auto least = static_cast<float>(Limits::min());
  const auto most = static_cast<float>(Limits::max());
  EXPECT_EQ(convert_one(least - 0.5f, Conversion::rounded), Limits::min());  // the even neighbor
  for (const float value : {most + 0.5f, most + 1, 1e9f, 1e30f, kInfinity}) {
    EXPECT_EQ(convert_one(value, Conversion::out_of_range), Limits::max());
  }
  for (const float value : {std::nextafter(least - 0.5f, -kInfinity), least - 1, -1e9f, -1e30f, -kInfinity}) {
    EXPECT_EQ(convert_one(value, Conversion::out_of_range), Limits::min());
  }
  EXPECT_EQ(convert_one(kNan, Conversion::out_of_range), 0);
  EXPECT_EQ(convert_one(-0.0f, Conversion::exact), 0);
  EXPECT_EQ(convert_one(std::numeric_limits<float>::denorm_min(), Conversion::rounded), 0);
}

TEST(ConvertBytes, SignedRoundsAndTellsWhatIsOutOfRange) { check_bytes<std::int8_t>(); }
TEST(ConvertBytes, UnsignedRoundsAndTellsWhatIsOutOfRange) { check_bytes<std::uint8_t>(); }

/// What happened to one component shows, wherever it stands (loops are vectorised), and changes no other.
template <class Stored, class Convert>
void check_every_place(Convert convert_all, float rounded, float too_large) {
  for (const std::size_t dim : {1, 3, 4, 7, 8, 15, 16, 17, 33, 67}) {
    std::vector<float> vector(dim, 1.0f);
    std::vector<Stored> all(dim);
    EXPECT_EQ(convert_all(vector.data(), dim, all.data()), Conversion::exact);
    const Stored one = all[0];
    for (std::size_t i = 0; i < dim; ++i) {
      vector[i] = rounded;
      EXPECT_EQ(convert_all(vector.data(), dim, all.data()), Conversion::rounded) << i << " of " << dim;
      vector[(i + 1) % dim] = too_large;
      EXPECT_EQ(convert_all(vector.data(), dim, all.data()), Conversion::out_of_range) << i << " of " << dim;
      for (std::size_t j = 0; j < dim; ++j) EXPECT_EQ(all[j] == one, j != i && j != (i + 1) % dim);
      vector[(i + 1) % dim] = 1.0f;
      vector[i] = 1.0f;
    }
  }
}

TEST(Convert, SeesEveryComponent) {
  check_every_place<std::uint16_t>(to_f16, 0.1f, 1e6f);
  check_every_place<std::uint16_t>(to_bf16, 0.1f, std::numeric_limits<float>::max());
  check_every_place<std::int8_t>(to_i8, 2.5f, 300.0f);
  check_every_place<std::uint8_t>(to_u8, 2.5f, 300.0f);
}

TEST(Convert, EmptyIsExact) {
  EXPECT_EQ(to_f16(nullptr, 0, nullptr), Conversion::exact);
  EXPECT_EQ(to_i8(nullptr, 0, nullptr), Conversion::exact);
}

}  // namespace
}  // namespace holdfast::simd::testing
