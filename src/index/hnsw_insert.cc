// Insertion in deterministic batches (Manohar, Shen, Blelloch, Dhulipala, Gu, Simhadri, Sun: "ParlayANN: Scalable and
// Deterministic Parallel Graph-Based Approximate Nearest Neighbor Search Algorithms", PPoPP 2024).
//
//   1. choose_links: each new node searches the published graph, which nobody changes meanwhile, compares itself with
//      the other nodes of its batch, and chooses its links. Members are independent: any thread may take any of them.
//   2. make_lists: the chosen links, seen from their targets, are shared out by target, sorted, and grouped; whoever
//      takes a target makes one new list for it from the old one and all its new links.
//   3. publish: the heads are swung. Nothing can fail any more.
//
// Invariants
//  I1. Steps 1 and 2 read the base epoch only and write only what this batch owns: if anything fails, nothing happened.
//  I2. What a member or a target gets depends on the base epoch and the batch, not on which thread took it or when.
//  I3. Readers of older epochs are not disturbed: they skip the new lists by their epoch.
//
// Batch mates never push candidates of the graph aside: a batch that is one tight cluster would otherwise link to
// itself only and become an island.
//
// Dead nodes (not linkable) are walked through, and the beam goes on until it holds ef_construction linkable nodes:
// while few are dead, a plain beam that is wider by their share (measured on a sample), which is faster than asking for
// every node that is met; where it finds too few linkable ones, and where many are dead, one that counts only those.
// Dead nodes get no reverse links: their lists are about to go. But if a member finds no linkable node at all
// at a level, because everything there is dead, the node where its descent ended (the anchor) gets a link to it, so
// that later walks, which can only come through dead nodes, find the new ones. Repair and connect() do the rest.
#include "index/hnsw_insert.h"

#include <algorithm>
#include <limits>
#include <new>
#include <string>
#include <type_traits>

#include "base/plant.h"
#include "base/random.h"
#include "index/graph_impl.h"
#include "index/parallel_for.h"
#include "index/read_check.h"

