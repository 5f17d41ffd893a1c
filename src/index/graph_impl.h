// What a Graph owns: the store, and the working memory of its writer, kept between batches.
#pragma once

#include <vector>

#include "index/graph.h"
#include "index/graph_store.h"
#include "index/hnsw_walk.h"

namespace holdfast::index {

class Graph::Impl {
 public:
  Impl(const VectorTable& vectors, GraphParams params) : store(vectors, params) {}

  GraphStore store;
  std::vector<WalkScratch> worker_scratch;  ///< mutator only, one per worker
};

}  // namespace holdfast::index
