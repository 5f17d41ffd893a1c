// Codes and quantizers as images hold them: what is read back is what was written, and what nobody wrote is refused.
#include "index/code_image.h"

#include <cstring>
#include <limits>

#include "index/fixture.h"

namespace holdfast::index {
namespace {

struct World {
  explicit World(std::uint32_t dimension, Metric metric = Metric::l2, bool whole = false) : table(dimension, metric) {
    const Slot rows = 300;
    auto vectors = clustered(rows, dimension, 5, dimension);
    EXPECT_TRUE(table.reserve(rows).ok());
    std::vector<Slot> sample;
    for (Slot slot = 0; slot < rows; ++slot) {
      if (whole) {
        for (std::size_t i = 0; i < dimension; ++i) vectors[slot][i] = static_cast<float>((slot * 31 + i * 7) % 200);
      }
      table.assign(slot, vectors[slot]);
      sample.push_back(slot);
    }
    codes = std::make_unique<CodeTable>(Quantizer::train(table, sample), CodeTable::Training{7, rows});
    EXPECT_TRUE(codes->reserve(rows).ok());
    for (Slot slot = 0; slot < rows; ++slot) codes->assign(table, slot);
  }
  [[nodiscard]] Bytes quantizer() const {
    Bytes out;
    encode_quantizer(codes->quantizer(), 7, out);
    return out;
  }
  [[nodiscard]] std::optional<Quantizer> decode(const Bytes& data) const {
    return decode_quantizer(data, 7, table.metric(), table.dimension());
  }
  VectorTable table;
  std::unique_ptr<CodeTable> codes;
};

TEST(CodeImage, AQuantizerThatIsReadBackGivesTheSameBits) {
  for (const Metric metric : {Metric::l2, Metric::cosine, Metric::inner_product}) {
    for (const std::uint32_t dimension : {1U, 3U, 60U, 64U, 130U}) {
      for (const bool whole : {false, true}) {
        SCOPED_TRACE(std::string(to_string(metric)) + ", dimension " + std::to_string(dimension));
        const World world(dimension, metric, whole);
        const Bytes bytes = world.quantizer();
        EXPECT_EQ(bytes.size(), quantizer_bytes(dimension));
        const auto back = world.decode(bytes);
        ASSERT_TRUE(back.has_value());
        EXPECT_EQ(back->lossless(), world.codes->quantizer().lossless());
        EXPECT_EQ(back->codes_are_components(), world.codes->quantizer().codes_are_components());
        EXPECT_EQ(back->codes_are_components(), whole && metric != Metric::cosine);
        const std::size_t room = (dimension + 63) / 64 * 64;
        std::vector<std::uint8_t> a(dimension), b(dimension);
        std::vector<std::int8_t> of_a(room), of_b(room);
        for (Slot slot = 0; slot < 300; slot += 11) {
          const auto coded_a = world.codes->quantizer().encode(world.table, world.table.row(slot), a.data());
          const auto coded_b = back->encode(world.table, world.table.row(slot), b.data());
          EXPECT_EQ(a, b);
          EXPECT_EQ(coded_a.norm, coded_b.norm);
          EXPECT_EQ(coded_a.lossless, coded_b.lossless);
          const auto* const query = static_cast<const float*>(world.table.row(slot));
          const CodeQuery query_a = world.codes->quantizer().prepare(query, of_a.data(), room);
          const CodeQuery query_b = back->prepare(query, of_b.data(), room);
          EXPECT_EQ(of_a, of_b);
          EXPECT_EQ(query_a.distance(3.5F, 17), query_b.distance(3.5F, 17));
          EXPECT_EQ(query_a.spread, query_b.spread);
          EXPECT_EQ(query_a.excess, query_b.excess);
        }
      }
    }
  }
}

TEST(CodeImage, AQuantizerThatNoTrainingMakesIsRefused) {
  const World world(5);
  const Bytes sound = world.quantizer();
  ASSERT_TRUE(world.decode(sound).has_value());
  for (std::size_t size = 0; size < sound.size(); ++size) {
    EXPECT_FALSE(world.decode(Bytes(sound.begin(), sound.begin() + static_cast<std::ptrdiff_t>(size)))) << size;
  }
  Bytes longer = sound;
  longer.resize(longer.size() + 12);
  EXPECT_FALSE(world.decode(longer));
  EXPECT_FALSE(decode_quantizer(sound, 8, Metric::l2, 5)) << "another training";
  EXPECT_FALSE(decode_quantizer(sound, 7, Metric::l2, 6));
  const auto refuses = [&](std::size_t at, float value) {
    Bytes bytes = sound;
    store<float>(bytes.data() + at, value);
    return !world.decode(bytes).has_value();
  };
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float bad : {nan, kInfinite, 0.0F, -1.0F, 1e-40F}) EXPECT_TRUE(refuses(16, bad)) << "mean step " << bad;
  for (const float bad : {nan, kInfinite, -1.0F}) EXPECT_TRUE(refuses(20, bad)) << "widest norm " << bad;
  for (const float bad : {nan, kInfinite, -kInfinite}) EXPECT_TRUE(refuses(24, bad)) << "low " << bad;
  for (const float bad : {nan, kInfinite, 0.0F, -1.0F}) EXPECT_TRUE(refuses(28, bad)) << "step " << bad;
  for (const float bad : {nan, kInfinite, -1.0F, 256.0F, 3.5F}) EXPECT_TRUE(refuses(32, bad)) << "zero " << bad;
  for (const std::size_t at : {12, 13, 14, 15}) {  // flags
    Bytes bytes = sound;
    bytes[at] ^= std::byte{8};
    EXPECT_FALSE(world.decode(bytes)) << at;
  }
  Bytes bytes = sound;
  bytes[12] = std::byte{1};
  EXPECT_FALSE(world.decode(bytes)) << "whole numbers have steps of 1";
}

TEST(CodeImage, CodesThatAreReadBackAreThoseThatWereWritten) {
  const World world(21);
  std::vector<bool> held(131);
  for (std::size_t row = 0; row < held.size(); ++row) held[row] = row % 3 != 1;
  const Slot begin = 64;
  const CodeLayout layout{131, 21};
  Bytes data;
  encode_code_head(*world.codes, 99, begin, held, data);
  ASSERT_EQ(data.size(), layout.codes_at());
  for (std::uint32_t row = 0; row < layout.rows; ++row) {
    if (held[row]) put_bytes(data, std::as_bytes(std::span(world.codes->row(begin + row), 21)));
    if (!held[row]) data.resize(data.size() + 21);
  }
  ASSERT_EQ(data.size(), layout.bytes());
  const auto image = CodeImage::read(data, layout, 7);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->lsn(), 99U);
  CodeTable back(world.codes->quantizer(), {7, 300});
  ASSERT_TRUE(back.reserve(300).ok());
  for (std::uint32_t row = 0; row < layout.rows; ++row) {
    ASSERT_EQ(image->has(row), held[row]) << row;
    if (!held[row]) continue;
    back.restore(begin + row, image->codes(row), image->norm(row));
    const auto a = world.codes->at(begin + row), b = back.at(begin + row);
    EXPECT_EQ(0, std::memcmp(a.codes, b.codes, 21));
    EXPECT_EQ(0, std::memcmp(a.norm, b.norm, sizeof(float)));
  }
  EXPECT_FALSE(image->has(131));
  EXPECT_FALSE(image->has(kNoSlot));
  EXPECT_FALSE(CodeImage::read(data, layout, 8)) << "another training";
  EXPECT_FALSE(CodeImage::read(data, {130, 21}, 7));
  EXPECT_FALSE(CodeImage::read(data, {131, 20}, 7));
  EXPECT_FALSE(CodeImage::read(ByteSpan(data).first(data.size() - 1), layout, 7));
  EXPECT_FALSE(CodeImage::read({}, layout, 7));
  data[CodeLayout::kBitsAt + 131 / 8] |= std::byte{0x10};  // of row 132
  EXPECT_FALSE(CodeImage::read(data, layout, 7));
}

}  // namespace
}  // namespace holdfast::index
