// make_golden_store <directory>: writes <directory>/store and <directory>/answers.json for the format of this build.
// For a new format version only: ./make_golden_store tests/golden/v2. A committed store is never written again.
#include <cstdio>
#include <fstream>

#include "golden/golden_store.h"

namespace fs = std::filesystem;

namespace {

holdfast::Status make(const fs::path& target) {
  if (fs::exists(target)) {
    return {holdfast::StatusCode::already_exists, target.string() + " exists; a golden store is written once"};
  }
  const fs::path work = target.string() + ".work";
  auto database = holdfast::testing::write_golden_store(work);
  if (!database.ok()) return database.status();
  auto answers = holdfast::testing::ask_golden_store(*database);
  if (!answers.ok()) return answers.status();
  // Copied while it is open: what a killed process leaves.
  fs::create_directories(target);
  fs::copy(work, target / "store", fs::copy_options::recursive);
  fs::remove(target / "store" / "LOCK");
  for (const fs::directory_entry& entry : fs::directory_iterator(target / "store")) {
    if (entry.is_directory()) fs::remove(entry.path() / "RESERVE");  // nothing but room
  }
  std::ofstream(target / "answers.json") << answers->dump(1) << '\n';
  holdfast::Status closed = database->close();
  fs::remove_all(work);
  return closed;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s <new directory>\n", argv[0]);
    return 2;
  }
  const holdfast::Status status = make(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.to_string().c_str());
  return status.ok() ? 0 : 1;
}
