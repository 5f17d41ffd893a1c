// What the commands share: numbers and vectors as text, JSON, tables, progress, identities of files, notes of imports.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/bench_run.h"
#include "cli/import/file_identity.h"
#include "cli/import_run.h"
#include "cli/json_text.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/source_reading.h"
#include "cli/table.h"
#include "cli/text.h"

namespace holdfast::cli::test {
namespace {

TEST(Text, ParsesVectors) {
  const std::vector<float> expected{0.5F, -2, 3e4F};
  for (const char* text : {"[0.5, -2, 3e4]", "0.5,-2,3e4", " [ 0.5 -2\t+3e4 ] ", "0.5 -2 3e4"}) {
    const Result<std::vector<float>> vector = parse_vector(text);
    ASSERT_TRUE(vector.ok()) << text << ": " << vector.status().to_string();
    EXPECT_EQ(*vector, expected) << text;
  }
  for (const char* text : {"", "[]", "[", "]", "[1,2", "1,2]", "1,x", "nan", "1,inf", "1e99", "0x10", "1;2"}) {
    EXPECT_FALSE(parse_vector(text).ok()) << text;
  }
  expect_message(std::string(parse_vector("1,2,abc").status().message()), "component 2 of the vector, 'abc'");
}

TEST(Text, FormatsForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(18446744073709551615ULL), "18,446,744,073,709,551,615");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(18446744073709551615ULL), "16.0 EiB");
  EXPECT_EQ(human_duration(7), "0:07");
  EXPECT_EQ(human_duration(3723), "1:02:03");
  EXPECT_EQ(counted(1, "row"), "1 row");
  EXPECT_EQ(counted(1234, "row"), "1,234 rows");
  EXPECT_EQ(counted(0, "query"), "0 queries");
  EXPECT_EQ(abbreviate(std::vector<float>{1, 0.5F}), "[1, 0.5]");
  EXPECT_EQ(abbreviate(std::vector<float>(384, 0.1F), 2), "[0.1, 0.1, ... 384 components]");
}

TEST(Text, ChecksRanges) {
  EXPECT_TRUE(check_range("--k", 1, 1, 5).ok());
  EXPECT_TRUE(check_range("--k", 5, 1, 5).ok());
  EXPECT_EQ(check_range("--k", 0, 1, 5).message(), "--k 0 is out of range: give 1 to 5");
  EXPECT_FALSE(check_range("--k", 6, 1, 5).ok());
}

TEST(JsonText, IsReadBackExactly) {
  for (const float value : {0.1F, 1.0F, -3.25e-30F, 3.4028235e38F, 1e-45F, 16777216.0F}) {
    EXPECT_EQ(static_cast<float>(nlohmann::json::parse(json_number(value)).get<double>()), value);
  }
  EXPECT_EQ(json_number(0.1F), "0.1");
  EXPECT_EQ(json_number(std::numeric_limits<float>::infinity()), "null");
  EXPECT_EQ(json_string("a\"b\n"), R"("a\"b\n")");
  EXPECT_EQ(json_id(PointId(7)), "7");
  EXPECT_EQ(json_payload(""), "null");
  EXPECT_EQ(json_payload("{\n \"a\": 1.10}"), "{  \"a\": 1.10}");
  EXPECT_EQ(JsonObject().number("a", 1).text("b", "x").boolean("c", true).str(), R"({"a":1,"b":"x","c":true})");
  EXPECT_EQ(JsonObject().str(), "{}");
  EXPECT_EQ(JsonArray().raw("1").raw("2").str(), "[1,2]");
}

TEST(Table, AlignsForPeople) {
  Table table({{"id", Table::Align::right}, {"word"}});
  table.add({"7", "sea"});
  table.add({"1234", "shöe\tmaker"});
  EXPECT_EQ(table.aligned(0), "  id  word\n   7  sea\n1234  shöe maker\n");
  EXPECT_EQ(table.aligned(9), "  id  wo…\n   7  sea\n1234  sh…\n");
}

