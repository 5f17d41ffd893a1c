// A repair never edits a damaged collection. What can be saved is loaded into memory, by the same code that replays and
// serves, and written by the same checkpoint as ever into a directory beside the damaged one; extents that are sound
// are shared by hard links. Then the two directories change places in one step.
//
// Why not in place: every salvage would be a sequence of renames and removals of its own, each with its own states
// after a crash, on a store of which only one thing is certain: that something in it is not as it should be. This way
// there is one sequence for all salvages, and two states: not repaired, repaired.
//
// Invariants
//  P1. Nothing inside the damaged collection's directory is written, renamed or removed; only its own name changes.
//  P2. The new collection is whole, synced and verified before the directories change places.
//  P3. The new history begins with an lsn beyond every lsn that anything speaks of: no acknowledged lsn is given out
//      again, and no frame of the old log continues the new one.
//  P4. A staging directory that holds kUnfinishedFile is garbage. One without it may be the damaged collection, just
//      exchanged out, and is kept.
#include "engine/repair_collection.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/try.h"
#include "engine/checkpoint.h"
#include "engine/indexer.h"
#include "engine/load.h"
#include "engine/repair_image.h"
#include "engine/repair_log.h"
#include "engine/repair_manifest.h"
#include "engine/repair_text.h"
#include "engine/verify.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

using storage::Manifest;

/// One image, and what would be saved with it.
struct Candidate {
  Manifest manifest;
  ImageState image;
  bool rebuilt = false;
  std::string what_rebuilding_lacks;
  std::vector<std::string> lost_in_rebuilding;
  Lsn replay_after = 0;  ///< the image's lsn, unless it was rebuilt
  LogView log;
  /// What is applied: `log`, or all that there is of it, where batches that the image holds say again what it lost.
  std::optional<LogView> whole_log;
  std::optional<SalvagedImage> salvaged;

  [[nodiscard]] const LogView& used_log() const { return whole_log ? *whole_log : log; }

  [[nodiscard]] Lsn reaches(LogUse use) const {
    if (use == LogUse::nothing) return manifest.lsn;
    return std::max(manifest.lsn,
                    use == LogUse::past_damage ? std::max(log.tail.end.lsn, log.remains.last_lsn) : log.tail.end.lsn);
  }
};

constexpr const char* kPointerIsWrittenAnew =
    "writes the pointer to the newest segment anew; no batch that is there is touched; whether a newer segment existed "
    "cannot be told";

struct BrokenManifest {
  std::uint64_t generation = 0;
  std::string message;
};

}  // namespace

class CollectionRepair::Impl {
 public:
  explicit Impl(RepairTarget target)
      : target_(std::move(target)),
        fs_(target_.fs),
        folder_(storage::collection_directory_name(target_.entry.uuid)),
        directory_(os::join(target_.store, folder_)),
        staged_(os::join(target_.store, staging_name(target_.aside))) {
    request_.name = target_.entry.name;
    request_.directory = staged_;
    request_.uuid = target_.entry.uuid;
    request_.options.fs = &fs_;
    request_.options.background = false;
    request_.signals = std::make_shared<Signals>();
  }

  Status plan() {
    HF_ASSIGN(const bool there, fs_.exists(directory_));
    if (!there) {
      give_up("its directory " + folder_ + " is missing");
      return {};
    }
    VerifyOptions options;
    options.progress = target_.options.progress;
    HF_TRY(verify_collection(fs_, target_.store, target_.entry, folder_, options, verified_));
    if (!verified_.damaged()) return {};
    HF_TRY(read_manifests());
    HF_TRY(choose_candidate());
    if (chosen_ == nullptr) return {};
    add_manifest_steps();
    add_image_steps();
    add_log_steps();
    if (!steps_.empty()) return {};
    HF_TRY(add_count_step());
    if (steps_.empty()) give_up(first_damage() + ": there is no salvage for this");
    return {};
  }

  [[nodiscard]] bool ready() const noexcept {
    bool any = false, log_needs = false, log_chosen = false;
    for (const RepairStep& step : steps_) {
      any = true;
      log_needs |= step.alternative;
      log_chosen |= step.alternative && step.chosen;
      if (!step.alternative && !step.chosen) return false;
    }
    return any && hopeless_.empty() && log_needs == log_chosen;
  }

