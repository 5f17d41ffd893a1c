// What the process that gets killed does, and what it tells: shared by kill_worker (which does it) and the tests that
// watch, kill and check (kill9_test, power_cut_test).
//
// Every batch is a function of (seed, thread, number), every vector and payload a function of (id, version). So two
// numbers on a pipe tell the watcher exactly what a batch holds, and what the store must return for it.
// Threads write disjoint ids; each has one batch in flight at most.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "holdfast/types.h"

namespace holdfast::testing {

inline constexpr std::uint32_t kKillDimension = 24;
inline constexpr std::uint32_t kKillThreads = 4;            ///< at most; a life may use fewer
inline constexpr std::uint32_t kKillKeeper = kKillThreads;  ///< the thread that checkpoints, vacuums, backs up
inline constexpr std::uint64_t kKillIdsPerThread = 250;
inline constexpr const char* kKillCollection = "victim";
inline constexpr const char* kKillGuest = "guest";  ///< created, written once and dropped again and again

/// Exit statuses of the worker.
inline constexpr int kWorkerDone = 0;
inline constexpr int kWorkerFailed = 3;           ///< a call returned an error; it is on stderr
inline constexpr int kWorkerSnapshotChanged = 4;  ///< a snapshot gave two answers to one question

struct KillEvent {
  enum class Kind : std::uint32_t {
    opening = 1,
    found,        ///< thread; number and seed of the last batch of that thread that is there, 0 if none
    guest_found,  ///< number and seed of the batch in it; thread: 1 if the collection exists
    opened,
    write_begins,        ///< thread, number
    write_acknowledged,  ///< thread, number, lsn
    flush_begins,        ///< thread
    flush_ends,
    checkpoint_begins,
    checkpoint_ends,
    vacuum_begins,
    vacuum_ends,
    backup_begins,
    backup_ends,
    create_begins,  ///< of the guest; number
    create_ends,
    guest_write_begins,
    guest_write_ends,
    drop_begins,
    drop_ends,
    point_reached,  ///< number: the KillPoint at which it dies now
    closing,
    closed,
  };
  Kind kind = Kind::opening;
  std::uint32_t thread = kKillKeeper;
  std::uint64_t number = 0;
  std::uint64_t extra = 0;  ///< lsn, or seed
};
static_assert(sizeof(KillEvent) == 24, "POSIX promises that writes of up to 512 bytes to a pipe are atomic");

/// False if nobody listens any more.
[[nodiscard]] bool send(int pipe, const KillEvent& event) noexcept;
/// The next event; nothing if the timeout ran out, or if the pipe ended (then `ended`). No timeout: waits for ever.
[[nodiscard]] std::optional<KillEvent> receive(int pipe, std::optional<std::chrono::microseconds> timeout,
                                               bool& ended) noexcept;

struct KillOperation {
  std::uint64_t id = 0;
  std::uint64_t version = 0;  ///< 0: erase
};
/// Distinct ids of this thread; mostly upserts.
[[nodiscard]] std::vector<KillOperation> kill_operations(std::uint64_t seed, std::uint32_t thread,
                                                         std::uint64_t number);
/// The operations, and the marker that is durable together with them.
[[nodiscard]] WriteBatch kill_batch(std::uint64_t seed, std::uint32_t thread, std::uint64_t number);
/// The durability that the batch asks for; nothing: that of the life. In some lives no batch asks.
[[nodiscard]] std::optional<Durability> kill_durability(std::uint64_t seed, std::uint32_t thread, std::uint64_t number);
/// How many vectors the point has: mostly one.
[[nodiscard]] std::uint32_t kill_values(std::uint64_t id, std::uint64_t version);
[[nodiscard]] std::vector<float> kill_vectors(std::uint64_t id, std::uint64_t version);
/// A vector that nothing in particular has.
[[nodiscard]] std::vector<float> kill_query(std::uint64_t seed);
[[nodiscard]] std::string kill_payload(std::uint64_t id, std::uint64_t version);

/// The marker of a thread says which batch was its last.
struct KillMark {
  std::uint64_t seed = 0;
  std::uint64_t number = 0;  ///< 0: there is none
  friend bool operator==(const KillMark&, const KillMark&) = default;
  [[nodiscard]] std::string to_string() const;  ///< empty if there is none
  [[nodiscard]] static KillMark parse(const std::string& text);
};
[[nodiscard]] std::string kill_marker_key(std::uint32_t thread);

/// What is written to a new guest: points kKillGuestIds, and a marker under the key of the keeper.
inline constexpr std::uint64_t kKillGuestIds = 12;
[[nodiscard]] WriteBatch kill_guest_batch(KillMark mark);
[[nodiscard]] std::uint64_t kill_guest_version(KillMark mark);

/// One life of the store, drawn by its seed.
struct KillLife {
  OpenOptions options;
  std::uint32_t writers = kKillThreads;
  std::uint32_t snapshot_holders = 1;
  std::uint64_t batches = 0;  ///< of each writer, if nobody kills it before
  bool snapshots_expire = false;
};
[[nodiscard]] KillLife kill_life(std::uint64_t seed);
/// The options of a life without its budgets of snapshots: those of whoever checks must not expire.
[[nodiscard]] OpenOptions kill_check_options(std::uint64_t seed);
[[nodiscard]] CollectionConfig kill_config();

}  // namespace holdfast::testing
