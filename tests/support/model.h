// What a store must hold: the model that crash tests compare it with.
//
// A version is the content of one collection between two batches. For every collection the model keeps
//  - the version that readers see now,
//  - the versions that a crash may leave behind: one set for the death of the process, one for power loss.
// With Durability::sync and nothing in flight each set has one member: what was acknowledged. An operation in flight
// adds its outcome; weaker durability keeps every version since the last barrier, oldest first: a crash may leave any
// prefix of the acknowledged batches, but never half a batch and never a later one without the earlier ones.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "holdfast/types.h"

namespace holdfast::testing {

struct ModelPoint {
  std::vector<float> vector;  ///< `values` x dimension
  std::string payload;
  std::uint32_t values = 1;
  friend bool operator==(const ModelPoint&, const ModelPoint&) = default;
};

struct ModelVersion {
  CollectionConfig config;
  std::map<PointId, ModelPoint> points;
  std::map<std::string, std::string> markers;
  /// For every id that was deleted or replaced the vectors that it had last: where a ghost would be found.
  std::map<PointId, std::vector<float>> former = {};
};
/// Null: there is no such collection.
using VersionRef = std::shared_ptr<const ModelVersion>;

[[nodiscard]] VersionRef empty_version(const CollectionConfig& config);
[[nodiscard]] VersionRef apply_batch(const ModelVersion& version, const WriteBatch& batch);
/// The first thing in which the two differ for a reader, in words; empty if they are equal. (`former` is no part of
/// it.)
[[nodiscard]] std::string difference(const VersionRef& expected, const VersionRef& found);

enum class Loss : std::uint8_t {
  process,  ///< kill -9: the page cache survives
  power,
};

class ModelCollection {
 public:
  explicit ModelCollection(VersionRef current = nullptr);

  /// What readers see.
  [[nodiscard]] const VersionRef& current() const noexcept { return current_; }
  /// Whether readers and crashes agree on what there is: no operation has failed half-way since the last that did not.
  [[nodiscard]] bool certain() const noexcept { return unknown_.empty(); }
  /// What may be found after a crash now.
  [[nodiscard]] std::vector<VersionRef> possible(Loss loss) const;

  /// An operation that turns the current version into `next` has started.
  void begin(VersionRef next);
  /// It succeeded.
  void acknowledge(bool durable);
  /// It failed and left nothing behind.
  void refuse();
  /// It failed; a crash may bring it to light all the same.
  void leave_unknown();
  /// A barrier: everything acknowledged is durable. What is unknown stays so until the next acknowledgement.
  void make_durable();
  /// The store was reopened and holds this one of the possible versions.
  void settle(VersionRef version);

 private:
  VersionRef current_;
  VersionRef next_;
  bool in_flight_ = false;
  std::vector<VersionRef> acknowledged_;  ///< since the last barrier, oldest first; the last one is current_
  std::vector<VersionRef> unknown_;       ///< outcomes of failed operations since the last acknowledgement
};

/// By name of collection.
using Model = std::map<std::string, ModelCollection, std::less<>>;

/// What the target of backups may hold. A backup is whole or absent collection by collection (engine/backup.cc, B5).
struct BackupModel {
  bool begun = false;      ///< somebody tried to make one; before that there is nothing to ask
  bool in_flight = false;  ///< somebody is at it
  bool made = false;       ///< one was acknowledged; before that the target may also be refused as no store
  Model content;
};

}  // namespace holdfast::testing
