// Is everything there that was acknowledged, exactly as it was written, and nothing else?
#include <algorithm>
#include <charconv>
#include <cstring>
#include <unordered_set>

#include "demo_store.h"

namespace demo {

using holdfast::Collection;
using holdfast::Result;
using holdfast::Status;
using holdfast::StatusCode;

Result<OpenStore> open_store(const Paths& paths) {
  // Only ingest() makes a store: whoever asks or checks must not find an empty one where there was none.
  auto database = holdfast::Database::open(paths.store(), {.create_if_missing = false});
  if (!database.ok()) return database.status();
  auto synsets = database->collection(kCollection);
  if (!synsets.ok()) return synsets.status();
  return OpenStore{std::move(database).value(), std::move(synsets).value()};
}

namespace {

/// Empty if point i is in the store exactly as it was written; else what is wrong.
std::string difference(const holdfast::Snapshot& snapshot, const Corpus& corpus, std::size_t i) {
  const std::string name = "point " + std::to_string(corpus.id(i));
  auto point = snapshot.get(corpus.id(i));
  if (!point.ok()) return name + ": " + point.status().to_string();
  const auto expected = corpus.vector(i);
  if (point->vector.size() != expected.size() ||
      std::memcmp(point->vector.data(), expected.data(), expected.size_bytes()) != 0) {
    return name + " has another vector";
  }
  if (point->payload != corpus.payload(i)) return name + " has another payload";
  return {};
}

/// Live ids that are not among the first `limit` of the corpus, or that are listed twice.
Result<std::uint64_t> count_unknown(const holdfast::Snapshot& snapshot, const Corpus& corpus, std::uint64_t limit) {
  constexpr std::size_t kPage = 10'000;
  std::unordered_set<std::uint64_t> known;
  for (std::uint64_t i = 0; i < limit; ++i) known.insert(corpus.id(i));
  std::uint64_t unknown = 0;
  for (std::uint64_t after = 0, next = 0;; after = next) {
    auto page = snapshot.ids(after, kPage, &next);
    if (!page.ok()) return page.status();
    for (const holdfast::PointId& id : *page) unknown += id.is_uuid() || known.erase(id.number()) == 0 ? 1 : 0;
    if (next == after) return unknown;
  }
}

}  // namespace

Result<CheckReport> check(const Collection& synsets, const Corpus& corpus, const Expectation& expected) {
  const holdfast::Snapshot snapshot = synsets.snapshot();
  CheckReport report;
  report.acknowledged = expected.acknowledged;
  const auto note = [&report](const std::string& problem) {
    if (report.first_problem.empty()) report.first_problem = problem;
  };
  for (std::uint64_t i = 0; i < expected.acknowledged; ++i) {
    const std::string problem = difference(snapshot, corpus, i);
    report.found += problem.empty() ? 1 : 0;
    if (!problem.empty()) note(problem);
  }
  report.next = expected.acknowledged;
  if (expected.in_flight) {
    const Range range = *expected.in_flight;
    report.in_flight = range.count;
    for (std::uint64_t i = range.begin; i < range.begin + range.count; ++i) {
      const std::string problem = difference(snapshot, corpus, i);
      report.in_flight_found += problem.empty() ? 1 : 0;
      // A point that is there must be right, acknowledged or not; with a wrong one the batch counts as partial.
      if (!problem.empty() && report.in_flight_found > 0) note(problem);
    }
    if (report.in_flight_found == range.count) report.next += range.count;
  }
  auto unknown = count_unknown(snapshot, corpus, report.next);
  if (!unknown.ok()) return unknown.status();
  report.unknown = *unknown;
  const std::string marker = synsets.marker("next").value_or("0");
  report.next_is_right = marker == std::to_string(report.next);
  if (!report.next_is_right) note("the store would go on from " + marker + ", not " + std::to_string(report.next));
  return report;
}

}  // namespace demo
