#include "text_embedder.h"

#include <algorithm>
#include <cmath>
#include <thread>

namespace demo {
namespace {

constexpr unsigned kNonZeros = 8;  // of a random vector; Achlioptas (2003): sparse projections do as well as dense ones
constexpr std::size_t kShortestGram = 3;
constexpr std::size_t kLongestGram = 5;

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL ^ seed;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash;
}

std::uint64_t next_random(std::uint64_t& state) noexcept {  // SplitMix64
  std::uint64_t x = (state += 0x9E3779B97F4A7C15ULL);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

void add_random_vector(std::uint64_t seed, float scale, std::span<float> out) noexcept {
  for (unsigned i = 0; i < kNonZeros; ++i) {
    const std::uint64_t random = next_random(seed);
    out[(random >> 32) % out.size()] += (random & 1) != 0 ? scale : -scale;
  }
}

void add_scaled(std::span<const float> in, float scale, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += scale * in[i];
}

float dot(std::span<const float> a, std::span<const float> b) noexcept {
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void scale_to(float length, std::span<float> vector) noexcept {
  const float norm = std::sqrt(dot(vector, vector));
  if (norm == 0) return;
  for (float& x : vector) x *= length / norm;
}

/// Calls work(i) for every i < count; which thread gets which i does not matter to the result.
void parallel_for(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& work) {
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < threads; ++t) {
    workers.emplace_back([=, &work] {
      for (std::size_t i = count * t / threads; i < count * (t + 1) / threads; ++i) work(i);
    });
  }
  for (std::thread& worker : workers) worker.join();
}

/// Makes the columns of `rows` orthonormal (Cholesky QR): no direction that all texts share drowns the others.
void orthonormalize(std::vector<float>& rows, std::size_t dimension, unsigned threads) {
  const std::size_t count = rows.size() / dimension;
  // gram = rows^T rows, lower triangle; each of its rows belongs to one thread.
  std::vector<double> gram(dimension * dimension);
  parallel_for(threads, threads, [&](std::size_t t) {
    constexpr std::size_t kBlock = 256;  // short float sums, then double: exact enough, and it vectorises
    // Row i of the lower triangle costs i + 1: a square-root split shares the work evenly.
    const auto split = [&](std::size_t k) {
      return static_cast<std::size_t>(static_cast<double>(dimension) * std::sqrt(static_cast<double>(k) / threads));
    };
    std::vector<float> partial((split(t + 1) - split(t)) * dimension);
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
      std::fill(partial.begin(), partial.end(), 0.F);
      for (std::size_t r = begin; r < std::min(begin + kBlock, count); ++r) {
        const std::span<const float> row(rows.data() + r * dimension, dimension);
        for (std::size_t i = split(t); i < split(t + 1); ++i) {
          add_scaled(row.first(i + 1), row[i], {partial.data() + (i - split(t)) * dimension, i + 1});
        }
      }
      for (std::size_t i = 0; i < partial.size(); ++i) gram[split(t) * dimension + i] += partial[i];
    }
  });
  // gram = L L^T; factor = L^T in single precision, so that the substitution below walks along rows. A direction that
  // the ones before it span already (fewer words than dimensions) gets a zero pivot, and no component in the result.
  constexpr double kDependent = 1e-6;
  std::vector<float> factor(dimension * dimension);
  for (std::size_t i = 0; i < dimension; ++i) {
    const double diagonal = gram[i * dimension + i];
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = gram[i * dimension + j];
      for (std::size_t k = 0; k < j; ++k) sum -= gram[i * dimension + k] * gram[j * dimension + k];
      const double pivot = gram[j * dimension + j];
      if (i == j) {
        gram[i * dimension + i] = sum > kDependent * diagonal ? std::sqrt(sum) : 0;
      } else {
        gram[i * dimension + j] = pivot > 0 ? sum / pivot : 0;
      }
      factor[j * dimension + i] = static_cast<float>(gram[i * dimension + j]);
    }
  }
  // rows <- rows L^-T.
  parallel_for(count, threads, [&](std::size_t r) {
    const std::span<float> row(rows.data() + r * dimension, dimension);
    for (std::size_t i = 0; i < dimension; ++i) {
      const std::span<const float> column(factor.data() + i * dimension, dimension);
      row[i] = column[i] > 0 ? row[i] / column[i] : 0;
      add_scaled(column.subspan(i + 1), -row[i], row.subspan(i + 1));
    }
  });
}

