#include "os/thread_priority.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace holdfast::os {

void step_aside() noexcept {
  constexpr int kNice = 5;  // weight 335 against 1024: it steps aside, but many busy readers do not starve it
  // On Linux a nice value belongs to a thread, and is inherited by the threads that it starts.
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  (void)::setpriority(PRIO_PROCESS, thread, kNice);
}

}  // namespace holdfast::os
