// Compares a store with the model.
#pragma once

#include <string>

#include "engine/options.h"
#include "holdfast/database.h"
#include "support/model.h"
#include "support/sim_file_system.h"

namespace holdfast::testing {

/// Everything that a collection holds, as its readers see it. Also checks that size, ids and get agree.
[[nodiscard]] Result<VersionRef> observe(const Collection& collection);
/// The same by name; null if the store has no such collection.
[[nodiscard]] Result<VersionRef> observe(const Database& database, const std::string& name);

/// Exact search over everything is a sort of the model; search by graph returns only what lives, at its true distance,
/// and finds every point with its own vector. Returns what is wrong, or nothing.
[[nodiscard]] std::string check_searches(const Collection& collection, const ModelVersion& expected,
                                         std::uint64_t seed);

/// The whole store against what readers must see now (model.current()). Returns what is wrong, or nothing.
[[nodiscard]] std::string check_current(const Database& database, const Model& model);

/// Finds which possible version each collection has and settles the model on it. Returns what is wrong, or nothing.
[[nodiscard]] std::string settle(const Database& database, Model& model, Loss loss);

/// What a crash may have left.
struct Expectation {
  const Model& model;
  Loss loss = Loss::power;
  const BackupModel* backup = nullptr;  ///< null: nobody made one
  Model* settled = nullptr;             ///< if wanted: the model, settled on what the first open found
};

/// Opens what a crash left, and asks for everything that was promised:
///  1. it opens, without damage, quarantine or fallback;
///  2. every collection holds one of its possible versions, exactly;
///  3. searches agree with it; no deleted or replaced version is found, not even where it was last;
///  4. it takes a write, and after one more loss (drawn by the seed: of power, of the process, or a clean close) it
///     opens again with the same content and that write;
///  5. (for one state in two, by seed) dead rows are vacuumed and used again between 4's write and its loss;
///  6. if a backup was under way (or was made: one in four; support/backup_oracle.h): its target holds what it may;
///     the next backup succeeds between 4's write and its loss, and holds the store of that instant after it;
///  7. `verify` finds no damage after that loss, and no graph node that nothing reaches.
/// `disk` is used up. Returns what is wrong, or nothing.
[[nodiscard]] std::string check_crash_state(SimFileSystem& disk, const Expectation& expected,
                                            const engine::EngineOptions& options, std::uint64_t seed);
[[nodiscard]] inline std::string check_crash_state(SimFileSystem& disk, const Model& model, Loss loss,
                                                   const engine::EngineOptions& options, std::uint64_t seed) {
  return check_crash_state(disk, {model, loss}, options, seed);
}

/// Options of a small deterministic store on `disk`.
[[nodiscard]] engine::EngineOptions small_store(os::FileSystem& disk);
inline constexpr const char* kStorePath = "/store";
inline constexpr const char* kBackupPath = "/backup";
inline constexpr const char* kRestorePath = "/restored";

}  // namespace holdfast::testing