  Status act() {
    HF_TRY(make_staging_directory());
    CollectionState& state = *chosen_->salvaged->state;
    HF_TRY(prepare_for_writing(state));
    if (!chosen_->salvaged->graph_damage.empty() || chosen_->rebuilt) HF_TRY(wait_until_indexed(state));
    if (!chosen_->salvaged->losses.nothing()) HF_TRY(vacuum(state));
    HF_TRY(checkpoint(state));
    state.wal->close();
    HF_TRY(share_sound_extents(manifest_of(state)));
    chosen_->salvaged.reset();  // before its files get another name
    HF_TRY(verify_staged());
    HF_TRY(change_places());
    for (RepairStep& step : steps_) step.done = step.chosen;
    return {};
  }

  std::vector<RepairStep> steps_;
  std::vector<std::string> hopeless_;

 private:
  // --- looking ---

  void give_up(const std::string& why) { hopeless_.push_back("collection '" + target_.entry.name + "': " + why); }

  [[nodiscard]] std::string first_damage() const {
    for (const VerifyFinding& finding : verified_.findings) {
      if (finding.severity == VerifyFinding::Severity::damage) return finding.file + ": " + finding.message;
    }
    return {};
  }

  Status read_manifests() {
    HF_ASSIGN(const auto generations, storage::list_manifests(fs_, directory_));
    for (const std::uint64_t generation : generations) {  // newest first
      highest_generation_ = std::max(highest_generation_, generation);
      auto manifest = storage::read_manifest(fs_, directory_, generation);
      Status status = manifest.status();
      if (manifest.ok() && manifest->collection != request_.uuid) {
        status =
            Status(StatusCode::data_damaged, storage::manifest_name(generation) + " belongs to another collection");
      }
      std::optional<ImageState> image;
      if (status.ok()) {
        proven_ = std::max(proven_, manifest->lsn);
        next_extent_ = std::max(next_extent_, manifest->next_extent);
        auto decoded = decode_image_state(manifest->state, manifest->lsn);
        status = decoded.status();
        if (decoded.ok()) image = std::move(decoded).value();
      }
      if (!status.ok() && status.code() != StatusCode::data_damaged) return status;
      if (!status.ok()) {
        broken_.push_back({generation, std::string(status.message())});
        continue;
      }
      HF_TRY(assess_extents(fs_, directory_, *manifest, checked_, damages_));
      candidates_.push_back({std::move(manifest).value(), std::move(*image), false, {}, {}, 0, {}, {}, {}});
      candidates_.back().replay_after = candidates_.back().manifest.lsn;
    }
    if (candidates_.empty()) HF_TRY(rebuild_from_extents());
    return {};
  }

  Status rebuild_from_extents() {
    RebuildRequest wanted{directory_, target_.entry, highest_generation_, target_.options.dimension,
                          target_.options.metric};
    HF_ASSIGN(RebuiltManifest rebuilt, rebuild_manifest(fs_, wanted));
    if (!rebuilt.impossible.empty()) {
      give_up(rebuilt.impossible);
      return {};
    }
    HF_TRY(assess_extents(fs_, directory_, rebuilt.manifest, checked_, damages_));
    next_extent_ = std::max(next_extent_, rebuilt.manifest.next_extent);
    candidates_.push_back({std::move(rebuilt.manifest),
                           std::move(rebuilt.image),
                           true,
                           rebuilt.lacks,
                           rebuilt.lost,
                           rebuilt.replay_after,
                           {},
                           {},
                           {}});
    return {};
  }

  [[nodiscard]] storage::ReadLogOptions log_options(const Candidate& candidate) const {
    storage::ReadLogOptions options;
    options.directory = os::join(directory_, storage::kWalDirectory);
    options.collection = request_.uuid;
    options.after = candidate.replay_after;
    options.check_below = false;
    options.proven = proven_;
    if (!candidate.rebuilt) options.base = {candidate.manifest.lsn, candidate.manifest.log_checksum};
    return options;
  }

