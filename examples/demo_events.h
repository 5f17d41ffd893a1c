// What the ingesting process tells the one that watches it, through a pipe: before a batch is written, and after it was
// acknowledged. An event is shorter than PIPE_BUF, so it arrives whole or not at all, from any thread, even when the
// writer is killed in between.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "holdfast/status.h"

namespace demo {

enum class EventKind : std::uint32_t {
  about_to_write = 1,     ///< batch, begin, count: points begin .. begin + count of the corpus
  acknowledged = 2,       ///< the same batch: write() has returned ok
  checkpoint_begins = 3,  ///< batch: the last one that was acknowledged
  checkpoint_ends = 4,
  finished = 5,  ///< everything is written and the store is closed
};

struct Event {
  EventKind kind = EventKind::finished;
  std::uint32_t batch = 0;
  std::uint64_t begin = 0;
  std::uint64_t count = 0;
  std::uint64_t growing = 0;  ///< points that the graph does not hold yet
};
static_assert(sizeof(Event) == 32, "POSIX promises that writes of up to 512 bytes to a pipe are atomic");

/// Errors: io_error (nobody listens any more).
holdfast::Status send_event(int pipe, const Event& event);

/// The next event. Nothing if `timeout` ran out (then `ended` is false) or if the other side is gone and the pipe is
/// empty (then it is true). No timeout: waits for ever.
[[nodiscard]] std::optional<Event> receive_event(int pipe, std::optional<std::chrono::microseconds> timeout,
                                                 bool& ended);

}  // namespace demo
