#include "cli/import/hdf5_source.h"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "cli/import/input_file.h"
#include "cli/import/row_file_source.h"
#include "cli/try.h"

namespace holdfast::cli {
namespace {

constexpr std::uint64_t kBlockBytes = std::uint64_t{4} << 20;
/// Blocks grow to a multiple of the dataset's chunks, so that no chunk is unpacked twice, up to this.
constexpr std::uint64_t kMaxBlockBytes = std::uint64_t{64} << 20;

/// An HDF5 identifier and the function that lets go of it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (ok()) close_(id_);
  }
  [[nodiscard]] bool ok() const noexcept { return id_ >= 0; }
  [[nodiscard]] hid_t get() const noexcept { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// What libhdf5 holds to be the cause: the innermost entry of its error stack.
std::string last_reason() {
  std::string reason;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_DOWNWARD,
      [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
        if (error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
        return 0;
      },
      &reason);
  return reason.empty() ? "no reason given" : reason;
}

Status wrong(const std::string& path, const std::string& what) {
  return {StatusCode::invalid_argument, path + ": " + what};
}

/// "there are: train, test"
std::string names_in(hid_t file) {
  std::string names;
  H5Literate(
      file, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr,
      [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
        auto& list = *static_cast<std::string*>(out);
        if (list.size() < 200) list += (list.empty() ? "" : ", ") + std::string(name);
        return 0;
      },
      &names);
  return names.empty() ? "the file holds none" : "there are: " + names;
}

class Hdf5Source final : public VectorSource {
 public:
  Hdf5Source(std::string path, Handle file, Handle dataset, Handle space)
      : path_(std::move(path)), file_(std::move(file)), dataset_(std::move(dataset)), space_(std::move(space)) {}

  Status inspect(const std::string& name);

  [[nodiscard]] std::uint32_t dimension() const override { return dimension_; }
  [[nodiscard]] std::optional<std::uint64_t> row_count() const override { return rows_; }
  [[nodiscard]] Result<bool> next(Record& record) override;
  [[nodiscard]] Status seek(std::uint64_t row) override;
  [[nodiscard]] std::uint64_t bytes_done() const override { return next_row_ * row_bytes(); }
  [[nodiscard]] std::uint64_t bytes_total() const override { return rows_ * row_bytes(); }

 private:
  [[nodiscard]] std::uint64_t row_bytes() const noexcept { return std::uint64_t{dimension_} * sizeof(float); }
  [[nodiscard]] std::optional<std::array<hsize_t, 2>> chunk_shape() const;
  [[nodiscard]] std::uint64_t rows_per_block() const;
  Status check_storage(const std::string& name);
  Status load_block();

  std::string path_;
  Handle file_, dataset_, space_;
  std::uint32_t dimension_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t block_rows_ = 1;
  std::uint64_t next_row_ = 0;
  std::uint64_t block_begin_ = 0;  // rows [block_begin_, block_end_) are in block_
  std::uint64_t block_end_ = 0;
  std::vector<float> block_;
};

Status Hdf5Source::inspect(const std::string& name) {
  const Handle type(H5Dget_type(dataset_.get()), H5Tclose);
  const H5T_class_t type_class = type.ok() ? H5Tget_class(type.get()) : H5T_NO_CLASS;
  if (type_class != H5T_FLOAT && type_class != H5T_INTEGER) {
    return wrong(path_, "dataset '" + name + "' holds no numbers: choose another with --dataset");
  }
  hsize_t extent[2] = {0, 0};
  const int rank = H5Sget_simple_extent_ndims(space_.get());
  if (rank != 2 || H5Sget_simple_extent_dims(space_.get(), extent, nullptr) != 2) {
    return wrong(path_, "dataset '" + name + "' has " + std::to_string(rank) +
                            " dimensions, needed are 2 (rows, components): choose another with --dataset");
  }
  if (extent[1] < 1 || extent[1] > kMaxDimension) {
    return wrong(path_, "dataset '" + name + "' has " + std::to_string(extent[1]) +
                            " components per row, possible are 1 to " + std::to_string(kMaxDimension) +
                            ": choose another with --dataset");
  }
  rows_ = extent[0];
  dimension_ = static_cast<std::uint32_t>(extent[1]);
  block_rows_ = rows_per_block();
  return check_storage(name);
}

/// Rows and columns of a chunk; nothing if the dataset is not chunked.
std::optional<std::array<hsize_t, 2>> Hdf5Source::chunk_shape() const {
  const Handle plist(H5Dget_create_plist(dataset_.get()), H5Pclose);
  std::array<hsize_t, 2> chunk{0, 0};
  if (!plist.ok() || H5Pget_layout(plist.get()) != H5D_CHUNKED) return std::nullopt;
  if (H5Pget_chunk(plist.get(), 2, chunk.data()) != 2 || chunk[0] == 0 || chunk[1] == 0) return std::nullopt;
  return chunk;
}

/// An extent is only a claim: every row must have bytes in the file. Chunks are counted, because the space that
/// libhdf5 reports for them depends on compression and on what the last ones hold beyond the edge.
Status Hdf5Source::check_storage(const std::string& name) {
  bool is_whole = rows_ == 0;
  if (const auto chunk = chunk_shape(); chunk && rows_ != 0) {
    const hsize_t down = (rows_ - 1) / (*chunk)[0] + 1;
    const hsize_t across = (dimension_ - 1) / (*chunk)[1] + 1;
    hsize_t stored = 0;
    if (H5Dget_num_chunks(dataset_.get(), space_.get(), &stored) < 0) {
      return wrong(path_, "is damaged (" + last_reason() + "): copy it again");
    }
    is_whole = stored / across >= down;
  } else if (rows_ != 0) {
    H5D_space_status_t allocated = H5D_SPACE_STATUS_ERROR;
    if (H5Dget_space_status(dataset_.get(), &allocated) < 0) {
      return wrong(path_, "is damaged (" + last_reason() + "): copy it again");
    }
    is_whole = allocated == H5D_SPACE_STATUS_ALLOCATED;
  }
  if (is_whole) return {};
  return wrong(path_, "dataset '" + name + "' claims " + std::to_string(rows_) +
                          " rows, but part of them was never written: write the file again");
}

std::uint64_t Hdf5Source::rows_per_block() const {
  const std::uint64_t wanted = std::max<std::uint64_t>(1, kBlockBytes / row_bytes());
  const auto chunk = chunk_shape();
  if (!chunk || (*chunk)[0] > kMaxBlockBytes / row_bytes()) return wanted;
  return std::max<std::uint64_t>(1, wanted / (*chunk)[0]) * (*chunk)[0];
}

Result<bool> Hdf5Source::next(Record& record) {
  if (next_row_ == rows_) return false;
  if (next_row_ < block_begin_ || next_row_ >= block_end_) CLI_TRY(load_block());
  const float* row = block_.data() + (next_row_ - block_begin_) * dimension_;
  record.row = next_row_;
  record.id.reset();
  record.payload.clear();
  record.vector.assign(row, row + dimension_);
  CLI_TRY(check_finite(path_, locate(next_row_), record.vector));
  ++next_row_;
  return true;
}

Status Hdf5Source::seek(std::uint64_t row) {
  if (row > rows_) {
    return wrong(path_, "has " + std::to_string(rows_) + " rows, so none can follow row " + std::to_string(row));
  }
  next_row_ = row;
  return {};
}

Status Hdf5Source::load_block() {
  const std::uint64_t rows = std::min(block_rows_ - next_row_ % block_rows_, rows_ - next_row_);
  block_end_ = block_begin_ = next_row_;  // nothing is loaded if reading fails
  block_.resize(static_cast<std::size_t>(rows * dimension_));
  const hsize_t start[2] = {next_row_, 0};
  const hsize_t count[2] = {rows, dimension_};
  const Handle memory(H5Screate_simple(2, count, nullptr), H5Sclose);
  if (!memory.ok() || H5Sselect_hyperslab(space_.get(), H5S_SELECT_SET, start, nullptr, count, nullptr) < 0 ||
      H5Dread(dataset_.get(), H5T_NATIVE_FLOAT, memory.get(), space_.get(), H5P_DEFAULT, block_.data()) < 0) {
    return wrong(path_, "cannot read rows from " + locate(next_row_) + " on (" + last_reason() +
                            "): the file is truncated or damaged; copy it again");
  }
  block_end_ = block_begin_ + rows;
  return {};
}

}  // namespace

Result<std::unique_ptr<VectorSource>> open_hdf5(const std::string& path, const std::string& dataset) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  CLI_TRY(InputFile::open(path).status());  // says more about a missing file than libhdf5 does
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file.ok()) {
    return wrong(path, "is no readable HDF5 file (" + last_reason() + "): copy it again, or choose with --format");
  }
  Handle set(H5Dopen2(file.get(), dataset.c_str(), H5P_DEFAULT), H5Dclose);
  if (!set.ok()) {
    return wrong(path, "has no dataset '" + dataset + "' (" + names_in(file.get()) + "): choose one with --dataset");
  }
  Handle space(H5Dget_space(set.get()), H5Sclose);
  auto source = std::make_unique<Hdf5Source>(path, std::move(file), std::move(set), std::move(space));
  CLI_TRY(source->inspect(dataset));
  return std::unique_ptr<VectorSource>(std::move(source));
}

}  // namespace holdfast::cli