  /// The image with which most is saved: the highest lsn, then the fewest rows lost, then a graph, then the newest.
  Status choose_candidate() {
    for (Candidate& candidate : candidates_) {
      HF_ASSIGN(candidate.log, view_log(fs_, log_options(candidate)));
      candidate.log.shift = candidate.manifest.lsn - candidate.replay_after;
    }
    choose_log_salvage();
    for (Candidate& candidate : candidates_) {
      auto salvaged = salvage_image(request_, directory_, candidate.manifest, candidate.image, damages_);
      if (salvaged.status().code() == StatusCode::data_damaged) {
        broken_.push_back({candidate.manifest.generation, std::string(salvaged.status().message())});
        continue;
      }
      HF_TRY(salvaged.status());
      candidate.salvaged = std::move(salvaged).value();
      if (chosen_ == nullptr || saves_more(candidate, *chosen_)) {
        if (chosen_ != nullptr) chosen_->salvaged.reset();
        chosen_ = &candidate;
      } else {
        candidate.salvaged.reset();
      }
    }
    if (chosen_ == nullptr) {
      if (hopeless_.empty()) give_up(broken_.empty() ? first_damage() : broken_.front().message);
      return {};
    }
    use_ = use_of(*chosen_);
    HF_TRY(look_for_lost_rows_in_log());
    Status applied = apply_log(*chosen_->salvaged->state, chosen_->used_log(), use_);
    if (applied.code() == StatusCode::data_damaged) {
      give_up(std::string(applied.message()));
      chosen_ = nullptr;
      return {};
    }
    return applied;
  }

  /// The log is kept back to the older image: what the newer one has lost may stand there still. Applying once more
  /// what the image holds does no harm: the last batch that speaks of a point decides (repair_manifest.cc).
  Status look_for_lost_rows_in_log() {
    Candidate& candidate = *chosen_;
    if (candidate.salvaged->losses.nothing() || candidate.rebuilt || use_ == LogUse::nothing) return {};
    storage::ReadLogOptions options = log_options(candidate);
    HF_ASSIGN(const Lsn first, first_lsn_of_log(fs_, options.directory));
    if (first == 0 || first > candidate.manifest.lsn) return {};
    options.after = first - 1;
    options.base = {};
    HF_ASSIGN(LogView whole, view_log(fs_, options));
    if (whole.tail.end != candidate.log.tail.end || whole.damaged() != candidate.log.damaged()) return {};
    whole.shift = candidate.manifest.lsn - options.after;
    candidate.whole_log = std::move(whole);
    return {};
  }

  [[nodiscard]] bool saves_more(const Candidate& a, const Candidate& b) const {
    const Lsn reach_a = a.reaches(use_of(a)), reach_b = b.reaches(use_of(b));
    if (reach_a != reach_b) return reach_a > reach_b;
    if (a.salvaged->losses.rows != b.salvaged->losses.rows) return a.salvaged->losses.rows < b.salvaged->losses.rows;
    if (a.salvaged->graph_damage.empty() != b.salvaged->graph_damage.empty()) return a.salvaged->graph_damage.empty();
    return a.manifest.generation > b.manifest.generation;
  }

  [[nodiscard]] bool is_allowed(Salvage salvage) const {
    const auto& allowed = target_.options.allowed;
    if (target_.options.all_lossless && is_lossless(salvage)) return true;
    return std::find(allowed.begin(), allowed.end(), salvage) != allowed.end();
  }

  /// Of the alternatives the one that is named first.
  void choose_log_salvage() {
    for (const Salvage salvage : target_.options.allowed) {
      if (salvage == Salvage::cut_log || salvage == Salvage::skip_frames || salvage == Salvage::roll_back) {
        log_salvage_ = salvage;
        break;
      }
    }
  }

  /// Rolled back is only behind an image whose own log is damaged: what stands below it is no reason.
  [[nodiscard]] LogUse use_of(const Candidate& candidate) const {
    if (log_salvage_ == Salvage::skip_frames) return LogUse::past_damage;
    return log_salvage_ == Salvage::roll_back && candidate.log.damaged() ? LogUse::nothing : LogUse::to_damage;
  }

  // --- steps ---

  RepairStep& add_step(Salvage salvage, const std::string& file, std::uint64_t offset, std::uint64_t length,
                       const std::string& damage) {
    RepairStep step;
    step.salvage = salvage;
    step.collection = target_.entry.name;
    step.file = file.empty() ? folder_ : os::join(folder_, file);
    step.offset = offset != 0 ? offset : offset_in(damage, file);
    step.length = length;
    step.damage = damage;
    step.explanation = explanation_of(salvage);
    step.chosen = is_allowed(salvage);
    steps_.push_back(std::move(step));
    return steps_.back();
  }

