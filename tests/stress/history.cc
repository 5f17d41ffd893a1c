#include "stress/history.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/random.h"

namespace holdfast::testing {
namespace {

std::string describe(const State& state) {
  std::string text;
  for (const auto& [id, version] : state) text += " " + std::to_string(id) + ":" + std::to_string(version);
  return text.empty() ? " nothing" : text;
}

std::string difference(const State& expected, const State& found) {
  return "expected" + describe(expected) + "; found" + describe(found);
}

}  // namespace

std::uint32_t values_of(Version version) { return mix64(version) % 4 == 0 ? 2 + mix64(version + 1) % 2 : 1; }

std::vector<float> vectors_of(Version version, std::uint32_t dimension) {
  SeededRandom random(mix64(version) + 3);
  std::vector<float> vectors(std::size_t{values_of(version)} * dimension);
  for (float& x : vectors) x = static_cast<float>(random.below(200)) - 100.0F;
  for (std::size_t i = 0; i < vectors.size(); i += dimension) vectors[i] += vectors[i] == 0 ? 1.0F : 0.0F;
  return vectors;
}

std::string payload_of(Version version) {
  return R"({"v":)" + std::to_string(version) + R"(,"fill":")" + std::string(version % 40, 'x') + "\"}";
}

std::optional<Version> version_in(const std::string& payload) {
  Version version = 0;
  if (payload.size() < 6) return std::nullopt;
  const auto parsed = std::from_chars(payload.data() + 5, payload.data() + payload.size(), version);
  if (parsed.ec != std::errc() || payload != payload_of(version)) return std::nullopt;
  return version;
}

void History::add(std::vector<Event> events) {
  for (Event& event : events) events_.push_back(std::move(event));
}

std::string History::check() {
  std::sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) { return a.called < b.called; });
  if (auto problem = replay(); !problem.empty()) return problem;
  if (auto problem = check_real_time(); !problem.empty()) return problem;
  return check_reads();
}

std::string History::replay() {
  std::vector<const Event*> writes;
  for (const Event& event : events_) {
    if (event.kind == Event::Kind::write) writes.push_back(&event);
  }
  std::sort(writes.begin(), writes.end(),
            [](const Event* a, const Event* b) { return a->receipt.lsn < b->receipt.lsn; });
  states_ = {{0, {}}};
  State state;
  for (const Event* write : writes) {
    const Lsn lsn = write->receipt.lsn;
    if (lsn == 0 || states_.contains(lsn)) return "C1: position " + std::to_string(lsn) + " twice: " + write->what;
    std::uint64_t upserted = 0, erased = 0;
    for (const auto& [id, version] : write->operations) {
      if (version) {
        state[id] = *version;
        ++upserted;
      } else {
        erased += state.erase(id);
      }
    }
    if (upserted != write->receipt.upserted || erased != write->receipt.erased) {
      return "C2: " + write->what + " at position " + std::to_string(lsn) + " erased " +
             std::to_string(write->receipt.erased) + " by its receipt, " + std::to_string(erased) + " in the model";
    }
    states_.emplace(lsn, state);
  }
  return "";
}

std::string History::check_real_time() const {
  // For each operation with a position: the largest position that was known before it was called.
  struct Known {
    std::uint64_t returned;
    Lsn position;
    bool write;
    const Event* event;
  };
  std::vector<Known> positioned;
  for (const Event& event : events_) {
    if (event.kind == Event::Kind::write) positioned.push_back({event.returned, event.receipt.lsn, true, &event});
    if (event.position) positioned.push_back({event.returned, *event.position, false, &event});
  }
  for (const Known& later : positioned) {
    for (const Known& earlier : positioned) {
      if (earlier.returned > later.event->called) continue;
      // A write takes a position of its own; a view may show the same one again.
      const bool right = later.write ? earlier.position < later.position : earlier.position <= later.position;
      if (!right) {
        return "C1: " + earlier.event->what + " (position " + std::to_string(earlier.position) + ") returned before " +
               later.event->what + " (position " + std::to_string(later.position) + ") was called";
      }
    }
  }
  return "";
}

bool History::agrees(const Event& read, const State& state) const {
  if (read.kind == Event::Kind::view) return state == read.content;
  const auto version = state.find(read.id);
  return version == state.end() ? !read.found.has_value() : read.found == version->second;
}

std::string History::check_reads() const {
  // Reads in order of call, each at the smallest position that agrees and that real time allows. The smallest one
  // leaves most room for those that follow, so if this fails there is no explanation at all.
  std::vector<std::pair<const Event*, Lsn>> placed;
  for (const Event& read : events_) {
    if (read.kind == Event::Kind::write) continue;
    Lsn lowest = read.at_least;
    Lsn highest = std::numeric_limits<Lsn>::max();
    for (const Event& other : events_) {
      const std::optional<Lsn> position =
          other.kind == Event::Kind::write ? std::optional<Lsn>(other.receipt.lsn) : other.position;
      if (!position) continue;
      if (other.returned < read.called) lowest = std::max(lowest, *position);
      if (other.called > read.returned) {
        highest = std::min(highest, other.kind == Event::Kind::write ? *position - 1 : *position);
      }
    }
    for (const auto& [earlier, position] : placed) {
      if (earlier->returned < read.called) lowest = std::max(lowest, position);
    }
    if (read.position) {
      if (*read.position < lowest || *read.position > highest) {
        return "C4: " + read.what + " shows position " + std::to_string(*read.position) + "; real time allows " +
               std::to_string(lowest) + " to " + std::to_string(highest);
      }
      if (const State& state = state_at(*read.position); !agrees(read, state)) {
        return "C3: " + read.what + " at position " + std::to_string(*read.position) + ": " +
               difference(state, read.content);
      }
      placed.emplace_back(&read, *read.position);
      continue;
    }
    auto state = std::prev(states_.upper_bound(lowest));
    while (state != states_.end() && std::max(state->first, lowest) <= highest && !agrees(read, state->second)) ++state;
    if (state == states_.end() || std::max(state->first, lowest) > highest) {
      std::string found = read.kind == Event::Kind::view ? describe(read.content)
                          : read.found                   ? " version " + std::to_string(*read.found)
                                                         : " nothing";
      return "C4: " + read.what + " found" + found + ", which no position from " + std::to_string(lowest) + " to " +
             std::to_string(highest) + " explains";
    }
    placed.emplace_back(&read, std::max(state->first, lowest));
  }
  return "";
}

std::string History::to_string() const {
  std::string text;
  for (const Event& event : events_) {
    text += "  [" + std::to_string(event.called) + ", " + std::to_string(event.returned) + "] thread " +
            std::to_string(event.thread) + ": " + event.what;
    if (event.kind == Event::Kind::write) text += " -> position " + std::to_string(event.receipt.lsn);
    if (event.position) text += " -> position " + std::to_string(*event.position);
    if (event.kind == Event::Kind::view) text += " ->" + describe(event.content);
    if (event.kind == Event::Kind::get) text += event.found ? " -> " + std::to_string(*event.found) : " -> nothing";
    text += "\n";
  }
  return text;
}

}  // namespace holdfast::testing