TEST(Table, SeparatesByTabsForPrograms) {
  Table table({{"id"}, {"word"}});
  table.add({"7", "a\tb\\c\nd"});
  EXPECT_EQ(table.tab_separated(), "id\tword\n7\ta\\tb\\\\c\\nd\n");
}

TEST(Progress, ShowsRateAndTimeLeftOfThisRun) {
  ProgressState state{"importing", "rows", 600, 400, 0.6, 0.4, 2.0};
  EXPECT_EQ(render_plain(state), "importing: 600 rows, 60 %, 100/s, 0:04 left");
  const std::string bar = render_bar(state, 80);
  expect_message(bar, " 60 %  600 rows  100/s  0:04 left");
  expect_message(bar, "importing [=");
  for (const std::size_t width : {0U, 1U, 20U, 50U, 79U, 200U}) EXPECT_LE(render_bar(state, width).size(), width);
  state.elapsed_s = 0;
  EXPECT_EQ(render_plain(state), "importing: 600 rows, 60 %, 0/s");
}

TEST(Report, IsOneLineWithAdvice) {
  EXPECT_EQ(error_line({StatusCode::already_open, "store:\nheld by pid 7"}),
            "store: held by pid 7: close the other process or wait for it");
  EXPECT_EQ(error_line({StatusCode::data_damaged, "bad; see 'holdfast repair'"}), "bad; see 'holdfast repair'");
  EXPECT_EQ(error_line({StatusCode::invalid_argument, "a: b"}), "a: b");
  EXPECT_EQ(exit_code(StatusCode::not_found), 1);
  EXPECT_EQ(exit_code(StatusCode::invalid_argument), 2);
  EXPECT_EQ(exit_code(StatusCode::already_open), 3);
}

TEST(FileIdentity, FollowsContentAndReadingNotTheName) {
  const TempDir folder;
  const auto identity = [](const std::string& path, const char* reading) {
    const Result<InputFile> file = InputFile::open(path);
    EXPECT_TRUE(file.ok());
    return *file_identity(*file, reading);
  };
  const std::string path = write_file(folder / "a", std::string(1'000'000, 'x'));
  const std::string before = identity(path, "npy");
  EXPECT_EQ(before.size(), 16U);
  EXPECT_EQ(identity(path, "npy"), before);
  EXPECT_NE(identity(path, "fbin"), before);
  std::filesystem::rename(path, folder / "b");
  EXPECT_EQ(identity(folder / "b", "npy"), before);

  // An edit at the very end, with the time of change set back, is seen in the content.
  const auto time = std::filesystem::last_write_time(folder / "b");
  write_file(folder / "b", std::string(999'999, 'x') + "y");
  std::filesystem::last_write_time(folder / "b", time);
  EXPECT_NE(identity(folder / "b", "npy"), before);
  // An edit between the samples is seen in the time.
  std::filesystem::last_write_time(folder / "b", time + std::chrono::seconds(1));
  write_file(folder / "c", "");
  EXPECT_EQ(identity(folder / "c", "npy").size(), 16U);
}

TEST(ImportNote, IsReadBack) {
  const Result<ImportNote> note = parse_marker(to_marker({12345, true}, "näme \"x\".npy"));
  ASSERT_TRUE(note.ok());
  EXPECT_EQ(note->rows, 12345U);
  EXPECT_TRUE(note->complete);
  for (const char* text :
       {"", "{}", "[]", "{\"rows\":-1,\"complete\":true}", "{\"rows\":1}", "{\"rows\":1,\"complete\":1}"}) {
    EXPECT_FALSE(parse_marker(text).ok()) << text;
  }
}

TEST(Bench, TakesPercentilesByNearestRank) {
  std::vector<double> values(1000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i + 1);
  EXPECT_EQ(percentile(values, 0.5), 500);
  EXPECT_EQ(percentile(values, 0.99), 990);
  EXPECT_EQ(percentile(values, 0.999), 999);
  EXPECT_EQ(percentile({7}, 0.999), 7);
  EXPECT_EQ(percentile({}, 0.5), 0);
}

}  // namespace
}  // namespace holdfast::cli::test
