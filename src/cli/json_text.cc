#include "cli/json_text.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace holdfast::cli {
namespace {

template <class Float>
std::string shortest(Float value) {
  if (!std::isfinite(value)) return "null";
  char text[64];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return error == std::errc{} ? std::string(text, end) : "null";
}

}  // namespace

std::string json_number(float value) { return shortest(value); }
std::string json_number(double value) { return shortest(value); }

std::string json_id(const PointId& id) { return id.is_uuid() ? '"' + id.to_string() + '"' : id.to_string(); }

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_vector(std::span<const float> vector) {
  std::string out = "[";
  for (const float component : vector) {
    if (out.size() > 1) out += ',';
    out += json_number(component);
  }
  return out += ']';
}

std::string json_payload(std::string_view payload) {
  if (payload.empty()) return "null";
  std::string line(payload);
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return line;
}

JsonObject& JsonObject::raw(std::string_view key, std::string_view json) {
  if (!members_.empty()) members_ += ',';
  members_ += json_string(key);
  members_ += ':';
  members_ += json;
  return *this;
}

JsonArray& JsonArray::raw(std::string_view json) {
  if (!elements_.empty()) elements_ += ',';
  elements_ += json;
  return *this;
}

}  // namespace holdfast::cli
