// A small text embedder: learns from the texts themselves, needs no model file, and gives the same vectors in every
// run.
//
// It stands in for a real embedding model, so that the demo runs offline on any machine. In an application a model
// takes its place; the store never knows the difference.
//
// How: every word has a vector that is the weighted sum of three unit vectors of `dimension` components,
//   - a sparse random one, drawn from the hash of its stem (random projection of the bag of words),
//   - the sum of the random vectors of its character n-grams, "<wo", "wor", ..., so that words of one family and
//     misspelt words are near each other (subwords: Bojanowski et al., TACL 2017),
//   - its context: the sum of the vectors of the texts it occurs in, made orthonormal over all words and summed up
//   again.
//     This is subspace iteration for the singular vectors of the matrix of words and texts (latent semantic analysis:
//     Deerwester et al., JASIS 1990; randomised: Halko, Martinsson, Tropp, SIAM Review 2011). It brings "star" near
//     "celestial".
// A text is the sum of its words' vectors, weighted by log(1 + tf) * idf^0.75, scaled to length one.
//
// Threading: learn() once, then embed() from any number of threads.
// Invariants: 1. embed() depends on the learned texts and the options only, never on the number of threads: every sum
//             is formed by one thread in one order. 2. It never returns a zero vector for a text with a word in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace demo {

/// A piece of a text and how much its words count.
struct Field {
  std::string_view text;
  float weight = 1;
};
using Document = std::vector<Field>;

struct EmbedderOptions {
  std::uint32_t dimension = 256;
  float subword_weight = 0.2F;
  float context_weight = 2.5F;
  unsigned passes = 2;   ///< how often contexts are formed from texts and texts from contexts
  unsigned threads = 2;  ///< of learn() only; does not change the result
};

class TextEmbedder {
 public:
  explicit TextEmbedder(const EmbedderOptions& options = {}) : options_(options) {}

  /// Learns word frequencies and contexts. The texts need not outlive the call.
  void learn(std::span<const Document> documents);

  /// A unit vector of `dimension` components; all zero if the text has no word at all.
  [[nodiscard]] std::vector<float> embed(std::string_view text) const;
  /// The same into `out`. REQUIRES out.size() == dimension().
  void embed(const Document& document, std::span<float> out) const;

  [[nodiscard]] std::uint32_t dimension() const noexcept { return options_.dimension; }
  [[nodiscard]] std::size_t vocabulary_size() const noexcept { return document_frequency_.size(); }

 private:
  using TermId = std::uint32_t;
  struct WeightedTerm {
    TermId term;
    float weight;
  };
  /// Documents as sparse rows of weighted terms.
  struct TermMatrix {
    std::vector<std::size_t> row_begin{0};
    std::vector<WeightedTerm> entries;
    [[nodiscard]] std::size_t rows() const noexcept { return row_begin.size() - 1; }
    [[nodiscard]] std::span<const WeightedTerm> row(std::size_t i) const noexcept {
      return {entries.data() + row_begin[i], row_begin[i + 1] - row_begin[i]};
    }
  };

  [[nodiscard]] TermMatrix count_terms(std::span<const Document> documents);
  void learn_contexts(const TermMatrix& documents);
  [[nodiscard]] float idf(std::uint32_t document_frequency) const noexcept;
  [[nodiscard]] std::span<float> vector_of(TermId term) noexcept;
  [[nodiscard]] std::span<const float> vector_of(TermId term) const noexcept;
  /// The term of this stem, or the one spelt most like it, or nothing.
  [[nodiscard]] std::optional<TermId> find_term(std::string_view stem) const;
  /// The random and subword parts of a word's vector.
  void spell(std::string_view stem, std::span<float> out) const;

  EmbedderOptions options_;
  std::size_t documents_ = 0;
  std::unordered_map<std::string, TermId> terms_;
  std::vector<std::uint32_t> document_frequency_;  // by term
  std::vector<float> vectors_;                     // by term, `dimension` each
};

/// Words of a text in lower case: letters and digits; apostrophes and hyphens separate.
void for_each_word(std::string_view text, const std::function<void(std::string&)>& visit);
/// Cuts the commonest English endings: "repairs", "repaired", "repairing" -> "repair".
[[nodiscard]] std::string stem(std::string_view word);
/// Words that carry no meaning: "the", "of", ...
[[nodiscard]] bool is_stop_word(std::string_view word) noexcept;

}  // namespace demo
