#include "index/read_check.h"

#include <new>
#include <string>

namespace holdfast::index {
namespace {

thread_local ReadCheck* innermost = nullptr;

}  // namespace

ReadCheck::ReadCheck() noexcept : outer_(innermost) { innermost = this; }

ReadCheck::~ReadCheck() { innermost = outer_; }

Status ReadCheck::status() const {
  if (!found_.unnamed || !found_.damage.ok()) return found_.damage;
  return {StatusCode::data_damaged, "a row is damaged, and there is no memory to say which"};
}

void ReadCheck::note(Found found) noexcept {
  if (innermost != nullptr && innermost->found_.nothing()) innermost->found_ = std::move(found);
}

bool refuse_unknown_row(Slot slot) noexcept {
  try {
    ReadCheck::note({{StatusCode::data_damaged, "a list of the graph names row " + std::to_string(slot) +
                                                    ", which does not exist: the list was damaged after it was checked "
                                                    "at open. Reopen the store, or see 'holdfast verify'"},
                     false});
  } catch (const std::bad_alloc&) {
    ReadCheck::note({{}, true});
  }
  return false;
}

}  // namespace holdfast::index
