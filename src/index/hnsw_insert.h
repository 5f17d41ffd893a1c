// One batch of insertions; see hnsw_insert.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/graph.h"
#include "index/graph_change.h"
#include "index/hnsw_select.h"
#include "index/hnsw_walk.h"

namespace holdfast::index {

/// A link that a node of the batch chose, seen from its target. With source == target: "the target is a new node; its
/// own links are those of batch member `member`".
struct ReverseLink {
  Slot target;
  std::uint32_t level;
  float distance;
  Slot source;
  std::uint32_t member;
};

class Insertion {
 public:
  Insertion(GraphStore& store, std::vector<WalkScratch>& scratch, const GraphRoot& base, std::span<const NewNode> nodes,
            const Visibility& linkable, unsigned threads, const CodeTable* codes);
  ~Insertion();  ///< frees what was made and not published
  Insertion(const Insertion&) = delete;
  Insertion& operator=(const Insertion&) = delete;

  /// To be called in this order. False, or bad_alloc: memory is short and nothing happened (publish: bad_alloc only
  /// before the first change).
  [[nodiscard]] Status prepare();
  [[nodiscard]] bool choose_links();
  [[nodiscard]] bool make_lists();
  [[nodiscard]] GraphRoot publish(std::vector<RetiredList>& retired);

 private:
  struct Group;
  /// Links that one member chose at one level.
  struct Chosen {
    std::uint32_t count = 0;
    std::uint32_t begin = 0;  ///< in links_
    Candidate anchor;         ///< a dead node that must link to the member, since no linkable one will; or no slot
  };
  void choose_width();
  template <class AnyWalk>
  void find_linkable(const AnyWalk& walk, int level, Candidate& nearest, WalkScratch& scratch) const;
  void choose_for(std::size_t member, WalkScratch& scratch, SelectScratch& select);
  template <class AnyWalk>
  void choose_along(const AnyWalk& walk, std::size_t member, const Query& query, WalkScratch& scratch,
                    SelectScratch& select);
  template <class AnyWalk>
  void add_mates(const AnyWalk& walk, std::size_t member, int level, float far, WalkScratch& scratch) const;
  void measure_found(const Query& query, std::vector<CandidateKey>& found) const;
  void measure_mates(std::size_t member, int level, const Query& query, float far, WalkScratch& scratch) const;
  [[nodiscard]] std::uint32_t place_among(const std::vector<std::uint32_t>& members, Slot slot) const;
  void keep_chosen(std::size_t member, int level, const std::vector<Candidate>& chosen, Candidate anchor);
  [[nodiscard]] std::span<const Candidate> chosen_by(std::size_t member, int level) const;
  [[nodiscard]] std::uint32_t max_links(int level) const { return store_.params().max_links(level); }
  [[nodiscard]] bool has_level(Slot slot, int level) const noexcept;
  void share_out();
  [[nodiscard]] bool make_lists_of(std::size_t bucket, SelectScratch& scratch);
  [[nodiscard]] bool add_list(Slot target, int level, NeighborList* old, std::span<const Candidate> links,
                              std::vector<Replacement>& made) const;
  [[nodiscard]] bool make_list(std::span<const ReverseLink> group, std::vector<Replacement>& made,
                               SelectScratch& scratch);

  GraphStore& store_;
  std::vector<WalkScratch>& scratch_;
  const GraphRoot base_;
  const std::span<const NewNode> nodes_;
  const Visibility linkable_;
  const unsigned threads_;
  const CodeTable* const codes_;  ///< null: walks go by rows
  std::uint32_t width_ = 0;       ///< of the plain beam that is tried first where there are dead nodes; 0: none

  std::vector<std::vector<std::uint32_t>> members_at_;  ///< by level: linkable members that have it, by slot
  std::vector<std::size_t> first_chosen_;               ///< by member: its entry of level 0 in chosen_
  std::vector<Chosen> chosen_;
  std::vector<Candidate> links_;                   ///< M places per entry of chosen_
  std::vector<SelectScratch> select_;              ///< by worker
  std::vector<std::vector<ReverseLink>> buckets_;  ///< by hash of the target
  GraphChange made_;                               ///< a part per bucket
  std::vector<UpperNode*> uppers_;                 ///< by member; null at level 0
};

}  // namespace holdfast::index
