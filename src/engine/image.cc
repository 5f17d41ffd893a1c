#include "engine/image.h"

#include "engine/validate.h"

namespace holdfast::engine {

namespace {

// Version 1 knew no reuse of rows: rows below its `growing_begin`, which stood where graph_end stands, were nodes or
// dead for ever, and points had one vector. Version 2 knew float32 alone. Versions up to 3 had neither runs of ids nor
// patches nor codes.
constexpr std::uint32_t kStateVersion = 4;
constexpr std::uint32_t kTypesSince = 3;

constexpr std::uint32_t kMaxRuns = 64;

/// Metric and type of the components in one number, which for float32 is the metric's.
constexpr std::uint32_t kTypeShift = 8;
std::uint32_t encode_space(const CollectionConfig& config) {
  return static_cast<std::uint32_t>(config.metric) | static_cast<std::uint32_t>(config.type) << kTypeShift;
}
/// False: unknown ones.
bool decode_space(std::uint32_t space, CollectionConfig& config) {
  const std::uint32_t metric = space & ((1U << kTypeShift) - 1);
  const std::uint32_t type = space >> kTypeShift;
  if (metric > static_cast<std::uint32_t>(Metric::cosine) || type > static_cast<std::uint32_t>(ComponentType::u8)) {
    return false;
  }
  config.metric = static_cast<Metric>(metric);
  config.type = static_cast<ComponentType>(type);
  return true;
}

/// More than any collection lives to see; what counts on from here never overflows.
constexpr GraphEpoch kMaxEpoch = GraphEpoch{1} << 62;

constexpr std::size_t kNotePatchedAt = 24;

Status damaged(const char* what) { return {StatusCode::data_damaged, std::string("manifest: ") + what}; }

bool plausible(const ImageState& state) {
  const View& view = state.view;
  const bool empty = view.graph.levels == 0;
  return view.slot_end <= kMaxSlots && state.graph_end <= view.slot_end && view.live <= view.values &&
         view.values <= view.slot_end && view.dead_in_graph <= view.graph.nodes &&
         view.graph.nodes <= state.graph_end && view.graph.levels <= index::kMaxLevels &&
         view.graph.epoch <= kMaxEpoch && empty == (view.graph.nodes == 0) &&
         (empty ? view.graph.entry == kNoSlot : view.graph.entry < state.graph_end);
}

}  // namespace

const char* to_string(ExtentKind kind) noexcept {
  switch (kind) {
    case ExtentKind::ids: return "ids";
    case ExtentKind::stamps: return "stamps";
    case ExtentKind::vectors: return "vectors";
    case ExtentKind::level0: return "level0";
    case ExtentKind::upper: return "upper";
    case ExtentKind::payloads: return "payloads";
    case ExtentKind::values: return "values";
    case ExtentKind::ids_run: return "id run";
    case ExtentKind::codes: return "codes";
    case ExtentKind::quantizer: return "quantizer";
    case ExtentKind::growing: return "growing";
  }
  return "unknown";
}

storage::PatchShape patch_shape(ExtentKind kind, const CollectionConfig& config) noexcept {
  switch (kind) {
    case ExtentKind::ids: return {{16, 1}};
    case ExtentKind::stamps: return {{16, 0}};
    case ExtentKind::vectors: {
      const std::size_t stride = index::VectorTable::row_bytes(config.dimension, config.metric, config.type);
      return {{static_cast<std::uint32_t>(stride), 0}};
    }
    case ExtentKind::level0: return {{static_cast<std::uint32_t>((1 + 2 * config.m) * sizeof(Slot)), 0}};
    case ExtentKind::values: return {{sizeof(Slot), 1}};
    case ExtentKind::payloads:
    case ExtentKind::upper:
    case ExtentKind::ids_run:
    case ExtentKind::codes:
    case ExtentKind::quantizer:
    case ExtentKind::growing: break;
  }
  return {};
}

Bytes encode_image_state(const ImageState& state) {
  Bytes out;
  put(out, kStateVersion);
  put_string(out, state.name);
  put(out, std::uint32_t{1});  // vector fields
  put_string(out, "");         // the field's name
  put(out, state.config.dimension);
  put(out, encode_space(state.config));
  put(out, state.config.m);
  put(out, state.config.ef_construction);
  put(out, state.view.slot_end);
  put(out, state.graph_end);
  put(out, state.view.live);
  put(out, state.view.dead_in_graph);
  put(out, state.view.graph.epoch);
  put(out, state.view.graph.entry);
  put(out, state.view.graph.levels);
  put(out, state.view.graph.nodes);
  put(out, state.view.values);
  put(out, static_cast<std::uint8_t>(state.connected ? 1 : 0));
  put(out, static_cast<std::uint32_t>(state.markers.size()));
  for (const auto& [key, value] : state.markers) {
    put_string(out, key);
    put_string(out, value);
  }
  put(out, static_cast<std::uint32_t>(state.run_floors.size()));
  for (const Lsn floor : state.run_floors) put(out, floor);
  put(out, state.codes.training);
  put(out, state.codes.trained_nodes);
  put(out, state.codes.cut_rows);
  put(out, static_cast<std::uint8_t>(state.codes.exact ? 1 : 0));
  return out;
}

Result<ImageState> decode_image_state(ByteSpan bytes, Lsn lsn) {
  ByteReader reader(bytes);
  ImageState state;
  std::uint32_t version = 0, fields = 0, space = 0, markers = 0;
  std::string_view name, field;
  if (!reader.get(version)) return damaged("the engine's state is cut short");
  if (version > kStateVersion) {
    return Status(StatusCode::unsupported_format, "the collection's state has version " + std::to_string(version) +
                                                      ", this build reads up to " + std::to_string(kStateVersion) +
                                                      "; use a newer Holdfast");
  }
  View& view = state.view;
  if (!reader.get_string(name) || !reader.get(fields) || fields != 1 || !reader.get_string(field) || !field.empty() ||
      !reader.get(state.config.dimension) || !reader.get(space) || !reader.get(state.config.m) ||
      !reader.get(state.config.ef_construction) || !reader.get(view.slot_end) || !reader.get(state.graph_end) ||
      !reader.get(view.live) || !reader.get(view.dead_in_graph) || !reader.get(view.graph.epoch) ||
      !reader.get(view.graph.entry) || !reader.get(view.graph.levels) || !reader.get(view.graph.nodes)) {
    return damaged("the engine's state does not decode");
  }
  view.values = view.live;
  std::uint8_t connected = 0;
  if (version > 1 && (!reader.get(view.values) || !reader.get(connected) || connected > 1)) {
    return damaged("the engine's state does not decode");
  }
  state.connected = connected != 0;
  if (!reader.get(markers) || markers > kMaxMarkers) return damaged("the engine's state does not decode");
  for (std::uint32_t i = 0; i < markers; ++i) {
    std::string_view key, value;
    if (!reader.get_string(key) || !reader.get_string(value)) return damaged("markers do not decode");
    if (i > 0 && !(state.markers.rbegin()->first < key)) return damaged("markers are not in order");
    state.markers.emplace_hint(state.markers.end(), key, value);
  }
  std::uint32_t runs = 0;
  if (version >= kRunsSince && (!reader.get(runs) || runs > kMaxRuns)) {
    return damaged("the engine's state does not decode");
  }
  for (std::uint32_t i = 0; i < runs; ++i) {
    Lsn floor = 0;
    if (!reader.get(floor) || floor > lsn) return damaged("the runs of ids do not decode");
    state.run_floors.push_back(floor);
  }
  std::uint8_t exact = 0;
  if (version >= kRunsSince && (!reader.get(state.codes.training) || !reader.get(state.codes.trained_nodes) ||
                                !reader.get(state.codes.cut_rows) || !reader.get(exact) || exact > 1)) {
    return damaged("what it says of codes does not decode");
  }
  state.codes.exact = exact != 0;
  state.version = version;
  state.name = name;
  if (!decode_space(space, state.config)) return damaged("unknown metric or type of components");
  // Version 3 was written for collections of other types alone.
  const bool plain = state.config.type == ComponentType::f32;
  if (plain ? version == kTypesSince : version < kTypesSince) {
    return damaged("the engine's state is of a version that does not go with its type of components");
  }
  view.lsn = lsn;
  if (reader.remaining() != 0 || !validate_config(state.config).ok() || !plausible(state)) {
    return damaged("the engine's state contradicts itself");
  }
  return state;
}

std::uint64_t patched_by_note(const std::array<std::byte, 32>& note) noexcept {
  return load<std::uint64_t>(note.data() + kNotePatchedAt);
}

std::array<std::byte, 32> encode_extent_note(const CollectionConfig& config, std::uint64_t patched) {
  std::array<std::byte, 32> note{};
  store<std::uint32_t>(note.data(), config.dimension);
  store<std::uint32_t>(note.data() + 4, encode_space(config));
  store<std::uint32_t>(note.data() + 8, config.m);
  store<std::uint32_t>(note.data() + 12, config.ef_construction);
  store<std::uint64_t>(note.data() + kNotePatchedAt, patched);
  return note;
}

std::optional<CollectionConfig> decode_extent_note(const std::array<std::byte, 32>& note) {
  CollectionConfig config;
  config.dimension = load<std::uint32_t>(note.data());
  config.m = load<std::uint32_t>(note.data() + 8);
  config.ef_construction = load<std::uint32_t>(note.data() + 12);
  if (!decode_space(load<std::uint32_t>(note.data() + 4), config)) return std::nullopt;
  return validate_config(config).ok() ? std::optional(config) : std::nullopt;
}

}  // namespace holdfast::engine