  void add_manifest_steps() {
    if (chosen_->rebuilt) {
      const bool any = !broken_.empty();
      RepairStep& step =
          add_step(Salvage::rebuild_manifest, any ? storage::manifest_name(broken_.front().generation) : "", 0, 0,
                   any ? broken_.front().message : "there is no manifest");
      step.loss.unnamed = chosen_->lost_in_rebuilding;
      if (!chosen_->what_rebuilding_lacks.empty()) step.explanation += "; " + chosen_->what_rebuilding_lacks;
      return;
    }
    for (const BrokenManifest& broken : broken_) {
      add_step(Salvage::drop_checkpoint, storage::manifest_name(broken.generation), 0, 0, broken.message);
    }
    std::set<std::uint64_t> needed;
    for (const storage::ExtentInfo& info : chosen_->manifest.extents) needed.insert(info.number);
    for (const Candidate& candidate : candidates_) {
      if (&candidate == chosen_) continue;
      for (const storage::ExtentInfo& info : candidate.manifest.extents) {
        const auto damage = damages_.find(info.number);
        if (damage == damages_.end() || needed.contains(info.number)) continue;
        add_step(Salvage::drop_checkpoint, extent_file(info.number), damage->second.offset, damage->second.length,
                 damage->second.message);
        break;  // one step for the image
      }
    }
  }

  static std::string extent_file(std::uint64_t number) {
    return os::join(storage::kExtentDirectory, storage::extent_name(number));
  }

  void add_image_steps() {
    const SalvagedImage& salvaged = *chosen_->salvaged;
    if (!salvaged.graph_damage.empty()) {
      const bool missing = chosen_->rebuilt && chosen_->image.graph_end == 0;
      if (!missing) {
        add_step(Salvage::rebuild_graph, salvaged.graph_file, salvaged.graph_offset, 0, salvaged.graph_damage);
      }
    }
    add_derived_step(Salvage::rebuild_ids, is_of_ids);
    add_derived_step(Salvage::rebuild_codes,
                     [](const storage::ExtentInfo& info) { return is_of_codes(kind_of(info.kind)); });
    if (salvaged.losses.nothing()) {
      // Damage in rows that nobody needs any more.
      if (!has_damaged_extent(false)) return;
    }
    const auto [number, damage] = first_row_damage();
    if (damage == nullptr && salvaged.losses.nothing()) return;
    RepairStep& step =
        damage == nullptr
            ? add_step(Salvage::drop_points, "", 0, 0, "rows are missing from the checkpoint")
            : add_step(Salvage::drop_points, extent_file(number), damage->offset, damage->length, damage->message);
    step.loss.unknown_points = salvaged.losses.unknown_points;
    const std::set<PointId> again = ids_of_used_log();
    for (const PointId& id : salvaged.losses.ids) {
      if (!again.contains(id)) step.loss.ids.push_back(id);
    }
  }

  /// For what is not named again but made from the rows: one step for all of them that are damaged.
  template <class IsOfThem>
  void add_derived_step(Salvage salvage, IsOfThem is_of_them) {
    for (const storage::ExtentInfo& info : chosen_->manifest.extents) {
      const auto damage = is_of_them(info) ? damages_.find(info.number) : damages_.end();
      if (damage == damages_.end()) continue;
      add_step(salvage, extent_file(info.number), damage->second.offset, damage->second.length, damage->second.message);
      return;
    }
  }

  [[nodiscard]] bool has_damaged_extent(bool lists) const {
    return std::any_of(chosen_->manifest.extents.begin(), chosen_->manifest.extents.end(),
                       [&](const storage::ExtentInfo& info) {
                         return !is_derived(info) && is_list(info) == lists && damages_.contains(info.number);
                       });
  }
  /// They say nothing that the rows do not say.
  static bool is_of_ids(const storage::ExtentInfo& info) {
    return info.kind == static_cast<std::uint8_t>(ExtentKind::ids_run) ||
           info.kind == static_cast<std::uint8_t>(ExtentKind::growing);
  }
  static bool is_derived(const storage::ExtentInfo& info) { return is_of_ids(info) || is_of_codes(kind_of(info.kind)); }
  static bool is_list(const storage::ExtentInfo& info) {
    return kind_of(info.kind) == ExtentKind::level0 || kind_of(info.kind) == ExtentKind::upper;
  }
  [[nodiscard]] std::pair<std::uint64_t, const ExtentDamage*> first_row_damage() const {
    for (const storage::ExtentInfo& info : chosen_->manifest.extents) {
      const auto damage = is_list(info) || is_derived(info) ? damages_.end() : damages_.find(info.number);
      if (damage != damages_.end()) return {info.number, &damage->second};
    }
    return {0, nullptr};
  }

