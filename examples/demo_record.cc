#include "demo_record.h"

#include <string>

namespace demo {

using holdfast::Result;
using holdfast::Status;
using holdfast::StatusCode;

Status Record::append(const std::string& line) {
  out_ << line << '\n' << std::flush;
  if (!out_) return {StatusCode::io_error, "cannot write " + path_.string()};
  return {};
}

Status Record::note(const Event& event) {
  switch (event.kind) {
    case EventKind::about_to_write:
      return append("write " + std::to_string(event.begin) + " " + std::to_string(event.count));
    case EventKind::acknowledged:
      return append("acknowledged " + std::to_string(event.begin) + " " + std::to_string(event.count));
    default: return {};
  }
}

Status Record::settle(bool survived) {
  auto expected = expectation();
  if (!expected.ok()) return expected.status();
  if (!expected->in_flight) return {};
  return append((survived ? "survived " : "vanished ") + std::to_string(expected->in_flight->begin) + " " +
                std::to_string(expected->in_flight->count));
}

Result<Expectation> Record::expectation() const {
  std::ifstream in(path_);
  if (!in) return Status(StatusCode::io_error, "cannot read " + path_.string());
  Expectation expected;
  std::string what;
  Range range;
  while (in >> what >> range.begin >> range.count) {
    if (range.begin != expected.acknowledged) {
      return Status(StatusCode::data_damaged, path_.string() + ": a batch does not follow the one before");
    }
    if (what == "write") {
      expected.in_flight = range;
    } else {
      expected.in_flight.reset();
      if (what != "vanished") expected.acknowledged += range.count;
    }
  }
  if (!in.eof()) return Status(StatusCode::data_damaged, path_.string() + ": malformed line");
  return expected;
}

}  // namespace demo
