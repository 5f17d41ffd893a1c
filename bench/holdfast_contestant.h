// Holdfast as a contestant of `compare`: one store per way of storing, one curve per way of searching it.
//
// It is used through the public API only. Built: written in batches, each synced, until the graph holds everything and
// a checkpoint is done. Searched: on a snapshot, first as it was built, then after closing and opening it again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/contestant.h"
#include "holdfast/database.h"

namespace holdfast::bench {

/// A way to search: a preset, say.
struct SearchKind {
  const char* name;  ///< follows the name of the store
  void (*choose)(SearchOptions&);
};
/// A way to store: a kind of code, say.
struct StoreKind {
  const char* name;
  void (*configure)(CollectionConfig&);
  std::vector<SearchKind> searches;
};
/// Everything that is compared; one line each.
[[nodiscard]] const std::vector<StoreKind>& store_kinds();

/// Where the memory of a process that did nothing but open the store and search it lies, in bytes.
struct ServingMemory {
  std::uint64_t anonymous = 0;  ///< growth since before the open
  std::uint64_t vectors = 0;    ///< pages of mapped vector extents: page cache, read where results are rescored
  std::uint64_t other = 0;      ///< pages of all other mapped files of the store: lists, codes, ids
};

/// Opens the store, asks all queries (first way to search of store_kinds()[kind], beam `ef`), in a process of its own.
/// REQUIRES that the store is closed.
[[nodiscard]] ServingMemory serving_memory_of(const std::filesystem::path& store, const Matrix& queries,
                                              std::size_t kind, std::uint32_t ef, Scratch& scratch);

class HoldfastContestant : public Contestant {
 public:
  HoldfastContestant(const Setting& setting, std::size_t kind);
  ~HoldfastContestant() override;

  [[nodiscard]] std::vector<std::string> modes() const override;
  [[nodiscard]] Result<BuildCost> build() override;
  [[nodiscard]] Result<Turn> turn(std::size_t mode, std::uint32_t ef) override;
  [[nodiscard]] std::uint64_t disk_bytes() const override;

  /// Closes and removes the store.
  void drop();
  /// Closes it and opens it again. Returns how long that took, in milliseconds.
  double reopen();
  [[nodiscard]] CollectionStats stats() const;
  /// serving_memory_of(); meanwhile the store is closed.
  [[nodiscard]] ServingMemory serving_memory(std::uint32_t ef);

 private:
  void take_snapshot();

  const Setting& setting_;
  std::size_t kind_;
  std::filesystem::path path_;
  std::unique_ptr<Store> store_;
  std::optional<Snapshot> snapshot_;
};

}  // namespace holdfast::bench
