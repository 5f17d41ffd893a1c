// What a log may hold after whatever happened to its writer, and a workload that drives it.
//
//  - every frame that a successful sync covered is there, with its body;
//  - every frame that is there is one that was handed to append at that lsn;
//  - nothing else: no gap, no part of a frame.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/storage_test_util.h"

namespace holdfast::storage {

struct LogModel {
  Lsn acknowledged = 0;
  std::map<Lsn, std::set<Bytes>> handed_in;  ///< a failed append frees its lsns for the next one; a mark is empty

  /// Reads the log and compares. REQUIRES that nothing but crashes and errors happened to it: no damage is acceptable.
  ReadBack expect_holds(os::FileSystem& fs, const ReadLogOptions& options = read_options()) const {
    ReadBack log = read_back(fs, options);
    EXPECT_NE(log.tail.verdict, LogVerdict::damage) << log.tail.reason;
    EXPECT_NE(log.tail.verdict, LogVerdict::damage_below_checkpoint) << log.tail.reason;
    EXPECT_GE(log.tail.end.lsn, acknowledged) << "an acknowledged frame is lost: " << log.tail.reason;
    Lsn expected = options.after + 1;
    for (const SeenFrame& frame : log.frames) {
      EXPECT_EQ(frame.lsn, expected++);
      const auto known = handed_in.find(frame.lsn);
      EXPECT_TRUE(known != handed_in.end() && known->second.count(frame.body) == 1) << "lsn " << frame.lsn;
    }
    EXPECT_EQ(expected, log.tail.end.lsn + 1);
    return log;
  }
};

/// A writer and the model of what it did. Every step may fail; the model follows.
class ModelledWriter {
 public:
  ModelledWriter(os::FileSystem& fs, LogModel& model, LogEnd end = {}, std::uint64_t segment_blocks = 5)
      : model_(model), writer_(fs, wal_options(segment_blocks * kBlockBytes), end) {}

  Status append(std::size_t count, std::size_t bytes, std::uint64_t seed) {
    std::vector<Bytes> bodies;
    for (std::size_t i = 0; i < count; ++i) {
      bodies.push_back(pattern(bytes + 1, seed * 1000 + i));
      model_.handed_in[writer_.end().lsn + 1 + i].insert(bodies.back());
    }
    const auto first = append_bodies(writer_, bodies);
    return first.ok() ? Status() : first.status();
  }
  Status sync() {
    Status status = writer_.sync();
    if (status.ok()) model_.acknowledged = writer_.end().lsn;
    return status;
  }
  Status mark() {
    model_.handed_in[writer_.end().lsn + 1].insert(Bytes());
    Status status = writer_.mark();
    if (status.ok()) model_.acknowledged = writer_.end().lsn;
    return status;
  }
  Status roll() {
    Status status = writer_.roll();
    if (status.ok()) model_.acknowledged = writer_.end().lsn;
    return status;
  }
  WalWriter& writer() { return writer_; }

  /// One random step.
  Status step(SeededRandom& random) {
    switch (random.below(10)) {
      case 0: return roll();
      case 1: return mark();
      case 2: return writer_.prepare_next();
      case 3:
      case 4:
      case 5: return sync();
      case 6: return append(1, 30'000, random.next());
      default: return append(1 + random.below(4), random.below(3000), random.next());
    }
  }

 private:
  LogModel& model_;
  WalWriter writer_;
};

}  // namespace holdfast::storage
