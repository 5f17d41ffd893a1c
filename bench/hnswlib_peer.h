// hnswlib behind a plain interface: the library that Holdfast is measured against.
//
// It is compiled for this very machine (-O3 -march=native -DNDEBUG), into a shared object of its own, so that none of
// the templates that it shares with Holdfast (std::vector and the like) end up in the other's code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "holdfast/types.h"

namespace holdfast::bench {

class HnswlibPeer {
 public:
  /// Under cosine hnswlib wants normalised vectors and uses the inner product; see normalised().
  HnswlibPeer(Metric metric, std::uint32_t dim, std::uint32_t capacity, std::uint32_t m, std::uint32_t ef_construction);
  ~HnswlibPeer();
  HnswlibPeer(const HnswlibPeer&) = delete;
  HnswlibPeer& operator=(const HnswlibPeer&) = delete;

  /// Adds rows 0, 1, ... of `values`, labelled by their number, from `threads` threads.
  void add_all(std::span<const float> values, unsigned threads);
  void set_ef(std::uint32_t ef);
  /// Labels of the k nearest, in no particular order, into `labels`. Returns how many.
  std::size_t search(const float* query, std::uint32_t k, std::uint32_t* labels) const;

 private:
  struct Index;
  std::unique_ptr<Index> index_;
  std::uint32_t dim_;
};

/// The rows scaled to length 1 if the metric is cosine, else as they are.
[[nodiscard]] std::vector<float> normalised(std::span<const float> values, std::uint32_t dim, Metric metric);

}  // namespace holdfast::bench
