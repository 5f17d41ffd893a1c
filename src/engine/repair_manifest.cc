// Which extents belong together?
//
// A checkpoint writes the extents of a chunk one after the other, with consecutive numbers: ids, stamps, vectors,
// payloads, values. Ids, vectors, payloads and values are always written together; stamps alone if rows only died. So
// of every chunk the newest group counts, with the newest stamps behind it. Patches of a chunk are written in the same
// order, and each notes in its header which extent it patches: the newest whole group of patches of that group counts.
//
// The groups found need not be of one checkpoint: the newest may have been interrupted, so that some chunks are as of
// it and others as of the one before. That is put right by the log, which is kept back to the older checkpoint and
// replayed here from its very beginning, whatever the image holds already: operations name ids and say what a point is
// from then on, so the last one of an id decides, however often it is applied. A point that stands in two chunks is
// there twice; the version born later counts (repair_image.cc).
//
// The graph is left out: where the walk begins stood in the manifest.
#include "engine/repair_manifest.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/try.h"
#include "engine/repair_log.h"
#include "engine/validate.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

using storage::DescribedExtent;
using storage::ExtentInfo;

class ManifestBuilder {
 public:
  ManifestBuilder(os::FileSystem& fs, const RebuildRequest& request) : fs_(fs), request_(request) {}

  Result<RebuiltManifest> run() {
    HF_TRY(read_extents());
    choose_extents();
    HF_ASSIGN(first_lsn_, first_lsn_of_log(fs_, os::join(request_.directory, storage::kWalDirectory)));
    HF_TRY(find_config());
    if (!built_.impossible.empty()) return built_;
    HF_TRY(find_lsn());
    name_losses();
    storage::Manifest& manifest = built_.manifest;
    manifest.generation = request_.highest_generation;
    manifest.collection = request_.entry.uuid;
    manifest.next_extent = next_extent_;
    built_.image.name = request_.entry.name;
    built_.image.view.slot_end = slot_end_;
    return built_;
  }

 private:
  using Place = std::pair<std::uint8_t, Slot>;

  Status read_extents() {
    const std::string directory = os::join(request_.directory, storage::kExtentDirectory);
    auto entries = fs_.list(directory);
    if (entries.status().code() == StatusCode::not_found) return {};
    HF_TRY(entries.status());
    for (const os::DirectoryEntry& entry : *entries) {
      const storage::ParsedName parsed = storage::parse_name(entry.name);
      if (parsed.kind != storage::FileKind::extent || entry.is_directory) continue;
      next_extent_ = std::max(next_extent_, parsed.number + 1);
      auto found = storage::describe_extent(fs_, directory, request_.entry.uuid, parsed.number);
      if (found.status().code() == StatusCode::data_damaged) {
        unreadable_.push_back(parsed.number);
        numbers_[parsed.number] = 0;
        continue;
      }
      HF_TRY(found.status());
      numbers_[parsed.number] = found->origin.generation;
      const ExtentInfo& info = found->info;
      if (!covers_chunks(kind_of(info.kind)) || info.slot_count == 0 || info.slot_count > kChunkSlots ||
          info.first_slot % kChunkSlots != 0 || info.first_slot >= kMaxSlots) {
        continue;
      }
      places_[{info.kind, info.first_slot}].push_back(*found);  // by ascending number
    }
    return {};
  }

