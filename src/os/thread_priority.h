// How threads that work behind others step aside.
#pragma once

namespace holdfast::os {

/// The calling thread, and those that it starts, get the processor after threads of normal priority: a tenth of it
/// where both want it, all of it where it is idle. Without effect where the system does not let us.
void step_aside() noexcept;

}  // namespace holdfast::os
