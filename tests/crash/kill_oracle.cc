#include "crash/kill_oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"

namespace holdfast::testing {
namespace {

using Kind = KillEvent::Kind;

/// Empty if the store holds exactly this version (0: nothing) of the id.
std::string wrong_point(const Snapshot& snapshot, std::uint64_t id, std::uint64_t version) {
  const std::string name = "id " + std::to_string(id) + ": ";
  auto point = snapshot.get(id);
  if (version == 0) return point.status().code() == StatusCode::not_found ? "" : name + "is back";
  if (!point.ok()) return name + point.status().to_string();
  if (point->values != kill_values(id, version)) return name + "another number of vectors";
  if (point->vector != kill_vectors(id, version)) return name + "another vector";
  if (point->payload != kill_payload(id, version)) return name + "another payload";
  return {};
}

std::string wrong_writer(const Snapshot& snapshot, std::uint32_t thread, const WriterModel& model) {
  for (std::uint64_t id = thread * kKillIdsPerThread; id < (thread + 1) * kKillIdsPerThread; ++id) {
    const auto found = model.versions.find(id);
    std::string wrong = wrong_point(snapshot, id, found == model.versions.end() ? 0 : found->second);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

KillMark mark_of(const Collection& collection, std::uint32_t thread) {
  return KillMark::parse(collection.marker(kill_marker_key(thread)).value_or(""));
}

std::string name_of(KillMark mark) { return mark.number == 0 ? "nothing" : "batch " + mark.to_string(); }

}  // namespace

void WriterModel::apply(std::uint32_t thread, KillMark batch) {
  for (const KillOperation& operation : kill_operations(batch.seed, thread, batch.number)) {
    if (operation.version == 0) {
      versions.erase(operation.id);
    } else {
      versions[operation.id] = operation.version;
    }
  }
  mark = batch;
}

// --- what was acknowledged ---

void KillOracle::begin_life(std::uint64_t seed) { seed_ = seed; }

void KillOracle::follow(const KillEvent& event) {
  const std::uint32_t thread = std::min(event.thread, kKillKeeper);
  const KillMark own{seed_, event.number};
  switch (event.kind) {
    case Kind::found: settle(thread, {event.extra, event.number}); break;
    case Kind::guest_found:
      check_order();
      settle_guest(event.thread != 0, {event.extra, event.number});
      break;
    case Kind::write_begins:
      writers_.at(thread).in_flight = own;
      begun_[thread] = positions();
      break;
    case Kind::write_acknowledged: acknowledge(event); break;
    case Kind::flush_begins:
    case Kind::checkpoint_begins: begun_[thread] = positions(); break;
    case Kind::flush_ends:
    case Kind::checkpoint_ends: raise_durable(begun_[thread]); break;
    case Kind::backup_begins:
      // Since the models of the victim's writers are folded only at the start of a life, those of the backup are told
      // by where its history is now.
      for (std::uint32_t t = 0; t < kKillThreads; ++t) {
        backup_begun_[t] = writers_[t].base;
        for (const Batch& batch : writers_[t].history) backup_begun_[t].apply(t, batch.mark);
        since_begun_[t].clear();
      }
      break;
    case Kind::backup_ends:
      backup_ended_ = true;
      backup_base_ = backup_begun_;
      since_base_ = since_begun_;
      break;
    case Kind::create_begins: guest_ = {GuestState::creating, {}}; break;
    case Kind::create_ends: guest_.state = GuestState::empty; break;
    case Kind::guest_write_begins: guest_ = {GuestState::writing, own}; break;
    case Kind::guest_write_ends: guest_.state = GuestState::full; break;
    case Kind::drop_begins: guest_.state = GuestState::dropping; break;
    case Kind::drop_ends: guest_ = {}; break;
    default: break;
  }
}

void KillOracle::acknowledge(const KillEvent& event) {
  Writer& writer = writers_.at(event.thread);
  const KillMark mark{seed_, event.number};
  EXPECT_EQ(writer.in_flight, mark);
  writer.in_flight.reset();
  writer.history.push_back({mark, event.extra});
  since_base_[event.thread].push_back(mark);
  since_begun_[event.thread].push_back(mark);
  ++totals_.acknowledged;
  const Durability durability =
      kill_durability(seed_, event.thread, event.number).value_or(kill_life(seed_).options.durability);
  if (durability != Durability::sync) return;
  Positions reached = begun_[event.thread];
  reached[event.thread] = writer.history.size();
  raise_durable(reached);
}

KillOracle::Positions KillOracle::positions() const {
  Positions now{};
  for (std::uint32_t t = 0; t < kKillThreads; ++t) now[t] = writers_[t].history.size();
  return now;
}

void KillOracle::raise_durable(const Positions& positions) {
  for (std::uint32_t t = 0; t < kKillThreads; ++t) {
    writers_[t].durable = std::max(writers_[t].durable, std::min(positions[t], writers_[t].history.size()));
  }
}

// --- what is there ---

void KillOracle::settle(std::uint32_t thread, KillMark found) {
  Writer& writer = writers_.at(thread);
  std::size_t there = 0;
  bool known = found == writer.base.mark;
  for (std::size_t i = 0; i < writer.history.size() && !known; ++i) {
    if (writer.history[i].mark == found) {
      there = i + 1;
      known = true;
    }
  }
  const std::size_t acknowledged = writer.history.size();
  if (!known && writer.in_flight == found) {  // O3
    writer.history.push_back({found, 0});
    since_base_[thread].push_back(found);
    since_begun_[thread].push_back(found);
    there = writer.history.size();
    known = true;
  }
  EXPECT_TRUE(known) << "writer " << thread << ": the store ends with " << name_of(found)
                     << ", which is none of its batches since " << name_of(writer.base.mark);
  const std::size_t required = loss_ == Loss::nothing ? acknowledged : writer.durable;
  EXPECT_GE(there, required) << "writer " << thread << ": the store ends with " << name_of(found) << ", but "
                             << required - std::min(required, there) << " later batches were to survive";
  totals_.found += std::min(there, acknowledged);
  totals_.lost += required - std::min(required, there);
  totals_.unsynced_lost += acknowledged - std::max(std::min(there, acknowledged), std::min(required, acknowledged));
  for (std::size_t i = 0; i < writer.history.size(); ++i) {
    const Batch& batch = writer.history[i];
    if (i < there) {
      writer.base.apply(thread, batch.mark);
      highest_found_ = std::max(highest_found_, batch.lsn);
    } else if (lowest_lost_ == 0 || batch.lsn < lowest_lost_) {
      lowest_lost_ = batch.lsn;
    }
  }
  writer.history.clear();
  writer.in_flight.reset();
  writer.durable = 0;
}

void KillOracle::check_order() {
  EXPECT_TRUE(lowest_lost_ == 0 || highest_found_ < lowest_lost_)
      << "lsn " << lowest_lost_ << " is lost, lsn " << highest_found_ << " is there";
  highest_found_ = lowest_lost_ = 0;
  begun_ = {};
}

void KillOracle::settle_guest(bool exists, KillMark found) {
  const GuestState was = guest_.state;
  const bool may_be_absent = was == GuestState::absent || was == GuestState::creating || was == GuestState::dropping;
  const bool may_exist = was != GuestState::absent;
  EXPECT_TRUE(exists ? may_exist : may_be_absent) << "the guest, state " << static_cast<int>(was);
  if (exists) {
    const bool full = found.number != 0;
    const bool may_be_full = was == GuestState::writing || was == GuestState::full || was == GuestState::dropping;
    const bool may_be_empty = was != GuestState::full && (was != GuestState::dropping || guest_.mark.number == 0);
    EXPECT_TRUE(full ? may_be_full && found == guest_.mark : may_be_empty)
        << "the guest holds " << name_of(found) << ", state " << static_cast<int>(was);
    guest_ = {full ? GuestState::full : GuestState::empty, found};
  } else {
    guest_ = {};
  }
}

void KillOracle::check_guest(const Database& database) {
  const auto guest = database.collection(kKillGuest);
  if (!guest.ok()) {
    EXPECT_EQ(guest.status().code(), StatusCode::not_found) << guest.status().to_string();
    return settle_guest(false, {});
  }
  const KillMark mark = mark_of(*guest, kKillKeeper);
  settle_guest(true, mark);
  const std::uint64_t version = mark.number == 0 ? 0 : kill_guest_version(mark);
  const Snapshot snapshot = guest->snapshot();
  for (std::uint64_t id = 0; id < kKillGuestIds; ++id) EXPECT_EQ(wrong_point(snapshot, id, version), "") << "guest";
  EXPECT_EQ(snapshot.size(), version == 0 ? 0 : kKillGuestIds);
}

void KillOracle::check(const Database& database) {
  EXPECT_TRUE(database.quarantined().empty());
  const auto collection = database.collection(kKillCollection);
  if (collection.status().code() == StatusCode::not_found) {
    // Killed before it was created: then nothing was written either.
    for (std::uint32_t t = 0; t < kKillThreads; ++t) settle(t, {});
    return check_guest(database);
  }
  ASSERT_TRUE(collection.ok()) << collection.status().to_string();
  EXPECT_FALSE(collection->recovery_report().fell_back);
  const Snapshot snapshot = collection->snapshot();
  for (std::uint32_t t = 0; t < kKillThreads; ++t) {
    settle(t, mark_of(*collection, t));
    EXPECT_EQ(wrong_writer(snapshot, t, writers_[t].base), "") << "writer " << t;
  }
  check_order();
  check_lists_and_searches(snapshot);
  check_guest(database);
}

/// Lists and searches know exactly the ids that live.
void KillOracle::check_lists_and_searches(const Snapshot& snapshot) {
  std::map<PointId, std::uint64_t> live;
  for (const Writer& writer : writers_) {
    for (const auto& [id, version] : writer.base.versions) live.emplace(id, version);
  }
  std::uint64_t next = 0;
  auto ids = snapshot.ids(0, kMaxK, &next);
  ASSERT_TRUE(ids.ok()) << ids.status().to_string();
  EXPECT_EQ(ids->size(), live.size());
  EXPECT_EQ(snapshot.size(), live.size());
  for (const PointId& id : *ids) EXPECT_EQ(live.count(id), 1U) << id.to_string();
  if (live.empty()) return;

  SeededRandom random(mix64(seed_));
  constexpr int kSearches = 10;
  for (int i = 0; i < kSearches; ++i) {
    const std::uint64_t id = random.below(kKillThreads * kKillIdsPerThread);
    const auto known = live.find(id);
    // An erased id is searched where nothing is; a live one with one of its own vectors.
    std::vector<float> query = kill_query(random.next());
    if (known != live.end()) {
      const std::vector<float> own = kill_vectors(id, known->second);
      const auto begin = own.begin() + static_cast<std::ptrdiff_t>(random.below(own.size() / kKillDimension)) *
                                           static_cast<std::ptrdiff_t>(kKillDimension);
      query.assign(begin, begin + kKillDimension);
    }
    const bool exact = i % 2 == 0;
    auto hits = snapshot.search(query, {.k = static_cast<std::uint32_t>(live.size()), .exact = exact});
    ASSERT_TRUE(hits.ok()) << hits.status().to_string();
    std::set<PointId> found;
    for (const Hit& hit : *hits) {
      EXPECT_TRUE(found.insert(hit.id).second) << hit.id.to_string() << " twice";
      EXPECT_EQ(live.count(hit.id), 1U) << hit.id.to_string() << " is a ghost";
    }
    if (exact) {
      EXPECT_EQ(found.size(), live.size());
    }
    if (known != live.end()) {
      ASSERT_FALSE(hits->empty());
      EXPECT_EQ(hits->front().id, known->first) << (exact ? "exact" : "graph");
    }
  }
}

void KillOracle::check_backup(const Database& restored) {
  EXPECT_TRUE(restored.quarantined().empty());
  const auto collection = restored.collection(kKillCollection);
  ASSERT_TRUE(collection.ok()) << collection.status().to_string();
  const Snapshot snapshot = collection->snapshot();
  for (std::uint32_t t = 0; t < kKillThreads; ++t) {
    const KillMark found = mark_of(*collection, t);
    WriterModel model = backup_base_[t];
    bool known = model.mark == found;
    for (const KillMark batch : since_base_[t]) {
      if (known) break;
      model.apply(t, batch);
      known = model.mark == found;
    }
    EXPECT_TRUE(known) << "writer " << t << ": the backup ends with " << name_of(found) << ", which is not at or after "
                       << name_of(backup_base_[t].mark);
    EXPECT_EQ(wrong_writer(snapshot, t, model), "") << "the backup, writer " << t;
  }
}

}  // namespace holdfast::testing
