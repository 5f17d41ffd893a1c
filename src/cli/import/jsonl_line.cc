#include "cli/import/jsonl_line.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/json_text.h"

namespace holdfast::cli {
namespace {

using Json = nlohmann::json;

/// May stand in place of the vector, whatever that is called: a list of vectors.
constexpr std::string_view kValuesMember = "vectors";

/// JSON text again, from events.
class Rewriter {
 public:
  explicit Rewriter(std::string& out) : out_(out) {}
  void open(char bracket) {
    separate();
    out_ += bracket;
    needs_comma_ = false;
  }
  void close(char bracket) {
    out_ += bracket;
    needs_comma_ = true;
  }
  void key(std::string_view name) {
    separate();
    out_ += json_string(name);
    out_ += ':';
    needs_comma_ = false;
  }
  void value(std::string_view json) {
    separate();
    out_ += json;
    needs_comma_ = true;
  }

 private:
  void separate() {
    if (needs_comma_) out_ += ',';
  }
  std::string& out_;
  bool needs_comma_ = false;
};

/// Depth 0 is outside the line's object, 1 inside it, 2 and more inside the value of a member.
class LineHandler final : public nlohmann::json_sax<Json> {
 public:
  LineHandler(const JsonlFields& fields, Record& record)
      : fields_(fields), record_(record), payload_(record.payload), takes_rest_(fields.payload == "*") {}

  [[nodiscard]] const std::string& error() const noexcept { return error_; }

  Status finish() {
    if (!has_vector_) return {StatusCode::invalid_argument, "has no member '" + fields_.vector + "'"};
    if (record_.vector.empty()) return {StatusCode::invalid_argument, "its vector has no components"};
    if (!fields_.id.empty() && !record_.id) {
      return {StatusCode::invalid_argument,
              "has no member '" + fields_.id + "' (rows are numbered instead with --row-ids)"};
    }
    if (rest_open_) payload_.close('}');
    if (nested_) record_.values = values_;
    return {};
  }

  bool null() override {
    if (depth_ == 1 && member_ == Member::payload) return true;  // the same as none
    return scalar("null", "null");
  }
  bool boolean(bool value) override { return scalar(value ? "true" : "false", "a truth value"); }
  bool number_integer(number_integer_t value) override {
    return number(static_cast<double>(value), std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ == 1 && member_ == Member::id) {
      record_.id = PointId(value);
      return true;
    }
    return number(static_cast<double>(value), std::to_string(value));
  }
  bool number_float(number_float_t value, const string_t& digits) override { return number(value, digits); }
  bool string(string_t& value) override {
    if (depth_ == 1 && member_ == Member::id) {
      Result<PointId> id = PointId::parse(value);
      if (!id.ok()) return fail(std::string(id.status().message()));
      record_.id = *id;
      return true;
    }
    return scalar(copies() ? json_string(value) : std::string(), "a string");
  }
  bool binary(binary_t&) override { return fail("holds binary data"); }

  bool start_object(std::size_t) override {
    if (depth_ == 0) {
      ++depth_;
      return true;
    }
    if (member_ == Member::id || member_ == Member::vector) return wrong_type("an object");
    if (copies()) payload_.open('{');
    ++depth_;
    return true;
  }
  bool end_object() override {
    if (--depth_ >= 1 && copies()) payload_.close('}');
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) return fail("is no JSON object");
    if (depth_ == 1 && member_ == Member::vector) {
      ++depth_;
      return true;
    }
    if (depth_ == 2 && member_ == Member::vector && (nested_ || record_.vector.empty())) {
      nested_ = true;
      value_begin_ = record_.vector.size();
      ++depth_;
      return true;
    }
    if (member_ == Member::id || member_ == Member::vector || (depth_ == 1 && member_ == Member::payload)) {
      return wrong_type("an array");
    }
    if (copies()) payload_.open('[');
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    if (copies()) payload_.close(']');
    return depth_ != 2 || member_ != Member::vector || end_of_value();
  }
  bool key(string_t& name) override {
    if (depth_ > 1) {
      if (copies()) payload_.key(name);
      return true;
    }
    return choose_member(name);
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& exception) override {
    // nlohmann: "[json.exception.parse_error.101] parse error at line 1, column 5: <what>"
    std::string_view what = exception.what();
    if (const std::size_t colon = what.find(": "); colon != std::string_view::npos) what.remove_prefix(colon + 2);
    return fail("is no valid JSON at column " + std::to_string(position) + " (" + std::string(what) + ")");
  }