  [[nodiscard]] static constexpr std::uint8_t patch_of(ExtentKind kind) noexcept {
    return static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) | kPatchBit);
  }

  [[nodiscard]] const DescribedExtent* with_number(std::uint8_t kind, Slot first, std::uint64_t number) const {
    const auto place = places_.find({kind, first});
    if (place == places_.end()) return nullptr;
    const auto found = std::find_if(place->second.begin(), place->second.end(),
                                    [&](const DescribedExtent& one) { return one.info.number == number; });
    return found == place->second.end() ? nullptr : &*found;
  }

  void choose_extents() {
    std::map<Slot, bool> chunks;
    for (const auto& [place, found] : places_) chunks[place.second] = true;
    for (const auto& [first, any] : chunks) choose_group(first);
  }

  static constexpr std::pair<ExtentKind, std::uint64_t> kGroup[] = {
      {ExtentKind::ids, 0}, {ExtentKind::vectors, 2}, {ExtentKind::payloads, 3}};
  static constexpr std::uint64_t kStampsBehind = 1, kValuesBehind = 4;

  /// The newest group that is whole (an interrupted checkpoint leaves one that is not), else the newest of which
  /// anything is left; and the newest stamps behind its ids.
  void choose_group(Slot first) {
    std::map<std::uint64_t, int> groups;  // parts by number of the ids
    for (const auto& [kind, behind] : kGroup) {
      const auto place = places_.find({static_cast<std::uint8_t>(kind), first});
      if (place == places_.end()) continue;
      for (const DescribedExtent& found : place->second) {
        if (found.info.number > behind) ++groups[found.info.number - behind];
      }
    }
    if (groups.empty()) return;  // stamps or lists alone: nothing can be made of them
    auto newest = std::find_if(groups.rbegin(), groups.rend(),
                               [](const auto& group) { return group.second == static_cast<int>(std::size(kGroup)); });
    if (newest == groups.rend()) {
      newest = groups.rbegin();
    } else {
      whole_.insert(first);
    }
    const std::uint64_t begin = newest->first;
    std::uint32_t rows = 0;
    for (const auto& [kind, behind] : kGroup) {
      const DescribedExtent* found = with_number(static_cast<std::uint8_t>(kind), first, begin + behind);
      if (found == nullptr) continue;
      rows = std::max(rows, found->info.slot_count);
      choose(*found);
    }
    // A newer group that is not whole speaks of other rows.
    const std::uint64_t end = newest == groups.rbegin() ? next_extent_ : std::prev(newest)->first;
    const std::uint64_t patches = choose_patches(first, begin, end, rows);
    choose_values(first, begin, patches);
    slot_end_ = std::max(slot_end_, first + rows);
    choose_stamps(first, begin + kStampsBehind, end, rows);
  }

  /// The newest group of patches that is whole, of the group of extents that begins at `begin`. Returns the number of
  /// its first; 0: there is none. `rows` receives how many the chunk has with them.
  std::uint64_t choose_patches(Slot first, std::uint64_t begin, std::uint64_t end, std::uint32_t& rows) {
    const auto place = places_.find({patch_of(ExtentKind::ids), first});
    if (place == places_.end()) return 0;
    bool any = false;  // patches there were
    for (auto found = place->second.rbegin(); found != place->second.rend(); ++found) {
      const std::uint64_t number = found->info.number;
      if (number < begin || number >= end) continue;
      any = true;
      const bool whole = std::all_of(std::begin(kGroup), std::end(kGroup), [&](const auto& part) {
        const DescribedExtent* const patch = with_number(patch_of(part.first), first, number + part.second);
        return patch != nullptr && patched_by_note(patch->origin.note) == begin + part.second;
      });
      if (!whole) continue;
      for (const auto& [kind, behind] : kGroup) choose(*with_number(patch_of(kind), first, number + behind));
      rows = std::max(rows, found->info.slot_count);
      return number;
    }
    if (any) whole_.erase(first);
    return 0;
  }

  /// Values were written with the rows (whole, or as a patch), or for the first time with the patches.
  void choose_values(Slot first, std::uint64_t begin, std::uint64_t patches) {
    const auto* whole = with_number(static_cast<std::uint8_t>(ExtentKind::values), first, begin + kValuesBehind);
    const auto* later =
        patches == 0 ? nullptr
                     : with_number(static_cast<std::uint8_t>(ExtentKind::values), first, patches + kValuesBehind);
    const auto* patch =
        patches == 0 ? nullptr : with_number(patch_of(ExtentKind::values), first, patches + kValuesBehind);
    if (later != nullptr) {
      choose(*later);
    } else if (patch != nullptr) {
      const std::uint64_t base = patched_by_note(patch->origin.note);
      whole = with_number(static_cast<std::uint8_t>(ExtentKind::values), first, base);
      if (whole == nullptr) return;
      choose(*whole);
      choose(*patch);
    } else if (whole != nullptr && patches == 0) {
      choose(*whole);
    }
  }

  /// The newest stamps of as many rows, whole or a patch, between the numbers `begin` and `end`.
  void choose_stamps(Slot first, std::uint64_t begin, std::uint64_t end, std::uint32_t rows) {
    const DescribedExtent* best = nullptr;
    const DescribedExtent* base = nullptr;  // of `best`, if that is a patch
    for (const std::uint8_t kind : {static_cast<std::uint8_t>(ExtentKind::stamps), patch_of(ExtentKind::stamps)}) {
      const auto place = places_.find({kind, first});
      if (place == places_.end()) continue;
      for (const DescribedExtent& found : place->second) {
        const std::uint64_t number = found.info.number;
        if (number < begin || number >= end || found.info.slot_count != rows) continue;
        if (best != nullptr && best->info.number > number) continue;
        const DescribedExtent* const patched =
            is_patch(kind)
                ? with_number(static_cast<std::uint8_t>(ExtentKind::stamps), first, patched_by_note(found.origin.note))
                : nullptr;
        if (is_patch(kind) && patched == nullptr) continue;
        best = &found;
        base = patched;
      }
    }
    if (best == nullptr) return;
    choose(*best);
    if (base != nullptr) choose(*base);
  }

  void choose(const DescribedExtent& extent) {
    built_.manifest.extents.push_back(extent.info);
    image_lsn_ = std::max(image_lsn_, extent.origin.lsn);
    noted_ = noted_ || extent.origin.generation != 0;
    if (!config_) config_ = decode_extent_note(extent.origin.note);
  }

  /// From an extent's header; else from the user, the log and the sizes.
  Status find_config() {
    CollectionConfig config = config_.value_or(CollectionConfig{});
    if (!config_) {
      config.dimension = request_.dimension;
      if (config.dimension == 0 && first_lsn_ != 0) {
        storage::ReadLogOptions options;
        options.directory = os::join(request_.directory, storage::kWalDirectory);
        options.collection = request_.entry.uuid;
        options.after = first_lsn_ - 1;
        HF_ASSIGN(const LogView log, view_log(fs_, options));
        config.dimension = log.vectors.dimension;
        config.type = log.vectors.type;
      }
      if (config.dimension == 0 || !request_.metric) {
        built_.impossible =
            "no manifest can be read, and no file tells " +
            std::string(config.dimension == 0 ? (request_.metric ? "its dimension: give --dimension"
                                                                 : "its dimension and metric: give --dimension and "
                                                                   "--metric")
                                              : "its metric: give --metric");
        return {};
      }
      config.metric = *request_.metric;
      if (const std::uint32_t m = links_of_lists(); m != 0) config.m = m;
      config.ef_construction = std::max(config.ef_construction, config.m);
    }
    if (!validate_config(config).ok() || !vectors_fit(config)) {
      built_.impossible = "no manifest can be read, and dimension " + std::to_string(config.dimension) +
                          " with metric " + std::string(to_string(config.metric)) + " does not fit its vectors";
      return {};
    }
    built_.image.config = config;
    return {};
  }

  /// M, from the size of a row of level 0: 1 + 2M numbers. 0: unknown.
  [[nodiscard]] std::uint32_t links_of_lists() const {
    for (const auto& [place, found] : places_) {
      if (place.first != static_cast<std::uint8_t>(ExtentKind::level0)) continue;
      const ExtentInfo& info = found.back().info;
      const std::uint64_t numbers = info.data_bytes / info.slot_count / sizeof(std::uint32_t);
      if (numbers > 4 && numbers <= 1 + 2 * kMaxM) return static_cast<std::uint32_t>((numbers - 1) / 2);
    }
    return 0;
  }

  [[nodiscard]] bool vectors_fit(const CollectionConfig& config) const {
    const std::size_t stride = index::VectorTable(config.dimension, config.metric, config.type).stride();
    return std::all_of(built_.manifest.extents.begin(), built_.manifest.extents.end(), [&](const ExtentInfo& info) {
      return info.kind != static_cast<std::uint8_t>(ExtentKind::vectors) || info.data_bytes == info.slot_count * stride;
    });
  }

  /// The image's own lsn: no stamp in it is higher. And where the log begins.
  Status find_lsn() {
    Lsn stamped = 0;
    const std::string directory = os::join(request_.directory, storage::kExtentDirectory);
    for (const ExtentInfo& info : built_.manifest.extents) {
      if (info.kind != static_cast<std::uint8_t>(ExtentKind::stamps)) continue;
      HF_ASSIGN(const auto extent, storage::Extent::open(fs_, directory, request_.entry.uuid, info));
      for (std::uint64_t page = 0; page < extent->pages(); ++page) {
        if (!extent->verify_page(page).ok()) continue;  // its rows are lost
        const std::uint64_t end = std::min<std::uint64_t>((page + 1) * storage::kExtentPageBytes, info.data_bytes);
        for (std::uint64_t at = page * storage::kExtentPageBytes; at + sizeof(Lsn) <= end; at += sizeof(Lsn)) {
          const Lsn stamp = load<Lsn>(extent->data().data() + at);
          if (stamp != kNeverDied) stamped = std::max(stamped, stamp);
        }
      }
    }
    Lsn lsn = std::max(stamped, image_lsn_);
    if (!noted_ && first_lsn_ > lsn + 1) {
      built_.lacks = "whether batches between lsn " + std::to_string(lsn) + " and " + std::to_string(first_lsn_) +
                     " are missing cannot be told";
      lsn = first_lsn_ - 1;
    }
    built_.manifest.lsn = built_.image.view.lsn = lsn;
    built_.replay_after = first_lsn_ == 0 ? lsn : std::min(lsn, first_lsn_ - 1);
    return {};
  }

  /// Nothing tells what stood in a file that is gone. That it is gone shows where its neighbours are there.
  void name_losses() {
    const std::string untold = "the ids of the points in them cannot be told";
    std::vector<std::uint64_t> files = unreadable_;
    if (!files.empty()) built_.lost.push_back(listed("extents that cannot be read", files) + ": " + untold);
    files = missing_numbers();
    if (!files.empty()) {
      built_.lost.push_back(listed("extents that are not there", files) +
                            ", removed with an older checkpoint or lost: " + untold);
    }
    std::vector<std::uint64_t> chunks;
    for (const auto& [place, found] : places_) {
      if (!whole_.contains(place.second)) chunks.push_back(place.second / kChunkSlots);
    }
    for (Slot first = 0; first < slot_end_; first += kChunkSlots) {
      if (!whole_.contains(first)) chunks.push_back(first / kChunkSlots);
    }
    std::sort(chunks.begin(), chunks.end());
    chunks.erase(std::unique(chunks.begin(), chunks.end()), chunks.end());
    if (!chunks.empty()) {
      built_.lost.push_back(listed("chunks of " + std::to_string(kChunkSlots) + " slots that lack files", chunks) +
                            ": " + untold);
    }
    built_.lost.emplace_back("markers that no batch in the log sets: which ones cannot be told");
  }

  /// Of the two checkpoints that are kept every extent is needed; among older ones gaps are as it should be.
  [[nodiscard]] std::vector<std::uint64_t> missing_numbers() const {
    std::uint64_t newest = request_.highest_generation;
    for (const auto& [number, generation] : numbers_) newest = std::max(newest, generation);
    std::vector<std::uint64_t> missing;
    std::uint64_t expected = 1;
    for (const auto& [number, generation] : numbers_) {
      const bool kept = generation == 0 || generation + 1 >= newest;
      for (; kept && expected < number && missing.size() < kMissingCounted; ++expected) missing.push_back(expected);
      expected = number + 1;
    }
    return missing;
  }

  /// "2 extents that ...: 5, 7"
  static std::string listed(const std::string& what, const std::vector<std::uint64_t>& numbers) {
    std::string text = std::to_string(numbers.size()) + " " + what + " (";
    const std::size_t shown = std::min(kNumbersShown, numbers.size());
    for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + std::to_string(numbers[i]);
    return text + (shown < numbers.size() ? ", ... " + std::to_string(numbers.back()) + ")" : ")");
  }
  static constexpr std::size_t kNumbersShown = 20;
  static constexpr std::size_t kMissingCounted = 100'000;  ///< a name may say any number

  os::FileSystem& fs_;
  const RebuildRequest& request_;
  std::map<Place, std::vector<DescribedExtent>> places_;
  std::optional<CollectionConfig> config_;
  std::uint64_t next_extent_ = 1;
  std::vector<std::uint64_t> unreadable_;           ///< numbers
  std::map<std::uint64_t, std::uint64_t> numbers_;  ///< of every extent, with the generation that it notes
  std::set<Slot> whole_;                            ///< first slots of chunks of which a whole group was found
  Slot slot_end_ = 0;
  Lsn image_lsn_ = 0;
  Lsn first_lsn_ = 0;   ///< of the log; 0: there is none
  bool noted_ = false;  ///< the extents say for which checkpoint they were written
  RebuiltManifest built_;
};

}  // namespace

Result<RebuiltManifest> rebuild_manifest(os::FileSystem& fs, const RebuildRequest& request) {
  return ManifestBuilder(fs, request).run();
}

}  // namespace holdfast::engine
