// A concurrent history: what each thread asked and was told, with the real time of call and return; and the check that
// one sequential order explains all of it.
//
// The order is not searched for. The store itself claims one: a write's receipt names its position (lsn), a snapshot
// the position that it shows. The check is that this claim is right:
//   C1. Positions are unique, and follow real time: of two operations the one that returned before the other was called
//       does not have the larger position.
//   C2. Replaying the writes in order of position gives, at every write, the counts of its receipt.
//   C3. Every snapshot (and every search that compares everything) holds exactly the replayed state at its position.
//   C4. Every get and every search without a position agrees with the state at some position that real time allows,
//       one for all of them: reads that follow each other do not go back.
// Batches are whole for every reader because the replayed states are (C3); operations on one id are linearizable
// because the positions are a legal order of all operations (C1, C2, C4).
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "holdfast/types.h"

namespace holdfast::testing {

/// What one version of an id is; vectors, payload and number of values are functions of it.
using Version = std::uint64_t;
using State = std::map<std::uint64_t, Version>;

[[nodiscard]] std::uint32_t values_of(Version version);
[[nodiscard]] std::vector<float> vectors_of(Version version, std::uint32_t dimension);
[[nodiscard]] std::string payload_of(Version version);
/// The version that a payload names; nothing if it is none of ours.
[[nodiscard]] std::optional<Version> version_in(const std::string& payload);

struct Event {
  enum class Kind : std::uint8_t { write, view, get };
  Kind kind = Kind::write;
  std::uint32_t thread = 0;
  std::uint64_t called = 0;    ///< tickets of one clock: before the call
  std::uint64_t returned = 0;  ///< and after the return
  std::string what;            ///< for people

  // write: the operations in order; no version: erase
  std::vector<std::pair<std::uint64_t, std::optional<Version>>> operations = {};
  WriteReceipt receipt = {};
  // view: the whole content, and its position if there is one (a snapshot)
  State content = {};
  std::optional<Lsn> position = {};
  Lsn at_least = 0;
  // get
  std::uint64_t id = 0;
  std::optional<Version> found = {};
};

class History {
 public:
  /// A clock that all threads read: the order of tickets is an order of real time.
  std::uint64_t ticket() { return clock_.fetch_add(1, std::memory_order_seq_cst); }
  /// Not thread-safe: each thread collects its own events, which are added when it has ended.
  void add(std::vector<Event> events);

  /// The first violation, in words; empty if the history is explained.
  [[nodiscard]] std::string check();
  /// The state after all writes. REQUIRES check() found nothing.
  [[nodiscard]] const State& final_state() const { return states_.rbegin()->second; }
  /// The state at a position. REQUIRES check() found nothing.
  [[nodiscard]] const State& state_at(Lsn position) const { return std::prev(states_.upper_bound(position))->second; }
  [[nodiscard]] std::string to_string() const;

 private:
  std::string replay();
  std::string check_real_time() const;
  std::string check_reads() const;
  [[nodiscard]] bool agrees(const Event& read, const State& state) const;

  std::atomic<std::uint64_t> clock_{1};
  std::vector<Event> events_;    // by time of call
  std::map<Lsn, State> states_;  // after the write at each position; 0: nothing
};

}  // namespace holdfast::testing
