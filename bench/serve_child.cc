// How much memory a process needs that opens a store and searches it, and where that memory lies. `compare` runs it in
// a process that has done nothing else.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "bench/holdfast_contestant.h"
#include "bench/machine.h"
#include "bench/programs.h"
#include "bench/report.h"
#include "engine/image.h"
#include "storage/extent_format.h"

namespace holdfast::bench {

namespace {

bool is_vector_extent(const std::filesystem::path& file) {
  if (file.extension() != ".ext") return false;
  std::vector<std::byte> sector(storage::kExtentHeaderBytes);
  std::ifstream bytes(file, std::ios::binary);
  bytes.read(reinterpret_cast<char*>(sector.data()), static_cast<std::streamsize>(sector.size()));
  storage::ExtentHeader header;
  return bytes && storage::decode_extent_header(sector, header) == storage::ExtentPart::valid &&
         header.info.kind == static_cast<std::uint8_t>(engine::ExtentKind::vectors);
}

/// Resident bytes of the mapped files below `store` (/proc/self/smaps: a line that ends in the path of the file, then
/// lines of the form "Rss:   123 kB").
ServingMemory mapped_memory(const std::filesystem::path& store) {
  ServingMemory memory;
  const std::string prefix = std::filesystem::canonical(store).string() + "/";
  std::uint64_t* counted = nullptr;
  std::ifstream maps("/proc/self/smaps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first == "Rss:" && counted != nullptr) {
      std::uint64_t kilobytes = 0;
      words >> kilobytes;
      *counted += kilobytes * 1024;
    } else if (first.find('-') != std::string::npos) {  // "<from>-<to> ..."
      const auto path = line.find(prefix);
      counted = path == std::string::npos             ? nullptr
                : is_vector_extent(line.substr(path)) ? &memory.vectors
                                                      : &memory.other;
    }
  }
  return memory;
}

}  // namespace

void run_serve_once(const ServeArguments& arguments) {
  const Matrix queries = must(parse_matrix(must(read_file(arguments.queries)), Encoding::f32));
  const std::uint64_t before = trimmed_memory().anonymous;
  Store opened = open_store(arguments.store, {.checkpoint_on_close = false});
  SearchOptions options{.k = kNearest, .ef = arguments.ef};
  store_kinds()[arguments.kind].searches[arguments.mode].choose(options);
  // Whatever this way to search wants to have made in the background is part of its memory.
  must(opened.collection.search(queries.row(0), options).status());
  must(opened.collection.wait_until_indexed());
  {
    const Snapshot snapshot = opened.collection.snapshot();
    for (std::uint32_t q = 0; q < queries.rows; ++q) must(snapshot.search(queries.row(q), options).status());
  }
  ServingMemory memory = mapped_memory(arguments.store);
  const std::uint64_t after = trimmed_memory().anonymous;
  memory.anonymous = after - std::min(before, after);
  must(opened.database.close());
  const nlohmann::json reply = {{"anonymous", memory.anonymous}, {"vectors", memory.vectors}, {"other", memory.other}};
  std::printf("%s\n", reply.dump().c_str());
}

}  // namespace holdfast::bench
