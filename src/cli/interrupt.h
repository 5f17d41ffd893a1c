// SIGINT and SIGTERM ask a long command to stop after its current step; the second one ends the process at once,
// which costs nothing either: the store survives any death.
#pragma once

namespace holdfast::cli {

/// Call once, before a command that can stop half-way.
void catch_interrupts() noexcept;
[[nodiscard]] bool interrupted() noexcept;

}  // namespace holdfast::cli
