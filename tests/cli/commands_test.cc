// The command from end to end: make, fill, ask, look, check. Every output that programs read is parsed.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cli/command.h"
#include "cli/import_files.h"

namespace holdfast::cli::test {
namespace {

constexpr std::uint64_t kSeed = 3;

class Commands : public ::testing::Test {
 protected:
  /// Runs, expects success, returns.
  static CommandResult ok(const std::vector<std::string>& arguments) {
    CommandResult result = holdfast(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments.front() << ": " << result.err;
    return result;
  }
  /// A store with one collection "points" that holds the rows under the ids 100 and up.
  void fill(const Rows& rows) {
    write_file(folder_ / "rows.fbin", bin_bytes<float>(rows));
    ok({"import", store_, "points", folder_ / "rows.fbin", "--create", "--first-id", "100"});
  }
  static double squared_distance(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
  }

  TempDir folder_;
  std::string store_ = folder_ / "store";
};

TEST_F(Commands, CreateListInfoDrop) {
  ok({"create", store_, "notes", "--dim", "3", "--metric", "cosine", "--m", "8", "--ef-construction", "64"});
  ok({"create", store_, "other", "--dim", "2", "--type", "u8"});
  EXPECT_EQ(ok({"list", store_}).out, "notes\nother\n");
  EXPECT_EQ(ok({"list", store_, "--json"}).json(), Json({"notes", "other"}));

  const Json info = ok({"info", store_, "--json"}).json();
  ASSERT_EQ(info["collections"].size(), 2U);
  const Json& notes = info["collections"][0];
  EXPECT_EQ(notes["name"], "notes");
  EXPECT_EQ(notes["dimension"], 3);
  EXPECT_EQ(notes["metric"], "cosine");
  EXPECT_EQ(notes["type"], "f32");
  EXPECT_EQ(info["collections"][1]["type"], "u8");
  EXPECT_EQ(notes["m"], 8);
  EXPECT_EQ(notes["ef_construction"], 64);
  EXPECT_EQ(notes["points"], 0);
  EXPECT_TRUE(info["quarantined"].empty());
  EXPECT_EQ(ok({"info", store_, "notes", "--json"}).json()["name"], "notes");
  EXPECT_TRUE(ok({"info", store_}).out.starts_with("collection\tpoints\tdimension\tmetric\tdisk\tlast open\n"));

  CommandResult refused = holdfast({"drop", store_, "other"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("--yes"), std::string::npos) << refused.err;
  ok({"drop", store_, "other", "--yes"});
  EXPECT_EQ(ok({"list", store_}).out, "notes\n");
  EXPECT_NE(ok({"info", store_}).out.find("notes"), std::string::npos);
}

TEST_F(Commands, ImportGetDelete) {
  const Rows rows = random_rows(250, 8, kSeed);
  fill(rows);
  const std::vector<Json> points = ok({"get", store_, "points", "100", "349", "--json"}).json_lines();
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0]["id"], 100);
  EXPECT_EQ(points[0]["vector"].get<std::vector<float>>(), rows[0]);
  EXPECT_TRUE(points[0]["payload"].is_null());
  EXPECT_EQ(points[1]["vector"].get<std::vector<float>>(), rows[249]);

  const CommandResult missing = holdfast({"get", store_, "99", "101", "--json"});  // the only collection is meant
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_TRUE(missing.is_one_error_line()) << missing.err;
  EXPECT_EQ(missing.json()["id"], 101);

