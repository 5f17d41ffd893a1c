// The libraries that Holdfast is measured against, as contestants. Each library itself is behind a source of its own.
#include <cstdio>
#include <sstream>

#include "bench/contestant.h"
#include "bench/hnswlib_peer.h"
#include "bench/node_peer.h"
#ifdef HOLDFAST_BENCH_FAISS
#include "bench/faiss_peer.h"
#endif

namespace holdfast::bench {

namespace {

/// `add` between two readings of the clocks.
template <class Add>
BuildCost timed_build(Add&& add) {
  const double processor = processor_seconds();
  const Stopwatch total;
  add();
  return {total.seconds(), processor_seconds() - processor, {}};
}

class HnswlibContestant : public Contestant {
 public:
  explicit HnswlibContestant(const Setting& setting) : Contestant("hnswlib f32"), setting_(setting) {}

  Result<BuildCost> build() override {
    const BuildSettings& build = setting_.build;
    peer_.reset();
    return timed_build([&] {
      peer_ = std::make_unique<HnswlibPeer>(setting_.set.metric, setting_.set.base.dim, setting_.set.base.rows, build.m,
                                            build.ef_construction);
      peer_->add_all(setting_.base, build.threads);
    });
  }

  Result<Turn> turn(std::size_t /*mode*/, std::uint32_t ef) override {
    peer_->set_ef(ef);
    return timed_turn(setting_, [&](std::uint32_t q, std::uint32_t* rows) {
      peer_->search(setting_.queries.data() + std::size_t{q} * setting_.set.queries.dim, kNearest, rows);
    });
  }

 private:
  const Setting& setting_;
  std::unique_ptr<HnswlibPeer> peer_;
};

#ifdef HOLDFAST_BENCH_FAISS
class FaissContestant : public Contestant {
 public:
  FaissContestant(const Setting& setting, std::string name, const char* storage)
      : Contestant(std::move(name)), setting_(setting), storage_(storage) {}

  Result<BuildCost> build() override {
    const BuildSettings& build = setting_.build;
    const std::string recipe = "HNSW" + std::to_string(build.m) + "," + storage_;
    peer_.reset();
    return timed_build([&] {
      peer_ = std::make_unique<FaissPeer>(recipe.c_str(), setting_.set.base.dim, build.ef_construction);
      peer_->add_all(setting_.base, build.threads);
    });
  }

  Result<Turn> turn(std::size_t /*mode*/, std::uint32_t ef) override {
    const Matrix& queries = setting_.set.queries;
    peer_->set_ef(ef);
    Turn turn = timed_turn(setting_, [&](std::uint32_t q, std::uint32_t* rows) {
      peer_->search(setting_.queries.data() + std::size_t{q} * queries.dim, 1, kNearest, rows);
    });
    std::vector<std::uint32_t> rows(turn.found.size());
    const Stopwatch batch;
    peer_->search(setting_.queries.data(), queries.rows, kNearest, rows.data());
    turn.batch_qps = queries.rows / batch.seconds();
    return turn;
  }

 private:
  const Setting& setting_;
  const char* storage_;
  std::unique_ptr<FaissPeer> peer_;
};
#endif

using Made = Result<std::unique_ptr<Contestant>>;
struct PeerKind {
  const char* name;
  Made (*make)(const Setting& setting, const char* name);
};

Made make_faiss([[maybe_unused]] const Setting& setting, [[maybe_unused]] const char* name,
                [[maybe_unused]] const char* storage) {
#ifdef HOLDFAST_BENCH_FAISS
  return Made(std::make_unique<FaissContestant>(setting, name, storage));
#else
  return Status(StatusCode::not_found, "built without libfaiss-dev");
#endif
}

/// `name` is that of the library and of the kind, as bench/peers/driver.mjs knows them.
Made make_node(const Setting& setting, const char* name) { return NodePeer::start(setting, name); }

constexpr PeerKind kPeers[] = {
    {"hnswlib f32",
     [](const Setting& setting, const char*) { return Made(std::make_unique<HnswlibContestant>(setting)); }},
    {"faiss f32", [](const Setting& setting, const char* name) { return make_faiss(setting, name, "Flat"); }},
    {"faiss sq8", [](const Setting& setting, const char* name) { return make_faiss(setting, name, "SQ8"); }},
    {"usearch f32", make_node},
    {"usearch f16", make_node},
    {"usearch bf16", make_node},
    {"usearch i8",
     [](const Setting& setting, const char* name) {
       // Its conversion scales every vector to length 1, which only the cosine does not mind.
       if (setting.set.metric == Metric::cosine) return make_node(setting, name);
       return Made(Status(StatusCode::not_found, "for cosine only"));
     }},
    {"zvec f32", make_node},
    {"zvec int8", make_node},
};

bool is_wanted(const std::string& name, const std::string& wanted) {
  if (wanted.empty() || name == kPeers[0].name) return true;
  std::istringstream parts(wanted);
  for (std::string part; std::getline(parts, part, ',');) {
    if (name.compare(0, part.size(), part) == 0) return true;
  }
  return false;
}

}  // namespace

std::vector<std::unique_ptr<Contestant>> make_peers(const Setting& setting, const std::string& wanted) {
  std::vector<std::unique_ptr<Contestant>> peers;
  for (const PeerKind& entry : kPeers) {
    if (!is_wanted(entry.name, wanted)) continue;
    Made made = entry.make(setting, entry.name);
    if (made.ok()) {
      peers.push_back(std::move(made).value());
    } else {
      std::printf("SKIPPED: %s (%s)\n", entry.name, std::string(made.status().message()).c_str());
    }
  }
  std::fflush(stdout);
  return peers;
}

}  // namespace holdfast::bench
