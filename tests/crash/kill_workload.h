// What the process that gets killed does, and what it tells: shared by kill_worker (which does it) and kill9_test
// (which watches, kills and checks).
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
inline constexpr std::uint32_t kKillThreads = 4;
inline constexpr std::uint64_t kKillIdsPerThread = 250;
inline constexpr const char* kKillCollection = "victim";

/// Exit statuses of the worker.
inline constexpr int kWorkerDone = 0;
inline constexpr int kWorkerFailed = 3;           ///< a call returned an error; it is on stderr
inline constexpr int kWorkerSnapshotChanged = 4;  ///< a snapshot gave two answers to one question

struct KillEvent {
  enum class Kind : std::uint32_t {
    opening = 1,
    opened,
    write_begins,  ///< thread, number
    write_acknowledged,
    checkpoint_begins,
    checkpoint_ends,
    closing,
    closed,
  };
  Kind kind = Kind::opening;
  std::uint32_t thread = 0;
  std::uint64_t number = 0;
};
static_assert(sizeof(KillEvent) == 16, "POSIX promises that writes of up to 512 bytes to a pipe are atomic");

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
[[nodiscard]] std::vector<float> kill_vector(std::uint64_t id, std::uint64_t version);
[[nodiscard]] std::string kill_payload(std::uint64_t id, std::uint64_t version);
[[nodiscard]] std::string kill_marker_key(std::uint32_t thread);
[[nodiscard]] std::string kill_marker_value(std::uint64_t seed, std::uint64_t number);

/// Options of one life of the store, drawn by the seed.
[[nodiscard]] OpenOptions kill_options(std::uint64_t seed);
[[nodiscard]] CollectionConfig kill_config();

}  // namespace holdfast::testing
