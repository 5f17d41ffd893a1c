// Chooses the kernel table of the process, once.
//
// Threading: the decision is a function-local static; the first caller makes it, later ones read it.
// Does not know: what a distance is.
#include "simd/dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace holdfast::simd {
namespace {

constexpr std::string_view kEveryName[] = {"scalar", "avx2", "avx512", "neon"};
constexpr std::size_t kTablesMax = 3;

struct Available {
  const Kernels* tables[kTablesMax] = {};
  std::size_t count = 0;

  Available() noexcept {
    add(scalar::kTable);
#if defined(__x86_64__)
    __builtin_cpu_init();
    // These ask the operating system, too: registers that it does not save are as good as absent.
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      add(avx2::kTable);
      if (__builtin_cpu_supports("avx512f")) add(avx512::kTable);
    }
#elif defined(__aarch64__)
    add(neon::kTable);
#endif
  }
  void add(const Kernels& table) noexcept { tables[count++] = &table; }
};

/// The decision, and what the environment said when it was made. A copy of fixed size: kernels() must not allocate.
struct Decision {
  Choice choice;
  char forced[32] = {};

  Decision() noexcept {
    const char* value = std::getenv("HOLDFAST_KERNELS");
    const std::string_view name = value == nullptr ? std::string_view() : std::string_view(value);
    name.copy(forced, sizeof(forced) - 1);
    choice = choose_kernels(name, available_kernels());
  }
};

const Decision& decision() noexcept {
  static const Decision made;
  return made;
}

}  // namespace

Choice choose_kernels(std::string_view forced, std::span<const Kernels* const> available) noexcept {
  const Kernels* best = available.back();
  if (forced.empty() || forced == "auto") return {best, ForcedName::honoured};
  for (const Kernels* table : available) {
    if (forced == table->name) return {table, ForcedName::honoured};
  }
  const bool exists = std::ranges::find(kEveryName, forced) != std::ranges::end(kEveryName);
  return {best, exists ? ForcedName::unsupported : ForcedName::unknown};
}

const Kernels& kernels() noexcept { return *decision().choice.table; }

Status kernels_error() {
  const Decision& made = decision();
  if (made.choice.forced == ForcedName::honoured) return {};
  std::string message = "HOLDFAST_KERNELS=";
  message += made.forced;
  message += made.choice.forced == ForcedName::unsupported ? " is not supported by this machine" : " is not known";
  message += "; using ";
  message += made.choice.table->name;
  message += " (available: auto";
  for (const Kernels* table : available_kernels()) {
    message += ", ";
    message += table->name;
  }
  message += ")";
  return {StatusCode::invalid_argument, std::move(message)};
}

std::span<const Kernels* const> available_kernels() noexcept {
  static const Available available;
  return {available.tables, available.count};
}

}  // namespace holdfast::simd
