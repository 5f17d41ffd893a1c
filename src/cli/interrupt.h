// SIGINT and SIGTERM ask a long command to stop after its current step. One that comes more than a second later ends
// the process at once, which costs nothing either: the store survives any death.
//
// Why the second: timeout(1) and some supervisors signal the process and its group, so that one request arrives twice.
#pragma once

namespace holdfast::cli {

/// Call once, before a command that can stop half-way.
void catch_interrupts() noexcept;
[[nodiscard]] bool interrupted() noexcept;

}  // namespace holdfast::cli
