#include <holdfast/holdfast.hpp>
#include <iostream>
#include <vector>
using namespace holdfast;

int main() {
  auto store = Database::open("hello.store");
  if (!store.ok()) return std::cerr << store.status().to_string() << '\n', 1;
  auto animals = store->create_collection("animals", {.dimension = 3, .metric = Metric::cosine});
  if (!animals.ok()) animals = store->collection("animals");  // it was there already: the second run
  WriteBatch batch;                                           // all of it or nothing, whatever happens
  batch.upsert(1, std::vector{0.9F, 0.1F, 0.0F}, R"({"name": "dog"})");
  batch.upsert(2, std::vector{0.8F, 0.3F, 0.1F}, R"({"name": "wolf"})");
  batch.upsert(3, std::vector{0.0F, 0.2F, 0.9F}, R"({"name": "trout"})");
  if (auto receipt = animals->write(batch); !receipt.ok()) return std::cerr << receipt.status().to_string() << '\n', 1;
  auto hits = animals->search(std::vector{1.0F, 0.2F, 0.0F}, {.k = 2, .with_payload = true});
  for (const Hit& hit : hits.value()) std::cout << hit.distance << "  " << hit.payload << '\n';
}
