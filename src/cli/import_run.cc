#include "cli/import_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/interrupt.h"
#include "cli/json_text.h"
#include "cli/text.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

/// Room for the marker and the frame around a batch.
constexpr std::size_t kBatchByteReserve = 64 * 1024;
constexpr std::size_t kMaxNotedName = 255;

}  // namespace

std::string to_marker(const ImportNote& note, const std::string& file) {
  return JsonObject()
      .number("rows", note.rows)
      .boolean("complete", note.complete)
      .text("file", file.substr(0, kMaxNotedName))
      .str();
}

Result<ImportNote> parse_marker(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto rows = json.is_object() ? json.find("rows") : json.end();
  const auto complete = json.is_object() ? json.find("complete") : json.end();
  if (!json.is_object() || rows == json.end() || !rows->is_number_unsigned() || complete == json.end() ||
      !complete->is_boolean()) {
    return Status(StatusCode::invalid_argument,
                  "the note of an earlier import is not understood: import again from the start with --restart");
  }
  return ImportNote{rows->get<std::uint64_t>(), complete->get<bool>()};
}

Result<ImportNote> ImportRun::earlier() const {
  if (settings_.restart || !settings_.keeps_note) return ImportNote{};
  const std::optional<std::string> text = collection_.marker(marker_key_);
  if (!text) return ImportNote{};
  return parse_marker(*text);
}

Result<ImportOutcome> ImportRun::run(const ImportNote& begin, Progress& progress) {
  const auto outcome = [&](ImportEnd end) { return ImportOutcome{end, begin.rows, rows_stored_}; };
  rows_read_ = rows_stored_ = begin.rows;
  noted_complete_ = begin.complete;
  if (Status status = source_.seek(begin.rows); !status.ok()) {
    input_failed_ = true;
    return status;
  }
  progress.start_at(rows_read_, fraction());

  Record record;
  while (!settings_.limit || rows_read_ < *settings_.limit) {
    Result<bool> any = source_.next(record);
    if (!any.ok()) return row_failed(any.status(), progress);
    if (!*any) {
      CLI_TRY(flush(true, progress));
      return outcome(ImportEnd::complete);
    }
    if (Status status = check(record); !status.ok()) return row_failed(std::move(status), progress);
    CLI_TRY(add(record, progress));
    if (interrupted()) {
      CLI_TRY(flush(false, progress));
      return outcome(ImportEnd::interrupted);
    }
  }
  const bool is_all = source_.row_count() == rows_read_;
  CLI_TRY(flush(is_all, progress));
  return outcome(is_all ? ImportEnd::complete : ImportEnd::limited);
}

Result<PointId> ImportRun::id_of(const Record& record) const {
  if (record.id) return *record.id;
  const std::uint64_t id = settings_.first_id + record.row;
  if (id < settings_.first_id) {
    return Status(StatusCode::invalid_argument, file_ + ": " + source_.locate(record.row) +
                                                    " would get an id beyond 2^64: give a smaller --first-id");
  }
  return PointId(id);
}

/// What the engine would refuse, found here to name the row.
Status ImportRun::check(const Record& record) const {
  CLI_TRY(id_of(record).status());
  if (collection_.config().metric != Metric::cosine) return {};
  const std::size_t dimension = record.vector.size() / record.values;
  for (auto value = record.vector.begin(); value != record.vector.end();
       value += static_cast<std::ptrdiff_t>(dimension)) {
    const bool is_zero =
        std::all_of(value, value + static_cast<std::ptrdiff_t>(dimension), [](float x) { return x == 0; });
    if (is_zero)
      return {StatusCode::invalid_argument,
              file_ + ": " + source_.locate(record.row) +
                  " is a zero vector, which has no direction and so no cosine: take it out"};
  }
  return {};
}

bool ImportRun::batch_has_room(const Record& record) const {
  const std::size_t bytes = record.vector.size() * sizeof(float) + record.payload.size() + kBatchByteReserve;
  return batch_.size() < settings_.batch_rows && batch_.byte_size() + bytes < kMaxBatchBytes;
}

Status ImportRun::add(const Record& record, Progress& progress) {
  CLI_ASSIGN(const PointId id, id_of(record));
  const bool repeats = record.id && batch_ids_.contains(id);
  if (repeats || !batch_has_room(record)) CLI_TRY(flush(false, progress));
  if (record.id) batch_ids_.insert(id);
  if (record.values == 1) {
    batch_.upsert(id, record.vector, record.payload);
  } else {
    batch_.upsert_values(id, record.vector, record.values, record.payload);
  }
  rows_read_ = record.row + 1;
  if (batch_.size() >= settings_.batch_rows) CLI_TRY(flush(false, progress));
  return {};
}

Status ImportRun::flush(bool complete, Progress& progress) {
  const bool note_is_news = settings_.keeps_note && complete && !noted_complete_;
  if (batch_.empty() && !note_is_news) return {};
  if (settings_.keeps_note) batch_.set_marker(marker_key_, to_marker({rows_read_, complete}, file_));
  // bulk: an import is an initial load, and waits for the graph at its end rather than with each batch.
  CLI_TRY(collection_.write(batch_, {settings_.durability, true}).status());
  // Power fails here: the batch is in with its note; the next run goes on at rows_read_.
  rows_stored_ = rows_read_;
  noted_complete_ = complete;
  batch_.clear();
  batch_ids_.clear();
  progress.update(rows_stored_, fraction());
  return {};
}

/// Stores what was read before the bad row, then reports it.
Status ImportRun::row_failed(Status status, Progress& progress) {
  CLI_TRY(flush(false, progress));
  input_failed_ = true;
  return {status.code(), std::string(status.message()) + "; " + (rows_stored_ == 1 ? "the row" : "the ") +
                             (rows_stored_ == 1 ? "" : counted(rows_stored_, "row")) + " before it " +
                             (rows_stored_ == 1 ? "is" : "are") + " stored"};
}

double ImportRun::fraction() const {
  const std::optional<std::uint64_t> rows = source_.row_count();
  if (settings_.limit && (!rows || *settings_.limit < *rows)) {
    return *settings_.limit == 0 ? 1 : static_cast<double>(rows_read_) / static_cast<double>(*settings_.limit);
  }
  if (rows) return *rows == 0 ? 1 : static_cast<double>(rows_read_) / static_cast<double>(*rows);
  const std::uint64_t total = source_.bytes_total();
  return total == 0 ? 1 : static_cast<double>(source_.bytes_done()) / static_cast<double>(total);
}

}  // namespace holdfast::cli
