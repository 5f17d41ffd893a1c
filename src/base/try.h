// HF_TRY and HF_ASSIGN: early return of a Status, written once.
#pragma once

#include "holdfast/status.h"

#define HF_CONCAT_INNER(a, b) a##b
#define HF_CONCAT(a, b) HF_CONCAT_INNER(a, b)

/// Returns from the enclosing function if `expression` (a Status) is not ok.
#define HF_TRY(expression)                           \
  do {                                               \
    ::holdfast::Status hf_try_status = (expression); \
    if (!hf_try_status.ok()) return hf_try_status;   \
  } while (false)

/// HF_ASSIGN(auto x, call()): x becomes the value of the Result, or the function returns its Status.
#define HF_ASSIGN(declaration, expression) HF_ASSIGN_INNER(HF_CONCAT(hf_result_, __LINE__), declaration, expression)
#define HF_ASSIGN_INNER(result, declaration, expression) \
  auto result = (expression);                            \
  if (!result.ok()) return result.status();              \
  declaration = std::move(result).value()
