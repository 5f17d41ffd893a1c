#include "index/read_check.h"

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

}  // namespace holdfast::index
