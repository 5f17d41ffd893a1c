// Moves the rows of a file into a collection, batch by batch, so that it can be stopped at any instant and continued.
//
// Invariants:
//  1. A batch and the note of how far it brings the import (a marker of the collection) are one atomic write: after
//     any crash the note and the rows agree, so that nothing is stored twice and nothing is left out.
//  2. The note's key names the content of the file and the way it is read (import/file_identity.h); the note says how
//     many rows of the file are in, and whether that is all of them.
//  3. No batch holds an id twice: a repeated id closes the batch, so that the later line replaces the earlier one.
//  4. A row that cannot be stored ends the import, but not before every row ahead of it is in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "cli/import/vector_source.h"
#include "cli/progress.h"
#include "holdfast/database.h"

namespace holdfast::cli {

struct ImportSettings {
  std::uint64_t first_id = 0;          ///< id of row 0 where rows carry none
  std::uint64_t batch_rows = 1000;     ///< rows per write
  std::optional<std::uint64_t> limit;  ///< stop after so many rows of the file
  Durability durability = Durability::sync;
  bool restart = false;    ///< forget the progress of earlier runs
  bool keeps_note = true;  ///< write the marker; without it an import cannot be continued
};

/// What the marker of an import says.
struct ImportNote {
  std::uint64_t rows = 0;
  bool complete = false;
};

[[nodiscard]] std::string to_marker(const ImportNote& note, const std::string& file);
[[nodiscard]] Result<ImportNote> parse_marker(const std::string& text);

enum class ImportEnd : std::uint8_t {
  complete,    ///< the whole file is in
  limited,     ///< --limit rows are in
  interrupted  ///< SIGINT or SIGTERM
};

struct ImportOutcome {
  ImportEnd end = ImportEnd::complete;
  std::uint64_t rows_before = 0;  ///< rows that earlier runs had brought in
  std::uint64_t rows = 0;         ///< rows that are in now
};

class ImportRun {
 public:
  /// `identity` is that of file_identity(). All references outlive the run.
  ImportRun(Collection& collection, VectorSource& source, const ImportSettings& settings, std::string file,
            const std::string& identity)
      : collection_(collection),
        source_(source),
        settings_(settings),
        file_(std::move(file)),
        marker_key_("import:" + identity) {}

  /// How far earlier runs came.
  [[nodiscard]] Result<ImportNote> earlier() const;
  /// Continues after `begin.rows`. Errors of rows are input errors: input_failed() tells them from the store's.
  [[nodiscard]] Result<ImportOutcome> run(const ImportNote& begin, Progress& progress);
  [[nodiscard]] bool input_failed() const noexcept { return input_failed_; }
  [[nodiscard]] std::uint64_t rows_stored() const noexcept { return rows_stored_; }

 private:
  [[nodiscard]] Result<PointId> id_of(const Record& record) const;
  [[nodiscard]] Status check(const Record& record) const;
  [[nodiscard]] bool batch_has_room(const Record& record) const;
  Status add(const Record& record, Progress& progress);
  Status flush(bool complete, Progress& progress);
  [[nodiscard]] Status row_failed(Status status, Progress& progress);
  [[nodiscard]] double fraction() const;

  Collection& collection_;
  VectorSource& source_;
  const ImportSettings& settings_;
  const std::string file_;
  const std::string marker_key_;
  WriteBatch batch_;
  std::unordered_set<PointId> batch_ids_;
  std::uint64_t rows_read_ = 0;    // rows of the file that are in the store or in batch_
  std::uint64_t rows_stored_ = 0;  // rows of the file that are in the store
  bool noted_complete_ = false;
  bool input_failed_ = false;
};

}  // namespace holdfast::cli
