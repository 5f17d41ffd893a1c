#include "bench/hnswlib_peer.h"

#include <hnswlib/hnswlib.h>

#include <atomic>
#include <cmath>
#include <thread>

namespace holdfast::bench {

struct HnswlibPeer::Index {
  std::unique_ptr<hnswlib::SpaceInterface<float>> space;
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph;
};

HnswlibPeer::HnswlibPeer(Metric metric, std::uint32_t dim, std::uint32_t capacity, std::uint32_t m,
                         std::uint32_t ef_construction)
    : index_(std::make_unique<Index>()), dim_(dim) {
  if (metric == Metric::l2) {
    index_->space = std::make_unique<hnswlib::L2Space>(dim);
  } else {
    index_->space = std::make_unique<hnswlib::InnerProductSpace>(dim);
  }
  index_->graph = std::make_unique<hnswlib::HierarchicalNSW<float>>(index_->space.get(), capacity, m, ef_construction);
}

HnswlibPeer::~HnswlibPeer() = default;

void HnswlibPeer::add_all(std::span<const float> values, unsigned threads) {
  const std::size_t rows = values.size() / dim_;
  if (rows == 0) return;
  index_->graph->addPoint(values.data(), 0);  // alone: the first point becomes the entry point
  std::atomic<std::size_t> next{1};           // hands out rows; the index synchronises itself
  const auto work = [&] {
    for (std::size_t row = next++; row < rows; row = next++) index_->graph->addPoint(values.data() + row * dim_, row);
  };
  std::vector<std::thread> workers;
  for (unsigned t = 1; t < threads; ++t) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();
}

void HnswlibPeer::set_ef(std::uint32_t ef) { index_->graph->setEf(ef); }

std::size_t HnswlibPeer::search(const float* query, std::uint32_t k, std::uint32_t* labels) const {
  auto nearest = index_->graph->searchKnn(query, k);
  std::size_t count = 0;
  for (; !nearest.empty(); nearest.pop()) labels[count++] = static_cast<std::uint32_t>(nearest.top().second);
  return count;
}

std::vector<float> normalised(std::span<const float> values, std::uint32_t dim, Metric metric) {
  std::vector<float> scaled(values.begin(), values.end());
  if (metric != Metric::cosine) return scaled;
  for (std::size_t begin = 0; begin < scaled.size(); begin += dim) {
    double squares = 0;
    for (std::size_t i = begin; i < begin + dim; ++i) squares += static_cast<double>(scaled[i]) * scaled[i];
    const auto scale = static_cast<float>(1 / std::sqrt(squares));
    for (std::size_t i = begin; i < begin + dim; ++i) scaled[i] *= scale;
  }
  return scaled;
}

}  // namespace holdfast::bench
