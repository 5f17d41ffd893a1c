// JSON lines: ids, payloads kept to the digit, and every wrong line named by its number.
#include <gtest/gtest.h>

#include "cli/import/jsonl_line.h"
#include "cli/source_reading.h"

namespace holdfast::cli::test {
namespace {

const JsonlFields kFields{"id", "vector", "payload"};

/// The payload that a line yields, or its error.
std::string payload_of(const std::string& line, const JsonlFields& fields = kFields) {
  Record record;
  const Status status = parse_jsonl_line(line, fields, record);
  return status.ok() ? record.payload : std::string(status.message());
}

TEST(JsonlLine, ReadsIdVectorAndPayload) {
  Record record;
  ASSERT_TRUE(
      parse_jsonl_line(R"({"payload":{"a":1},"id":17,"other":[{"vector":3}],"vector":[1,-2.5,1e-3]})", kFields, record)
          .ok());
  EXPECT_EQ(record.id, PointId(17));
  EXPECT_EQ(record.vector, (std::vector<float>{1, -2.5F, 1e-3F}));
  EXPECT_EQ(record.payload, R"({"a":1})");

  ASSERT_TRUE(parse_jsonl_line(R"({"id":"018f3a5e-7c1d-7e32-9b4a-0123456789ab","vector":[0]})", kFields, record).ok());
  EXPECT_TRUE(record.id->is_uuid());
  EXPECT_EQ(record.payload, "");
  ASSERT_TRUE(parse_jsonl_line(R"({"id":18446744073709551615,"vector":[0],"payload":null})", kFields, record).ok());
  EXPECT_EQ(record.id, PointId(18446744073709551615ULL));
  EXPECT_EQ(record.payload, "");
}

TEST(JsonlLine, KeepsDigitsAndOrderOfThePayload) {
  const std::string payload =
      R"({"z":1.10,"a":[],"big":123456789012345678901234567890,"e":1E+2,"n":null,"t":[true,false,{"x":{}}],"s":"ä\"\n"})";
  EXPECT_EQ(payload_of(R"({"id":1,"vector":[1],"payload":)" + payload + "}"), payload);
  EXPECT_EQ(payload_of("{\"id\":1, \"payload\" : { \"a\" : [ 1 , 2 ] } ,\"vector\":[1]}\r"), R"({"a":[1,2]})");
}

TEST(JsonlLine, TakesTheRestAsPayload) {
  const JsonlFields rest{"id", "vector", "*"};
  EXPECT_EQ(payload_of(R"({"word":"sea","vector":[1],"id":3,"tags":["a",{"b":2}],"n":7})", rest),
            R"({"word":"sea","tags":["a",{"b":2}],"n":7})");
  EXPECT_EQ(payload_of(R"({"vector":[1],"id":3})", rest), "");
}

TEST(JsonlLine, TakesOtherNames) {
  Record record;
  ASSERT_TRUE(parse_jsonl_line(R"({"key":4,"id":"x","emb":[2]})", {"key", "emb", "meta"}, record).ok());
  EXPECT_EQ(record.id, PointId(4));
  ASSERT_TRUE(parse_jsonl_line(R"({"emb":[2]})", {"", "emb", ""}, record).ok());
  EXPECT_FALSE(record.id.has_value());
}

