#include "bench/node_peer.h"

#include "base/try.h"

namespace holdfast::bench {

namespace {

constexpr const char* kAnswer = "@ ";

}  // namespace

Result<std::unique_ptr<Contestant>> NodePeer::start(const Setting& setting, const std::string& name) {
  if (setting.node_peers.empty()) {
    return Status(StatusCode::not_found,
                  "no --node-peers: scripts/bench installs them if npm and its registry are there");
  }
  auto peer = std::unique_ptr<NodePeer>(new NodePeer(setting, name));
  HF_TRY(peer->open());
  return std::unique_ptr<Contestant>(std::move(peer));
}

NodePeer::NodePeer(const Setting& setting, const std::string& name)
    : Contestant(name),
      setting_(setting),
      process_("node", {"--expose-gc", (setting.node_peers / "driver.mjs").string()}) {}

Status NodePeer::open() {
  const auto scratch = setting_.scratch.fresh("node");
  std::filesystem::create_directories(scratch);
  const std::uint32_t dim = setting_.set.base.dim;
  HF_TRY(write_matrix(scratch / "base", setting_.base, dim));
  HF_TRY(write_matrix(scratch / "queries", setting_.queries, dim));
  const std::size_t space = name().find(' ');
  const Metric metric = setting_.set.metric;
  const auto answer = ask({{"op", "open"},
                           {"library", name().substr(0, space)},
                           {"kind", name().substr(space + 1)},
                           {"base", (scratch / "base").string()},
                           {"queries", (scratch / "queries").string()},
                           {"metric", metric == Metric::l2       ? "l2"
                                      : metric == Metric::cosine ? "cosine"
                                                                 : "ip"},
                           {"m", setting_.build.m},
                           {"ef_construction", setting_.build.ef_construction},
                           {"threads", setting_.build.threads},
                           {"k", kNearest},
                           {"scratch", scratch.string()}});
  return answer.status();
}

Result<nlohmann::json> NodePeer::ask(const nlohmann::json& command) {
  const std::string what = name() + ", " + command["op"].get<std::string>() + ": ";
  if (!process_.write_line(command.dump())) return Status(StatusCode::io_error, what + "the Node process has ended");
  while (const auto line = process_.read_line()) {
    if (line->rfind(kAnswer, 0) != 0) continue;  // the library talks, too
    auto answer = nlohmann::json::parse(line->substr(2), nullptr, false);
    if (answer.is_discarded()) return Status(StatusCode::io_error, what + "no JSON: " + line->substr(0, 80));
    if (answer.contains("error")) return Status(StatusCode::io_error, what + answer["error"].get<std::string>());
    return answer;
  }
  return Status(StatusCode::io_error, what + "the Node process has ended");
}

std::vector<std::string> NodePeer::modes() const {
  if (name() == "zvec int8") return {"", "refined"};
  return {""};
}

Result<BuildCost> NodePeer::build() {
  HF_ASSIGN(const nlohmann::json cost, ask({{"op", "build"}}));
  disk_bytes_ = cost["disk_bytes"];
  return BuildCost{cost["seconds"], cost["processor_s"], {}};
}

Result<Turn> NodePeer::turn(std::size_t mode, std::uint32_t ef) {
  HF_ASSIGN(const nlohmann::json answer,
            ask({{"op", "turn"}, {"ef", ef}, {"mode", modes()[mode]}, {"seconds", setting_.turn_seconds}}));
  Turn turn;
  turn.found = answer["found"].get<std::vector<std::uint32_t>>();
  turn.latency_us = answer["latency_us"].get<std::vector<double>>();
  turn.seconds = answer["seconds"];
  turn.processor_s = answer["processor_s"];
  turn.batch_qps = answer["batch_qps"];
  const std::size_t expected = std::size_t{setting_.set.queries.rows} * kNearest;
  if (turn.found.size() != expected || turn.latency_us.empty()) {
    return Status(StatusCode::io_error, name() + ": a turn without results");
  }
  return turn;
}

Result<double> NodePeer::call_overhead_us() {
  HF_ASSIGN(const nlohmann::json overhead, ask({{"op", "overhead"}}));
  return overhead["us"].get<double>();
}

Result<Memory> NodePeer::memory() {
  HF_ASSIGN(const nlohmann::json answer, ask({{"op", "memory"}}));
  return Memory{answer["anonymous"], answer["file"]};
}

}  // namespace holdfast::bench
