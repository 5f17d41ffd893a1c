#include "house/ban_list.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace holdfast::house {

namespace {

enum class Match { word, call };                        // call: the word and an opening parenthesis
enum class Scope { library, src, tested, everywhere };  // library: src without its programs; tested: src, tests

struct Ban {
  std::string_view word;
  Match match;
  Scope scope;
  std::string_view why;
};

constexpr std::string_view kPrints = "the library never prints";
constexpr std::string_view kEnds = "the library never ends the process: return a Status";
constexpr std::string_view kSleeps = "wait for the event itself (a condition, a join, a call), never for time";
constexpr std::string_view kSeeds = "randomness is seeded: use base/random.h";

constexpr std::array<Ban, 25> kBans = {{
    {"cout", Match::word, Scope::library, kPrints},
    {"cerr", Match::word, Scope::library, kPrints},
    {"clog", Match::word, Scope::library, kPrints},
    {"printf", Match::call, Scope::library, kPrints},
    {"fprintf", Match::call, Scope::library, kPrints},
    {"puts", Match::call, Scope::library, kPrints},
    {"perror", Match::call, Scope::library, kPrints},
    {"abort", Match::call, Scope::library, kEnds},
    {"exit", Match::call, Scope::library, kEnds},
    {"_exit", Match::call, Scope::library, kEnds},
    {"quick_exit", Match::call, Scope::library, kEnds},
    {"throw", Match::word, Scope::library, "no exception crosses a room: return a Status"},
    {"sleep_for", Match::word, Scope::tested, kSleeps},
    {"sleep_until", Match::word, Scope::tested, kSleeps},
    {"sleep", Match::call, Scope::tested, kSleeps},
    {"usleep", Match::call, Scope::tested, kSleeps},
    {"nanosleep", Match::call, Scope::tested, kSleeps},
    {"rand", Match::call, Scope::everywhere, kSeeds},
    {"srand", Match::call, Scope::everywhere, kSeeds},
    {"random_device", Match::word, Scope::src, kSeeds},
    {"strcpy", Match::call, Scope::everywhere, "no bounds"},
    {"strcat", Match::call, Scope::everywhere, "no bounds"},
    {"sprintf", Match::call, Scope::everywhere, "no bounds: use snprintf"},
    {"atoi", Match::call, Scope::everywhere, "cannot fail: use std::from_chars"},
    {"volatile", Match::word, Scope::library, "synchronises nothing: use std::atomic"},
}};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool is_program(const SourceFile& file) {
  return file.is_in("src/cli") || file.is_in("src/server") || file.is_in("src/bindings");
}

bool in_scope(const SourceFile& file, Scope scope) {
  switch (scope) {
    case Scope::library: return file.is_in("src") && !is_program(file);
    case Scope::src: return file.is_in("src");
    case Scope::tested: return file.is_in("src") || file.is_in("tests");
    case Scope::everywhere: return true;
  }
  return true;
}

bool contains(std::string_view line, std::string_view word, Match match) {
  for (std::size_t at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    if (at > 0 && is_word(line[at - 1])) continue;
    std::size_t after = at + word.size();
    if (after < line.size() && is_word(line[after])) continue;
    if (match == Match::word) return true;
    while (after < line.size() && line[after] == ' ') ++after;
    // x.exit(), x->exit() and Status::exit() are other functions; std::exit() and ::exit() are not.
    const std::string_view before = line.substr(0, at);
    const bool member = before.ends_with(".") || before.ends_with("->");
    if (after < line.size() && line[after] == '(' && !member) return true;
  }
  return false;
}

bool has_pragma_once(const SourceFile& file) {
  return std::any_of(file.code.begin(), file.code.end(),
                     [](std::string_view line) { return line.starts_with("#pragma once"); });
}

}  // namespace

Violations check_bans(const SourceFile& file) {
  Violations found;
  if (file.code.size() > kMaxLines) {
    found.push_back({file.path, 0, std::to_string(file.code.size()) + " lines: it has two jobs, split it"});
  }
  if (file.is_header() && !has_pragma_once(file)) found.push_back({file.path, 0, "no #pragma once"});
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    const std::string& line = file.code[i];
    for (const Ban& ban : kBans) {
      if (in_scope(file, ban.scope) && contains(line, ban.word, ban.match)) {
        found.push_back({file.path, i + 1, std::string(ban.word) + ": " + std::string(ban.why)});
      }
    }
    if (line.find("using namespace std;") != std::string::npos) {
      found.push_back({file.path, i + 1, "using namespace std"});
    }
  }
  return found;
}

}  // namespace holdfast::house
