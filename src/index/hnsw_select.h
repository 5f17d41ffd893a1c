// Which of many candidates become links: the heuristic of HNSW (Malkov, Yashunin: algorithm 4, without extension and
// without refilling), with some slack.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/search.h"

namespace holdfast::index {

struct SelectScratch {
  std::vector<Candidate> others;  ///< candidates that are not identical to the node
  std::vector<Candidate> twins;   ///< those that are
  std::vector<Candidate> alive;   ///< of the block in work: not yet refused
  std::vector<Candidate> chosen;  ///< the result, nearest first
  std::vector<Candidate> all;     ///< of make_list: old and new links
};

/// Chooses at most `count_max` links for `node` from `candidates` (their distances to `node`, nearest first, without
/// `node` itself, none twice) into scratch.chosen.
void select_links(const VectorTable& vectors, Slot node, std::span<const Candidate> candidates, std::uint32_t count_max,
                  SelectScratch& scratch);

/// The links `kept` of `node` and up to `places` more from `candidates` (as above; none among `kept`) into
/// scratch.chosen: a candidate is taken unless a link that is there makes it needless.
void fill_links(const VectorTable& vectors, Slot node, std::span<const Slot> kept,
                std::span<const Candidate> candidates, std::uint32_t places, SelectScratch& scratch);

}  // namespace holdfast::index
