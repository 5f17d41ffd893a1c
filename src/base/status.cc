#include "holdfast/status.h"

namespace holdfast {

std::string_view to_string(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::ok: return "ok";
    case StatusCode::invalid_argument: return "invalid_argument";
    case StatusCode::not_found: return "not_found";
    case StatusCode::already_exists: return "already_exists";
    case StatusCode::already_open: return "already_open";
    case StatusCode::not_a_store: return "not_a_store";
    case StatusCode::unsupported_format: return "unsupported_format";
    case StatusCode::data_damaged: return "data_damaged";
    case StatusCode::io_error: return "io_error";
    case StatusCode::disk_full: return "disk_full";
    case StatusCode::read_only: return "read_only";
    case StatusCode::outcome_unknown: return "outcome_unknown";
    case StatusCode::resource_exhausted: return "resource_exhausted";
    case StatusCode::snapshot_expired: return "snapshot_expired";
    case StatusCode::closed: return "closed";
    case StatusCode::cancelled: return "cancelled";
    case StatusCode::deadline_exceeded: return "deadline_exceeded";
    case StatusCode::internal: return "internal";
  }
  return "unknown";
}

Status::Status(StatusCode code, std::string message) {
  assert(code != StatusCode::ok);
  rep_ = std::make_unique<Rep>(Rep{code, std::move(message)});
}

std::string Status::to_string() const {
  if (ok()) return "ok";
  return std::string(holdfast::to_string(code())) + ": " + std::string(message());
}

Status Status::with_context(std::string_view context) const {
  if (ok()) return {};
  return {code(), std::string(context) + ": " + std::string(message())};
}

}  // namespace holdfast