/// Adjacent letters that two words share, as a fraction of all they have (Dice coefficient).
float likeness(std::string_view a, std::string_view b) noexcept {
  if (a.size() < 2 || b.size() < 2) return 0;
  std::size_t shared = 0;
  for (std::size_t i = 0; i + 1 < a.size(); ++i) shared += b.find(a.substr(i, 2)) != std::string_view::npos ? 1 : 0;
  return 2 * static_cast<float>(shared) / static_cast<float>(a.size() + b.size() - 2);
}

}  // namespace

std::span<float> TextEmbedder::vector_of(TermId term) noexcept {
  return {vectors_.data() + std::size_t{term} * options_.dimension, options_.dimension};
}
std::span<const float> TextEmbedder::vector_of(TermId term) const noexcept {
  return {vectors_.data() + std::size_t{term} * options_.dimension, options_.dimension};
}

float TextEmbedder::idf(std::uint32_t document_frequency) const noexcept {
  // Damped, or the one odd word of a question outvotes all others.
  const float ratio = (static_cast<float>(documents_) + 1) / (static_cast<float>(document_frequency) + 1);
  return std::pow(std::log(ratio), 0.75F);
}

void TextEmbedder::spell(std::string_view stem, std::span<float> out) const {
  const std::string bounded = "<" + std::string(stem) + ">";
  for (std::size_t size = kShortestGram; size <= kLongestGram; ++size) {
    for (std::size_t i = 0; i + size <= bounded.size(); ++i) {
      add_random_vector(hash_of(std::string_view(bounded).substr(i, size), 1), 1, out);
    }
  }
  scale_to(options_.subword_weight, out);
  add_random_vector(hash_of(stem, 0), 1 / std::sqrt(static_cast<float>(kNonZeros)), out);
}

TextEmbedder::TermMatrix TextEmbedder::count_terms(std::span<const Document> documents) {
  TermMatrix matrix;
  std::unordered_map<TermId, float> counts;
  std::vector<WeightedTerm> row;
  for (const Document& document : documents) {
    row.clear();
    for (const Field& field : document) {
      for_each_word(field.text, [&](std::string& word) {
        if (is_stop_word(word)) return;
        const auto [entry, is_new] = terms_.try_emplace(stem(word), static_cast<TermId>(terms_.size()));
        if (is_new) document_frequency_.push_back(0);
        row.push_back({entry->second, field.weight});
      });
    }
    // Equal terms side by side, their weights summed up in the order of the text.
    std::stable_sort(row.begin(), row.end(), [](const auto& a, const auto& b) { return a.term < b.term; });
    for (std::size_t i = 0, next = 0; i < row.size(); i = next) {
      float count = 0;
      for (; next < row.size() && row[next].term == row[i].term; ++next) count += row[next].weight;
      matrix.entries.push_back({row[i].term, count});
      ++document_frequency_[row[i].term];
    }
    matrix.row_begin.push_back(matrix.entries.size());
  }
  documents_ = documents.size();
  for (WeightedTerm& entry : matrix.entries) {
    entry.weight = std::log1p(entry.weight) * idf(document_frequency_[entry.term]);
  }
  return matrix;
}

