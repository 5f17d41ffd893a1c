#include "engine/repair_log.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "engine/commit_writer.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

Status apply_frame(CollectionState& state, CommitWriter& writer, const storage::FrameView& frame, Lsn shift) {
  if (frame.type != storage::FrameType::batch) return {};
  auto operations = decode_batch(frame.body, state.config.dimension, state.config.type);
  if (operations.ok()) {
    HF_TRY(writer.stage(*operations));
    writer.apply(frame.lsn + shift, *operations);
    return {};
  }
  return operations.status().with_context(std::string(frame.segment) + " at offset " + std::to_string(frame.offset) +
                                          ", lsn " + std::to_string(frame.lsn));
}

}  // namespace

Lsn LogView::highest() const noexcept {
  Lsn lsn = std::max({tail.end.lsn, remains.last_lsn, remains.proven, options.after});
  for (const storage::LogDamage& damage : tail.damage) {
    if (damage.last_lsn < (Lsn{1} << 62)) lsn = std::max(lsn, damage.last_lsn);  // names may say anything
  }
  return lsn + shift;
}

Result<LogView> view_log(os::FileSystem& fs, const storage::ReadLogOptions& options) {
  LogView log;
  log.options = options;
  HF_ASSIGN(const bool there, fs.exists(options.directory));
  if (!there) {
    log.tail.end = {options.after, options.base.checksum};
    log.tail.proven = std::max(options.proven, options.after);
    log.tail.verdict = storage::LogVerdict::damage;
    log.tail.reason = options.directory + ": the directory of the log is missing";
    log.tail.damage.push_back({storage::DamageCase::gap, "", 0, 0, options.after + 1, 0, log.tail.reason});
    return log;
  }
  const auto into = [&log](std::set<PointId>& ids) {
    return [&log, &ids](const storage::FrameView& frame) -> Status {
      if (frame.type != storage::FrameType::batch) return {};
      visit_ids(frame.body, [&](WriteBatch::Kind, PointId id, VectorShape shape) {
        ids.insert(id);
        if (log.vectors.dimension == 0) log.vectors = shape;
      });
      return {};
    };
  };
  HF_ASSIGN(log.tail, storage::read_log(fs, options, into(log.ids_before)));
  if (!log.damaged()) {
    log.remains.proven = std::min(log.tail.proven, log.tail.end.lsn);
    return log;
  }
  HF_ASSIGN(log.remains, storage::read_behind_damage(fs, log.options, log.tail, into(log.ids_behind)));
  return log;
}

Result<Lsn> first_lsn_of_log(os::FileSystem& fs, const std::string& directory) {
  auto entries = fs.list(directory);
  if (entries.status().code() == StatusCode::not_found) return Lsn{0};
  HF_TRY(entries.status());
  for (const os::DirectoryEntry& entry : *entries) {  // in name order, which is lsn order
    const storage::ParsedName parsed = storage::parse_name(entry.name);
    if (parsed.kind == storage::FileKind::segment && !entry.is_directory && parsed.number != 0) return parsed.number;
  }
  return Lsn{0};
}

RepairLoss loss_of(const LogView& log, LogUse use) {
  RepairLoss loss;
  if (use == LogUse::nothing) {
    if (log.tail.frames == 0 && !log.damaged()) return loss;
    loss.first_lsn = log.options.after + 1;
    loss.ids.assign(log.ids_before.begin(), log.ids_before.end());
  } else if (!log.damaged()) {
    return loss;
  } else {
    loss.first_lsn = log.tail.end.lsn + 1;
  }
  const Lsn highest = log.highest() - log.shift;
  // Where the log does not end with a batch that can be read, more may have stood there; nobody knows how much.
  const bool end_is_known =
      !log.damaged() || log.remains.last_lsn == highest || (use == LogUse::past_damage && log.remains.last_lsn != 0);
  loss.last_lsn = end_is_known && highest >= loss.first_lsn ? highest : 0;
  loss.unread_batches = log.remains.missing_lsns;
  if (use == LogUse::past_damage) return loss;
  std::set<PointId> ids(loss.ids.begin(), loss.ids.end());
  ids.insert(log.ids_behind.begin(), log.ids_behind.end());
  loss.ids.assign(ids.begin(), ids.end());
  return loss;
}

Status apply_log(CollectionState& state, const LogView& log, LogUse use) {
  HF_ASSIGN(const bool there, state.fs.exists(log.options.directory));
  if (use == LogUse::nothing || !there) return {};
  CommitWriter writer(state.store);
  const auto apply = [&](const storage::FrameView& frame) { return apply_frame(state, writer, frame, log.shift); };
  HF_ASSIGN(const storage::LogTail tail, storage::read_log(state.fs, log.options, apply));
  if (use == LogUse::past_damage && log.damaged()) {
    HF_TRY(storage::read_behind_damage(state.fs, log.options, tail, apply).status());
  }
  writer.publish();
  return {};
}

}  // namespace holdfast::engine
