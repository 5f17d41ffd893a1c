// The parts of the demo that can be wrong without anybody noticing: the parser and the embedder.
#include <gtest/gtest.h>

#include <numeric>

#include "text_embedder.h"
#include "wordnet.h"

namespace demo {
namespace {

TEST(Wordnet, ParsesASynset) {
  auto synset = parse_synset(
      R"(09933098 18 n 02 cobbler 0 shoe_maker 0 003 @ 10284064 n 0000 + 01267493 v 0101 ~ 09867069 n 0000 | )"
      R"(a person who makes or repairs shoes; "the cobbler mended it"; "a good one"  )",
      1);
  ASSERT_TRUE(synset.ok()) << synset.status().to_string();
  EXPECT_EQ(synset->id, 109933098U);
  EXPECT_EQ(synset->part_of_speech(), "noun");
  EXPECT_EQ(synset->words, (std::vector<std::string>{"cobbler", "shoe maker"}));
  EXPECT_EQ(synset->definition, "a person who makes or repairs shoes");
  EXPECT_EQ(synset->examples, (std::vector<std::string>{"the cobbler mended it", "a good one"}));
  EXPECT_EQ(synset->parents, (std::vector<std::uint64_t>{110284064}));
  EXPECT_EQ(synset->related, (std::vector<std::uint64_t>{201267493}));
}

TEST(Wordnet, ParsesMarkersAndHexadecimalCounts) {
  std::string line = "00001740 00 s 0a";
  for (int i = 0; i < 10; ++i) line += " galore(ip) 0";
  auto synset = parse_synset(line + " 000 | in great numbers", 3);
  ASSERT_TRUE(synset.ok()) << synset.status().to_string();
  EXPECT_EQ(synset->words.size(), 10U);
  EXPECT_EQ(synset->words.front(), "galore");
}

TEST(Wordnet, RefusesTruncatedLines) {
  const std::string line = "00001740 03 n 01 entity 0 001 ~ 00001930 n 0000 | that which is";
  for (std::size_t size = 0; size < line.find(" | ") + 3; ++size) {
    EXPECT_FALSE(parse_synset(std::string_view(line).substr(0, size), 1).ok()) << size;
  }
}

TEST(Wordnet, NamesThePackageThatIsMissing) {
  auto synsets = read_wordnet("/nonexistent");
  ASSERT_FALSE(synsets.ok());
  EXPECT_NE(synsets.status().message().find("wordnet-base"), std::string_view::npos);
}

const std::vector<Document>& small_corpus() {
  static const std::vector<Document> kCorpus{{{"puppy", 1}, {"a young dog", 1}},
                                             {{"kitten", 1}, {"a young cat", 1}},
                                             {{"sea", 1}, {"a large body of water", 1}},
                                             {{"lake", 1}, {"water surrounded by land", 1}},
                                             {{"cobbler", 1}, {"one who repairs shoes", 1}}};
  return kCorpus;
}

TextEmbedder learned(unsigned threads) {
  TextEmbedder embedder({.dimension = 64, .threads = threads});
  embedder.learn(small_corpus());
  return embedder;
}

float similarity(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.F);
}

TEST(TextEmbedder, DoesNotDependOnTheNumberOfThreads) {
  for (const char* text : {"young dog", "unheard-of words", "shoes"}) {
    EXPECT_EQ(learned(1).embed(text), learned(3).embed(text)) << text;
  }
}

TEST(TextEmbedder, ReturnsUnitVectorsAndZeroOnlyForNoWords) {
  const TextEmbedder embedder = learned(2);
  for (const char* text : {"dog", "the", "xyzzy", "caf\xC3\xA9"}) {
    const std::vector<float> vector = embedder.embed(text);
    EXPECT_NEAR(similarity(vector, vector), 1, 1e-4) << text;
  }
  EXPECT_EQ(embedder.embed(" ,;! "), std::vector<float>(64));
}

TEST(TextEmbedder, KnowsInflectedAndMisspeltWords) {
  const TextEmbedder embedder = learned(2);
  EXPECT_EQ(embedder.embed("repairing a shoe"), embedder.embed("repairs shoes"));
  EXPECT_EQ(embedder.embed("coblber"), embedder.embed("coblber"));
  EXPECT_GT(similarity(embedder.embed("kiten"), embedder.embed("kitten")),
            similarity(embedder.embed("kiten"), embedder.embed("lake")));
}

}  // namespace
}  // namespace demo
