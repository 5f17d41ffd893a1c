// What the store must hold after a life of the worker, told by the events on its pipe.
//
// Invariants
//  O1. Of each writer, what is there is a prefix of its batches: `base`, then the first p of `history`. The marker of
//      the writer says p; every vector, payload and absence is then compared with exactly that prefix.
//  O2. p covers everything that must have survived: after a kill all that was acknowledged, whatever its durability;
//      after a power cut all that was durable. Durable is: acknowledged under Durability::sync, or acknowledged before
//      such a batch, a flush or a checkpoint began that itself was acknowledged.
//  O3. At most one batch beyond what was acknowledged: the one in flight, whole.
//  O4. Among all writers, no acknowledged batch is lost that is older (lsn) than one that is there.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crash/kill_workload.h"
#include "holdfast/database.h"

namespace holdfast::testing {

/// What one writer has written, up to some batch.
struct WriterModel {
  std::map<std::uint64_t, std::uint64_t> versions;  ///< of the ids that live
  KillMark mark;

  void apply(std::uint32_t thread, KillMark batch);
};

class KillOracle {
 public:
  enum class Loss : std::uint8_t {
    nothing,   ///< a process was killed: the page cache survives
    unsynced,  ///< power was cut
  };
  explicit KillOracle(Loss loss) : loss_(loss) {}

  void begin_life(std::uint64_t seed);
  void follow(const KillEvent& event);

  /// Compares everything, by id, by list and by search. Adds a failure to the test that runs for whatever is wrong.
  void check(const Database& database);
  /// The victim's part of a backup: a state of its history that is not older than the last backup that ended.
  void check_backup(const Database& restored);
  [[nodiscard]] bool has_backup() const noexcept { return backup_ended_; }

  struct Totals {
    std::uint64_t acknowledged = 0;
    std::uint64_t found = 0;
    std::uint64_t unsynced_lost = 0;  ///< acknowledged under interval or none, and taken by a power cut
    std::uint64_t lost = 0;
  };
  [[nodiscard]] const Totals& totals() const noexcept { return totals_; }

 private:
  struct Batch {
    KillMark mark;
    Lsn lsn = 0;
  };
  struct Writer {
    WriterModel base;
    std::vector<Batch> history;  ///< acknowledged since
    std::optional<KillMark> in_flight;
    std::size_t durable = 0;  ///< so many of the history survive a power cut
  };
  using Positions = std::array<std::size_t, kKillThreads>;

  void acknowledge(const KillEvent& event);
  [[nodiscard]] Positions positions() const;
  void raise_durable(const Positions& positions);
  /// The store holds this mark of the writer: settles what is base now (O1 to O3).
  void settle(std::uint32_t thread, KillMark found);
  /// O4, when all writers are settled.
  void check_order();
  void settle_guest(bool exists, KillMark found);
  void check_guest(const Database& database);
  void check_lists_and_searches(const Snapshot& snapshot);

  enum class GuestState : std::uint8_t { absent, creating, empty, writing, full, dropping };
  struct Guest {
    GuestState state = GuestState::absent;
    KillMark mark;
  };

  const Loss loss_;
  std::uint64_t seed_ = 0;
  std::array<Writer, kKillThreads> writers_;
  /// Positions at the begin of what each thread has under way (flush, checkpoint, write).
  std::array<Positions, kKillThreads + 1> begun_{};
  Lsn highest_found_ = 0;
  Lsn lowest_lost_ = 0;
  Guest guest_;

  // The backup: models at the begin of the last one that ended, and everything since.
  std::array<WriterModel, kKillThreads> backup_base_, backup_begun_;
  std::array<std::vector<KillMark>, kKillThreads> since_base_, since_begun_;
  bool backup_ended_ = false;

  Totals totals_;
};

}  // namespace holdfast::testing
