#include "holdfast/types.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace holdfast {

namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr std::size_t kUuidText = 36;

bool parse_uuid(std::string_view text, std::uint64_t& high, std::uint64_t& low) noexcept {
  if (text.size() != kUuidText) return false;
  std::uint64_t halves[2] = {0, 0};
  int digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return false;
      continue;
    }
    const int digit = hex_digit(text[i]);
    if (digit < 0) return false;
    std::uint64_t& half = halves[digits / 16];
    half = (half << 4) | static_cast<std::uint64_t>(digit);
    ++digits;
  }
  high = halves[0];
  low = halves[1];
  return true;
}

/// The beginning of what somebody wrote, for a message: in quotes and on one line, whatever it holds.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 64;
  std::string out = "'";
  for (const char c : text.substr(0, kMost)) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    out += control ? '?' : c;
  }
  return out + "'";
}

}  // namespace

PointId PointId::uuid(const std::array<std::uint8_t, 16>& bytes) noexcept {
  std::uint64_t high = 0, low = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    high = (high << 8) | bytes[i];
    low = (low << 8) | bytes[8 + i];
  }
  return from_parts(Kind::uuid, high, low);
}

Result<PointId> PointId::parse(std::string_view text) {
  std::uint64_t high = 0, low = 0;
  if (parse_uuid(text, high, low)) return from_parts(Kind::uuid, high, low);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), low);
  if (error == std::errc{} && end == text.data() + text.size() && !text.empty()) return PointId(low);
  return Status(StatusCode::invalid_argument, shown(text) +
                                                  " is no point id: expected a number below 2^64 or a UUID "
                                                  "such as 018f3a5e-7c1d-7e32-9b4a-0123456789ab");
}

std::string PointId::to_string() const {
  if (!is_uuid()) return std::to_string(low_);
  char text[kUuidText + 1];
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high_ >> 32),
                static_cast<unsigned>((high_ >> 16) & 0xFFFF), static_cast<unsigned>(high_ & 0xFFFF),
                static_cast<unsigned>(low_ >> 48), static_cast<unsigned long long>(low_ & 0xFFFFFFFFFFFFULL));
  return text;
}

std::string_view to_string(Metric metric) noexcept {
  switch (metric) {
    case Metric::l2: return "l2";
    case Metric::inner_product: return "inner_product";
    case Metric::cosine: return "cosine";
  }
  return "unknown";
}

Result<Metric> parse_metric(std::string_view text) {
  for (const Metric metric : {Metric::l2, Metric::inner_product, Metric::cosine}) {
    if (text == to_string(metric)) return metric;
  }
  if (text == "ip" || text == "dot") return Metric::inner_product;
  return Status(StatusCode::invalid_argument, shown(text) + " is no metric: expected l2, inner_product or cosine");
}

std::string_view to_string(Preset preset) noexcept {
  switch (preset) {
    case Preset::balanced: return "balanced";
    case Preset::fast: return "fast";
    case Preset::exact: return "exact";
  }
  return "unknown";
}

Result<Preset> parse_preset(std::string_view text) {
  for (const Preset preset : {Preset::balanced, Preset::fast, Preset::exact}) {
    if (text == to_string(preset)) return preset;
  }
  return Status(StatusCode::invalid_argument, shown(text) + " is no preset: expected balanced, fast or exact");
}

std::string_view to_string(Beam beam) noexcept {
  switch (beam) {
    case Beam::given: return "given";
    case Beam::calibrated: return "calibrated";
    case Beam::assumed: return "assumed";
    case Beam::exact: return "exact";
  }
  return "unknown";
}

std::string_view to_string(ComponentType type) noexcept {
  switch (type) {
    case ComponentType::f32: return "f32";
    case ComponentType::f16: return "f16";
    case ComponentType::bf16: return "bf16";
    case ComponentType::i8: return "i8";
    case ComponentType::u8: return "u8";
  }
  return "unknown";
}

Result<ComponentType> parse_component_type(std::string_view text) {
  for (const ComponentType type :
       {ComponentType::f32, ComponentType::f16, ComponentType::bf16, ComponentType::i8, ComponentType::u8}) {
    if (text == to_string(type)) return type;
  }
  return Status(StatusCode::invalid_argument,
                shown(text) + " is no type of components: expected f32, f16, bf16, i8 or u8");
}

std::string_view to_string(Durability durability) noexcept {
  switch (durability) {
    case Durability::sync: return "sync";
    case Durability::interval: return "interval";
    case Durability::none: return "none";
  }
  return "unknown";
}

void WriteBatch::upsert(PointId id, std::span<const float> vector, std::string_view payload) {
  upsert_values(id, vector, 1, payload);
}

void WriteBatch::upsert_values(PointId id, std::span<const float> vectors, std::uint32_t values,
                               std::string_view payload) {
  operations_.push_back({Kind::upsert, id, values, vectors_.size(), vectors.size(), text_.size(), payload.size(), 0});
  vectors_.insert(vectors_.end(), vectors.begin(), vectors.end());
  text_.append(payload);
}

void WriteBatch::erase(PointId id) {
  operations_.push_back({Kind::erase, id, 0, vectors_.size(), 0, text_.size(), 0, 0});
}

void WriteBatch::set_marker(std::string_view key, std::string_view value) {
  operations_.push_back({Kind::marker, {}, 0, vectors_.size(), 0, text_.size() + key.size(), value.size(), key.size()});
  text_.append(key).append(value);
}

void WriteBatch::clear() noexcept {
  operations_.clear();
  vectors_.clear();
  text_.clear();
}

std::size_t WriteBatch::byte_size() const noexcept {
  return vectors_.size() * sizeof(float) + text_.size() + operations_.size() * 40;
}

WriteBatch::Operation WriteBatch::operation(std::size_t i) const noexcept {
  const Entry& entry = operations_[i];
  const std::string_view text(text_);
  return {entry.kind,
          entry.id,
          std::span(vectors_).subspan(entry.vector_begin, entry.vector_size),
          entry.values,
          text.substr(entry.text_begin, entry.text_size),
          text.substr(entry.text_begin - entry.key_size, entry.key_size)};
}

std::string RecoveryReport::to_string() const {
  char line[256];
  std::snprintf(line, sizeof line,
                "checkpoint lsn %llu (generation %llu), %llu frames replayed to lsn %llu, %llu bytes cut, "
                "%.1f ms (load %.1f, replay %.1f)",
                static_cast<unsigned long long>(checkpoint_lsn), static_cast<unsigned long long>(checkpoint_generation),
                static_cast<unsigned long long>(frames_replayed), static_cast<unsigned long long>(last_lsn),
                static_cast<unsigned long long>(bytes_cut), total_ms, load_ms, replay_ms);
  std::string text = std::string(clean ? "clean: " : "recovered: ") + line;
  if (!cut_reason.empty()) text += "\n  cut: " + cut_reason;
  if (fell_back) text += "\n  the newest checkpoint was damaged; the one before it and a longer log were used";
  constexpr std::size_t kFilesShown = 4;
  for (std::size_t i = 0; i < std::min(files_removed.size(), kFilesShown); ++i)
    text += "\n  removed " + files_removed[i];
  if (files_removed.size() > kFilesShown) {
    text += " and " + std::to_string(files_removed.size() - kFilesShown) + " more left-overs of interrupted work";
  }
  for (const std::string& note : notes) text += "\n  note: " + note;
  return text;
}

}  // namespace holdfast
