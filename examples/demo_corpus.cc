#include "demo_corpus.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

namespace demo {

using holdfast::Result;
using holdfast::Status;
using holdfast::StatusCode;

Result<Corpus> Corpus::read(const std::filesystem::path& wordnet_directory) {
  auto synsets = read_wordnet(wordnet_directory);
  if (!synsets.ok()) return synsets.status();
  Corpus corpus;
  corpus.synsets_ = std::move(synsets).value();
  for (std::size_t i = 0; i < corpus.size(); ++i) corpus.position_.emplace(corpus.id(i), i);
  if (corpus.position_.size() != corpus.size()) return Status(StatusCode::data_damaged, "two synsets have the same id");
  return corpus;
}

Document Corpus::document(std::size_t i, const Weights& weights) const {
  const Synset& synset = synsets_[i];
  Document document;
  const auto add = [&document](std::string_view text, float weight) {
    if (weight > 0) document.push_back({text, weight});
  };
  for (const std::string& word : synset.words) add(word, weights.words);
  add(synset.definition, weights.definition);
  for (const std::string& example : synset.examples) add(example, weights.examples);
  for (const std::uint64_t parent : synset.parents) {
    const auto found = position_.find(parent);
    if (found == position_.end()) continue;
    for (const std::string& word : synsets_[found->second].words) add(word, weights.parent_words);
  }
  const auto share = 1 / static_cast<float>(synset.related.size() + 1);
  for (const std::uint64_t related : synset.related) {
    const auto found = position_.find(related);
    if (found == position_.end()) continue;
    add(synsets_[found->second].definition, weights.related_definitions * share);
    for (const std::string& word : synsets_[found->second].words) add(word, weights.related_words * share);
  }
  return document;
}

TextEmbedder Corpus::learn() const {
  std::vector<Document> documents;
  documents.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) documents.push_back(document(i, kLearning));
  TextEmbedder embedder({.threads = std::max(1U, std::thread::hardware_concurrency())});
  embedder.learn(documents);
  return embedder;
}

void Corpus::embed_all(const TextEmbedder& embedder) {
  const std::size_t dimension = embedder.dimension();
  vectors_.assign(size() * dimension, 0);
  const unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < threads; ++t) {
    workers.emplace_back([this, t, threads, dimension, &embedder] {
      for (std::size_t i = size() * t / threads; i < size() * (t + 1) / threads; ++i) {
        embedder.embed(document(i, kEmbedding), {vectors_.data() + i * dimension, dimension});
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
}

std::span<const float> Corpus::vector(std::size_t i) const noexcept {
  const std::size_t dimension = vectors_.size() / size();
  return {vectors_.data() + i * dimension, dimension};
}

std::string Corpus::payload(std::size_t i) const {
  const Synset& synset = synsets_[i];
  nlohmann::ordered_json json{{"words", synset.words}, {"pos", synset.part_of_speech()}, {"gloss", synset.definition}};
  if (!synset.examples.empty()) json["examples"] = synset.examples;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Status Corpus::save_vectors(const std::filesystem::path& path) const {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(vectors_.data()),
             static_cast<std::streamsize>(vectors_.size() * sizeof(float)));
  file.close();
  if (!file) return {StatusCode::io_error, "cannot write " + path.string()};
  return {};
}

Status Corpus::load_vectors(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {StatusCode::io_error, "cannot read " + path.string()};
  const auto bytes = static_cast<std::size_t>(file.tellg());
  if (bytes == 0 || bytes % (size() * sizeof(float)) != 0) {
    return {StatusCode::data_damaged, path.string() + " holds vectors of another corpus"};
  }
  vectors_.resize(bytes / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(vectors_.data()), static_cast<std::streamsize>(bytes));
  if (!file) return {StatusCode::io_error, "cannot read " + path.string()};
  return {};
}

}  // namespace demo
