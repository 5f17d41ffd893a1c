#include "cli/store.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "cli/text.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

bool is_collection(const Database& database, const std::string& name) {
  const std::vector<std::string> names = database.collections();
  if (std::find(names.begin(), names.end(), name) != names.end()) return true;
  const std::vector<QuarantinedCollection> bad = database.quarantined();
  return std::any_of(bad.begin(), bad.end(), [&](const QuarantinedCollection& q) { return q.name == name; });
}

}  // namespace

void StoreArguments::add_to(CLI::App& command, bool with_collection) {
  command.add_option("STORE", store, "Directory of the store")->required();
  if (with_collection) {
    command.add_option("COLLECTION,-c,--collection", collection, "Collection; may be left out if the store has one");
  }
}

void WordArguments::add_to(CLI::App& command, const std::string& word_name, const std::string& word_help) {
  command.add_option("STORE", store, "Directory of the store")->required();
  command.add_option("[COLLECTION] " + word_name, words, word_help)->required();
  command.add_option("-c,--collection", collection, "Collection; may be left out if the store has one");
}

OpenOptions open_options(Access access) {
  OpenOptions options;
  options.create_if_missing = access == Access::create;
  options.checkpoint_on_close = access != Access::read;
  return options;
}

Result<Database> open_store(const std::string& path, const OpenOptions& options) {
  std::error_code ignored;  // a path that cannot be examined is the engine's to explain
  if (!options.create_if_missing && !std::filesystem::exists(path, ignored) && !ignored) {
    return Status(StatusCode::not_a_store, path + ": there is nothing at this path");
  }
  Result<Database> opened = Database::open(path, options);
  if (options.create_if_missing && opened.status().code() == StatusCode::not_found) {
    return Status(StatusCode::not_a_store,  // no directory to make it in
                  std::string(opened.status().message()) + ": make the directory above it first");
  }
  return opened;
}

Result<Collection> choose_collection(const Database& database, const std::string& store, const std::string& name) {
  const std::vector<std::string> names = database.collections();
  const std::vector<QuarantinedCollection> quarantined = database.quarantined();
  for (const QuarantinedCollection& bad : quarantined) {
    if (bad.name == name || (name.empty() && names.empty() && quarantined.size() == 1)) {
      return bad.status.with_context("collection '" + bad.name + "'");
    }
  }
  if (!name.empty()) {
    if (std::find(names.begin(), names.end(), name) != names.end()) return database.collection(name);
    return Status(StatusCode::not_found,
                  store + ": there is no collection '" + name +
                      "': " + (names.empty() ? "make it with 'holdfast create'" : "there are " + join(names)));
  }
  if (names.empty()) {
    return Status(StatusCode::not_found, store + ": the store has no collection: make one with 'holdfast create'");
  }
  if (names.size() > 1 || !quarantined.empty()) {
    return Status(StatusCode::invalid_argument, store + ": which collection is meant: name one of " + join(names));
  }
  return database.collection(names.front());
}

Result<Collection> choose_collection(const Database& database, WordArguments& arguments) {
  if (arguments.collection.empty() && is_collection(database, arguments.words.front())) {
    arguments.collection = arguments.words.front();
    arguments.words.erase(arguments.words.begin());
  } else if (arguments.collection.empty() && !PointId::parse(arguments.words.front()).ok()) {
    const std::string& word = arguments.words.front();
    const std::vector<std::string> names = database.collections();
    return Status(StatusCode::invalid_argument, "'" + word + "' is no point id, and " + arguments.store +
                                                    " has no collection of that name: " +
                                                    (names.empty() ? "it has none" : "there are " + join(names)));
  }
  return choose_collection(database, arguments.store, arguments.collection);
}

Status close_store(Database& database, Status outcome) {
  Status closed = database.close();
  return outcome.ok() ? std::move(closed) : std::move(outcome);
}

}  // namespace holdfast::cli
