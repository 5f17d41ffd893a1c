// JSON written as text, piece by piece: payloads go through byte for byte, floats in their shortest exact form.
//
// Why not a DOM: a payload may hold numbers that no double holds, and a float widened to double prints as
// 0.10000000149011612 instead of 0.1.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "holdfast/types.h"

namespace holdfast::cli {

/// The shortest decimal that reads back as the same float; "null" for NaN and infinity, which JSON lacks.
[[nodiscard]] std::string json_number(float value);
[[nodiscard]] std::string json_number(double value);
/// A number as a number, a UUID as a string.
[[nodiscard]] std::string json_id(const PointId& id);
/// Quoted and escaped. Bytes that are no UTF-8 are replaced by U+FFFD.
[[nodiscard]] std::string json_string(std::string_view text);
[[nodiscard]] std::string json_vector(std::span<const float> vector);
/// A stored payload on one line: line breaks, which valid JSON has between tokens only, become spaces.
/// "null" if there is none.
[[nodiscard]] std::string json_payload(std::string_view payload);

/// Builds one JSON object on one line.
class JsonObject {
 public:
  /// `json` is JSON already.
  JsonObject& raw(std::string_view key, std::string_view json);
  JsonObject& text(std::string_view key, std::string_view value) { return raw(key, json_string(value)); }
  JsonObject& number(std::string_view key, std::uint64_t value) { return raw(key, std::to_string(value)); }
  JsonObject& real(std::string_view key, double value) { return raw(key, json_number(value)); }
  JsonObject& boolean(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  [[nodiscard]] std::string str() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

/// Builds one JSON array on one line.
class JsonArray {
 public:
  JsonArray& raw(std::string_view json);
  [[nodiscard]] std::string str() const { return "[" + elements_ + "]"; }

 private:
  std::string elements_;
};

}  // namespace holdfast::cli
