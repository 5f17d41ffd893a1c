// The engine's part of a manifest, whose checksum was right: what no checkpoint can have written is refused.
#include "engine/image.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

ImageState sample() {
  ImageState state;
  state.name = "points";
  state.config.dimension = 4;
  state.view.slot_end = 9;
  state.view.live = 5;
  state.view.values = 6;
  state.view.dead_in_graph = 1;
  state.view.graph = {7, 3, 2, 7};
  state.graph_end = 8;
  state.connected = true;
  state.markers = {{"a", "1"}, {"b", "2"}};
  state.codes = {3, 1'500, 17, true};
  return state;
}

StatusCode outcome(const ImageState& state) { return decode_image_state(encode_image_state(state), 3).status().code(); }

TEST(ImageState, round_trip) {
  const Bytes bytes = encode_image_state(sample());
  const auto state = decode_image_state(bytes, 3);
  ASSERT_TRUE(state.ok()) << state.status().to_string();
  EXPECT_EQ(encode_image_state(*state), bytes);
  EXPECT_EQ(state->view.lsn, 3u);
  EXPECT_EQ(state->codes.training, 3u);
  EXPECT_EQ(state->codes.trained_nodes, 1'500u);
  EXPECT_EQ(state->codes.cut_rows, 17u);
  EXPECT_TRUE(state->codes.exact);
}

TEST(ImageState, names_the_type_of_the_components) {
  for (const ComponentType type :
       {ComponentType::f32, ComponentType::f16, ComponentType::bf16, ComponentType::i8, ComponentType::u8}) {
    for (const Metric metric : {Metric::l2, Metric::inner_product, Metric::cosine}) {
      ImageState state = sample();
      state.config.type = type;
      state.config.metric = metric;
      const auto back = decode_image_state(encode_image_state(state), 3);
      ASSERT_TRUE(back.ok()) << back.status().to_string();
      EXPECT_EQ(state.config, back->config);
      EXPECT_EQ(state.config, decode_extent_note(encode_extent_note(state.config)));
    }
  }
  ImageState unknown = sample();
  unknown.config.type = static_cast<ComponentType>(5);
  EXPECT_EQ(StatusCode::data_damaged, outcome(unknown));
  EXPECT_FALSE(decode_extent_note(encode_extent_note(unknown.config)).has_value());
}

TEST(ImageState, a_type_in_a_version_that_has_none_is_refused) {
  ImageState state = sample();
  state.config.type = ComponentType::f16;
  Bytes typed = encode_image_state(state);
  typed[0] = std::byte{2};
  EXPECT_EQ(StatusCode::data_damaged, decode_image_state(typed, 3).status().code());
  Bytes plain = encode_image_state(sample());
  plain[0] = std::byte{3};
  EXPECT_EQ(StatusCode::data_damaged, decode_image_state(plain, 3).status().code());
}

TEST(ImageState, every_truncation_is_refused) {
  const Bytes bytes = encode_image_state(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_image_state(ByteSpan(bytes).first(size), 3).status().code(), StatusCode::data_damaged) << size;
  }
}

TEST(ImageState, counts_that_contradict_each_other_are_refused) {
  const auto refused = [](auto change) {
    ImageState state = sample();
    change(state);
    return outcome(state) == StatusCode::data_damaged;
  };
  EXPECT_FALSE(refused([](ImageState&) {}));
  EXPECT_TRUE(refused([](ImageState& s) { s.view.live = s.view.values + 1; }));
  EXPECT_TRUE(refused([](ImageState& s) { s.view.values = s.view.slot_end + 1; }));
  EXPECT_TRUE(refused([](ImageState& s) { s.graph_end = s.view.slot_end + 1; }));
  EXPECT_TRUE(refused([](ImageState& s) { s.view.graph.nodes = s.graph_end + 1; }));
  EXPECT_TRUE(refused([](ImageState& s) { s.view.dead_in_graph = s.view.graph.nodes + 1; }));
  EXPECT_TRUE(refused([](ImageState& s) { s.view.graph.entry = s.graph_end; }));
  EXPECT_TRUE(refused([](ImageState& s) { s.view.graph.levels = 0; }));
  EXPECT_TRUE(refused([](ImageState& s) { s.view.graph.levels = index::kMaxLevels + 1; }));
  EXPECT_TRUE(refused([](ImageState& s) { s.config.dimension = 0; }));
}

// The next epoch would have been 0: older than every list there is.
TEST(ImageState, an_epoch_without_a_successor_is_refused) {
  ImageState state = sample();
  state.view.graph.epoch = ~GraphEpoch{0};
  EXPECT_EQ(outcome(state), StatusCode::data_damaged);
}

// The second of two was ignored.
TEST(ImageState, a_marker_that_stands_twice_is_refused) {
  Bytes bytes = encode_image_state(sample());
  // u32 1 | 'b' | u32 1 | '2' | u32 0, the runs of ids | 25 bytes about codes
  bytes[bytes.size() - 6 - 4 - 25] = std::byte{'a'};
  EXPECT_EQ(decode_image_state(bytes, 3).status().message(), "manifest: markers are not in order");
}

}  // namespace
}  // namespace holdfast::engine
