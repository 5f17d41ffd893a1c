// Chooses the reader of a file.
#include <array>
#include <filesystem>

#include "cli/import/hdf5_source.h"
#include "cli/import/jsonl_source.h"
#include "cli/import/row_file_source.h"
#include "cli/import/vector_source.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

struct FormatName {
  std::string_view name;
  SourceFormat format;
};

/// The canonical name of each format stands before its other names.
constexpr std::array kFormatNames{
    FormatName{"npy", SourceFormat::npy},      FormatName{"fvecs", SourceFormat::fvecs},
    FormatName{"bvecs", SourceFormat::bvecs},  FormatName{"fbin", SourceFormat::fbin},
    FormatName{"hbin", SourceFormat::hbin},    FormatName{"u8bin", SourceFormat::u8bin},
    FormatName{"i8bin", SourceFormat::i8bin},  FormatName{"hdf5", SourceFormat::hdf5},
    FormatName{"h5", SourceFormat::hdf5},      FormatName{"jsonl", SourceFormat::jsonl},
    FormatName{"ndjson", SourceFormat::jsonl},
};

std::string known_formats() {
  std::string list;
  for (const FormatName& entry : kFormatNames) list += (list.empty() ? "" : ", ") + std::string(entry.name);
  return list;
}

}  // namespace

std::string_view to_string(SourceFormat format) noexcept {
  for (const FormatName& entry : kFormatNames) {
    if (entry.format == format) return entry.name;
  }
  return "unknown";
}

Result<SourceFormat> source_format(const std::string& path, const std::string& format) {
  const std::string extension = std::filesystem::path(path).extension().string();
  const std::string_view wanted =
      !format.empty() ? std::string_view(format) : std::string_view(extension).substr(extension.empty() ? 0 : 1);
  for (const FormatName& entry : kFormatNames) {
    if (entry.name == wanted) return entry.format;
  }
  if (!format.empty()) {
    return Status(StatusCode::invalid_argument, "'" + format + "' is no format: give one of " + known_formats());
  }
  return Status(StatusCode::invalid_argument,
                path + ": the extension tells no format: give --format, one of " + known_formats());
}

Result<std::unique_ptr<VectorSource>> open_source(const std::string& path, const SourceOptions& options) {
  CLI_ASSIGN(const SourceFormat format, source_format(path, options.format));
  switch (format) {
    case SourceFormat::hdf5: return open_hdf5(path, options.dataset);
    case SourceFormat::jsonl:
      return JsonlSource::open(path, {options.id_field, options.vector_field, options.payload_field});
    default: return RowFileSource::open(path, format);
  }
}

}  // namespace holdfast::cli