  EXPECT_EQ(ok({"delete", store_, "100", "101", "101", "9999", "--json"}).json(), Json({{"asked", 3}, {"deleted", 2}}));
  EXPECT_EQ(holdfast({"get", store_, "100"}).exit_code, 1);
  EXPECT_EQ(ok({"delete", store_, "-c", "points", "100"}).out, "deleted 0 of 1 id\n");
  EXPECT_EQ(ok({"info", store_, "points", "--json"}).json()["points"], 248);
}

TEST_F(Commands, PayloadsAndUuids) {
  const std::string uuid = "018f3a5e-7c1d-7e32-9b4a-0123456789ab";
  write_file(folder_ / "n.jsonl", R"({"id":1,"vector":[1,0],"payload":{"text":"a\tb","n":1.10}})"
                                  "\n"
                                  R"({"id":")" +
                                      uuid +
                                      R"(","vector":[0,1],"payload":{"text":"ö"}})"
                                      "\n{\"id\":2,\"vector\":[5,5]}\n");
  ok({"import", store_, "notes", folder_ / "n.jsonl", "--create", "--metric", "l2"});
  EXPECT_EQ(ok({"get", store_, "1"}).out, "id\tvector\tpayload\n1\t[1, 0]\t{\"text\":\"a\\\\tb\",\"n\":1.10}\n");
  EXPECT_EQ(ok({"get", store_, uuid, "--json"}).json()["id"], uuid);

  const Json found = ok({"search", store_, "--vector", "[0, 1]", "--k", "2", "--payload", "--json"}).json();
  ASSERT_EQ(found["hits"].size(), 2U);
  EXPECT_EQ(found["hits"][0], Json({{"id", uuid}, {"distance", 0}, {"value", 0}, {"payload", {{"text", "ö"}}}}));
  EXPECT_EQ(found["hits"][1]["id"], 1);
  EXPECT_EQ(ok({"search", store_, "notes", "--vector", "-1,0.5", "--k", "1"}).out,
            "rank\tid\tdistance\n1\t" + uuid + "\t1.25\n");
}

TEST_F(Commands, SearchByVectorIdAndFile) {
  const Rows rows = random_rows(300, 8, kSeed);
  fill(rows);
  const Json by_id = ok({"search", store_, "--id", "117", "--k", "5", "--json"}).json();
  ASSERT_EQ(by_id["hits"].size(), 5U);
  EXPECT_EQ(by_id["hits"][0]["id"], 117);
  EXPECT_EQ(by_id["hits"][0]["distance"], 0);

  const Rows queries = random_rows(20, 8, kSeed + 1);
  write_file(folder_ / "q.npy", npy_bytes("<f4", shape_of(queries), packed<float>(queries)));
  const std::vector<Json> answers =
      ok({"search", store_, "points", "--file", folder_ / "q.npy", "--k", "10", "--exact", "--json"}).json_lines();
  ASSERT_EQ(answers.size(), queries.size());
  for (std::size_t q = 0; q < queries.size(); ++q) {
    EXPECT_EQ(answers[q]["query"], q);
    std::vector<double> truth;
    for (const auto& row : rows) truth.push_back(squared_distance(queries[q], row));
    std::sort(truth.begin(), truth.end());
    for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(answers[q]["hits"][i]["distance"].get<double>(), truth[i]);
  }
  const CommandResult table = ok({"search", store_, "--file", folder_ / "q.npy", "--k", "1", "--limit", "3"});
  EXPECT_TRUE(table.out.starts_with("query\trank\tid\tdistance\n0\t1\t")) << table.out;
  EXPECT_EQ(std::count(table.out.begin(), table.out.end(), '\n'), 4);
}

TEST_F(Commands, CheckpointVerifyLog) {
  const Rows rows = random_rows(100, 4, kSeed);
  write_file(folder_ / "rows.fvecs", packed<float>(rows, true));
  ok({"import", store_, "points", folder_ / "rows.fvecs", "--create", "--batch", "10"});
  const Json checkpoint = ok({"checkpoint", store_, "--json"}).json();
  EXPECT_EQ(checkpoint["collection"], "points");
  ok({"delete", store_, "3"});
  const Json sound = ok({"verify", store_, "--json"}).json();
  EXPECT_EQ(sound["sound"], true);
  EXPECT_GE(sound["points"].get<int>(), 99);
  EXPECT_TRUE(ok({"verify", store_}).out.find("sound: ") != std::string::npos);

  const std::vector<Json> entries = ok({"log", store_, "points", "--json"}).json_lines();
  const Json info = ok({"info", store_, "points", "--json"}).json();
  std::uint64_t batches = 0, last_lsn = 0;
  for (const Json& entry : entries) {
    if (entry["kind"] == "batch") ++batches;
    if (entry["kind"] == "batch" || entry["kind"] == "mark") last_lsn = entry["lsn"];
  }
  EXPECT_GE(batches, 1U);
  EXPECT_EQ(last_lsn, info["last_lsn"]);
  for (const Json& entry : ok({"log", store_, "points", "--from", "5", "--json"}).json_lines()) {
    if (entry["kind"] == "batch") {
      EXPECT_GE(entry["lsn"].get<int>(), 5);
    }
  }
  EXPECT_EQ(ok({"log", store_, "points", "--limit", "2", "--json"}).json_lines().size(), 2U);
  EXPECT_TRUE(ok({"log", store_}).out.starts_with("lsn\tkind\t"));  // the only collection is meant
}

