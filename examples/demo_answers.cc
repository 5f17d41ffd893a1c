#include "demo_answers.h"

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace demo {
namespace {

using holdfast::Collection;
using holdfast::Hits;
using holdfast::Result;
using holdfast::Status;

constexpr std::size_t kGlossWidth = 72;
constexpr std::uint32_t kNeighbors = 10;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void print_hit(const holdfast::Hit& hit) {
  const auto json = nlohmann::json::parse(hit.payload, nullptr, false);
  if (!json.is_object()) {
    std::printf("  %.3f  %s (no payload)\n", static_cast<double>(hit.distance), hit.id.to_string().c_str());
    return;
  }
  std::string words;
  for (const auto& word : json.value("words", std::vector<std::string>())) words += (words.empty() ? "" : ", ") + word;
  std::string gloss = json.value("gloss", "");
  if (gloss.size() > kGlossWidth) gloss = gloss.substr(0, gloss.rfind(' ', kGlossWidth)) + " ...";
  std::printf("    %.3f  %s (%s): %s\n", static_cast<double>(hit.distance), words.c_str(),
              json.value("pos", "?").c_str(), gloss.c_str());
}

}  // namespace

const std::vector<std::string>& default_questions() {
  static const std::vector<std::string> kQuestions{
      "large body of salt water",
      "a person who repairs shoes",
      "fear of heights",
      "instrument that measures temperature",
      "young dog",
      "study of stars and planets",
      "vehicle with two wheels and pedals",
      "place where books are kept",
      "sleep through the winter",
      "inability to sleep",
      "a sweet substance made by bees",
      "speak very softly",
      "thermometr",  // misspelt on purpose
  };
  return kQuestions;
}

Status answer(const Collection& synsets, const TextEmbedder& embedder, std::string_view question,
              std::uint32_t results) {
  auto hits = synsets.search(embedder.embed(question), {.k = results, .with_payload = true});
  if (!hits.ok()) return hits.status();
  std::printf("  \"%.*s\"\n", static_cast<int>(question.size()), question.data());
  for (const holdfast::Hit& hit : *hits) print_hit(hit);
  return {};
}

Result<Quality> measure(const Collection& synsets, const TextEmbedder& embedder, const Corpus& corpus,
                        std::uint32_t queries, std::uint64_t seed) {
  std::vector<std::vector<float>> vectors;
  for (std::uint32_t i = 0; i < queries; ++i) {
    const std::size_t position = (seed + i * (corpus.size() / queries)) % corpus.size();
    vectors.push_back(embedder.embed(corpus.synset(position).definition));
  }
  const holdfast::Snapshot snapshot = synsets.snapshot();
  const auto run = [&](bool exact, std::vector<Hits>& answers) -> Result<double> {
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& vector : vectors) {
      auto hits = snapshot.search(vector, {.k = kNeighbors, .exact = exact});
      if (!hits.ok()) return hits.status();
      answers.push_back(std::move(hits).value());
    }
    return queries / seconds_since(begin);
  };
  std::vector<Hits> found, exact;
  auto graph_qps = run(false, found);
  if (!graph_qps.ok()) return graph_qps.status();
  auto exact_qps = run(true, exact);
  if (!exact_qps.ok()) return exact_qps.status();

  std::uint64_t right = 0, all = 0;
  for (std::uint32_t i = 0; i < queries; ++i) {
    all += exact[i].size();
    for (const holdfast::Hit& hit : found[i]) right += hit.distance <= exact[i].back().distance ? 1 : 0;
  }
  return Quality{.queries = queries,
                 .recall_at_10 = static_cast<double>(right) / static_cast<double>(all),
                 .graph_qps = *graph_qps,
                 .exact_qps = *exact_qps};
}

}  // namespace demo
