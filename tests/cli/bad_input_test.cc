// What goes wrong for users: each case is one line on stderr that says what and what to do, the documented exit code,
// and a store as it was before.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <span>

#include "base/checksum.h"
#include "cli/command.h"
#include "cli/import_files.h"
#include "holdfast/database.h"

namespace holdfast::cli::test {
namespace {

constexpr std::uint64_t kSeed = 5;

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "good.fbin", bin_bytes<float>(random_rows(10, 4, kSeed)));
    ASSERT_EQ(holdfast({"import", store_, "points", folder_ / "good.fbin", "--create"}).exit_code, 0);
  }
  static void expect_error(const std::vector<std::string>& arguments, int exit_code, std::string_view part) {
    const CommandResult result = holdfast(arguments);
    std::string command;
    for (const std::string& argument : arguments) command += argument + " ";
    EXPECT_EQ(result.exit_code, exit_code) << command << "\n" << result.err;
    EXPECT_TRUE(result.is_one_error_line()) << command << "\n" << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << command << "\nno '" << part << "' in " << result.err;
    EXPECT_EQ(result.out, "") << command;
  }
  void expect_import_error(const std::string& name, std::string_view bytes, std::string_view part) {
    expect_error({"import", store_, "points", write_file(folder_ / name, bytes)}, 4, part);
  }
  [[nodiscard]] std::uint64_t points() const {
    const CommandResult result = holdfast({"info", store_, "points", "--json"});
    return result.exit_code == 0 ? result.json()["points"].get<std::uint64_t>() : 0;
  }

  TempDir folder_;
  std::string store_ = folder_ / "store";
};

TEST_F(BadInput, ImportFilesThatAreWrong) {
  const std::string good = read_file(folder_ / "good.fbin");
  expect_error({"import", store_, "points", folder_ / "none.npy"}, 4, "cannot open");
  expect_import_error("cut.fbin", std::string_view(good).substr(0, good.size() - 3), "truncated");
  expect_import_error("magic.npy", good, "does not begin like an npy file");
  expect_import_error("text.hdf5", "text", "no readable HDF5 file");
  expect_import_error("x.csv", "1,2,3,4", "--format");
  EXPECT_EQ(points(), 10U);
}

TEST_F(BadInput, BadFilesLeaveNoStoreBehind) {
  const std::string store = folder_ / "fresh";
  expect_error({"import", store, "points", write_file(folder_ / "cut.npy", "\x93NUMPY"), "--create"}, 4, "too short");
  EXPECT_FALSE(std::filesystem::exists(store));
}

TEST_F(BadInput, OtherDimension) {
  const std::string wide = write_file(folder_ / "wide.fbin", bin_bytes<float>(random_rows(3, 5, kSeed)));
  expect_error({"import", store_, "points", wide}, 2, "have 5 components, those of 'points' have 4");
  expect_error({"search", store_, "points", "--file", wide}, 4, "have 5 components");
  expect_error({"search", store_, "points", "--vector", "1,2,3,4", "--recall", "1.5"}, 2, "--recall must be above 0");
  expect_error({"search", store_, "points", "--vector", "1,2,3,4", "--recall", "0.9", "--ef", "50"}, 2,
               "leave out --ef");
  expect_error({"search", store_, "points", "--vector", "1,2,3,4", "--preset", "slow"}, 2, "'slow' is no preset");
  expect_error({"create", store_, "bytes", "--dim", "4", "--type", "u16"}, 2, "'u16' is no type of components");
  expect_error({"search", store_, "points", "--vector", "1,2,3"}, 2, "has 3 components, those of 'points' have 4");
  expect_error({"bench", store_, "points", "--queries", wide}, 4, "have 5 components");
  EXPECT_EQ(points(), 10U);
}

TEST_F(BadInput, RowsThatAreNotFiniteEndTheImportAfterTheRowsBefore) {
  Rows rows = random_rows(30, 4, kSeed);
  rows[20][1] = std::numeric_limits<float>::quiet_NaN();
  const std::string path = write_file(folder_ / "nan.fbin", bin_bytes<float>(rows));
  expect_error({"import", store_, path, "--first-id", "1000", "--batch", "7"}, 4, "row 20 holds NaN in component 1");
  EXPECT_EQ(points(), 30U);  // 10 and the 20 before the bad one
  EXPECT_EQ(holdfast({"get", store_, "1019"}).exit_code, 0);
  EXPECT_EQ(holdfast({"get", store_, "1020"}).exit_code, 1);
}

