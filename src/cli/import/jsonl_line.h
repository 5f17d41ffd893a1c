// One line of JSONL turned into a record, in one pass and without a tree.
//
// Numbers of the payload keep their digits and members keep their order; only white space is dropped.
#pragma once

#include <string>
#include <string_view>

#include "cli/import/vector_source.h"
#include "holdfast/status.h"

namespace holdfast::cli {

/// Which members of the object mean what; see SourceOptions.
struct JsonlFields {
  std::string id;
  std::string vector;
  std::string payload;
};

/// Fills id, vector, values and payload of `record`. Several vectors are a list of lists, under the vector's name or
/// under "vectors". Errors: invalid_argument with what is wrong, without file and line.
[[nodiscard]] Status parse_jsonl_line(std::string_view line, const JsonlFields& fields, Record& record);

}  // namespace holdfast::cli
