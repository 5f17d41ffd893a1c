#include "demo_events.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>

namespace demo {

holdfast::Status send_event(int pipe, const Event& event) {
  ssize_t written = -1;
  do {
    written = ::write(pipe, &event, sizeof event);
  } while (written < 0 && errno == EINTR);
  if (written == sizeof event) return {};
  return {holdfast::StatusCode::io_error, std::string("the watching process is gone: ") + std::strerror(errno)};
}

std::optional<Event> receive_event(int pipe, std::optional<std::chrono::microseconds> timeout, bool& ended) {
  ended = false;
  pollfd readable{.fd = pipe, .events = POLLIN, .revents = 0};
  timespec limit{};
  if (timeout) {
    limit.tv_sec = timeout->count() / 1'000'000;
    limit.tv_nsec = timeout->count() % 1'000'000 * 1'000;
  }
  if (::ppoll(&readable, 1, timeout ? &limit : nullptr, nullptr) <= 0) return std::nullopt;
  Event event;
  ssize_t size = -1;
  do {
    size = ::read(pipe, &event, sizeof event);
  } while (size < 0 && errno == EINTR);
  if (size == sizeof event) return event;
  ended = true;
  return std::nullopt;
}

}  // namespace demo
