// faiss behind a plain interface. Debian's package is compiled for every amd64 processor, that is with SSE2 only: its
// figures are those of the package, not of what faiss could do here.
//
// Only <faiss/Index.h> and the two headers that work by name are included, in one source: quick to compile, and with no
// need of OpenMP's header, which clang does not bring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace holdfast::bench {

class FaissPeer {
 public:
  /// `recipe` as faiss's index_factory reads it, e.g. "HNSW16,Flat" or "HNSW16,SQ8". Distances are L2: under cosine
  /// give it normalised vectors, whose order by L2 is the same.
  FaissPeer(const char* recipe, std::uint32_t dim, std::uint32_t ef_construction);
  ~FaissPeer();
  FaissPeer(const FaissPeer&) = delete;
  FaissPeer& operator=(const FaissPeer&) = delete;

  /// Trains what needs training, then adds all rows, which become 0, 1, ...
  void add_all(std::span<const float> values, unsigned threads);
  void set_ef(std::uint32_t ef);
  /// The k nearest of each of `count` queries, k row numbers each; one thread.
  void search(const float* queries, std::size_t count, std::uint32_t k, std::uint32_t* rows) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace holdfast::bench