TEST_F(BadInput, ZeroVectorsUnderCosineNameTheRow) {
  Rows rows = random_rows(5, 4, kSeed);
  rows[3] = {0, 0, 0, 0};
  const std::string path = write_file(folder_ / "zero.fbin", bin_bytes<float>(rows));
  expect_error({"import", store_, "angles", path, "--create", "--metric", "cosine"}, 4, "row 3 is a zero vector");
}

TEST_F(BadInput, LinesThatAreWrong) {
  const std::string good = "{\"id\":50,\"vector\":[1,2,3,4]}\n";
  expect_import_error("a.jsonl", good + "{\"id\":51,\"vector\":[1,2,3,\n", "line 2: is no valid JSON");
  expect_import_error("b.jsonl", good + "{\"id\":51,\"vector\":[1,2,3,\"4\"]}\n", "line 2: its vector holds a string");
  expect_import_error("c.jsonl", good + "{\"id\":-5,\"vector\":[1,2,3,4]}\n", "line 2: its id");
  expect_import_error("d.jsonl", good + "{\"vector\":[1,2,3,4]}\n", "line 2: has no member 'id'");
  expect_import_error("e.jsonl", good + "{\"id\":5,\"vector\":[1,2,3,4],\"payload\":[]}\n", "line 2: its payload");
  expect_import_error("f.jsonl", good + "{\"id\":5,\"vector\":[1,2,3]}\n", "line 2: its vector has 3 components");
  EXPECT_EQ(points(), 11U);  // line 1 of each file is the same point
}

TEST_F(BadInput, RepeatedIdsInOneFileLastLineWins) {
  const std::string path = write_file(folder_ / "twice.jsonl",
                                      "{\"id\":70,\"vector\":[1,1,1,1]}\n{\"id\":71,\"vector\":[2,2,2,2]}\n"
                                      "{\"id\":70,\"vector\":[3,3,3,3]}\n");
  ASSERT_EQ(holdfast({"import", store_, path}).exit_code, 0);
  EXPECT_EQ(points(), 12U);
  EXPECT_EQ(holdfast({"get", store_, "70", "--json"}).json()["vector"], Json({3, 3, 3, 3}));
}

TEST_F(BadInput, CollectionsAndPoints) {
  expect_error({"search", store_, "nothing", "--vector", "1,2,3,4"}, 1, "there is no collection 'nothing'");
  expect_error({"info", store_, "nothing"}, 1, "there are points");
  expect_error({"get", store_, "nothing", "17"}, 2, "'nothing' is no point id");
  expect_error({"get", store_, "nothing", "17"}, 2, "has no collection of that name: there are points");
  expect_error({"delete", store_, "nothing"}, 2, "has no collection of that name: there are points");
  expect_error({"get", store_, "points"}, 2, "no id is given");
  expect_error({"search", store_, "--id", "12345"}, 1, "there is no point 12345");
  expect_error({"search", store_, "--id", "x"}, 2, "'x' is no point id");
  expect_error({"create", store_, "points", "--dim", "4"}, 3, "points");
  expect_error({"create", store_, ".hidden", "--dim", "4"}, 2, ".hidden");
  expect_error({"log", store_, "nothing"}, 1, "there is no collection 'nothing'");
  expect_error({"verify", store_, "nothing"}, 2, "there is no collection 'nothing'");
  ASSERT_EQ(holdfast({"create", store_, "second", "--dim", "4"}).exit_code, 0);
  expect_error({"search", store_, "--vector", "1,2,3,4"}, 2, "name one of points, second");
  expect_error({"log", store_}, 1, "which collection is meant");
  expect_error({"import", store_, "points", folder_ / "good.fbin", "--create", "--metric", "cosine"}, 2, "by l2");
}

