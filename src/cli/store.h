// Opening a store for a command and finding the collection that it means.
//
// Every command takes the store first. Where a collection is needed its name may follow, or stand after
// --collection, or be left out if the store has exactly one.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "holdfast/database.h"

namespace holdfast::cli {

/// The positionals of commands on one collection that take nothing else.
struct StoreArguments {
  std::string store;
  std::string collection;
  void add_to(CLI::App& command, bool with_collection = true);
};

/// The positionals of commands that take a list as well: STORE [COLLECTION] WORD...
struct WordArguments {
  std::string store;
  std::string collection;
  std::vector<std::string> words;
  void add_to(CLI::App& command, const std::string& word_name, const std::string& word_help);
};

enum class Access : unsigned char {
  read,    ///< leaves no checkpoint behind at close
  write,   ///< checkpoints at close
  create,  ///< makes the store if there is none
};

[[nodiscard]] OpenOptions open_options(Access access);
[[nodiscard]] Result<Database> open_store(const std::string& path, const OpenOptions& options);
/// `name` empty: the only one. Errors: not_found, invalid_argument (several), the reason of a quarantine.
[[nodiscard]] Result<Collection> choose_collection(const Database& database, const std::string& store,
                                                   const std::string& name);
/// The collection of a word command; takes its name out of `arguments.words` if it stands there: the first word is
/// the collection if the store has one of that name.
[[nodiscard]] Result<Collection> choose_collection(const Database& database, WordArguments& arguments);

/// Closes whatever the outcome was; the first error of the two.
[[nodiscard]] Status close_store(Database& database, Status outcome);

}  // namespace holdfast::cli
