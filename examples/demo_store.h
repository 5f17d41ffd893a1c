// The demo's store: where it lies, how it is opened, how it is filled and how it is checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "demo_corpus.h"
#include "demo_record.h"
#include "holdfast/holdfast.hpp"

namespace demo {

/// Files of one run, all below one directory. Only `store` belongs to Holdfast.
struct Paths {
  std::filesystem::path directory;
  [[nodiscard]] std::filesystem::path store() const { return directory / "store"; }
  [[nodiscard]] std::filesystem::path record() const { return directory / "record.txt"; }
  [[nodiscard]] std::filesystem::path vectors() const { return directory / "vectors.f32"; }
};

inline constexpr const char* kCollection = "wordnet";

struct OpenStore {
  holdfast::Database database;
  holdfast::Collection synsets;
};
/// Opens the store, with the collection if there is one. Errors: those of Database::open and collection();
/// not_found if the process was killed before the collection was made.
[[nodiscard]] holdfast::Result<OpenStore> open_store(const Paths& paths);

/// The body of the process that is going to be killed: goes on from where the store stands, in durable batches, and
/// tells `event_pipe` about each before and after.
holdfast::Status ingest(const Paths& paths, const std::filesystem::path& wordnet_directory, int event_pipe);

/// What the check found.
struct CheckReport {
  std::uint64_t acknowledged = 0;
  std::uint64_t found = 0;            ///< of the acknowledged ones, with the exact vector and payload
  std::uint64_t unknown = 0;          ///< ids that nobody wrote
  std::uint64_t in_flight = 0;        ///< points of the batch that was written but not acknowledged
  std::uint64_t in_flight_found = 0;  ///< 0 or in_flight
  std::uint64_t next = 0;             ///< where to go on, as the store itself remembers it
  bool next_is_right = false;
  std::string first_problem;
  [[nodiscard]] bool good() const noexcept {
    return found == acknowledged && unknown == 0 && next_is_right &&
           (in_flight_found == 0 || in_flight_found == in_flight);
  }
};
/// Compares every point with what the embedder computed, bit for bit. Errors: io_error and the like; differences are
/// no error but in the report.
[[nodiscard]] holdfast::Result<CheckReport> check(const holdfast::Collection& synsets, const Corpus& corpus,
                                                  const Expectation& expected);

}  // namespace demo
