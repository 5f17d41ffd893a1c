// Vectors and graphs for the tests of this folder: clustered data by seed, graphs built in batches as the engine does.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "base/random.h"
#include "index/check.h"
#include "index/graph.h"
#include "index/search.h"

namespace holdfast::index {

/// `count` vectors around `clusters` centers.
inline std::vector<std::vector<float>> clustered(std::size_t count, std::uint32_t dimension, std::size_t clusters,
                                                 std::uint64_t seed) {
  SeededRandom random(seed);
  const auto bell = [&random] {  // near enough to a normal distribution
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += random.unit() - 0.5;
    return static_cast<float>(sum);
  };
  std::vector<std::vector<float>> centers(clusters, std::vector<float>(dimension));
  for (auto& center : centers) {
    for (float& x : center) x = 2 * bell();
  }
  std::vector<std::vector<float>> vectors(count, std::vector<float>(dimension));
  for (auto& vector : vectors) {
    const auto& center = centers[random.below(clusters)];
    for (std::uint32_t i = 0; i < dimension; ++i) vector[i] = center[i] + bell();
  }
  return vectors;
}

/// A table and a graph over it, with the newest root and everything that was superseded.
struct World {
  World(std::uint32_t dimension, Metric metric, GraphParams params = {16, 100})
      : table(std::make_unique<VectorTable>(dimension, metric)), graph(std::make_unique<Graph>(*table, params)) {}
  ~World() { release_retired(); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void add_rows(const std::vector<std::vector<float>>& vectors) {
    const Slot begin = end;
    ASSERT_TRUE(table->reserve(begin + static_cast<Slot>(vectors.size())).ok());
    ASSERT_TRUE(graph->reserve(begin + static_cast<Slot>(vectors.size())).ok());
    for (const auto& vector : vectors) table->assign(end++, vector);
  }
  [[nodiscard]] NewNode node(Slot slot) const { return {slot, level_for(mix64(slot), graph->params().m)}; }

  /// Inserts slots [root.nodes, until) in the batches that the engine would take.
  void index_until(Slot until, unsigned threads) {
    GraphWriter writer = graph->writer();
    while (next < until) {
      const auto count = static_cast<Slot>(GraphWriter::batch_size(root.nodes, until - next));
      std::vector<NewNode> batch;
      for (Slot i = 0; i < count; ++i) batch.push_back(node(next + i));
      auto result = writer.insert(root, batch, threads, retired);
      ASSERT_TRUE(result.ok()) << result.status().to_string();
      root = *result;
      next += count;
    }
  }
  void index_all(unsigned threads = 2) { index_until(end, threads); }

  [[nodiscard]] std::vector<Candidate> search(const std::vector<float>& query, std::uint32_t k, std::uint32_t ef,
                                              const Visibility& visibility = {}) const {
    std::vector<Candidate> out;
    search_graph(*graph, root, Query(*table, query.data()), k, ef, visibility, out);
    return out;
  }
  [[nodiscard]] std::vector<Candidate> exact(const std::vector<float>& query, std::uint32_t k,
                                             const Visibility& visibility = {}) const {
    std::vector<Candidate> out;
    scan(*table, Query(*table, query.data()), 0, end, k, visibility, out);
    return out;
  }
  /// Share of the exact k nearest that the graph finds.
  [[nodiscard]] double recall(const std::vector<std::vector<float>>& queries, std::uint32_t k, std::uint32_t ef,
                              const Visibility& visibility = {}) const {
    std::size_t found = 0;
    std::size_t wanted = 0;
    for (const auto& query : queries) {
      const auto truth = exact(query, k, visibility);
      const auto answer = search(query, k, ef, visibility);
      wanted += truth.size();
      for (const Candidate& hit : answer) {
        found += std::find(truth.begin(), truth.end(), hit) != truth.end() ? 1 : 0;
      }
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
  }
  /// The whole graph as bytes, as of `epoch`.
  [[nodiscard]] Bytes image(GraphEpoch epoch) const {
    Bytes bytes;
    for (std::uint32_t chunk = 0; chunk * kChunkSlots < end; ++chunk) {
      graph->encode_level0(chunk, end, epoch, bytes);
      graph->encode_upper(chunk, end, epoch, bytes);
    }
    return bytes;
  }
  void release_retired() {
    for (const RetiredList& list : retired) release_list(list.list);
    retired.clear();
  }

  std::unique_ptr<VectorTable> table;
  std::unique_ptr<Graph> graph;
  GraphRoot root;
  Slot end = 0;
  Slot next = 0;
  std::vector<RetiredList> retired;
};

inline void expect_sound(const World& world, std::uint64_t unreachable_max = 0) {
  const GraphCheck check = check_graph(*world.graph, world.root, world.end);
  for (const std::string& violation : check.violations) ADD_FAILURE() << violation;
  EXPECT_LE(check.unreachable, unreachable_max) << "of " << check.nodes;
}

}  // namespace holdfast::index
