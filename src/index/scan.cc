// Exact search: every visible row of a range or a list, four at a time. For slots that the graph does not hold yet, for
// collections of which little is visible, and the reference for the graph's recall.
#include <algorithm>

#include "index/score.h"
#include "index/search.h"

namespace holdfast::index {
namespace {

/// The k best of what it is shown, in a vector that is sorted before and after.
class Best {
 public:
  Best(std::vector<Candidate>& out, std::uint32_t k) : out_(out), k_(k) {
    std::make_heap(out_.begin(), out_.end());  // the farthest on top
  }
  ~Best() { std::sort_heap(out_.begin(), out_.end()); }
  Best(const Best&) = delete;
  Best& operator=(const Best&) = delete;

  [[nodiscard]] bool wants(const Candidate& candidate) const noexcept {
    return out_.size() < k_ || candidate < out_.front();
  }
  /// REQUIRES wants(candidate).
  void take(const Candidate& candidate) {
    if (out_.size() >= k_) {
      std::pop_heap(out_.begin(), out_.end());
      out_.pop_back();
    }
    out_.push_back(candidate);
    std::push_heap(out_.begin(), out_.end());
  }

 private:
  std::vector<Candidate>& out_;
  const std::uint32_t k_;
};

}  // namespace

void scan(const VectorTable& vectors, const Query& query, Slot begin, Slot end, std::uint32_t k,
          const Visibility& visibility, std::vector<Candidate>& out, const StopCheck& stop) {
  if (k == 0) return;
  Best best(out, k);
  Slot visible[kRowsPerStopCheck];
  while (begin < end && !stop()) {
    const Slot until = begin + std::min<Slot>(end - begin, kRowsPerStopCheck);
    std::size_t count = 0;
    for (; begin < until; ++begin) {
      if (visibility(begin)) visible[count++] = begin;
    }
    score(vectors, query, visible, count, [&](Slot slot, float distance) {
      if (const Candidate candidate{distance, slot}; best.wants(candidate)) best.take(candidate);
    });
  }
}

void scan_slots(const VectorTable& vectors, const Query& query, std::span<const Slot> slots, std::uint32_t k,
                const Visibility& visibility, const StopCheck& stop, std::vector<Candidate>& out) {
  if (k == 0) return;
  Best best(out, k);
  while (!slots.empty() && !stop()) {
    const auto part = slots.first(std::min<std::size_t>(slots.size(), kRowsPerStopCheck));
    slots = slots.subspan(part.size());
    score(vectors, query, part.data(), part.size(), [&](Slot slot, float distance) {
      const Candidate candidate{distance, slot};
      if (best.wants(candidate) && visibility(slot)) best.take(candidate);
    });
  }
}

}  // namespace holdfast::index
