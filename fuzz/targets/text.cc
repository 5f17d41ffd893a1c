// One byte that chooses, then text from a user.
//
// Whatever the text: what is accepted reads back as the same, and what is written as JSON is JSON.
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/import/row_layout.h"
#include "cli/json_text.h"
#include "engine/validate.h"
#include "fuzz/targets/targets.h"
#include "holdfast/types.h"
#include "storage/file_names.h"

namespace holdfast::fuzz {

namespace {

using nlohmann::json;

std::string check_payload(std::string_view text) {
  CollectionConfig config;
  config.dimension = 1;
  WriteBatch batch;
  batch.upsert(1, std::vector<float>(1), text);
  if (!engine::validate_batch(batch, config).ok()) return "";
  const std::string line = cli::json_payload(text);
  if (line.find_first_of("\r\n") != std::string::npos) return "a payload on several lines";
  if (text.empty()) return line == "null" ? "" : "no payload is not null";
  const json before = json::parse(text, nullptr, false), after = json::parse(line, nullptr, false);
  if (!before.is_object()) return "a payload that is no JSON object";
  return before == after ? "" : "the payload is shown differently";
}

std::string check_id(std::string_view text) {
  const auto id = PointId::parse(text);
  if (!id.ok()) return id.status().code() == StatusCode::invalid_argument ? "" : id.status().to_string();
  const auto again = PointId::parse(id->to_string());
  if (!again.ok() || !(*again == *id)) return "an id that does not read back";
  return json::accept(cli::json_id(*id)) ? "" : "an id that is no JSON";
}

std::string check_json_string(std::string_view text) {
  const std::string quoted = cli::json_string(text);
  const json read = json::parse(quoted, nullptr, false);
  if (!read.is_string()) return "a string that is no JSON";
  if (quoted.find('\n') != std::string::npos) return "a string of several lines";
  const std::string& back = read.get_ref<const std::string&>();
  const bool replaced = back.find("\xEF\xBF\xBD") != std::string::npos;  // of bytes that are no UTF-8
  return replaced || back == text ? "" : "a string that reads back differently";
}

std::string check_json_number(std::string_view text) {
  float narrow = 0;
  double wide = 0;
  std::memcpy(&narrow, text.data(), std::min(text.size(), sizeof narrow));
  std::memcpy(&wide, text.data(), std::min(text.size(), sizeof wide));
  for (const std::string& number : {cli::json_number(narrow), cli::json_number(wide)}) {
    if (!json::accept(number)) return "a number that is no JSON: " + number;
  }
  const std::string shortest = cli::json_number(narrow);
  float back = 0;
  const auto [end, error] = std::from_chars(shortest.data(), shortest.data() + shortest.size(), back);
  if (std::isfinite(narrow) && (error != std::errc{} || back != narrow)) return "a number that reads back differently";
  return "";
}

std::string check_name(std::string_view text) {
  if (engine::validate_name(text).ok() && text.find_first_of("/\\\n\0 ") != std::string_view::npos) {
    return "a name that is a path";
  }
  const storage::ParsedName parsed = storage::parse_name(text);
  using storage::FileKind;
  if (parsed.kind == FileKind::manifest && storage::manifest_name(parsed.number) != text) return "another manifest";
  if (parsed.kind == FileKind::segment && storage::segment_name(parsed.number) != text) return "another segment";
  if (parsed.kind == FileKind::extent && storage::extent_name(parsed.number) != text) return "another extent";
  return "";
}

std::string check_words(std::string_view text) {
  if (const auto metric = parse_metric(text); metric.ok() && parse_metric(to_string(*metric)).value() != *metric) {
    return "a metric that does not read back";
  }
  const auto header = cli::parse_npy_header(text);
  return !header.ok() && header.status().message().empty() ? "an error without a word" : "";
}

}  // namespace

std::string check_text(ByteSpan input) {
  if (input.empty()) return "";
  const std::string_view text(reinterpret_cast<const char*>(input.data()) + 1, input.size() - 1);
  switch (std::to_integer<unsigned>(input.front()) % 6) {
    case 0: return check_payload(text);
    case 1: return check_id(text);
    case 2: return check_json_string(text);
    case 3: return check_json_number(text);
    case 4: return check_name(text);
    default: return check_words(text);
  }
}

}  // namespace holdfast::fuzz
