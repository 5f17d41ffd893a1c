// Writes seeds of the corpus from real stores, logs and files of vectors: make_fuzz_corpus <directory>.
//
// Deterministic. Keeps what it did not make: inputs that were found stand beside the seeds (fuzz/README.md).
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "engine/image.h"
#include "engine/record.h"
#include "fuzz/targets/bundle.h"
#include "fuzz/targets/image_input.h"
#include "fuzz/targets/use_store.h"
#include "holdfast/database.h"
#include "index/code_image.h"
#include "storage/file_names.h"
#include "storage/manifest.h"
#include "storage/wal_writer.h"
#include "support/oracle.h"

namespace holdfast::fuzz {
namespace {

using testing::SimFileSystem;

std::filesystem::path corpus;

void seed(const std::string& target, const std::string& name, ByteSpan bytes) {
  std::filesystem::create_directories(corpus / target);
  std::ofstream out(corpus / target / name, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void seed_choice(const std::string& target, const std::string& name, unsigned choice, ByteSpan bytes) {
  Bytes input{static_cast<std::byte>(choice)};
  put_bytes(input, bytes);
  seed(target, name, input);
}

ByteSpan bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

void require(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  std::exit(1);
}

std::vector<float> vector_of(std::uint64_t seed, std::size_t components) {
  SeededRandom random(seed);
  std::vector<float> vector(components);
  for (float& x : vector) x = static_cast<float>(random.unit() * 2 - 1);
  return vector;
}

struct Shape {
  const char* name;
  Metric metric;
  std::uint32_t points;
  std::uint32_t values;  ///< vectors of every third point
  bool index, vacuum, checkpoint, tail, clean;
  bool patch = false;  ///< few points change, and the last checkpoint patches
};

constexpr Shape kShapes[] = {
    {"empty", Metric::l2, 0, 1, false, false, false, false, true},
    {"logged", Metric::cosine, 12, 2, false, false, false, true, false},
    {"indexed", Metric::l2, 40, 1, true, false, true, false, true},
    {"growing", Metric::l2, 20, 1, false, false, true, true, false},
    {"values", Metric::cosine, 24, 3, true, false, true, true, true},
    {"vacuumed", Metric::inner_product, 30, 2, true, true, true, true, false},
    {"patched", Metric::l2, 40, 2, false, false, true, false, true, true},
};

void write_points(Collection& collection, const Shape& shape, std::uint64_t from, std::uint64_t to) {
  const std::uint32_t dimension = collection.config().dimension;
  for (std::uint64_t id = from; id < to; ++id) {
    WriteBatch batch;
    const std::uint32_t values = id % 3 == 0 ? shape.values : 1;
    const PointId name = id % 5 == 4 ? PointId::from_parts(PointId::Kind::uuid, id, ~id) : PointId(id);
    batch.upsert_values(name, vector_of(id, std::size_t{dimension} * values), values,
                        id % 2 == 0 ? "{\"n\":" + std::to_string(id) + "}" : "");
    if (id % 7 == 6) batch.erase(id - 3);
    if (id % 4 == 0) batch.set_marker("at", std::to_string(id));
    require(collection.write(batch).status());
  }
}

/// A store of one collection in that shape; its files stay in `fs`.
void build(SimFileSystem& fs, const Shape& shape) {
  engine::EngineOptions options = testing::small_store(fs);
  auto database = Database::open_with(kStorePath, options);
  require(database.status());
  CollectionConfig config;
  config.dimension = 3;
  config.metric = shape.metric;
  config.m = 2;
  config.ef_construction = 8;
  auto collection = database->create_collection("points", config);
  require(collection.status());
  write_points(*collection, shape, 0, shape.points);
  if (shape.index) require(collection->wait_until_indexed());
  if (shape.vacuum) require(collection->vacuum());
  if (shape.checkpoint) require(collection->checkpoint());
  if (shape.tail) write_points(*collection, shape, shape.points / 2, shape.points + 4);
  if (shape.checkpoint && shape.tail && shape.index) require(collection->checkpoint());
  if (shape.tail) write_points(*collection, shape, 3, 6);
  if (shape.patch) write_points(*collection, shape, 9, 12);
  if (shape.patch) require(collection->checkpoint());
  if (shape.clean) require(database->close());
  fs.power_off();  // what the destructors would still write
}

/// The same image with codes, of which collections as small as these have none: of the rows of its one chunk.
ImageInput with_codes(ImageInput image) {
  engine::ImageState state = engine::decode_image_state(image.state, image.lsn).value();
  index::VectorTable vectors(state.config.dimension, state.config.metric);
  require(vectors.reserve(state.graph_end));
  std::vector<Slot> rows;
  for (Slot slot = 0; slot < state.graph_end; ++slot) {
    vectors.assign(slot, vector_of(slot, state.config.dimension));
    rows.push_back(slot);
  }
  state.codes = {3, state.graph_end, 1, false};
  index::CodeTable codes(index::Quantizer::train(vectors, rows), {state.codes.training, state.codes.trained_nodes});
  require(codes.reserve(state.graph_end));
  for (const Slot slot : rows) codes.assign(vectors, slot);
  index::encode_quantizer(codes.quantizer(), state.codes.training,
                          image.data[static_cast<std::size_t>(engine::ExtentKind::quantizer)]);
  Bytes& data = image.data[static_cast<std::size_t>(engine::ExtentKind::codes)];
  index::encode_code_head(codes, image.lsn, 0, std::vector<bool>(rows.size(), true), data);
  for (const Slot slot : rows) put_bytes(data, std::as_bytes(std::span(codes.row(slot), state.config.dimension)));
  image.state = engine::encode_image_state(state);
  return image;
}

void seeds_of_store(const Shape& shape) {
  SimFileSystem alive(7);
  build(alive, shape);
  const auto disk = alive.crash(testing::CrashPolicy{});
  const Bundle files = read_bundle(*disk, kStorePath);
  seed("store", shape.name, pack(files));
  const std::string name = shape.name;
  for (const BundledFile& file : files) {
    const std::string base = file.name.substr(file.name.rfind('/') + 1);
    const std::string directory = os::join(kStorePath, file.name.substr(0, file.name.find('/')));
    const storage::ParsedName parsed = storage::parse_name(base);
    if (parsed.kind == storage::FileKind::catalog) seed_choice("manifest", name + "-catalog", 1, file.bytes);
    if (parsed.kind == storage::FileKind::extent) seed("extent", name + "-" + base, file.bytes);
    if (parsed.kind != storage::FileKind::manifest) continue;
    Bytes as_second = file.bytes;  // the target reads generation 2
    const auto manifest = storage::read_manifest(*disk, directory, parsed.number);
    require(manifest.status());
    storage::Manifest second = *manifest;
    second.generation = 2;
    SimFileSystem scratch(1);
    require(storage::write_manifest(scratch, "/", second));
    seed_choice("manifest", name + "-" + base, 0, scratch.read_whole("/" + storage::manifest_name(2)).value());
    Bytes state;
    put(state, manifest->lsn);
    put_bytes(state, manifest->state);
    seed_choice("manifest", name + "-state-" + base, 2, state);
    const auto image = image_of(*disk, directory, *manifest);
    if (!image) continue;
    seed("image", name + "-" + base, pack_image(*image));
    const bool nodes = engine::decode_image_state(image->state, image->lsn).value().graph_end != 0;
    if (nodes) seed("image", name + "-codes-" + base, pack_image(with_codes(*image)));
  }
}

Bytes log_options(Lsn after, Lsn proven) {
  Bytes bytes;
  put(bytes, after);
  put(bytes, proven);
  put(bytes, std::uint64_t{0});
  put(bytes, std::uint64_t{0});
  return bytes;
}

/// Three segments of a few groups; `cut` bytes are taken from the end of the last one.
void seed_log(const std::string& name, bool marked, std::uint64_t zeroed, Lsn after, Lsn proven) {
  SimFileSystem fs(3);
  require(fs.create_directory("/wal"));
  storage::WalWriter writer(fs, {"/wal", {1, 2, 3}, 16 * 1024}, {});
  const Bytes body(90, std::byte{7});
  for (int group = 0; group < 7; ++group) {
    const std::vector<ByteSpan> bodies(2, ByteSpan(body));
    require(writer.append(bodies).status());
    require(writer.sync());
  }
  if (marked) require(writer.mark());
  Bundle bundle = read_bundle(fs, "/wal");
  Bytes& last = bundle.back().bytes;
  for (std::size_t at = last.size() - std::min<std::size_t>(zeroed, last.size()); at < last.size(); ++at) {
    last[at] = std::byte{0};
  }
  bundle.push_back({"options", log_options(after, proven)});
  seed("log", name, pack(bundle));
}

void seeds_of_logs() {
  seed_log("whole", false, 0, 0, 0);
  seed_log("marked", true, 0, 0, 0);
  seed_log("torn", false, 12'200, 0, 0);
  seed_log("after", false, 0, 5, 5);
  seed_log("behind", false, 12'000, 14, 14);
  seed_log("proven", false, 12'200, 0, 13);
  seed("log", "empty", pack({{"options", log_options(0, 0)}}));
}

void seeds_of_records() {
  WriteBatch batch;
  batch.upsert(7, vector_of(1, 3), R"({"a":1})");
  seed_choice("record", "upsert", 2, engine::encode_batch(batch));
  batch.upsert_values(8, vector_of(2, 6), 2);
  batch.erase(PointId::from_parts(PointId::Kind::uuid, 1, 2));
  batch.set_marker("key", "value");
  seed_choice("record", "all", 2, engine::encode_batch(batch));
  batch.erase(7);
  seed_choice("record", "twice", 2, engine::encode_batch(batch));
  batch.clear();
  for (std::uint64_t id = 0; id < 40; ++id) batch.erase(id * 3);
  seed_choice("record", "erases", 0, engine::encode_batch(batch));
}

void seeds_of_files() {
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
  Bytes npy;
  put_bytes(npy, bytes_of(std::string_view("\x93NUMPY\x01\x00", 8)));
  put(npy, static_cast<std::uint16_t>(header.size()));
  put_bytes(npy, bytes_of(header));
  const std::vector<float> rows = vector_of(5, 6);
  put_bytes(npy, std::as_bytes(std::span(rows)));
  seed_choice("import", "npy", 0, npy);
  Bytes fvecs, bvecs;
  for (std::size_t row = 0; row < 2; ++row) {
    put(fvecs, std::uint32_t{3});
    put_bytes(fvecs, std::as_bytes(std::span(rows).subspan(row * 3, 3)));
    put(bvecs, std::uint32_t{3});
    put_bytes(bvecs, bytes_of("abc"));
  }
  seed_choice("import", "fvecs", 1, fvecs);
  seed_choice("import", "bvecs", 2, bvecs);
  const unsigned widths[] = {4, 2, 1, 1};
  for (unsigned format = 0; format < 4; ++format) {
    Bytes bin;
    put(bin, std::uint32_t{2});
    put(bin, std::uint32_t{3});
    bin.resize(bin.size() + std::size_t{6} * widths[format], std::byte{0x3C});
    seed_choice("import", "bin" + std::to_string(format), 3 + format, bin);
  }
  seed_choice("import", "jsonl", 7,
              bytes_of("{\"id\":1,\"vector\":[1,2.5,-3e2],\"payload\":{\"a\":[1,{\"b\":null}]}}\n"
                       "{\"id\":\"018f3a5e-7c1d-7e32-9b4a-0123456789ab\",\"vector\":[0,0,1]}\n"));
  seed_choice("import", "jsonl-rest", 0x80 | 7,
              bytes_of("{\"id\":2,\"x\":true,\"vectors\":[[1,2],[3,4]],\"y\":\"\\u00e9\\n\"}\r\n\n"));
}

void seeds_of_text() {
  const std::pair<unsigned, const char*> texts[] = {
      {0, " {\"a\": [1, 2.5e-3, {\"b\": null}],\n \"c\":\"\\ud83d\\ude00\"} "},
      {0, "{\"n\":18446744073709551616,\"d\":-0.0,\"t\":true}"},
      {1, "018f3a5e-7c1d-7e32-9b4a-0123456789ab"},
      {1, "18446744073709551615"},
      {2, "a\"b\\c\n\x01\xc3\xa9"},
      {3, "\xff\xff\x7f\x7f\xff\xff\xef\x7f"},
      {3, "abcdefgh"},
      {4, "manifest-0000000000000001"},
      {4, "0000000000000001.log"},
      {4, "my.name_-1"},
      {5, "cosine"},
      {5, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"},
  };
  std::size_t number = 0;
  for (const auto& [choice, text] : texts) {
    seed_choice("text", "seed" + std::to_string(number++), choice, bytes_of(text));
  }
}

}  // namespace
}  // namespace holdfast::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s <directory>\n", argv[0]);
    return 2;
  }
  holdfast::fuzz::corpus = argv[1];
  for (const auto& shape : holdfast::fuzz::kShapes) holdfast::fuzz::seeds_of_store(shape);
  holdfast::fuzz::seeds_of_logs();
  holdfast::fuzz::seeds_of_records();
  holdfast::fuzz::seeds_of_files();
  holdfast::fuzz::seeds_of_text();
  return 0;
}
