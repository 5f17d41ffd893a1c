// Reading a source to its end, and what the readers of every format must have in common.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "cli/import/vector_source.h"
#include "cli/import_files.h"

namespace holdfast::cli::test {

/// All rows, or the first error, be it of opening or of reading.
inline Result<Rows> read_all(const std::string& path, const SourceOptions& options = {}) {
  Result<std::unique_ptr<VectorSource>> source = open_source(path, options);
  if (!source.ok()) return source.status();
  Rows rows;
  Record record;
  for (;;) {
    const Result<bool> any = (*source)->next(record);
    if (!any.ok()) return any.status();
    if (!*any) return rows;
    EXPECT_EQ(record.row, rows.size());
    rows.push_back(record.vector);
  }
}

/// The message of the error that reading ends with; empty, with a failure, if it ends well.
inline std::string read_error(const std::string& path, const SourceOptions& options = {}) {
  const Result<Rows> rows = read_all(path, options);
  EXPECT_FALSE(rows.ok()) << path << " was read";
  const std::string message(rows.status().message());
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message;
}

inline void expect_message(const std::string& message, std::string_view part) {
  EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in: " << message;
}

/// Seeking to every row gives the rest from there; one past the end is the end; beyond is an error.
inline void expect_seekable(const std::string& path, const Rows& rows, const SourceOptions& options = {}) {
  Result<std::unique_ptr<VectorSource>> source = open_source(path, options);
  ASSERT_TRUE(source.ok()) << source.status().to_string();
  Record record;
  for (const std::size_t row : {rows.size() - 1, std::size_t{0}, rows.size() / 2, rows.size()}) {
    ASSERT_TRUE((*source)->seek(row).ok());
    const Result<bool> any = (*source)->next(record);
    ASSERT_TRUE(any.ok()) << any.status().to_string();
    ASSERT_EQ(*any, row < rows.size());
    if (*any) {
      EXPECT_EQ(record.row, row);
      EXPECT_EQ(record.vector, rows[row]);
    }
  }
  EXPECT_FALSE((*source)->seek(rows.size() + 1).ok());
}

/// A file cut at any length is an error or, at a row boundary of a format without a count, fewer rows; never other
/// rows. Every length near the beginning and the end, some in between.
inline void expect_truncation_is_noticed(const std::string& whole, const std::string& path, const Rows& rows,
                                         bool counts_rows) {
  for (std::size_t size = 0; size < whole.size(); size += (size < 140 || size + 40 > whole.size()) ? 1 : 97) {
    write_file(path, std::string_view(whole).substr(0, size));
    const Result<Rows> read = read_all(path);
    if (!read.ok()) continue;
    EXPECT_FALSE(counts_rows) << "a file cut at byte " << size << " of " << whole.size() << " was read";
    ASSERT_LT(read->size(), rows.size());
    EXPECT_TRUE(std::equal(read->begin(), read->end(), rows.begin())) << "cut at byte " << size;
  }
}

}  // namespace holdfast::cli::test
