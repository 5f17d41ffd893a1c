#include "house/include_rules.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace holdfast::house {

namespace {

struct Room {
  std::set<std::string> rooms;            ///< rooms below it
  std::vector<std::string> foreign = {};  ///< prefixes of <headers> that are not the C++ standard library
  bool whole_api = false;                 ///< all of include/holdfast, not only the value types
  bool library = true;                    ///< part of libholdfast: never prints, opens files through os only
};

const std::map<std::string, Room>& table() {
  static const std::map<std::string, Room> rooms = {
      {"base", {.rooms = {}, .foreign = {"xxhash.h", "sys/mman.h"}}},
      {"os", {.rooms = {"base"}, .foreign = {"fcntl.h", "unistd.h", "dirent.h", "sys/", "linux/"}}},
      {"simd", {.rooms = {"base"}, .foreign = {"immintrin.h", "arm_neon.h", "cpuid.h", "sys/auxv.h", "asm/hwcap.h"}}},
      {"query", {.rooms = {"base"}, .foreign = {"nlohmann/"}}},
      {"storage", {.rooms = {"os", "base"}}},
      {"index", {.rooms = {"simd", "base"}, .foreign = {"immintrin.h"}}},
      {"engine",
       {.rooms = {"base", "os", "simd", "query", "storage", "index"}, .foreign = {"nlohmann/"}, .whole_api = true}},
      {"server", {.rooms = {}, .foreign = {""}, .whole_api = true, .library = false}},
      {"cli", {.rooms = {}, .foreign = {""}, .whole_api = true, .library = false}},
      {"bindings", {.rooms = {}, .foreign = {""}, .whole_api = true, .library = false}},
  };
  return rooms;
}

/// The public headers that every room may speak in.
constexpr std::array<std::string_view, 3> kValueTypes = {"holdfast/status.h", "holdfast/types.h", "holdfast/version.h"};

/// C++ standard headers that have an owner: (header, the only place that may include it, why).
struct Owned {
  std::string_view header;
  std::string_view owner;
  std::string_view why;
};
constexpr std::array<Owned, 7> kOwned = {{
    {"mutex", "src/base/mutex.h", "locks carry thread-safety annotations: use base/mutex.h"},
    {"shared_mutex", "src/base/mutex.h", "locks carry thread-safety annotations: use base/mutex.h"},
    {"condition_variable", "src/base/mutex.h", "locks carry thread-safety annotations: use base/mutex.h"},
    {"iostream", "src/cli", "the library never prints"},
    {"print", "src/cli", "the library never prints"},
    {"fstream", "src/os", "all file access goes through os::FileSystem"},
    {"random", "src/base/random.h", "randomness is seeded: use base/random.h"},
}};

/// The C++ headers have neither dot nor slash in their names.
bool is_standard(const std::string& header) { return header.find_first_of("./") == std::string::npos; }

std::string check_quoted(const std::string& room_name, const Room& room, const std::string& header) {
  const std::size_t slash = header.find('/');
  if (slash == std::string::npos) return "write \"" + room_name + "/" + header + "\": src is the include root";
  const std::string target = header.substr(0, slash);
  if (target == "holdfast") {
    const bool value_type = std::find(kValueTypes.begin(), kValueTypes.end(), header) != kValueTypes.end();
    if (value_type || room.whole_api) return {};
    return "'" + room_name + "' may include the public value types only, not \"" + header + "\"";
  }
  if (target == room_name || room.rooms.contains(target)) return {};
  return "'" + room_name + "' may not include \"" + header + "\": see the table of rooms in CONTRIBUTING.md";
}

std::string check_angled(const SourceFile& file, const Room& room, const std::string& header) {
  if (header.starts_with("holdfast/")) return "write \"" + header + "\"";
  if (room.library) {
    for (const Owned& owned : kOwned) {
      if (header == owned.header && !file.is_in(owned.owner)) return "<" + header + ">: " + std::string(owned.why);
    }
  }
  if (is_standard(header)) return {};
  for (const std::string& prefix : room.foreign) {
    if (header.starts_with(prefix)) return {};
  }
  return "'" + file.room() + "' may not include <" + header + ">";
}

std::string check_public(const Include& include) {
  if (include.quoted) {
    return include.name.starts_with("holdfast/") ? "" : "public headers include each other and std only";
  }
  // The C ABI speaks C.
  if (is_standard(include.name) || include.name == "stddef.h" || include.name == "stdint.h") return {};
  return "public headers include std only, not <" + include.name + ">";
}

}  // namespace

Violations check_includes(const SourceFile& file) {
  Violations found;
  const bool is_public = file.is_in("include");
  if (!is_public && !file.is_in("src")) return found;
  const auto room = table().find(file.room());
  if (!is_public && room == table().end()) {
    found.push_back({file.path, 0, "src/" + file.room() + " is no room: enter it in the table"});
    return found;
  }
  for (const Include& include : file.includes()) {
    std::string message;
    if (is_public) {
      message = check_public(include);
    } else if (include.quoted) {
      message = check_quoted(room->first, room->second, include.name);
    } else {
      message = check_angled(file, room->second, include.name);
    }
    if (!message.empty()) found.push_back({file.path, include.line, message});
  }
  return found;
}

}  // namespace holdfast::house
