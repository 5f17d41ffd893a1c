// The laboratory of bit rot: a small store that has everything (two collections, two generations of images, deletes,
// points with several vectors, payloads, markers, upper levels of the graph, a log of several segments), everything
// that its readers can ask, and a judge who compares a damaged copy with the sound one.
//
// What the judge accepts, of a copy in which some files were changed
//  J1. A collection answers everything exactly as before, or
//  J2. its opening, or a question, ends with data_damaged or unsupported_format, and the message names a changed file
//      and an offset; then every other collection answers as before;
//  J3. or the store as a whole is refused like that (its catalog was changed), or as not_a_store (it is missing).
//  Anything else is silent damage.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/options.h"
#include "holdfast/database.h"
#include "support/sim_file_system.h"

namespace holdfast::testing {

inline constexpr const char* kRotStore = "/store";

/// What one collection says to every question, or the first error.
struct CollectionAnswers {
  Status status;
  std::uint64_t hash = 0;
  bool fell_back = false;
};

struct StoreAnswers {
  Status status;  ///< of opening the store
  std::map<std::string, CollectionAnswers> collections;
};

/// The same disk each time.
[[nodiscard]] std::unique_ptr<SimFileSystem> make_rot_store();
/// Opens a copy of the disk and asks for everything: each point by id, all of them in order, searches (by graph, exact,
/// by range, by cursor) with the points' own vectors at k = everything, distances, markers.
[[nodiscard]] StoreAnswers ask_everything(const SimFileSystem& disk, VerifyOnOpen level = VerifyOnOpen::metadata);
/// All that one collection answers.
[[nodiscard]] CollectionAnswers ask(const Collection& collection);

/// Paths of all files but those without content, the lock and the reserve.
[[nodiscard]] std::vector<std::string> rot_files(const SimFileSystem& disk);
[[nodiscard]] std::string file_name(const std::string& path);
/// The directory of the collection that a file belongs to; empty for the store's own files.
[[nodiscard]] std::string collection_of(const std::string& path);

struct Verdicts {
  std::uint64_t identical = 0;
  std::uint64_t typed_errors = 0;
  std::uint64_t unseen = 0;  ///< identical answers, and verify() has no word about it: bytes that nothing depends on
  void add(const Verdicts& other) {
    identical += other.identical;
    typed_errors += other.typed_errors;
    unseen += other.unseen;
  }
};

/// What happened to the changed files, as far as it matters to the judge.
enum class Rot : std::uint8_t {
  changed,  ///< they are there, with other bytes
  gone,     ///< missing, or wholly zeroed: the error may name the file that should have been followed by it
};

class RotJudge {
 public:
  explicit RotJudge(const SimFileSystem& sound);

  /// Judges a damaged copy in which the files at `changed` are not what they were. Returns what is wrong with the
  /// answers, or nothing. verify() must find damage where readers do; if it has no word about a change that changes no
  /// answer, that is counted as unseen.
  std::string judge(const SimFileSystem& damaged, const std::set<std::string>& changed, Verdicts& verdicts,
                    Rot rot = Rot::changed) const;

 private:
  [[nodiscard]] std::string judge_error(const Status& status, const std::set<std::string>& changed, Rot rot) const;
  StoreAnswers sound_;
  std::map<std::string, std::string> directories_;  ///< of collections, by name
};

}  // namespace holdfast::testing
