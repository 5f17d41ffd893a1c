#include "support/store_driver.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "engine/backup.h"
#include "support/oracle.h"

namespace holdfast::testing {
namespace {

bool is_one_of(StatusCode code, std::initializer_list<StatusCode> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

/// A page of an image whose first reading failed: damaged for as long as the store is open (Extent::verify).
bool names_unreadable_page(std::string_view text) {
  return text.find("of the extent cannot be read") != std::string_view::npos;
}

}  // namespace

void StoreDriver::note(const std::string& problem) {
  if (names_unreadable_page(problem)) {
    unreadable_ = problem;
  } else if (problem_.empty()) {
    problem_ = problem;
  }
}

Status StoreDriver::open() {
  auto opened = Database::open_with(kStorePath, options_);
  if (!opened.ok()) return opened.status();
  // A collection that an error keeps closed is reported by name; that is for the caller to judge.
  if (!opened->quarantined().empty()) return opened->quarantined().front().status;
  database_.emplace(std::move(opened).value());
  if (std::string problem = settle(*database_, model_, Loss::process); !problem.empty()) note("reopened: " + problem);
  return let_go_if_unreadable({});
}

Status StoreDriver::let_go_if_unreadable(Status status) {
  if (unreadable_.empty()) return status;
  let_go();
  return {StatusCode::io_error, std::exchange(unreadable_, "")};
}

Status StoreDriver::run(const Step& step) {
  Status status;
  const bool on_collection =
      step.kind != Step::Kind::create && step.kind != Step::Kind::reopen && step.kind != Step::Kind::backup;
  if (on_collection && model_[step.collection].current() == nullptr) return on_missing(step);
  switch (step.kind) {
    case Step::Kind::backup: status = backup_store(); break;
    case Step::Kind::create: status = create(step); break;
    case Step::Kind::drop: status = drop(step); break;
    case Step::Kind::write: status = write(step); break;
    case Step::Kind::reopen: status = reopen(step); break;
    case Step::Kind::flush:
    case Step::Kind::checkpoint:
    case Step::Kind::index:
    case Step::Kind::vacuum: {
      auto collection = database_->collection(step.collection);
      if (!collection.ok()) {
        status = collection.status();
      } else if (step.kind == Step::Kind::index || step.kind == Step::Kind::vacuum) {
        status = step.kind == Step::Kind::index ? collection->wait_until_indexed() : collection->vacuum();
        if (!status.ok()) note(step.to_string() + " touches no file, yet: " + status.to_string());
      } else {
        status = step.kind == Step::Kind::flush ? collection->flush() : collection->checkpoint();
        if (status.ok()) model_[step.collection].make_durable();
      }
    }
  }
  if (!status.ok() &&
      !is_one_of(status.code(), {StatusCode::io_error, StatusCode::disk_full, StatusCode::read_only,
                                 StatusCode::outcome_unknown, StatusCode::not_found, StatusCode::already_exists})) {
    note(step.to_string() + ": " + status.to_string());
  }
  if (check_reads && is_open()) {
    if (std::string problem = check_current(*database_, model_); !problem.empty()) {
      note("after " + step.to_string() + " (" + status.to_string() + "): " + problem);
    }
  }
  return let_go_if_unreadable(std::move(status));
}

Status StoreDriver::on_missing(const Step& step) {
  if (!model_[step.collection].certain()) return {};  // an earlier create failed
  const Status status = step.kind == Step::Kind::drop ? database_->drop_collection(step.collection)
                                                      : database_->collection(step.collection).status();
  if (status.code() != StatusCode::not_found) note(step.to_string() + ", which is missing: " + status.to_string());
  return {};
}

Status StoreDriver::create(const Step& step) {
  ModelCollection& expected = model_[step.collection];
  if (expected.current() != nullptr) {
    if (!expected.certain()) return {};  // an earlier drop failed
    const Status status = database_->create_collection(step.collection, step.config).status();
    if (status.code() != StatusCode::already_exists) note(step.to_string() + ", which is there: " + status.to_string());
    return {};
  }
  expected.begin(empty_version(step.config));
  const auto created = database_->create_collection(step.collection, step.config);
  if (created.ok()) {
    expected.acknowledge(true);
  } else {
    expected.leave_unknown();
  }
  return created.status();
}

Status StoreDriver::drop(const Step& step) {
  ModelCollection& expected = model_[step.collection];
  expected.begin(nullptr);
  Status status = database_->drop_collection(step.collection);
  const std::vector<std::string> names = database_->collections();
  if (std::find(names.begin(), names.end(), step.collection) == names.end()) {
    expected.acknowledge(true);  // an error after that is about files that could not be removed
  } else {
    expected.leave_unknown();
  }
  return status;
}

Status StoreDriver::write(const Step& step) {
  ModelCollection& expected = model_[step.collection];
  auto collection = database_->collection(step.collection);
  if (!collection.ok()) return collection.status();
  expected.begin(apply_batch(*expected.current(), step.batch));
  const Durability durability = step.durability.value_or(options_.open.durability);
  const auto receipt = collection->write(step.batch, {step.durability});
  switch (receipt.status().code()) {
    case StatusCode::ok: expected.acknowledge(durability == Durability::sync); break;
    case StatusCode::io_error:   // no file for the next segment: nothing was logged
    case StatusCode::disk_full:  // nothing was kept, and that is durable
    case StatusCode::read_only: expected.refuse(); break;
    // A crash may bring it to light. (Also without being read-only: the disk had no room even to unmake the attempt.)
    case StatusCode::outcome_unknown: expected.leave_unknown(); break;
    default: expected.refuse(); note(step.to_string() + ": " + receipt.status().to_string());
  }
  return receipt.status();
}

Status StoreDriver::reopen(const Step& step) {
  if (is_open()) {
    options_.open.checkpoint_on_close = step.checkpoint_on_close;
    const Status closed = database_->close();
    if (closed.ok()) {
      for (auto& [name, expected] : model_) expected.make_durable();
    }
    let_go();
  }
  return open();
}

Status StoreDriver::backup_store() {
  backup_.begun = true;
  backup_.in_flight = true;
  for (const auto& [name, expected] : model_) backup_.content[name];
  for (auto& [name, copy] : backup_.content) {
    const auto source = model_.find(name);
    copy.begin(source == model_.end() ? nullptr : source->second.current());
  }
  const auto report = engine::backup_store(*options_.fs, kStorePath, kBackupPath, {});
  if (report.ok() && !report->failed.empty()) note("the backup left out " + report->failed.front());
  for (auto& [name, copy] : backup_.content) {
    if (report.ok()) {
      copy.acknowledge(true);
    } else {
      copy.leave_unknown();
    }
  }
  backup_.in_flight = false;
  backup_.made = backup_.made || report.ok();
  return report.status();
}

}  // namespace holdfast::testing
