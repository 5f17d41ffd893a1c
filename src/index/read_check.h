// What a read learns about the bytes that it read.
//
// Rows of mapped extents are checked when they are first touched, deep inside walks and scans, where a Status could
// only be handed up through every function on the way. Instead whoever begins a read (a search, a batch of the indexer)
// keeps a ReadCheck on its stack and asks it before anything that was read counts:
//
//   ReadCheck check;
//   walk();
//   HF_TRY(check.status());
//
// Invariants
//  C1. VectorTable::row() and score() verify a row before they hand it out; what fails goes to the innermost ReadCheck
//      of the thread. The read may go on over the damaged bytes (distances are never NaN); its result is thrown away.
//  C2. parallel_for() gives each of its workers a check of its own, and hands what it found to the caller's.
// Threading: one thread.
#pragma once

#include <utility>

#include "base/ids.h"
#include "holdfast/status.h"

namespace holdfast::index {

class ReadCheck {
 public:
  struct Found {
    Status damage;
    bool unnamed = false;  ///< there was damage, and no memory for the words
    [[nodiscard]] bool nothing() const noexcept { return damage.ok() && !unnamed; }
  };

  ReadCheck() noexcept;
  /// The check around it, if there is one, is not told: whoever asked this one answers for it.
  ~ReadCheck();
  ReadCheck(const ReadCheck&) = delete;
  ReadCheck& operator=(const ReadCheck&) = delete;

  [[nodiscard]] bool ok() const noexcept { return found_.nothing(); }
  /// The first damage that this thread met since the construction. Throws bad_alloc.
  [[nodiscard]] Status status() const;
  [[nodiscard]] Found take() noexcept { return std::move(found_); }

  /// For the innermost check of this thread.
  static void note(Found found) noexcept;

 private:
  ReadCheck* const outer_;
  Found found_;
};

/// A list of the graph names a row that does not exist: tells the thread's ReadCheck. Returns false.
bool refuse_unknown_row(Slot slot) noexcept;

}  // namespace holdfast::index
