// All workloads of up to three operations, on a store that holds something of everything.
//
// Operations that make no sense where they come have an outcome all the same (StoreDriver::run), so that no sequence is
// left out: `create` makes the first of "a" and "b" that is missing, and is refused if both are there; `drop` takes the
// one that was created last, and everything else works on it; with none left, they are answered by not_found.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/workload.h"

namespace holdfast::testing {

enum class Operation : std::uint8_t {
  upsert,      ///< a point that is new
  batch,       ///< a point with two vectors in the place of another, a new one, a delete, a marker
  erase,       ///< a point that the graph holds
  update,      ///< the same point: vector and payload
  checkpoint,  ///
  vacuum,      ///< one run
  index,       ///< until all is indexed
  create,
  drop,
  backup,  ///< of the open store, to another directory
  reopen,
};
inline constexpr std::size_t kOperations = 11;

/// What every sequence begins with: collection "a" with an image on the disk, live and dead nodes in the graph, and a
/// growing tier and a delete in the log behind it, one group short of the end of its segment.
[[nodiscard]] std::vector<Step> base_steps();

struct ShortWorkload {
  std::string name;         ///< "upsert, drop, backup"
  std::vector<Step> steps;  ///< after base_steps()
};
/// The empty one, then all of one operation, of two, of three: 1 + 11 + 121 + 1331.
[[nodiscard]] std::vector<ShortWorkload> every_short_workload();

/// What to run and what to crash, so that no state is explored twice: the base and all operations but the last one,
/// and that one. (Of the empty workload: nothing, and the base.)
[[nodiscard]] std::pair<std::vector<Step>, std::vector<Step>> split(const ShortWorkload& workload);

}  // namespace holdfast::testing
