// Reads the WordNet database (Princeton University; file format: `man 5 wndb`), as Debian installs it with the package
// wordnet-base: the files data.noun, data.verb, data.adj and data.adv, one synset per line.
//
// Knows nothing of vectors or stores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "holdfast/status.h"

namespace demo {

/// Words that share one meaning, and that meaning in words.
struct Synset {
  std::uint64_t id = 0;  ///< part of speech (1 noun, 2 verb, 3 adjective, 4 adverb) * 10^8 + byte offset in its file:
                         ///< the id that WordNet's Prolog distribution uses; the same in every run and on every machine
  std::vector<std::string> words;      ///< "dog", "domestic dog"; underscores are spaces here
  std::string definition;              ///< the gloss without its examples
  std::vector<std::string> examples;   ///< without quotation marks
  std::vector<std::uint64_t> parents;  ///< hypernyms: ids of the more general synsets
  std::vector<std::uint64_t> related;  ///< derived forms, similar adjectives, pertainyms

  /// "noun", "verb", "adjective" or "adverb".
  [[nodiscard]] std::string_view part_of_speech() const noexcept;
};

/// Where Debian's wordnet-base puts the files.
inline constexpr std::string_view kWordnetDirectory = "/usr/share/wordnet";

/// All synsets in the order of the files: nouns, verbs, adjectives, adverbs.
/// Errors: not_found (the message names the package to install), data_damaged (the message names file and line).
[[nodiscard]] holdfast::Result<std::vector<Synset>> read_wordnet(const std::filesystem::path& directory);

/// One line of a data file. Errors: data_damaged.
[[nodiscard]] holdfast::Result<Synset> parse_synset(std::string_view line, unsigned part_of_speech);

}  // namespace demo