void TextEmbedder::learn_contexts(const TermMatrix& documents) {
  const std::size_t dimension = options_.dimension;
  // The transposed matrix, so that each term's sum belongs to one thread.
  std::vector<std::size_t> begin(terms_.size() + 1);
  for (const WeightedTerm& entry : documents.entries) ++begin[entry.term + 1];
  for (std::size_t t = 0; t < terms_.size(); ++t) begin[t + 1] += begin[t];
  struct Occurrence {
    std::uint32_t document;
    float weight;
  };
  std::vector<Occurrence> occurrences(documents.entries.size());
  std::vector<std::size_t> fill(begin.begin(), begin.end() - 1);
  for (std::size_t d = 0; d < documents.rows(); ++d) {
    for (const WeightedTerm& entry : documents.row(d)) {
      occurrences[fill[entry.term]++] = {static_cast<std::uint32_t>(d), entry.weight};
    }
  }

  std::vector<float> texts(documents.rows() * dimension);
  std::vector<float> contexts = vectors_;
  for (unsigned pass = 0; pass < options_.passes; ++pass) {
    parallel_for(documents.rows(), options_.threads, [&](std::size_t d) {
      const std::span<float> text(texts.data() + d * dimension, dimension);
      std::fill(text.begin(), text.end(), 0.F);
      for (const WeightedTerm& entry : documents.row(d)) {
        add_scaled({contexts.data() + entry.term * dimension, dimension}, entry.weight, text);
      }
      scale_to(1, text);
    });
    parallel_for(terms_.size(), options_.threads, [&](std::size_t t) {
      const std::span<float> context(contexts.data() + t * dimension, dimension);
      std::fill(context.begin(), context.end(), 0.F);
      for (std::size_t i = begin[t]; i < begin[t + 1]; ++i) {
        add_scaled({texts.data() + occurrences[i].document * dimension, dimension}, occurrences[i].weight, context);
      }
      scale_to(1, context);
    });
    orthonormalize(contexts, dimension, options_.threads);
  }
  for (std::size_t t = 0; t < terms_.size(); ++t) {
    const std::span<float> context(contexts.data() + t * dimension, dimension);
    scale_to(options_.context_weight, context);
    add_scaled(context, 1, vector_of(static_cast<TermId>(t)));
  }
}

void TextEmbedder::learn(std::span<const Document> documents) {
  const TermMatrix matrix = count_terms(documents);
  vectors_.assign(terms_.size() * options_.dimension, 0);
  for (const auto& [word, term] : terms_) spell(word, vector_of(term));
  if (options_.context_weight > 0) learn_contexts(matrix);
}

std::optional<TextEmbedder::TermId> TextEmbedder::find_term(std::string_view stem) const {
  const auto known = terms_.find(std::string(stem));
  if (known != terms_.end()) return known->second;
  // Misspelt, perhaps. The texts that were learned never get here.
  constexpr float kAlike = 0.7F;
  std::optional<TermId> best;
  float best_likeness = kAlike;
  for (const auto& [word, term] : terms_) {
    const float alike = likeness(stem, word);
    if (alike < best_likeness || (alike == best_likeness && best && term > *best)) continue;
    best_likeness = alike;
    best = term;
  }
  return best;
}

void TextEmbedder::embed(const Document& document, std::span<float> out) const {
  std::fill(out.begin(), out.end(), 0.F);
  std::vector<std::pair<std::string, float>> counts;  // a handful of words: a list is faster than a map
  const auto count = [&counts](std::string&& word, float weight) {
    const auto same = std::find_if(counts.begin(), counts.end(), [&](const auto& c) { return c.first == word; });
    if (same == counts.end()) {
      counts.emplace_back(std::move(word), weight);
    } else {
      same->second += weight;
    }
  };
  const auto collect = [&](bool stop_words) {
    for (const Field& field : document) {
      for_each_word(field.text, [&](std::string& word) {
        if (stop_words || !is_stop_word(word)) count(stem(word), field.weight);
      });
    }
  };
  collect(false);
  if (counts.empty()) collect(true);  // "who are you": better than nothing
  std::vector<float> spelled(options_.dimension);
  for (const auto& [word, weight] : counts) {
    const float frequency_weight = std::log1p(weight);
    const std::optional<TermId> known = find_term(word);
    if (known) {
      add_scaled(vector_of(*known), frequency_weight * idf(document_frequency_[*known]), out);
    } else {
      std::fill(spelled.begin(), spelled.end(), 0.F);
      spell(word, spelled);
      add_scaled(spelled, frequency_weight * idf(0), out);
    }
  }
  scale_to(1, out);
}

std::vector<float> TextEmbedder::embed(std::string_view text) const {
  std::vector<float> vector(options_.dimension);
  embed(Document{{text, 1}}, vector);
  return vector;
}

}  // namespace demo
