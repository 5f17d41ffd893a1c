// The data of the demo: every synset of WordNet with its id, payload and vector.
//
// The process that is going to be killed and the one that checks it build the same corpus; the vectors travel through a
// file outside the store, so that they are computed once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "holdfast/status.h"
#include "text_embedder.h"
#include "wordnet.h"

namespace demo {

class Corpus {
 public:
  /// Reads WordNet; there are no vectors yet. Errors: as read_wordnet().
  [[nodiscard]] static holdfast::Result<Corpus> read(const std::filesystem::path& wordnet_directory);

  /// The embedder that has learned all glosses. Takes some seconds.
  [[nodiscard]] TextEmbedder learn() const;
  void embed_all(const TextEmbedder& embedder);
  /// Errors: io_error; data_damaged if the file is not of this corpus.
  holdfast::Status save_vectors(const std::filesystem::path& file) const;
  holdfast::Status load_vectors(const std::filesystem::path& file);

  [[nodiscard]] std::size_t size() const noexcept { return synsets_.size(); }
  [[nodiscard]] const Synset& synset(std::size_t i) const noexcept { return synsets_[i]; }
  [[nodiscard]] std::uint64_t id(std::size_t i) const noexcept { return synsets_[i].id; }
  [[nodiscard]] std::span<const float> vector(std::size_t i) const noexcept;
  /// {"words": [...], "pos": "noun", "gloss": "...", "examples": [...]}
  [[nodiscard]] std::string payload(std::size_t i) const;

 private:
  /// How much each part of a synset counts.
  struct Weights {
    float words, definition, examples, parent_words, related_definitions, related_words;
  };
  static constexpr Weights kLearning{1.5F, 1, 0.3F, 0.3F, 0.5F, 0.1F};
  /// Questions describe: the definition counts most, and examples say little about what a word means.
  static constexpr Weights kEmbedding{0.25F, 1, 0, 0.3F, 0.5F, 0.1F};
  [[nodiscard]] Document document(std::size_t i, const Weights& weights) const;

  std::vector<Synset> synsets_;
  std::unordered_map<std::uint64_t, std::size_t> position_;  // by id
  std::vector<float> vectors_;
};

}  // namespace demo
