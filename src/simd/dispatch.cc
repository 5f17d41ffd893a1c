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
/// CPUID leaf 7, subleaf 1, EAX bit 4. Compilers of today ask for it by name, clang 14 does not.
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
  CodeKernels complete[kTiersMax] = {};  ///< what `codes` points to: no entry is null
  std::string_view tiers[kTiersMax] = {};
  std::size_t tier_count = 0;

  Available() noexcept {
    kernels.add(scalar::kTable);
    add(scalar::kCodeTable);
#if defined(__x86_64__)
    __builtin_cpu_init();
    // These ask the operating system, too: registers that it does not save are as good as absent.
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      kernels.add(avx2::kTable);
      add(avx2::kCodeTable);
      if (has_avxvnni()) add(avxvnni::kCodeTable);
      if (__builtin_cpu_supports("avx512f")) add_avx512();
    }
#elif defined(__aarch64__)
    kernels.add(neon::kTable);
    add(neon::kCodeTable);
    if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) add(neondot::kCodeTable);
#endif
    for (const std::string_view tier : kTiers) {
      const auto named = [tier](const auto* table) { return table->name == tier; };
      const bool here = std::ranges::any_of(kernels.all(), named) || std::ranges::any_of(codes.all(), named);
      if (here) tiers[tier_count++] = tier;
    }
  }

 private:
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
    kernels.add(avx512::kTable);
    if (!__builtin_cpu_supports("avx512bw")) return;
    add(avx512::kCodeTable);
    if (!__builtin_cpu_supports("avx512vnni")) return;
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
  char forced[32] = {};

  Decision() noexcept {
    const char* value = std::getenv("HOLDFAST_KERNELS");
    const std::string_view name = value == nullptr ? std::string_view() : std::string_view(value);
    name.copy(forced, sizeof(forced) - 1);
    choice = choose_tier(name, available_tiers());
    kernels = &best_up_to(choice.tier, available_kernels());
    codes = &best_up_to(choice.tier, available_code_kernels());
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

std::span<const std::string_view> available_tiers() noexcept { return {available().tiers, available().tier_count}; }

}  // namespace holdfast::simd