TEST_F(BadInput, NumbersOutOfRange) {
  const std::vector<std::string> search{"search", store_, "--vector", "1,2,3,4"};
  const auto with = [&](const char* option, const char* value) {
    std::vector<std::string> arguments = search;
    arguments.insert(arguments.end(), {option, value});
    return arguments;
  };
  expect_error(with("--k", "0"), 2, "--k 0 is out of range");
  expect_error(with("--k", "65537"), 2, "--k 65537 is out of range");
  expect_error(with("--k", "99999999999999999999"), 2, "--k");
  expect_error(with("--k", "-1"), 2, "--k");
  expect_error(with("--deadline-ms", "-5"), 2, "'-5' is negative");
  expect_error({"import", store_, folder_ / "good.fbin", "--limit", "-1"}, 2, "'-1' is negative");
  expect_error({"import", store_, folder_ / "good.fbin", "--first-id=-3"}, 2, "'-3' is negative");
  expect_error({"log", store_, "--from", "-1"}, 2, "'-1' is negative");
  expect_error({"log", store_, "--limit", "-1"}, 2, "'-1' is negative");
  expect_error(with("--limit", "-2"), 2, "'-2' is negative");
  expect_error(with("--ef", "0"), 2, "--ef 0 is out of range");
  expect_error(with("--ef", "65537"), 2, "--ef 65537 is out of range");
  expect_error({"bench", store_, "--ef", "10,0"}, 2, "--ef 0 is out of range");
  expect_error({"bench", store_, "--threads", "0"}, 2, "--threads 0 is out of range");
  expect_error({"create", store_, "x", "--dim", "0"}, 2, "--dim 0 is out of range");
  expect_error({"create", store_, "x", "--dim", "65537"}, 2, "--dim 65537");
  expect_error({"create", store_, "x", "--dim", "4", "--m", "1"}, 2, "--m 1");
  expect_error({"create", store_, "x", "--dim", "4", "--metric", "manhattan"}, 2, "is no metric");
  expect_error({"import", store_, folder_ / "good.fbin", "--batch", "0"}, 2, "--batch 0");
  expect_error({"import", store_, folder_ / "good.fbin", "--durability", "maybe"}, 2, "is no durability");
  expect_error({"import", store_, folder_ / "good.fbin", "--format", "csv"}, 2, "'csv' is no format");
  expect_error({"import", store_, folder_ / "good.fbin", "--first-id", "18446744073709551610"}, 4, "beyond 2^64");
}

TEST_F(BadInput, WrongUsage) {
  expect_error({}, 2, "--help");
  expect_error({"find"}, 2, "'find' is no command: see 'holdfast --help'");
  expect_error({"search"}, 2, "holdfast search --help");
  expect_error({"search", store_, "--nonsense"}, 2, "nonsense");
  expect_error({"search", store_}, 2, "one of --vector, --id and --file");
  expect_error({"search", store_, "--id", "1", "--vector", "1,2,3,4"}, 2, "one of --vector, --id and --file");
  expect_error({"search", store_, "--vector", "1,2,three,4"}, 2, "component 2");
}

TEST_F(BadInput, DirectoriesThatAreNoStore) {
  std::filesystem::create_directory(folder_ / "photos");
  write_file(folder_ / "photos/cat.jpg", "meow");
  expect_error({"info", folder_ / "photos"}, 3, "photos");
  expect_error({"info", folder_ / "missing"}, 3, "missing");
  expect_error({"info", folder_ / "good.fbin"}, 3, "good.fbin");
  expect_error({"create", folder_ / "photos", "x", "--dim", "4"}, 3, "photos");
  expect_error({"create", folder_ / "none/store", "x", "--dim", "4"}, 3, "make the directory above it");
  expect_error({"verify", folder_ / "photos"}, 2, "photos");
  expect_error({"log", folder_ / "photos", "points"}, 3, "photos");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "missing"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "photos"), {}), 1);
}

/// A CATALOG as a later release might write it: head of 32 bytes (version at 8, checksum at 24), then the body.
std::string with_version(std::string catalog, std::uint32_t version) {
  constexpr std::size_t kHeadBytes = 32, kVersionAt = 8, kChecksumAt = 24;
  const std::uint64_t none = 0;
  std::memcpy(catalog.data() + kVersionAt, &version, sizeof version);
  std::memcpy(catalog.data() + kChecksumAt, &none, sizeof none);
  const auto bytes = std::as_bytes(std::span(catalog));
  const std::uint64_t checksum = checksum64(bytes.subspan(kHeadBytes), checksum64(bytes.first(kHeadBytes)));
  std::memcpy(catalog.data() + kChecksumAt, &checksum, sizeof checksum);
  return catalog;
}

TEST_F(BadInput, StoreOfANewerFormat) {
  const std::string mine = read_file(store_ + "/CATALOG");
  ASSERT_GT(mine.size(), 32U);
  const std::string catalog = with_version(mine, 99);
  write_file(store_ + "/CATALOG", catalog);
  expect_error({"info", store_}, 3, "version 99");
  expect_error({"import", store_, folder_ / "good.fbin", "--restart"}, 3, "use a newer holdfast");
  expect_error({"verify", store_}, 2, "version 99");
  EXPECT_EQ(read_file(store_ + "/CATALOG"), catalog);
}

