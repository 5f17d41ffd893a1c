// Compact codes: each component of a vector in 8 bits, for walking. (Exact distances come from the rows.)
//
//   x~[i] = center[i] + step[i] * (code[i] - zero[i])          0 <= code[i] <= 255
//
// A query is made ready for the dot form: with q~[i] = center[i] + t * weight[i] / step[i], weights of 8 signed bits,
//
//   |x~ - q~|^2 = |x~ - center|^2 - 2 t * (sum code[i] weight[i] - sum zero[i] weight[i]) + |q~ - center|^2
//
// The first term is a number that stands beside the code, the last two sums are constants of the query: what is left
// for every vector is one integer dot product, of which one instruction (vpdpbusd) does 64 components. See also
// Aguerrebere, Bhati, Hildebrand, Tepper, Willke: "Similarity search in the blink of an eye with compressed indices"
// (LVQ), VLDB 2023. Both sides are rounded, so |x~ - q~| differs from |x - q| by what the rounding errors have in the
// direction of x - q: sqrt((step^2 + (t/step)^2) / 12) per component, whatever the distance.
//
// Cosine: vectors and query are divided by their norms first, and the distance is half the square. Inner product: the
// query is not shifted, and only the integer product counts.
//
// Steps: the same for all components (the error of a distance is what counts, not that of a component), wide enough
// for what the widest component had in the sample; 1, if the sample held whole numbers only, of at most 256 values:
// then x~ = x. Components beyond the range are cut to it; how many rows that concerns is counted by whoever encodes.
//
// Invariants
//  Z1. A quantizer never changes. Codes, norm and query made by one belong together.
//  Z2. Encoding and preparing give the same bits on every machine and for any number of threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/coding.h"
#include "base/ids.h"
#include "holdfast/types.h"
#include "index/vector_table.h"

namespace holdfast::index {

/// A query in the dot form. The weights stand elsewhere (64-byte aligned, zeros behind the dimension).
struct CodeQuery {
  const std::int8_t* weights = nullptr;
  float of_norm = 0;  ///< distance~ = of_norm * norm + of_dot * dot + constant
  float of_dot = 0;
  float constant = 0;
  float spread = 0;  ///< standard deviation of |x~ - q~| - |x - q|; inner product: of the distance itself
  float excess = 0;  ///< what |x~ - q~|^2 has more than |x - q|^2 on average; inner product: 0

  [[nodiscard]] float distance(float norm, std::int32_t dot) const noexcept {
    return of_norm * norm + (of_dot * static_cast<float>(dot) + constant);
  }
};

class Quantizer {
 public:
  /// Learns from rows of the table. REQUIRES at least one slot, rows checked (VectorTable, V4).
  [[nodiscard]] static Quantizer train(const VectorTable& vectors, std::span<const Slot> sample);

  struct Coded {
    float norm = 0;         ///< the row's norm term
    bool cut = false;       ///< a component was cut by more than the margin that training leaves
    bool lossless = false;  ///< x~ = x
  };
  /// Writes `dimension` codes. Throws bad_alloc if the rows are not float32 and the thread has encoded none before.
  Coded encode(const VectorTable& vectors, const void* row, std::uint8_t* code) const;
  /// The same for components as they are, times `scale`.
  Coded encode(const float* components, float scale, std::uint8_t* code) const noexcept;
  /// x~ of a code; under cosine, of the vector of length 1.
  void decode(const std::uint8_t* code, float* components) const noexcept;

  /// A quantizer of 4 bits for what `fine` decodes, with a step of its own for each component; learns from the codes
  /// that `code_of` gives for the sample's slots. REQUIRES at least one slot.
  template <class CodeOf>
  [[nodiscard]] static Quantizer shorten(const Quantizer& fine, std::span<const Slot> sample, CodeOf code_of) {
    std::vector<Moments> moments(fine.dimension());
    for (const Slot slot : sample) add_to(moments, code_of(slot));
    return shortened(fine, moments);
  }

  /// For images (code_image.h). Of 8 bits and usable alone.
  void append_to(Bytes& out) const;
  /// Nothing if no training gives that. Throws bad_alloc.
  [[nodiscard]] static std::optional<Quantizer> from_bytes(ByteSpan data, Metric metric, std::uint32_t dimension);

  /// REQUIRES room for `room` weights, a multiple of 64, at least the dimension.
  [[nodiscard]] CodeQuery prepare(const float* query, std::int8_t* weights, std::size_t room) const noexcept;

  /// Deviations of the rounding errors beyond which lies one row in some tens of thousands.
  static constexpr float kSafeDeviations = 4.0F;
  /// The smallest exact distance that a row of this approximate one has, but for those whose errors are larger than so
  /// many deviations.
  [[nodiscard]] float lower_bound(const CodeQuery& query, float approximate,
                                  float deviations = kSafeDeviations) const noexcept;

  [[nodiscard]] std::uint32_t dimension() const noexcept { return static_cast<std::uint32_t>(step_.size()); }
  [[nodiscard]] Metric metric() const noexcept { return metric_; }
  [[nodiscard]] bool lossless() const noexcept { return whole_; }
  /// False if the sample reaches so far that squares of distances, or products of them, would overflow.
  [[nodiscard]] bool usable() const noexcept { return usable_; }
  /// Whether codes that were not cut are the components themselves, so that distances from them are the exact ones.
  [[nodiscard]] bool codes_are_components() const noexcept { return bytes_; }

 private:
  /// Of the codes that one component has in a sample.
  struct Moments {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    std::uint64_t squares = 0;
    std::uint8_t low = 255;
    std::uint8_t high = 0;
  };
  static void add_to(std::span<Moments> moments, const std::uint8_t* code) noexcept;
  [[nodiscard]] static Quantizer shortened(const Quantizer& fine, std::span<const Moments> moments);

  Quantizer() = default;
  void add_component(float begin, float step, float mean);
  void add_coded(float begin, float step, float zero);

  Metric metric_ = Metric::l2;
  float top_ = 255;      ///< the largest code
  float mean_step_ = 0;  ///< root of the mean square
  bool usable_ = false;
  bool bytes_ = false;      ///< whole_, center and step of no consequence: code = component
  bool whole_ = false;      ///< x~ = x for whole numbers within the range
  float widest_norm_ = 0;   ///< of |x - center| in the sample
  std::vector<float> low_;  ///< x~ of code 0
  std::vector<float> step_;
  std::vector<float> inverse_step_;
  std::vector<float> zero_;    ///< the code nearest to the mean
  std::vector<float> center_;  ///< x~ of that code
};

}  // namespace holdfast::index
