// The record that is kept outside of the process that dies: what it meant to write and what was acknowledged.
//
// A text file, appended to by the watching process, one line per event; the checks read it back from the file.
// Batches are written one after another, so what was acknowledged is always a prefix of the corpus.
// Invariant: in_flight begins where acknowledged ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>

#include "demo_events.h"
#include "holdfast/status.h"

namespace demo {

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t count = 0;
};

/// What the store must hold: all points before `acknowledged`, and `in_flight` entirely or not at all.
struct Expectation {
  std::uint64_t acknowledged = 0;
  std::optional<Range> in_flight;
};

class Record {
 public:
  explicit Record(std::filesystem::path file) : path_(std::move(file)), out_(path_, std::ios::app) {}

  holdfast::Status note(const Event& event);
  /// The batch in flight turned out to be in the store (or not), so from now on it must stay so.
  holdfast::Status settle(bool survived);
  /// Reads the file from its beginning. Errors: io_error, data_damaged.
  [[nodiscard]] holdfast::Result<Expectation> expectation() const;

 private:
  holdfast::Status append(const std::string& line);
  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace demo