TEST(JsonlLine, ReadsSeveralVectors) {
  Record record;
  for (const char* line : {R"({"id":1,"vectors":[[1,2],[3,4],[5,6]]})", R"({"id":1,"vector":[[1,2],[3,4],[5,6]]})"}) {
    ASSERT_TRUE(parse_jsonl_line(line, kFields, record).ok()) << line;
    EXPECT_EQ(record.values, 3U);
    EXPECT_EQ(record.vector, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  }
  ASSERT_TRUE(parse_jsonl_line(R"({"id":1,"vector":[1,2]})", kFields, record).ok());
  EXPECT_EQ(record.values, 1U);
}

TEST(JsonlLine, RefusesWrongTypes) {
  const struct {
    const char* line;
    const char* message;
  } cases[] = {
      {R"([1,2])", "is no JSON object"},
      {R"(17)", "is no JSON object"},
      {R"("text")", "is no JSON object"},
      {R"({"id":1})", "has no member 'vector'"},
      {R"({"vector":[1]})", "has no member 'id'"},
      {R"({"id":1,"vector":[]})", "no components"},
      {R"({"id":-1,"vector":[1]})", "its id is a number below 0"},
      {R"({"id":1.5,"vector":[1]})", "its id is a number below 0, beyond 2^64 or with a fraction"},
      {R"({"id":18446744073709551616,"vector":[1]})", "beyond 2^64"},
      {R"({"id":"seven","vector":[1]})", "no point id"},
      {R"({"id":null,"vector":[1]})", "its id is null"},
      {R"({"id":[1],"vector":[1]})", "its id is an array"},
      {R"({"id":{},"vector":[1]})", "its id is an object"},
      {R"({"id":1,"vector":"[1]"})", "its vector is a string"},
      {R"({"id":1,"vector":7})", "its vector is a number"},
      {R"({"id":1,"vector":{"a":1}})", "its vector is an object"},
      {R"({"id":1,"vector":[1,"2"]})", "its vector holds a string"},
      {R"({"id":1,"vector":[1,null]})", "its vector holds null"},
      {R"({"id":1,"vector":[1,[1]]})", "its vector holds an array"},
      {R"({"id":1,"vectors":[[1,2],[1]]})", "its vectors have 2 and 1 components"},
      {R"({"id":1,"vectors":[[1],[]]})", "one of its vectors has no components"},
      {R"({"id":1,"vectors":[[1],2]})", "its vector holds a number"},
      {R"({"id":1,"vectors":[[[1]]]})", "its vector holds an array"},
      {R"({"id":1,"vectors":[[1]],"vector":[1]})", "has both 'vectors' and 'vector'"},
      {R"({"id":1,"vector":[1],"payload":"x"})", "its payload is a string"},
      {R"({"id":1,"vector":[1],"payload":[1]})", "its payload is an array"},
      {R"({"id":1,"vector":[1],"payload":3})", "its payload is a number"},
      {R"({"id":1,"id":2,"vector":[1]})", "'id' twice"},
      {R"({"id":1,"vector":[1],"vector":[2]})", "'vector' twice"},
      {R"({"id":1,"vector":[1],"payload":{},"payload":{}})", "'payload' twice"},
      {R"({"id":1,"vector":[1e999]})", "is no valid JSON"},
      {R"({"id":1,"vector":[NaN]})", "is no valid JSON"},
      {R"({"id":1,"vector":[1]} x)", "is no valid JSON"},
      {"{\"id\":1,\"vector\":[1],\"payload\":{\"s\":\"\xFF\"}}", "is no valid JSON"},
  };
  for (const auto& test : cases) {
    Record record;
    const Status status = parse_jsonl_line(test.line, kFields, record);
    EXPECT_FALSE(status.ok()) << test.line;
    expect_message(std::string(status.message()), test.message);
  }
}

TEST(JsonlLine, RefusesEveryPrefix) {
  const std::string line = R"({"id":17,"vector":[1,-2.5],"payload":{"a":["b",{}]}})";
  Record record;
  ASSERT_TRUE(parse_jsonl_line(line, kFields, record).ok());
  for (std::size_t size = 0; size < line.size(); ++size) {
    EXPECT_FALSE(parse_jsonl_line(std::string_view(line).substr(0, size), kFields, record).ok()) << size;
  }
}

TEST(JsonlLine, SurvivesDeepNesting) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  EXPECT_EQ(payload_of(R"({"id":1,"vector":[1],"payload":{"d":)" + deep + "}}"), R"({"d":)" + deep + "}");
}

TEST(JsonlSource, ReadsAndSeeks) {
  const TempDir folder;
  const Rows rows{{1, 2}, {3, 4}, {5, 6}};
  const std::string path = write_file(folder / "x.jsonl",
                                      "{\"id\":9,\"vector\":[1,2]}\n\n  \r\n{\"id\":8,\"vector\":[3,4]}\r\n"
                                      "{\"id\":7,\"vector\":[5,6]}");  // no line end at the end
  const Result<Rows> read = read_all(path);
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  EXPECT_EQ(*read, rows);
  expect_seekable(path, rows);
}

TEST(JsonlSource, ReadsLinesLongerThanItsWindow) {
  const TempDir folder;
  const std::string text(3 << 20, 'x');  // the window begins with 1 MiB
  std::string bytes;
  for (int i = 0; i < 4; ++i) {
    bytes += R"({"id":)" + std::to_string(i) + R"(,"vector":[1],"payload":{"t":")" + text + "\"}}\n";
  }
  const Result<Rows> read = read_all(write_file(folder / "x.jsonl", bytes));
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  EXPECT_EQ(read->size(), 4U);
  const std::string endless = "{\"id\":1,\"vector\":[1]}\n" + std::string(17 << 20, ' ');
  expect_message(read_error(write_file(folder / "long.jsonl", endless)), "line 2 is longer than 16 MiB");
  const std::string fat = R"({"id":1,"vector":[1],"payload":{"t":")" + std::string(5 << 20, 'x') + "\"}}\n";
  expect_message(read_error(write_file(folder / "fat.jsonl", fat)), "line 1: its payload is longer");
}

TEST(JsonlSource, NamesTheLine) {
  const TempDir folder;
  const auto error = [&](const std::string& bytes) { return read_error(write_file(folder / "x.jsonl", bytes)); };
  const std::string good = "{\"id\":1,\"vector\":[1,2]}\n";
  expect_message(error(good + "\n" + good + "oops\n" + good), "line 4: is no valid JSON");
  expect_message(error(good + "{\"id\":2,\"vector\":[1]}\n"),
                 "line 2: its vector has 1 components, the first line's 2");
  expect_message(error(good + "{\"id\":2,\"vector\":[1,1e39]}\n"), "line 2 holds an infinite");
  expect_message(error(good + "{\"id\":2,\"vector\":[1,"), "line 2");  // cut in the middle of a line
  expect_message(error(""), "holds no line");
  expect_message(error(" \n\n"), "holds no line");
}

}  // namespace
}  // namespace holdfast::cli::test