namespace holdfast::index {
namespace {

constexpr std::size_t kMatesKept = 48;        ///< nearest mates that a member considers
constexpr std::size_t kInlineMembers = 4;     ///< smaller batches start no threads
constexpr std::size_t kBucketsPerThread = 8;  ///< parts of step 2
/// A walk among dead nodes ends after that many of them per candidate that is wanted: where nearly everything is dead
/// it would visit the whole graph for every new node.
constexpr std::uint32_t kExpandedPerCandidate = 8;
constexpr unsigned kThreadsMax = 64;

/// Place of a mate relative to the member's, both in the order of their slots, for ties: the nearest ones come first.
std::uint32_t relative(std::uint32_t mate, std::uint32_t member) noexcept {
  return mate > member ? (mate - member) * 2 - 1 : (member - mate) * 2;
}
std::uint32_t absolute(std::uint32_t relative, std::uint32_t member) noexcept {
  return (relative & 1) != 0 ? member + (relative + 1) / 2 : member - relative / 2;
}

Status out_of_memory() {
  return {StatusCode::resource_exhausted, "no memory to insert into the graph: free some or use less"};
}

bool sorts_before(const ReverseLink& a, const ReverseLink& b) noexcept {
  if (a.target != b.target) return a.target < b.target;
  if (a.level != b.level) return a.level < b.level;
  const bool a_own = a.source == a.target;
  const bool b_own = b.source == b.target;
  if (a_own != b_own) return a_own;
  if (a.distance != b.distance) return a.distance < b.distance;
  return a.source < b.source;
}

}  // namespace

Insertion::Insertion(GraphStore& store, std::vector<WalkScratch>& scratch, const GraphRoot& base,
                     std::span<const NewNode> nodes, const Visibility& linkable, unsigned threads,
                     const CodeTable* codes)
    : store_(store),
      scratch_(scratch),
      base_(base),
      nodes_(nodes),
      linkable_(linkable),
      threads_(std::clamp(threads, 1U, kThreadsMax)),
      codes_(codes) {}

Insertion::~Insertion() {
  for (UpperNode* node : uppers_) {
    if (node != nullptr) release_upper(node);
  }
}

Status Insertion::prepare() {
  if (base_.levels > 0 && base_.entry >= store_.slot_limit()) {
    return {StatusCode::invalid_argument, "the entry, slot " + std::to_string(base_.entry) + ", is not in the graph"};
  }
  std::vector<Slot> slots;
  slots.reserve(nodes_.size());
  std::size_t entries = 0;
  members_at_.resize(1);
  for (std::size_t member = 0; member < nodes_.size(); ++member) {
    const NewNode& node = nodes_[member];
    bool is_node = false;
    if (node.slot >= store_.slot_limit() || node.level < 0 || node.level >= kMaxLevels) {
      return {StatusCode::invalid_argument, "slot " + std::to_string(node.slot) + " has no place in the graph"};
    }
    (void)store_.level0(node.slot, base_.epoch, is_node);
    is_node = is_node || store_.upper_node(node.slot) != nullptr;
    if (is_node)
      return {StatusCode::invalid_argument,
              "slot " + std::to_string(node.slot) + " is in the graph already, or was not released"};
    slots.push_back(node.slot);
    first_chosen_.push_back(entries);
    entries += static_cast<std::size_t>(node.level) + 1;
    if (members_at_.size() <= static_cast<std::size_t>(node.level)) {
      members_at_.resize(static_cast<std::size_t>(node.level) + 1);
    }
    if (!linkable_(node.slot)) continue;  // died on its way here
    for (int level = 0; level <= node.level; ++level) {
      members_at_[static_cast<std::size_t>(level)].push_back(static_cast<std::uint32_t>(member));
    }
  }
  std::sort(slots.begin(), slots.end());
  if (const auto twice = std::adjacent_find(slots.begin(), slots.end()); twice != slots.end()) {
    return {StatusCode::invalid_argument, "slot " + std::to_string(*twice) + " is inserted twice"};
  }
  for (auto& members : members_at_) {
    std::sort(members.begin(), members.end(),
              [this](std::uint32_t a, std::uint32_t b) { return nodes_[a].slot < nodes_[b].slot; });
  }
  chosen_.resize(entries);
  links_.resize(entries * store_.params().m);
  uppers_.resize(nodes_.size(), nullptr);
  for (std::size_t member = 0; member < nodes_.size(); ++member) {
    if (nodes_[member].level == 0) continue;
    uppers_[member] = new_upper(static_cast<std::uint32_t>(nodes_[member].level));
    if (uppers_[member] == nullptr) return out_of_memory();
  }
  choose_width();
  select_.resize(threads_);
  if (scratch_.size() < threads_) scratch_.resize(threads_);
  return {};
}

// ---- Step 1 ----------------------------------------------------------------------------------------------------

bool Insertion::choose_links() {
  const unsigned threads = nodes_.size() <= kInlineMembers ? 1 : threads_;
  return parallel_for(threads, nodes_.size(), [this](unsigned worker, std::size_t member) {
    choose_for(member, scratch_[worker], select_[worker]);
    return true;
  });
}

/// See the head of this file. Depends on the base epoch and on who is linkable only.
void Insertion::choose_width() {
  if (linkable_.visible == nullptr || base_.levels == 0) return;
  constexpr std::uint32_t kSample = 4'096;
  const Slot limit = store_.slot_limit();
  const Slot stride = std::max<Slot>(limit / kSample, 1) | 1;  // odd: does not beat with the chunks
  std::uint32_t nodes = 0;
  std::uint32_t dead = 0;
  for (std::uint64_t slot = 0; slot < limit; slot += stride) {
    bool is_node = false;
    (void)store_.level0(static_cast<Slot>(slot), base_.epoch, is_node);
    if (!is_node) continue;
    ++nodes;
    dead += linkable_(static_cast<Slot>(slot)) ? 0 : 1;
  }
  if (std::uint64_t{dead} * 4 > nodes) return;  // many
  const std::uint32_t ef = store_.params().ef_construction;
  // Half as many again as expected, and a few more: in most places it is enough.
  width_ = ef + static_cast<std::uint32_t>(std::uint64_t{ef} * dead * 3 / (std::max(nodes, 1U) * 2)) + 4;
}

/// The best linkable nodes of one level into scratch.results, nearest first; `nearest`, where to start, becomes the
/// first of them.
template <class AnyWalk>
void Insertion::find_linkable(const AnyWalk& walk, int level, Candidate& nearest, WalkScratch& scratch) const {
  const std::uint32_t ef = store_.params().ef_construction;
  std::vector<CandidateKey>& found = scratch.results;
  const std::uint32_t width = linkable_.visible == nullptr ? ef : width_;
  bool enough = false;
  if (width > 0) {
    beam_search(walk, nearest, level, width, Ties::younger_first, scratch);
    found.clear();
    for (std::size_t i = 0; i < scratch.pool.size() && found.size() < ef; ++i) {
      if (linkable_(slot_of(scratch.pool[i], Ties::younger_first))) found.push_back(scratch.pool[i]);
    }
    enough = found.size() == ef || scratch.pool.size() < width;  // or: that is all there is
  }
  if (!enough) {
    std::uint32_t questions_left = 2 + ef * kExpandedPerCandidate / kStepsPerStopCheck;
    const StopCheck budget{[](void* context) noexcept {
                             auto& left = *static_cast<std::uint32_t*>(context);
                             left -= left > 0 ? 1 : 0;
                             return left == 0;
                           },
                           &questions_left};
    filtered_search(walk, nearest, ef, linkable_, scratch, budget, level, Ties::younger_first);
  }
  if (!found.empty()) nearest = {distance_of(found[0]), slot_of(found[0], Ties::younger_first)};
}

void Insertion::choose_for(std::size_t member, WalkScratch& scratch, SelectScratch& select) {
  const RowQuery row(store_.vectors(), nodes_[member].slot);
  const Query& query = *row;
  if (codes_ == nullptr) return choose_along(Walk{store_, base_.epoch, query}, member, query, scratch, select);
  const std::size_t room = codes_->stride();
  const CodeQuery approximate = codes_->quantizer().prepare(query.vector(), aligned_room(room, scratch.weights), room);
  choose_along(CodeWalk{store_, base_.epoch, *codes_, approximate}, member, query, scratch, select);
}

template <class AnyWalk>
void Insertion::choose_along(const AnyWalk& walk, std::size_t member, const Query& query, WalkScratch& scratch,
                             SelectScratch& select) {
  const NewNode node = nodes_[member];
  const VectorTable& vectors = store_.vectors();
  const int top = static_cast<int>(base_.levels) - 1;  // -1: the graph is empty
  Candidate nearest;
  if (top >= 0) {
    nearest.slot = base_.entry;
    walk.score(&nearest.slot, 1, &nearest.distance);
    nearest = descend(walk, nearest, top, std::min(node.level, top));
  }
  constexpr bool kByCodes = std::is_same_v<AnyWalk, CodeWalk>;
  std::vector<CandidateKey>& found = scratch.results;
  for (int level = node.level; level >= 0; --level) {
    scratch.results.clear();
    Candidate anchor;
    if (level <= top) {
      find_linkable(walk, level, nearest, scratch);
      if (found.empty()) anchor = nearest;
    }
    // A mate farther than all of a full beam is no candidate.
    const bool full = found.size() == store_.params().ef_construction;
    const auto far = [&] { return full ? distance_of(found.back()) : std::numeric_limits<float>::infinity(); };
    add_mates(walk, member, level, far(), scratch);
    if constexpr (kByCodes) {
      measure_found(query, found);
      measure_mates(member, level, query, far(), scratch);
    }
    const std::vector<std::uint32_t>& members = members_at_[static_cast<std::size_t>(level)];
    const std::uint32_t self = place_among(members, node.slot);
    std::vector<Candidate>& candidates = scratch.candidates;  // both merged, nearest first
    candidates.clear();
    for (std::size_t i = 0, j = 0; i < found.size() || j < scratch.mates.size();) {
      const bool mate =
          i == found.size() || (j < scratch.mates.size() && distance_of(scratch.mates[j]) <= distance_of(found[i]));
      const CandidateKey key = mate ? scratch.mates[j++] : found[i++];
      const Slot slot = mate ? nodes_[members[absolute(slot_of(key, Ties::older_first), self)]].slot
                             : slot_of(key, Ties::younger_first);
      candidates.push_back({distance_of(key), slot});
    }
    select_links(vectors, node.slot, candidates, store_.params().m, select);
    keep_chosen(member, level, select.chosen, anchor);
  }
}

/// The place of `slot` among members that are sorted by slot, or where it would be.
std::uint32_t Insertion::place_among(const std::vector<std::uint32_t>& members, Slot slot) const {
  const auto at = std::lower_bound(members.begin(), members.end(), slot,
                                   [this](std::uint32_t member, Slot wanted) { return nodes_[member].slot < wanted; });
  return static_cast<std::uint32_t>(at - members.begin());
}

/// The nearest members of the batch, not farther than `far`, found by comparing with all of them.
template <class AnyWalk>
void Insertion::add_mates(const AnyWalk& walk, std::size_t member, int level, float far, WalkScratch& scratch) const {
  CandidatePool& mates = scratch.mates;
  const Slot own_slot = nodes_[member].slot;
  const std::vector<std::uint32_t>& others = members_at_[static_cast<std::size_t>(level)];
  const std::uint32_t self = place_among(others, own_slot);
  mates.reset(kMatesKept);
  constexpr std::size_t kAtOnce = 64;
  Slot slots[kAtOnce];
  float distances[kAtOnce];
  Slot entered[kAtOnce];
  for (std::size_t begin = 0; begin < others.size(); begin += kAtOnce) {
    const std::size_t count = std::min(others.size() - begin, kAtOnce);
    for (std::size_t i = 0; i < count; ++i) slots[i] = nodes_[others[begin + i]].slot;
    walk.score(slots, count, distances);
    std::size_t near = 0;  // those that come into question move to the front, as places
    for (std::size_t i = 0; i < count; ++i) {
      if (slots[i] == own_slot || !(distances[i] <= far)) continue;
      distances[near] = distances[i];
      slots[near++] = relative(static_cast<std::uint32_t>(begin + i), self);
    }
    (void)mates.offer(distances, slots, near, Ties::older_first, entered);
  }
}

/// Exact distances for what was found by codes, in the order of these.
void Insertion::measure_found(const Query& query, std::vector<CandidateKey>& found) const {
  constexpr std::size_t kAtOnce = 64;
  Slot slots[kAtOnce];
  for (std::size_t begin = 0; begin < found.size(); begin += kAtOnce) {
    const std::size_t count = std::min(found.size() - begin, kAtOnce);
    for (std::size_t i = 0; i < count; ++i) slots[i] = slot_of(found[begin + i], Ties::younger_first);
    CandidateKey* next = &found[begin];
    score(store_.vectors(), query, slots, count,
          [&](Slot slot, float distance) { *next++ = make_key(distance, slot, Ties::younger_first); });
  }
  std::sort(found.begin(), found.end());
}

/// The same for mates; those that are farther than `far` go.
void Insertion::measure_mates(std::size_t member, int level, const Query& query, float far,
                              WalkScratch& scratch) const {
  const std::vector<std::uint32_t>& others = members_at_[static_cast<std::size_t>(level)];
  const std::uint32_t self = place_among(others, nodes_[member].slot);
  std::uint32_t places[kMatesKept];
  Slot slots[kMatesKept];
  const std::size_t count = scratch.mates.size();
  for (std::size_t i = 0; i < count; ++i) {
    places[i] = slot_of(scratch.mates[i], Ties::older_first);
    slots[i] = nodes_[others[absolute(places[i], self)]].slot;
  }
  scratch.mates.reset(kMatesKept);
  const std::uint32_t* place = places;
  score(store_.vectors(), query, slots, count, [&](Slot, float distance) {
    if (distance <= far) scratch.mates.offer(distance, *place, Ties::older_first);
    ++place;
  });
}

void Insertion::keep_chosen(std::size_t member, int level, const std::vector<Candidate>& chosen, Candidate anchor) {
  const std::size_t entry = first_chosen_[member] + static_cast<std::size_t>(level);
  const std::size_t begin = entry * store_.params().m;
  std::copy(chosen.begin(), chosen.end(), links_.begin() + static_cast<std::ptrdiff_t>(begin));
  chosen_[entry] = {static_cast<std::uint32_t>(chosen.size()), static_cast<std::uint32_t>(begin), anchor};
}

std::span<const Candidate> Insertion::chosen_by(std::size_t member, int level) const {
  const Chosen& chosen = chosen_[first_chosen_[member] + static_cast<std::size_t>(level)];
  return {links_.data() + chosen.begin, chosen.count};
}

// ---- Step 2 ----------------------------------------------------------------------------------------------------

bool Insertion::make_lists() {
  share_out();
  const unsigned threads = nodes_.size() <= kInlineMembers ? 1 : threads_;
  return parallel_for(threads, buckets_.size(),
                      [this](unsigned worker, std::size_t bucket) { return make_lists_of(bucket, select_[worker]); });
}

/// Turns the chosen links around and puts them into the bucket of their target.
void Insertion::share_out() {
  buckets_.resize(kBucketsPerThread * threads_);
  made_.set_parts(buckets_.size());
  const auto bucket_of = [this](Slot target) -> std::vector<ReverseLink>& {
    return buckets_[mix64(target) % buckets_.size()];
  };
  for (std::size_t member = 0; member < nodes_.size(); ++member) {
    const Slot source = nodes_[member].slot;
    const auto number = static_cast<std::uint32_t>(member);
    for (int level = 0; level <= nodes_[member].level; ++level) {
      const auto at = static_cast<std::uint32_t>(level);
      bucket_of(source).push_back({source, at, 0, source, number});
      for (const Candidate& link : chosen_by(member, level)) {
        auto& bucket = bucket_of(HF_PLANTED(target_belongs_to_two_workers) ? source : link.slot);
        bucket.push_back({link.slot, at, link.distance, source, number});
      }
      const Candidate anchor = chosen_[first_chosen_[member] + at].anchor;
      if (anchor.slot != kNoSlot) bucket_of(anchor.slot).push_back({anchor.slot, at, anchor.distance, source, number});
    }
  }
}

bool Insertion::make_lists_of(std::size_t bucket, SelectScratch& scratch) {
  std::vector<ReverseLink>& links = buckets_[bucket];
  std::sort(links.begin(), links.end(), sorts_before);
  std::size_t groups = 0;
  const auto same_list = [](const ReverseLink& a, const ReverseLink& b) {
    return a.target == b.target && a.level == b.level;
  };
  for (std::size_t i = 0; i < links.size(); ++i) groups += i == 0 || !same_list(links[i - 1], links[i]) ? 1 : 0;
  std::vector<Replacement>& made = made_.part(bucket);
  made.reserve(groups);  // so that no list can get lost on its way
  for (std::size_t begin = 0; begin < links.size();) {
    std::size_t end = begin + 1;
    while (end < links.size() && same_list(links[begin], links[end])) ++end;
    if (!make_list({links.data() + begin, end - begin}, made, scratch)) return false;
    begin = end;
  }
  return true;
}

bool Insertion::has_level(Slot slot, int level) const noexcept {
  bool is_node = false;
  (void)store_.level0(slot, base_.epoch, is_node);
  if (level == 0) return is_node;
  const UpperNode* const upper = store_.upper_node(slot);
  return is_node && upper != nullptr && static_cast<int>(upper->level) >= level;
}

/// The new list of one target: what it has and what wants to be linked from it, pruned if that is too much.
bool Insertion::make_list(std::span<const ReverseLink> group, std::vector<Replacement>& made, SelectScratch& scratch) {
  const Slot target = group.front().target;
  const int level = static_cast<int>(group.front().level);
  const bool is_new = group.front().source == target;
  std::vector<Candidate>& all = scratch.all;
  all.clear();
  NeighborList* const old = is_new && level > 0 ? nullptr : store_.newest(target, level);  // new: "removed", or none
  const bool is_anchor = !is_new && !linkable_(target);
  if (is_new) {
    const std::span<const Candidate> own = chosen_by(group.front().member, level);
    all.assign(own.begin(), own.end());
    group = group.subspan(1);
  } else {
    if (!has_level(target, level)) return true;  // a forged image named it: there is no list to put the link into
    if (is_anchor) {  // up to half of the list for the new nodes, the rest stays: nothing of it is worth a comparison
      for (const ReverseLink& link : group.first(std::min<std::size_t>(group.size(), (max_links(level) + 1) / 2))) {
        all.push_back({link.distance, link.source});
      }
    }
    for (const Slot link : store_.neighbors(target, level, base_.epoch)) {
      if (!is_anchor || all.size() < max_links(level)) all.push_back({0, link});
    }
    if (is_anchor) return add_list(target, level, old, all, made);
  }
  const std::size_t before = all.size();
  for (const ReverseLink& link : group) {
    const auto own_end = all.begin() + static_cast<std::ptrdiff_t>(before);
    const auto linked = std::find_if(all.begin(), own_end, [&](const Candidate& c) { return c.slot == link.source; });
    if (linked == own_end) all.push_back({link.distance, link.source});  // mates often choose each other
  }
  if (all.size() <= max_links(level)) return add_list(target, level, old, all, made);
  const VectorTable& vectors = store_.vectors();
  if (!is_new) {
    const RowQuery query(vectors, target);
    for (std::size_t i = 0; i < before; ++i) all[i].distance = query->distance(vectors.row(all[i].slot));
  }
  std::sort(all.begin(), all.end());
  select_links(vectors, target, all, max_links(level), scratch);
  return add_list(target, level, old, scratch.chosen, made);
}

/// False: memory is short.
bool Insertion::add_list(Slot target, int level, NeighborList* old, std::span<const Candidate> links,
                         std::vector<Replacement>& made) const {
  NeighborList* const list = new_list(old, base_.epoch + 1, static_cast<std::uint32_t>(links.size()));
  if (list == nullptr) return false;
  for (std::size_t i = 0; i < links.size(); ++i) list->ids()[i] = links[i].slot;
  made.push_back({target, level, list});
  return true;
}

// ---- Step 3 ----------------------------------------------------------------------------------------------------

GraphRoot Insertion::publish(std::vector<RetiredList>& retired) {
  made_.make_room(retired);
  // From here on nothing can fail.
  GraphRoot root = base_;
  root.epoch = base_.epoch + 1;
  root.nodes += static_cast<std::uint32_t>(nodes_.size());
  for (std::size_t member = 0; member < nodes_.size(); ++member) {
    const NewNode& node = nodes_[member];
    if (uppers_[member] != nullptr) store_.publish_upper(node.slot, uppers_[member]);
    const auto levels = static_cast<std::uint32_t>(node.level) + 1;
    const bool higher = levels > root.levels;
    if (higher || (levels == root.levels && levels > base_.levels && node.slot < root.entry)) root.entry = node.slot;
    if (higher) root.levels = levels;
  }
  uppers_.clear();
  made_.publish(store_, root.epoch, retired);
  return root;
}

// ---- The token -------------------------------------------------------------------------------------------------

GraphWriter::GraphWriter(Graph::Impl& impl) : impl_(&impl) {}
GraphWriter::GraphWriter(GraphWriter&&) noexcept = default;
GraphWriter::~GraphWriter() = default;

std::size_t GraphWriter::batch_size(std::size_t graph_nodes, std::size_t waiting) noexcept {
  constexpr std::size_t kSmall = 256;  // compared with each other exactly: any part of a small graph does
  constexpr std::size_t kLargest = 4'000;
  const std::size_t share = graph_nodes / 100;
  return std::min(waiting, std::clamp(share, kSmall, kLargest));
}

Result<GraphRoot> GraphWriter::insert(const GraphRoot& base, std::span<const NewNode> nodes, const Visibility& linkable,
                                      unsigned threads, std::vector<RetiredList>& retired, const CodeTable* codes) {
  if (nodes.empty()) return base;
  try {
    Insertion insertion(impl_->store, impl_->worker_scratch, base, nodes, linkable, threads, codes);
    ReadCheck check;
    if (Status status = insertion.prepare(); !status.ok()) return status;
    if (!check.ok()) return check.status();  // who is a node, and who is not
    if (!insertion.choose_links() || !insertion.make_lists()) return out_of_memory();
    if (!check.ok()) return check.status();  // links chosen by damaged rows
    return insertion.publish(retired);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

}  // namespace holdfast::index
