// Chooses the kernel tables of the process, once.
//
// Threading: what the machine has, and the decision, are function-local statics; the first caller makes them, later
// ones read them. Does not know: what a distance is.
#include "simd/dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace holdfast::simd {
namespace {

constexpr std::size_t kTiersMax = std::size(kTiers);

/// The tables of one family that the machine can run.
template <class Table>
struct Tables {
  const Table* tables[kTiersMax] = {};
  std::size_t count = 0;

  void add(const Table& table) noexcept { tables[count++] = &table; }
  [[nodiscard]] std::span<const Table* const> all() const noexcept { return {tables, count}; }
};

#if defined(__x86_64__)
// For names that not every compiler of today knows. Registers are asked for elsewhere, with the operating system's
// consent.
bool has_f16c() noexcept {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & 1u << 29) != 0;
}
bool has_avxvnni() noexcept {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 1u << 4) != 0;
}
#endif

/// What the machine has.
struct Available {
  Tables<Kernels> kernels;
  Tables<CodeKernels> codes;
  Tables<TypedKernels> typed;
  Tables<BytePairKernels> pairs;
  Tables<BeamKernels> beams;
  Tables<QueryKernels> queries;
  CodeKernels complete[kTiersMax] = {};  ///< what `codes` points to: no entry is null
  std::string_view tiers[kTiersMax] = {};
  std::size_t tier_count = 0;

  Available() noexcept {
    beams.add(scalar::kBeamTable);
    queries.add(scalar::kQueryTable);
    add_tier(scalar::kTable, scalar::kCodeTable, scalar::kTypedTable, scalar::kPairTable);
#if defined(__x86_64__)
    __builtin_cpu_init();
    // These ask the operating system, too: registers that it does not save are as good as absent.
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c()) {
      add_tier(avx2::kTable, avx2::kCodeTable, avx2::kTypedTable, avx2::kPairTable);
      if (has_avxvnni()) add(avxvnni::kCodeTable);
      add_avx512();
    }
#elif defined(__aarch64__)
    add_tier(neon::kTable, neon::kCodeTable, neon::kTypedTable, neon::kPairTable);
    if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) add(neondot::kCodeTable);
#endif
    for (const std::string_view tier : kTiers) {
      const auto named = [tier](const auto* table) { return table->name == tier; };
      // Every tier has integer kernels for codes, whatever else it has.
      if (std::ranges::any_of(codes.all(), named)) tiers[tier_count++] = tier;
    }
  }

 private:
  void add_tier(const Kernels& floats, const CodeKernels& code, const TypedKernels& type,
                const BytePairKernels& pair) noexcept {
    kernels.add(floats);
    add(code);
    typed.add(type);
    pairs.add(pair);
  }

  /// Completes a table from the one below.
  void add(CodeKernels table) noexcept {
    if (codes.count > 0) {
      const CodeKernels& below = *codes.tables[codes.count - 1];
      if (table.dot_u8 == nullptr) table.dot_u8 = below.dot_u8;
      if (table.dot_u4 == nullptr) table.dot_u4 = below.dot_u4;
      if (table.dot_bits == nullptr) table.dot_bits = below.dot_bits;
    }
    CodeKernels& place = complete[codes.count];
    place = table;
    codes.add(place);
  }

#if defined(__x86_64__)
  void add_avx512() noexcept {
    // The Xeon Phi has F alone; it is content with AVX2.
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl")) {
      return;
    }
    add_tier(avx512::kTable, avx512::kCodeTable, avx512::kTypedTable, avx512::kPairTable);
    beams.add(avx512::kBeamTable);
    queries.add(avx512::kQueryTable);
    if (!__builtin_cpu_supports("avx512vnni")) return;
    pairs.add(avx512vnni::kPairTable);
    CodeKernels table = avx512vnni::kCodeTable;
    if (!__builtin_cpu_supports("avx512bitalg")) table.dot_bits = nullptr;
    add(table);
  }
#endif
};

const Available& available() noexcept {
  static const Available made;
  return made;
}

/// The decision, and what the environment said when it was made. A copy of fixed size: kernels() must not allocate.
struct Decision {
  Choice choice;
  const Kernels* kernels = nullptr;
  const CodeKernels* codes = nullptr;
  const TypedKernels* typed = nullptr;
  const BytePairKernels* pairs = nullptr;
  const BeamKernels* beams = nullptr;
  const QueryKernels* queries = nullptr;
  char forced[32] = {};

  Decision() noexcept {
    const char* value = std::getenv("HOLDFAST_KERNELS");
    const std::string_view name = value == nullptr ? std::string_view() : std::string_view(value);
    name.copy(forced, sizeof(forced) - 1);
    choice = choose_tier(name, available_tiers());
    kernels = &best_up_to(choice.tier, available_kernels());
    codes = &best_up_to(choice.tier, available_code_kernels());
    typed = &best_up_to(choice.tier, available_typed_kernels());
    pairs = &best_up_to(choice.tier, available_byte_pair_kernels());
    beams = &best_up_to(choice.tier, available_beam_kernels());
    queries = &best_up_to(choice.tier, available_query_kernels());
  }
};

const Decision& decision() noexcept {
  static const Decision made;
  return made;
}

}  // namespace

std::size_t rank_of(std::string_view name) noexcept {
  return static_cast<std::size_t>(std::ranges::find(kTiers, name) - std::ranges::begin(kTiers));
}

Choice choose_tier(std::string_view forced, std::span<const std::string_view> available) noexcept {
  const std::string_view best = available.back();
  if (forced.empty() || forced == "auto") return {best, ForcedName::honoured};
  const auto found = std::ranges::find(available, forced);
  if (found != available.end()) return {*found, ForcedName::honoured};
  return {best, rank_of(forced) < kTiersMax ? ForcedName::unsupported : ForcedName::unknown};
}

const Kernels& kernels() noexcept { return *decision().kernels; }

const CodeKernels& code_kernels() noexcept { return *decision().codes; }

const TypedKernels& typed_kernels() noexcept { return *decision().typed; }

const BytePairKernels& byte_pair_kernels() noexcept { return *decision().pairs; }

const BeamKernels& beam_kernels() noexcept { return *decision().beams; }

const QueryKernels& query_kernels() noexcept { return *decision().queries; }

Status kernels_error() {
  const Decision& made = decision();
  if (made.choice.forced == ForcedName::honoured) return {};
  std::string message = "HOLDFAST_KERNELS=";
  message += made.forced;
  message += made.choice.forced == ForcedName::unsupported ? " is not supported by this machine" : " is not known";
  message += "; using ";
  message += made.choice.tier;
  message += " (available: auto";
  for (const std::string_view tier : available_tiers()) {
    message += ", ";
    message += tier;
  }
  message += ")";
  return {StatusCode::invalid_argument, std::move(message)};
}

std::span<const Kernels* const> available_kernels() noexcept { return available().kernels.all(); }

std::span<const CodeKernels* const> available_code_kernels() noexcept { return available().codes.all(); }

std::span<const TypedKernels* const> available_typed_kernels() noexcept { return available().typed.all(); }

std::span<const BytePairKernels* const> available_byte_pair_kernels() noexcept { return available().pairs.all(); }

std::span<const BeamKernels* const> available_beam_kernels() noexcept { return available().beams.all(); }

std::span<const QueryKernels* const> available_query_kernels() noexcept { return available().queries.all(); }

std::span<const std::string_view> available_tiers() noexcept { return {available().tiers, available().tier_count}; }

}  // namespace holdfast::simd
