// Status and Result: how every call in Holdfast reports failure.
//
// No exception crosses the API. A Status is one pointer: null means ok, so success costs nothing.
// Codes are stable across releases; messages are for people and may change.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast {

enum class StatusCode : std::uint8_t {
  ok = 0,
  invalid_argument = 1,     ///< The request itself is wrong; nothing was changed.
  not_found = 2,            ///< No such point, collection or file.
  already_exists = 3,       ///< A collection of that name exists, or the target of a backup is in use.
  already_open = 4,         ///< Another handle or process holds the store for writing.
  not_a_store = 5,          ///< The directory holds no Holdfast store.
  unsupported_format = 6,   ///< Written by a newer (or unknown) format version.
  data_damaged = 7,         ///< A checksum or invariant fails; the message names file and offset.
  io_error = 8,             ///< The operating system refused an operation; nothing was acknowledged.
  disk_full = 9,            ///< No space left; nothing was acknowledged, retry after freeing space.
  read_only = 10,           ///< Writing is poisoned by an earlier fatal error; reopen the store.
  outcome_unknown = 11,     ///< The write may or may not survive: its sync failed.
  resource_exhausted = 12,  ///< A configured limit is reached (memory, slots, batch size).
  snapshot_expired = 13,    ///< The snapshot was released by a budget; take a new one.
  closed = 14,              ///< The database was closed.
  cancelled = 15,           ///< The caller asked to stop.
  deadline_exceeded = 17,   ///< What was waited for did not happen in time.
  internal = 16,            ///< A broken invariant inside Holdfast: please report it.
};

/// Stable lower-case name of a code, e.g. "invalid_argument".
[[nodiscard]] std::string_view to_string(StatusCode code) noexcept;

/// Outcome of an operation. Cheap to move; copying an error allocates.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  Status(StatusCode code, std::string message);
  Status(const Status& other) : rep_(other.rep_ ? std::make_unique<Rep>(*other.rep_) : nullptr) {}
  Status& operator=(const Status& other) {
    if (this != &other) rep_ = other.rep_ ? std::make_unique<Rep>(*other.rep_) : nullptr;
    return *this;
  }
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  ~Status() = default;

  [[nodiscard]] bool ok() const noexcept { return rep_ == nullptr; }
  [[nodiscard]] StatusCode code() const noexcept { return rep_ ? rep_->code : StatusCode::ok; }
  /// Empty when ok.
  [[nodiscard]] std::string_view message() const noexcept {
    return rep_ ? std::string_view(rep_->message) : std::string_view();
  }
  /// "code: message", or "ok".
  [[nodiscard]] std::string to_string() const;
  /// The same code with `context + ": "` before the message; ok stays ok.
  [[nodiscard]] Status with_context(std::string_view context) const;

  /// Drops the outcome on purpose. Say why at the call.
  void ignore() const noexcept {}

 private:
  struct Rep {
    StatusCode code;
    std::string message;
  };
  std::unique_ptr<Rep> rep_;
};

/// A value or the Status that explains why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    assert(!status_.ok() && "a Result without a value needs an error");
  }

  [[nodiscard]] bool ok() const noexcept { return value_.has_value(); }
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  /// REQUIRES ok().
  [[nodiscard]] T& value() & { return *value_; }
  [[nodiscard]] const T& value() const& { return *value_; }
  /// By value, so that a temporary can be iterated over: for (auto& hit : snapshot.search(query).value()).
  [[nodiscard]] T value() && { return *std::move(value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace holdfast
