#include "bench/faiss_peer.h"

#include <faiss/AutoTune.h>
#include <faiss/Index.h>
#include <faiss/index_factory.h>

#include <vector>

extern "C" void omp_set_num_threads(int threads);

namespace holdfast::bench {

struct FaissPeer::Parts {
  std::unique_ptr<faiss::Index> index;
  faiss::ParameterSpace parameters;  // sets by name
  mutable std::vector<float> distances;
  mutable std::vector<faiss::Index::idx_t> labels;
};

FaissPeer::FaissPeer(const char* recipe, std::uint32_t dim, std::uint32_t ef_construction)
    : parts_(std::make_unique<Parts>()) {
  parts_->index.reset(faiss::index_factory(static_cast<int>(dim), recipe, faiss::METRIC_L2));
  parts_->parameters.set_index_parameter(parts_->index.get(), "efConstruction", ef_construction);
}

FaissPeer::~FaissPeer() = default;

void FaissPeer::add_all(std::span<const float> values, unsigned threads) {
  const auto rows = static_cast<faiss::Index::idx_t>(values.size() / static_cast<std::size_t>(parts_->index->d));
  omp_set_num_threads(static_cast<int>(threads));
  if (!parts_->index->is_trained) parts_->index->train(rows, values.data());
  parts_->index->add(rows, values.data());
  omp_set_num_threads(1);
}

void FaissPeer::set_ef(std::uint32_t ef) {
  parts_->parameters.set_index_parameter(parts_->index.get(), "efSearch", ef);
}

void FaissPeer::search(const float* queries, std::size_t count, std::uint32_t k, std::uint32_t* rows) const {
  parts_->distances.resize(count * k);
  parts_->labels.resize(count * k);
  parts_->index->search(static_cast<faiss::Index::idx_t>(count), queries, k, parts_->distances.data(),
                        parts_->labels.data());
  for (const faiss::Index::idx_t label : parts_->labels) *rows++ = static_cast<std::uint32_t>(label);
}

}  // namespace holdfast::bench
