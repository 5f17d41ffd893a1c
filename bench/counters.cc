#include "bench/counters.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace holdfast::bench {

namespace {

constexpr CounterKind kHardware[kCounters] = {
    {"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    {"LLC misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
};

int open_counter(const CounterKind& kind, int leader) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = kind.type;
  attributes.config = kind.config;
  attributes.disabled = leader < 0 ? 1 : 0;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  attributes.read_format = PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, leader, PERF_FLAG_FD_CLOEXEC));
}

/// What a read of the leader returns (PERF_FORMAT_GROUP with both times).
struct GroupReading {
  std::uint64_t count;
  std::uint64_t enabled;
  std::uint64_t running;
  std::array<std::uint64_t, kCounters> values;
};
static_assert(sizeof(GroupReading) == (3 + kCounters) * 8);

}  // namespace

Counters::Counters(std::span<const CounterKind, kCounters> kinds) {
  files_.fill(-1);
  for (std::size_t i = 0; i < kCounters; ++i) {
    files_[i] = open_counter(kinds[i], files_[0]);
    if (files_[i] >= 0) continue;
    reason_ =
        std::string("the machine does not count ") + kinds[i].name + " (perf_event_open: " + std::strerror(errno) + ")";
    return;
  }
}

Counters::~Counters() {
  for (const int file : files_) {
    if (file >= 0) ::close(file);
  }
}

void Counters::start() {
  if (!available()) return;
  ::ioctl(files_[0], PERF_EVENT_IOC_RESET, PERF_IOC_FLAG_GROUP);
  ::ioctl(files_[0], PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP);
}

Counts Counters::stop() {
  Counts counts;
  if (!available()) return counts;
  ::ioctl(files_[0], PERF_EVENT_IOC_DISABLE, PERF_IOC_FLAG_GROUP);
  GroupReading reading{};
  if (::read(files_[0], &reading, sizeof reading) != sizeof reading || reading.running == 0) return counts;
  const double scale = static_cast<double>(reading.enabled) / static_cast<double>(reading.running);
  for (std::size_t i = 0; i < kCounters; ++i) counts.values[i] = static_cast<double>(reading.values[i]) * scale;
  counts.counted = true;
  return counts;
}

std::span<const CounterKind, kCounters> hardware_kinds() { return kHardware; }

Counters& thread_counters() {
  thread_local Counters counters(hardware_kinds());
  return counters;
}

}  // namespace holdfast::bench