TEST_F(Commands, Bench) {
  fill(random_rows(400, 8, kSeed));
  const Json report =
      ok({"bench", store_, "--ef", "10,400", "--count", "50", "--k", "5", "--threads", "2", "--json"}).json();
  EXPECT_EQ(report["queries"], 50);
  EXPECT_EQ(report["points"], 400);
  ASSERT_EQ(report["results"].size(), 2U);
  for (const Json& row : report["results"]) {
    EXPECT_GT(row["recall"].get<double>(), 0.5);
    EXPECT_LE(row["recall"].get<double>(), 1.0);
    EXPECT_GT(row["qps"].get<double>(), 0);
    EXPECT_LE(row["p50_ms"].get<double>(), row["p99_9_ms"].get<double>());
  }
  EXPECT_EQ(report["results"][1]["recall"], 1.0);
  const Rows queries = random_rows(7, 8, kSeed + 1);
  write_file(folder_ / "q.bvecs", packed<std::uint8_t>(queries, true));
  EXPECT_EQ(ok({"bench", store_, "--queries", folder_ / "q.bvecs", "--ef", "50", "--json"}).json()["queries"], 7);
  EXPECT_TRUE(ok({"bench", store_, "--ef", "50", "--count", "10"}).out.starts_with("ef\trecall@10\tQPS\t"));
}

TEST_F(Commands, HelpAndVersion) {
  EXPECT_TRUE(ok({"version"}).out.starts_with("holdfast "));
  EXPECT_EQ(ok({"--version"}).out, ok({"version"}).out);
  const std::string help = ok({"--help"}).out;
  EXPECT_NE(help.find("Exit codes:"), std::string::npos);
  for (const char* command : {"create", "import", "search", "get", "delete", "list", "info", "drop", "checkpoint",
                              "verify", "log", "bench"}) {
    EXPECT_NE(help.find(command), std::string::npos) << command;
    EXPECT_NE(ok({command, "--help"}).out.find("Example"), std::string::npos) << command;
  }
}

TEST_F(Commands, BackupAndRestore) {
  const Rows rows = random_rows(200, 8, kSeed);
  fill(rows);
  const std::string target = folder_ / "backup";
  const Json first = ok({"backup", store_, target, "--json"}).json();
  EXPECT_EQ(first["collections"], 1);
  EXPECT_GT(first["files_linked"].get<int>() + first["files_copied"].get<int>(), 0);
  const Json again = ok({"backup", store_, target, "--json"}).json();
  EXPECT_EQ(again["files_linked"], 0);
  EXPECT_GT(again["files_kept"], 0);
  EXPECT_TRUE(ok({"backup", store_, folder_ / "copy", "--copy"}).out.starts_with("1 collection in "));

  const std::string restored = folder_ / "restored";
  EXPECT_EQ(ok({"restore", target, restored, "--json"}).json()["collections"], Json({"points"}));
  EXPECT_EQ(ok({"get", restored, "117", "--json"}).json()["vector"].get<std::vector<float>>(), rows[17]);
  EXPECT_EQ(ok({"verify", restored}).exit_code, 0);

  for (const auto& [arguments, word] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"backup", store_, restored}, "choose"},
           {{"restore", target, restored}, "choose"},
           {{"backup", store_, store_}, "choose another directory"},
           {{"backup", store_, folder_ / "no/such/place"}, "make the directory above"}}) {
    const CommandResult refused = holdfast(arguments);
    EXPECT_EQ(refused.exit_code, 2) << refused.err;
    EXPECT_TRUE(refused.is_one_error_line()) << refused.err;
    EXPECT_NE(refused.err.find(word), std::string::npos) << refused.err;
  }
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"info", folder_ / "nothing"},
                                                                     {"backup", folder_ / "nothing", target},
                                                                     {"restore", folder_ / "nothing", target}}) {
    const CommandResult refused = holdfast(arguments);
    EXPECT_EQ(refused.exit_code, 3) << refused.err;
    EXPECT_NE(refused.err.find("check the path"), std::string::npos) << refused.err;
  }
}