/// One wrong bit in each file of the checkpoints, one file after the other.
TEST_F(BadInput, DamageIsNamedByVerify) {
  ASSERT_EQ(holdfast({"checkpoint", store_}).exit_code, 0);
  int damaged_files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(store_)) {
    const std::string path = entry.path().string();
    if (entry.path().extension() != ".ext") continue;
    const std::string sound = read_file(path);
    std::string bytes = sound;
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_file(path, bytes);
    const CommandResult result = holdfast({"verify", store_, "--json"});
    EXPECT_EQ(result.exit_code, 1) << path << result.err;
    const Json report = result.json();
    EXPECT_EQ(report["sound"], false);
    bool named = false;
    for (const Json& finding : report["findings"]) {
      named = named || (finding["severity"] == "damage" && path.ends_with(finding["file"].get<std::string>()) &&
                        finding["collection"] == "points");
    }
    EXPECT_TRUE(named) << path << "\n" << result.out;
    write_file(path, sound);
    ++damaged_files;
  }
  EXPECT_GT(damaged_files, 0);
  EXPECT_EQ(holdfast({"verify", store_}).exit_code, 0);
}

TEST_F(BadInput, ADamagedPageIsOneFindingNotOneOfEachPointInIt) {
  std::string lines;
  for (int id = 0; id < 300; ++id) {
    lines += "{\"id\":" + std::to_string(id) + ",\"vector\":[1,2,3," + std::to_string(id) + "],\"payload\":{\"t\":\"" +
             std::string(20, 'x') + "\"}}\n";
  }
  const std::string store = folder_ / "payloads";
  ASSERT_EQ(holdfast({"import", store, "points", write_file(folder_ / "p.jsonl", lines), "--create"}).exit_code, 0);
  ASSERT_EQ(holdfast({"checkpoint", store}).exit_code, 0);
  int payload_files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(store)) {
    const std::string path = entry.path().string();
    if (entry.path().extension() != ".ext") continue;
    const std::string sound = read_file(path);
    std::string bytes = sound;
    const std::size_t text = bytes.find("xxxx");
    if (text == std::string::npos) continue;
    bytes[text] = 'y';
    write_file(path, bytes);
    const CommandResult result = holdfast({"verify", store, "--json"});
    EXPECT_EQ(result.exit_code, 1) << path << result.err;
    EXPECT_EQ(result.json()["findings"].size(), 1U) << result.out;
    write_file(path, sound);
    ++payload_files;
  }
  EXPECT_GT(payload_files, 0);
}

TEST_F(BadInput, QuarantinedCollectionsAreNamed) {
  ASSERT_EQ(holdfast({"create", store_, "other", "--dim", "2"}).exit_code, 0);
  std::string directory;  // of "points": the manifest of the empty collection names no extents and is small
  for (const auto& entry : std::filesystem::recursive_directory_iterator(store_)) {
    const bool is_manifest = entry.path().filename().string().starts_with("manifest-");
    if (is_manifest && entry.file_size() > 300) directory = entry.path().parent_path();
  }
  ASSERT_NE(directory, "");
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!entry.path().filename().string().starts_with("manifest-")) continue;
    std::string bytes = read_file(entry.path());
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file(entry.path(), bytes);
  }
  const CommandResult result = holdfast({"info", store_, "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json info = result.json();
  ASSERT_EQ(info["quarantined"].size(), 1U) << result.out;
  EXPECT_EQ(info["quarantined"][0]["name"], "points");
  EXPECT_EQ(info["quarantined"][0]["code"], "data_damaged");
  EXPECT_EQ(info["collections"][0]["name"], "other");
  EXPECT_NE(holdfast({"info", store_}).out.find("quarantined: points: "), std::string::npos);
  const CommandResult partial = holdfast({"backup", store_, folder_ / "target", "--json"});
  EXPECT_EQ(partial.exit_code, 1);
  EXPECT_TRUE(partial.is_one_error_line()) << partial.err;
  EXPECT_NE(partial.err.find("not backed up: collection points: "), std::string::npos) << partial.err;
  EXPECT_EQ(partial.json()["collections"], 1);
  EXPECT_EQ(partial.json()["failed"].size(), 1U);
  EXPECT_EQ(holdfast({"list", folder_ / "target"}).out, "other\n");
  expect_error({"search", store_, "points", "--vector", "1,2,3,4"}, 1, "see 'holdfast repair' for what can be saved");
  EXPECT_EQ(holdfast({"search", store_, "other", "--vector", "1,2"}).exit_code, 0);
}

TEST_F(BadInput, StoreInUse) {
  OpenOptions options;
  options.create_if_missing = false;
  const Result<Database> holder = Database::open(store_, options);
  ASSERT_TRUE(holder.ok()) << holder.status().to_string();
  for (const char* command : {"info", "list", "checkpoint"})
    expect_error({command, store_}, 3, std::to_string(getpid()));
  expect_error({"get", store_, "1"}, 3, "close the store there");
  expect_error({"verify", store_}, 2, std::to_string(getpid()));
}

}  // namespace
}  // namespace holdfast::cli::test