  /// Written again behind the image: whatever the image lost of them.
  [[nodiscard]] std::set<PointId> ids_of_used_log() const {
    if (use_ == LogUse::nothing) return {};
    const LogView& log = chosen_->used_log();
    std::set<PointId> ids = log.ids_before;
    if (use_ == LogUse::past_damage) ids.insert(log.ids_behind.begin(), log.ids_behind.end());
    return ids;
  }

  void add_log_steps() {
    const LogView& log = chosen_->log;
    if (log.damaged()) {
      const storage::LogDamage& damage = log.tail.damage.back();
      for (const auto& [salvage, use] :
           {std::pair(Salvage::cut_log, LogUse::to_damage), std::pair(Salvage::skip_frames, LogUse::past_damage),
            std::pair(Salvage::roll_back, LogUse::nothing)}) {
        RepairStep& step = add_step(salvage, os::join(storage::kWalDirectory, damage.segment), damage.offset,
                                    damage.length, damage.message);
        step.alternative = true;
        step.chosen = log_salvage_ == salvage;
        step.loss = loss_of(log, use);
      }
      return;
    }
    if (chosen_->rebuilt) return;  // verify did not know from where on the log counts
    const std::string wal = os::join(folder_, storage::kWalDirectory);
    const std::string head = os::join(wal, storage::kLogHeadFile);
    bool segments = false;
    for (const VerifyFinding& finding : verified_.findings) {
      if (finding.severity != VerifyFinding::Severity::damage || !finding.file.starts_with(wal)) continue;
      if (finding.file != head && std::exchange(segments, true)) continue;  // one step for the log
      RepairStep& step = add_step(Salvage::trim_log, finding.file.substr(folder_.size() + 1), finding.offset,
                                  finding.length, finding.message);
      if (finding.file == head) step.explanation = kPointerIsWrittenAnew;
    }
  }

  /// Every file is as its checksums say, and still the image does not hold together: what it counts is counted again.
  Status add_count_step() {
    RecoveryRequest strict = request_;
    strict.directory = directory_;
    const auto loaded = load_image(strict, chosen_->manifest);
    if (loaded.ok()) return {};
    if (loaded.status().code() != StatusCode::data_damaged) return loaded.status();
    add_step(Salvage::rebuild_manifest, storage::manifest_name(chosen_->manifest.generation), 0, 0,
             std::string(loaded.status().message()));
    return {};
  }

  // --- acting ---

  Status make_staging_directory() {
    HF_TRY(fs_.create_directory(staged_));
    HF_ASSIGN(const auto marker, fs_.create(os::join(staged_, kUnfinishedFile)));
    HF_TRY(marker->sync());
    HF_TRY(fs_.sync_directory(staged_));
    HF_TRY(fs_.create_directory(os::join(staged_, storage::kExtentDirectory)));
    HF_TRY(fs_.create_directory(os::join(staged_, storage::kWalDirectory)));
    return fs_.sync_directory(target_.store);
  }

  /// P3. From here on the state is that of a collection whose last batch is the repair itself.
  Status prepare_for_writing(CollectionState& state) {
    Lsn last = proven_;
    for (const Candidate& candidate : candidates_) {
      last = std::max({last, candidate.manifest.lsn, candidate.used_log().highest()});
    }
    storage::WalOptions wal;
    wal.directory = os::join(staged_, storage::kWalDirectory);
    wal.collection = request_.uuid;
    const storage::LogEnd end{last + 1, fs_.random_u64() | 1};
    state.wal = std::make_unique<storage::WalWriter>(fs_, std::move(wal), end);
    HF_ASSIGN(const std::uint64_t next_extent, first_free_extent());
    MutexLock lock(state.checkpoint_mutex);
    CheckpointState& known = state.checkpoint;
    known.manifest = chosen_->manifest;
    known.manifest.extents = chosen_->salvaged->sound;
    known.manifest.next_extent = next_extent;
    known.epoch = loaded_epoch();
    known.next_generation = highest_generation_ + 1;
    known.previous_lsn = 0;
    return {};
  }