TEST_F(Commands, ADeadlineIsReportedWithTheAnswer) {
  fill(random_rows(50, 8, kSeed));
  const Json found = ok({"search", store_, "--id", "117", "--deadline-ms", "60000", "--json"}).json();
  EXPECT_EQ(found["partial"], false);
  EXPECT_EQ(found["hits"][0]["id"], 117);
  EXPECT_FALSE(ok({"search", store_, "--id", "117", "--json"}).json().contains("partial"));
}

TEST_F(Commands, InfoShowsTheMeters) {
  fill(random_rows(50, 8, kSeed));
  const Json info = ok({"info", store_, "points", "--json"}).json();
  for (const char* name : {"values", "free_slots", "dead_in_graph", "retained_bytes", "reclaim_backlog",
                           "pinned_snapshots", "oldest_snapshot_lsn", "oldest_snapshot_age_ms", "expired_snapshots",
                           "vacuumed_slots", "writer_stalls", "writer_stall_us"}) {
    EXPECT_TRUE(info.contains(name) && info[name].is_number()) << name;
  }
  const std::string text = ok({"info", store_, "points"}).out;
  for (const char* word : {"snapshots", "vacuumed", "stall"}) EXPECT_NE(text.find(word), std::string::npos) << text;
}

TEST_F(Commands, SearchWithinARadius) {
  write_file(folder_ / "n.jsonl", "{\"id\":1,\"vector\":[0]}\n{\"id\":2,\"vector\":[1]}\n{\"id\":3,\"vector\":[3]}\n");
  ok({"import", store_, "n", folder_ / "n.jsonl", "--create"});
  const Json found = ok({"search", store_, "--vector", "0", "--radius", "1", "--json"}).json();
  ASSERT_EQ(found["hits"].size(), 2U);
  EXPECT_EQ(found["hits"][1]["id"], 2);
  EXPECT_EQ(ok({"search", store_, "--vector", "0", "--radius", "9", "--k", "1", "--json"}).json()["hits"].size(), 1U);
}

TEST_F(Commands, SeveralVectorsOfAPoint) {
  write_file(folder_ / "n.jsonl", "{\"id\":1,\"vectors\":[[0,1],[5,5]]}\n{\"id\":2,\"vector\":[1,1]}\n");
  ok({"import", store_, "n", folder_ / "n.jsonl", "--create"});
  EXPECT_EQ(ok({"get", store_, "1", "--json"}).json()["vectors"], Json::parse("[[0,1],[5,5]]"));
  EXPECT_EQ(ok({"get", store_, "1"}).out, "id\tvector\tpayload\n1\t[0, 1] [5, 5]\t\n");
  const Json found = ok({"search", store_, "--vector", "5,5", "--k", "5", "--json"}).json();
  ASSERT_EQ(found["hits"].size(), 2U);
  EXPECT_EQ(found["hits"][0]["id"], 1);
  EXPECT_EQ(found["hits"][0]["value"], 1);
  EXPECT_EQ(found["hits"][1]["value"], 0);
  EXPECT_EQ(ok({"search", store_, "--vector", "5,5", "--k", "5"}).out, "rank\tid\tdistance\n1\t1[1]\t0\n2\t2\t32\n");
  EXPECT_EQ(ok({"info", store_, "--json"}).json()["collections"][0]["values"], 3);
}

TEST_F(Commands, VacuumTakesTheDeadOutOfTheGraph) {
  fill(random_rows(200, 8, kSeed));
  ok({"delete", store_, "100", "101", "102", "103", "104"});
  const Json done = ok({"vacuum", store_, "points", "--json"}).json();
  EXPECT_EQ(done["collection"], "points");
  EXPECT_EQ(done["after"]["dead_in_graph"], 0);
  EXPECT_TRUE(ok({"vacuum", store_}).out.find("after") != std::string::npos);
  EXPECT_EQ(ok({"verify", store_}).exit_code, 0);
}

}  // namespace
}  // namespace holdfast::cli::test
