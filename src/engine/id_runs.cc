#include "engine/id_runs.h"

#include <algorithm>
#include <new>
#include <string>
#include <tuple>

#include "base/try.h"
#include "index/read_check.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

static_assert(kIdEntryBytes == 2 * sizeof(std::uint64_t) + 2 * sizeof(std::uint32_t));

/// In the order of R1.
std::tuple<std::uint32_t, std::uint64_t, std::uint64_t> key_of(PointId id) noexcept {
  return {static_cast<std::uint32_t>(id.kind()), id.high(), id.low()};
}

std::uint64_t fences_of(std::uint64_t entries) noexcept { return (entries + kIdsPerFence - 1) / kIdsPerFence; }

void put_entry(Bytes& out, const IdEntry& entry) {
  put(out, entry.id.high());
  put(out, entry.id.low());
  put(out, static_cast<std::uint32_t>(entry.id.kind()));
  put(out, entry.slot);
}

/// Entries and fences of a run, each page verified before it is believed.
class RunReader {
 public:
  RunReader(const storage::Extent& extent, std::uint64_t begin) noexcept : extent_(extent), begin_(begin) {}

  /// Sets `order` to how entry `i` behind `begin` compares with `id` (< 0: it comes before), and `slot`.
  Status compare(std::uint64_t i, PointId id, int& order, Slot& slot) const {
    const std::uint64_t at = begin_ + i * kIdEntryBytes;
    HF_TRY(extent_.verify(at, kIdEntryBytes));
    const std::byte* const p = extent_.data().data() + at;
    const std::tuple found(load<std::uint32_t>(p + 16), load<std::uint64_t>(p), load<std::uint64_t>(p + 8));
    const auto wanted = key_of(id);
    order = found < wanted ? -1 : (wanted < found ? 1 : 0);
    slot = load<Slot>(p + 20);
    return {};
  }

  /// First place in [first, end) whose entry is beyond `id` (or equal to it, with `or_equal`).
  Status bound(std::uint64_t first, std::uint64_t end, PointId id, bool or_equal, std::uint64_t& place) const {
    while (first < end) {
      const std::uint64_t middle = first + (end - first) / 2;
      int order = 0;
      Slot slot = kNoSlot;
      HF_TRY(compare(middle, id, order, slot));
      if (order > 0 || (or_equal && order == 0)) {
        end = middle;
      } else {
        first = middle + 1;
      }
    }
    place = first;
    return {};
  }

 private:
  const storage::Extent& extent_;
  const std::uint64_t begin_;
};

Status look_up(const storage::Extent& extent, std::uint64_t entries, std::uint64_t fences, PointId id, Slot& slot) {
  const RunReader fence_reader(extent, kIdRunHeader);
  const RunReader reader(extent, kIdRunHeader + fences * kIdEntryBytes);
  std::uint64_t behind = 0;  // the first fence beyond the id
  HF_TRY(fence_reader.bound(0, fences, id, false, behind));
  if (behind == 0) return {};
  const std::uint64_t first = (behind - 1) * kIdsPerFence;
  const std::uint64_t end = std::min(first + kIdsPerFence, entries);
  std::uint64_t place = 0;
  HF_TRY(reader.bound(first, end, id, true, place));
  if (place == end) return {};
  int order = 0;
  Slot found = kNoSlot;
  HF_TRY(reader.compare(place, id, order, found));
  if (order == 0) slot = found;
  return {};
}

Status damaged(const storage::Extent& extent, const std::string& what) {
  return {StatusCode::data_damaged, storage::extent_name(extent.info().number) + " (id run): " + what};
}

}  // namespace

std::uint64_t id_run_bytes(std::uint64_t entries) noexcept {
  return kIdRunHeader + (entries + fences_of(entries)) * kIdEntryBytes;
}

void encode_id_run(std::vector<IdEntry>& entries, Bytes& out) {
  std::sort(entries.begin(), entries.end(),
            [](const IdEntry& a, const IdEntry& b) { return key_of(a.id) < key_of(b.id); });
  put(out, std::uint64_t{entries.size()});
  put(out, fences_of(entries.size()));
  out.reserve(out.size() + id_run_bytes(entries.size()));
  for (std::size_t i = 0; i < entries.size(); i += kIdsPerFence) put_entry(out, entries[i]);
  for (const IdEntry& entry : entries) put_entry(out, entry);
}

Status IdRuns::add(std::shared_ptr<const storage::Extent> extent, Slot slot_end) {
  const std::uint64_t bytes = extent->info().data_bytes;
  if (bytes < kIdRunHeader) return damaged(*extent, "it is cut short");
  HF_TRY(extent->verify(0, kIdRunHeader));
  Run run;
  run.entries = load<std::uint64_t>(extent->data().data());
  run.fences = load<std::uint64_t>(extent->data().data() + 8);
  run.slot_end = slot_end;
  const bool counted = run.entries == extent->info().slot_count && run.fences == fences_of(run.entries);
  if (!counted || bytes != id_run_bytes(run.entries)) return damaged(*extent, "it has the wrong size");
  run.extent = std::move(extent);
  runs_.push_back(std::move(run));
  return {};
}

Slot IdRuns::find_in(const Run& run, PointId id) const noexcept {
  Slot slot = kNoSlot;
  try {
    Status status = look_up(*run.extent, run.entries, run.fences, id, slot);
    if (status.ok() && (slot == kNoSlot || slot < run.slot_end)) return slot;
    if (status.ok()) status = damaged(*run.extent, "it names row " + std::to_string(slot) + ", which does not exist");
    index::ReadCheck::note({std::move(status)});
  } catch (const std::bad_alloc&) {
    index::ReadCheck::note({{}, true});
  }
  return kNoSlot;
}

}  // namespace holdfast::engine