  /// The epoch of the graph as its files hold it.
  [[nodiscard]] GraphEpoch loaded_epoch() const {
    return chosen_->salvaged->graph_damage.empty() ? chosen_->image.view.graph.epoch : 0;
  }

  Result<std::uint64_t> first_free_extent() const {
    std::uint64_t next = next_extent_;
    auto entries = fs_.list(os::join(directory_, storage::kExtentDirectory));
    if (entries.status().code() == StatusCode::not_found) return next;
    HF_TRY(entries.status());
    for (const os::DirectoryEntry& entry : *entries) {
      const storage::ParsedName parsed = storage::parse_name(entry.name);
      if (parsed.kind == storage::FileKind::extent) next = std::max(next, parsed.number + 1);
    }
    return next;
  }

  static Manifest manifest_of(CollectionState& state) {
    MutexLock lock(state.checkpoint_mutex);
    return state.checkpoint.manifest;
  }

  Status share_sound_extents(const Manifest& manifest) {
    const std::string from = os::join(directory_, storage::kExtentDirectory);
    const std::string to = os::join(staged_, storage::kExtentDirectory);
    for (const storage::ExtentInfo& info : manifest.extents) {
      const std::string name = storage::extent_name(info.number);
      HF_ASSIGN(const bool there, fs_.exists(os::join(to, name)));
      if (there) continue;  // written by the checkpoint
      Status linked = fs_.link(os::join(from, name), os::join(to, name));
      if (linked.code() == StatusCode::invalid_argument) {  // a file system without hard links
        linked = os::copy_file(fs_, os::join(from, name), os::join(to, name)).status();
      }
      HF_TRY(linked);
    }
    HF_TRY(fs_.sync_directory(to));
    HF_TRY(fs_.sync_directory(os::join(staged_, storage::kWalDirectory)));
    return fs_.sync_directory(staged_);
  }

  /// P2.
  Status verify_staged() {
    VerifyReport report;
    HF_TRY(verify_collection(fs_, target_.store, target_.entry, staging_name(target_.aside), {}, report));
    for (const VerifyFinding& finding : report.findings) {
      if (finding.severity != VerifyFinding::Severity::damage) continue;
      return {StatusCode::internal, "the repaired collection '" + target_.entry.name + "' does not verify (" +
                                        finding.file + ": " + finding.message + "); nothing was changed"};
    }
    return {};
  }

  Status change_places() {
    Status exchanged = fs_.exchange(staged_, directory_);
    if (exchanged.code() == StatusCode::invalid_argument) {
      return {StatusCode::io_error, "the file system of " + target_.store +
                                        " cannot exchange two directories in one step, which a repair needs; copy the "
                                        "store to another file system (" +
                                        std::string(exchanged.message()) + ")"};
    }
    HF_TRY(exchanged);
    // power fails here: the damaged collection or the repaired one stands under the name; both are whole (P4)
    HF_TRY(fs_.sync_directory(target_.store));
    HF_TRY(fs_.remove(os::join(directory_, kUnfinishedFile)));
    return fs_.sync_directory(directory_);
  }

  const RepairTarget target_;
  os::FileSystem& fs_;
  const std::string folder_, directory_, staged_;
  RecoveryRequest request_;
  VerifyReport verified_;
  std::vector<BrokenManifest> broken_;  ///< newest first
  std::vector<Candidate> candidates_;   ///< newest first
  Candidate* chosen_ = nullptr;
  std::set<std::uint64_t> checked_;
  ExtentDamages damages_;
  std::uint64_t highest_generation_ = 0;
  std::uint64_t next_extent_ = 1;
  Lsn proven_ = 0;
  std::optional<Salvage> log_salvage_;
  LogUse use_ = LogUse::to_damage;  ///< of the chosen candidate's log
};

std::string staging_name(const std::string& aside) { return aside + ".staged"; }

CollectionRepair::CollectionRepair(RepairTarget target) : impl_(std::make_unique<Impl>(std::move(target))) {}
CollectionRepair::~CollectionRepair() = default;
Status CollectionRepair::plan() { return impl_->plan(); }
std::vector<RepairStep>& CollectionRepair::steps() noexcept { return impl_->steps_; }
const std::vector<std::string>& CollectionRepair::hopeless() const noexcept { return impl_->hopeless_; }
bool CollectionRepair::ready() const noexcept { return impl_->ready(); }
Status CollectionRepair::act() { return impl_->act(); }

}  // namespace holdfast::engine