 private:
  enum class Member : std::uint8_t { other, id, vector, payload, rest };

  bool choose_member(const std::string& name) {
    member_ = Member::other;
    if (name == fields_.vector || name == kValuesMember) {
      if (std::exchange(has_vector_, true)) {
        return fail(name == vector_name_ ? "has the member '" + name + "' twice"
                                         : "has both '" + vector_name_ + "' and '" + name + "'");
      }
      vector_name_ = name;
      member_ = Member::vector;
    } else if (!fields_.id.empty() && name == fields_.id) {
      if (record_.id) return fail("has the member '" + name + "' twice");
      member_ = Member::id;
    } else if (takes_rest_) {
      if (!std::exchange(rest_open_, true)) payload_.open('{');
      payload_.key(name);
      member_ = Member::rest;
    } else if (name == fields_.payload) {
      if (std::exchange(has_payload_, true)) return fail("has the member '" + name + "' twice");
      member_ = Member::payload;
    }
    return true;
  }

  /// Of several: each has as many components as the first.
  bool end_of_value() {
    const std::size_t size = record_.vector.size() - value_begin_;
    if (size == 0) return fail("one of its vectors has no components");
    if (values_ > 0 && size != value_begin_ / values_) {
      return fail("its vectors have " + std::to_string(value_begin_ / values_) + " and " + std::to_string(size) +
                  " components, needed are equally many");
    }
    if (++values_ > kMaxValues) return fail("it has more than " + std::to_string(kMaxValues) + " vectors");
    return true;
  }

  bool number(double value, const std::string& digits) {
    if (depth_ == (nested_ ? 3 : 2) && member_ == Member::vector) {
      if (record_.vector.size() - value_begin_ == kMaxDimension) {
        return fail("its vector has more than " + std::to_string(kMaxDimension) + " components");
      }
      record_.vector.push_back(static_cast<float>(value));
      return true;
    }
    return scalar(digits, member_ == Member::id ? "a number below 0, beyond 2^64 or with a fraction" : "a number");
  }

  bool scalar(const std::string& json, std::string_view what) {
    if (depth_ == 0) return fail("is no JSON object");
    if (member_ == Member::id || member_ == Member::vector || (depth_ == 1 && member_ == Member::payload)) {
      return wrong_type(what);
    }
    if (copies()) payload_.value(json);
    return true;
  }

  [[nodiscard]] bool copies() const noexcept { return member_ == Member::payload || member_ == Member::rest; }

  bool wrong_type(std::string_view found) {
    switch (member_) {
      case Member::id: return fail("its id is " + std::string(found) + ", needed is a whole number or a UUID");
      case Member::vector:
        return fail("its vector " + std::string(depth_ > 1 ? "holds " : "is ") + std::string(found) +
                    ", needed is a list of numbers");
      default: return fail("its payload is " + std::string(found) + ", needed is an object");
    }
  }
  bool fail(std::string what) {
    if (error_.empty()) error_ = std::move(what);
    return false;
  }

  const JsonlFields& fields_;
  Record& record_;
  Rewriter payload_;
  const bool takes_rest_;
  Member member_ = Member::other;
  int depth_ = 0;
  bool has_vector_ = false;
  std::string vector_name_;      ///< the member that it was
  bool nested_ = false;          ///< the vector is a list of vectors
  std::uint32_t values_ = 0;     ///< of which so many are complete
  std::size_t value_begin_ = 0;  ///< and the current one begins here
  bool has_payload_ = false;
  bool rest_open_ = false;
  std::string error_;
};

}  // namespace

Status parse_jsonl_line(std::string_view line, const JsonlFields& fields, Record& record) {
  record.id.reset();
  record.vector.clear();
  record.values = 1;
  record.payload.clear();
  LineHandler handler(fields, record);
  if (!Json::sax_parse(line.begin(), line.end(), &handler)) return {StatusCode::invalid_argument, handler.error()};
  return handler.finish();
}

}  // namespace holdfast::cli
