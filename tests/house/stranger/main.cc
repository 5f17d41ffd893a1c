// A stranger's first program: opens a store, writes, searches, closes, and finds everything again.
//
//   stranger <directory>      exit status 0: all went well; else a line on stderr says what did not
#include <holdfast/holdfast.hpp>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

namespace {

using holdfast::Status;
using holdfast::StatusCode;

constexpr std::uint64_t kPoints = 100;
constexpr std::string_view kSpecial = R"({"text":"hello"})";

std::array<float, 4> vector_of(std::uint64_t i) {
  const float x = static_cast<float>(i);
  return {x, 2 * x, 1.0F, -x};
}

Status wrong(const std::string& what) { return {StatusCode::internal, what}; }

Status fill(const std::string& path) {
  auto database = holdfast::Database::open(path);
  if (!database.ok()) return database.status();
  auto notes = database->create_collection("notes", {.dimension = 4, .metric = holdfast::Metric::l2});
  if (!notes.ok()) return notes.status();

  const auto one = notes->upsert(7, vector_of(7), kSpecial);
  if (!one.ok()) return one.status();
  holdfast::WriteBatch batch;
  for (std::uint64_t i = 0; i < kPoints; ++i) {
    if (i != 7) batch.upsert(i, vector_of(i));
  }
  const auto many = notes->write(batch);
  if (!many.ok()) return many.status();
  if (many->upserted != kPoints - 1) return wrong("the batch wrote " + std::to_string(many->upserted));
  const auto gone = notes->erase(3);
  if (!gone.ok()) return gone.status();
  return database->close();
}

Status check(const std::string& path) {
  auto database = holdfast::Database::open(path, {.create_if_missing = false});
  if (!database.ok()) return database.status();
  const auto notes = database->collection("notes");
  if (!notes.ok()) return notes.status();

  const holdfast::Snapshot snapshot = notes->snapshot();
  if (snapshot.size() != kPoints - 1) return wrong("found " + std::to_string(snapshot.size()) + " points");
  const auto hits = snapshot.search(vector_of(7), {.k = 3, .with_payload = true});
  if (!hits.ok()) return hits.status();
  if (hits->size() != 3) return wrong("found " + std::to_string(hits->size()) + " neighbors of 3");
  const holdfast::Hit& nearest = hits->front();
  if (nearest.id != holdfast::PointId(7) || nearest.distance != 0.0F) return wrong("7 is not nearest to itself");
  if (nearest.payload != kSpecial) return wrong("the payload came back as '" + nearest.payload + "'");
  if (snapshot.get(3).status().code() != StatusCode::not_found) return wrong("3 was erased and is there");
  return database->close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s <directory>\n", argv[0]);
    return 2;
  }
  for (const auto step : {fill, check}) {
    const Status status = step(argv[1]);
    if (!status.ok()) {
      std::fprintf(stderr, "stranger: %s\n", status.to_string().c_str());
      return 1;
    }
  }
  std::printf("stranger: holdfast %s works\n", HOLDFAST_VERSION_STRING);
  return 0;
}
