// What the finished store can do: answer questions, and how well and how fast.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "demo_corpus.h"
#include "holdfast/holdfast.hpp"

namespace demo {

/// Questions that a person would ask.
[[nodiscard]] const std::vector<std::string>& default_questions();

/// Prints the nearest synsets: distance, words, part of speech, gloss. Errors: those of search().
holdfast::Status answer(const holdfast::Collection& synsets, const TextEmbedder& embedder, std::string_view question,
                        std::uint32_t results);

struct Quality {
  std::uint32_t queries = 0;
  double recall_at_10 = 0;  ///< of the graph against exact search; a point as near as the tenth counts as found
  double graph_qps = 0;     ///< one thread
  double exact_qps = 0;
};
/// Glosses of synsets, asked as if a person had written them: every (size / queries)-th, from `seed` on.
[[nodiscard]] holdfast::Result<Quality> measure(const holdfast::Collection& synsets, const TextEmbedder& embedder,
                                                const Corpus& corpus, std::uint32_t queries, std::uint64_t seed);

}  // namespace demo
