// A library that is reached through Node, as a contestant: a process of its own that stays, and takes its turns on
// command (bench/peers/driver.mjs says how they talk).
//
// What calling through Node costs is part of every figure and is subtracted nowhere: it is measured by searching an
// index of one point, and printed beside them. Where the library has a call for many queries, its QPS are those of the
// better way; latencies are always of single calls.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/child.h"
#include "bench/contestant.h"

namespace holdfast::bench {

class NodePeer : public Contestant {
 public:
  /// `name`: library and kind, separated by a space. Errors: not_found if Node or the packages are missing.
  [[nodiscard]] static Result<std::unique_ptr<Contestant>> start(const Setting& setting, const std::string& name);

  [[nodiscard]] std::vector<std::string> modes() const override;
  [[nodiscard]] Result<BuildCost> build() override;
  [[nodiscard]] Result<Turn> turn(std::size_t mode, std::uint32_t ef) override;
  [[nodiscard]] Result<Memory> memory() override;
  [[nodiscard]] std::uint64_t disk_bytes() const override { return disk_bytes_; }
  [[nodiscard]] Result<double> call_overhead_us() override;

 private:
  NodePeer(const Setting& setting, const std::string& name);
  [[nodiscard]] Status open();
  /// Sends a command and waits for its answer. Errors: io_error, what the driver says.
  [[nodiscard]] Result<nlohmann::json> ask(const nlohmann::json& command);

  const Setting& setting_;
  Child process_;
  std::uint64_t disk_bytes_ = 0;
};

}  // namespace holdfast::bench
