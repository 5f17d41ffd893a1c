// Early return of a Status. The twin of base/try.h: the command line includes nothing of the library's inside.
#pragma once

#include "holdfast/status.h"

#define CLI_CONCAT_INNER(a, b) a##b
#define CLI_CONCAT(a, b) CLI_CONCAT_INNER(a, b)

/// Returns from the enclosing function if `expression` (a Status) is not ok.
#define CLI_TRY(expression)                           \
  do {                                                \
    ::holdfast::Status cli_try_status = (expression); \
    if (!cli_try_status.ok()) return cli_try_status;  \
  } while (false)

/// CLI_ASSIGN(auto x, call()): x becomes the value of the Result, or the function returns its Status.
#define CLI_ASSIGN(declaration, expression) CLI_ASSIGN_INNER(CLI_CONCAT(cli_result_, __LINE__), declaration, expression)
#define CLI_ASSIGN_INNER(result, declaration, expression) \
  auto result = (expression);                             \
  if (!result.ok()) return result.status();               \
  declaration = std::move(result).value()
