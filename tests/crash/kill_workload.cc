#include "crash/kill_workload.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>

#include "base/random.h"

namespace holdfast::testing {

bool send(int pipe, const KillEvent& event) noexcept {
  ssize_t written = -1;
  do {
    written = ::write(pipe, &event, sizeof event);
  } while (written < 0 && errno == EINTR);
  return written == sizeof event;
}

std::optional<KillEvent> receive(int pipe, std::optional<std::chrono::microseconds> timeout, bool& ended) noexcept {
  ended = false;
  pollfd readable{.fd = pipe, .events = POLLIN, .revents = 0};
  timespec limit{};
  if (timeout) {
    limit.tv_sec = timeout->count() / 1'000'000;
    limit.tv_nsec = timeout->count() % 1'000'000 * 1'000;
  }
  if (::ppoll(&readable, 1, timeout ? &limit : nullptr, nullptr) <= 0) return std::nullopt;
  KillEvent event;
  ssize_t size = -1;
  do {
    size = ::read(pipe, &event, sizeof event);
  } while (size < 0 && errno == EINTR);
  if (size == sizeof event) return event;
  ended = true;
  return std::nullopt;
}

std::vector<KillOperation> kill_operations(std::uint64_t seed, std::uint32_t thread, std::uint64_t number) {
  SeededRandom random(mix64(seed ^ mix64(thread + 1) ^ mix64(number << 8)));
  // Mostly small batches, so that groups form; now and then one of many blocks.
  constexpr std::array<std::uint64_t, 4> kSizeBelow{2, 6, 30, 120};
  const std::uint64_t size = 1 + random.below(kSizeBelow[random.below(kSizeBelow.size())]);
  std::set<std::uint64_t> used;
  std::vector<KillOperation> operations;
  while (operations.size() < size) {
    const std::uint64_t id = thread * kKillIdsPerThread + random.below(kKillIdsPerThread);
    if (!used.insert(id).second) continue;
    const bool erase = random.below(4) == 0;
    operations.push_back({.id = id, .version = erase ? 0 : random.next() | 1});
  }
  return operations;
}

WriteBatch kill_batch(std::uint64_t seed, std::uint32_t thread, std::uint64_t number) {
  WriteBatch batch;
  for (const KillOperation& operation : kill_operations(seed, thread, number)) {
    if (operation.version == 0) {
      batch.erase(operation.id);
    } else {
      batch.upsert(operation.id, kill_vector(operation.id, operation.version),
                   kill_payload(operation.id, operation.version));
    }
  }
  batch.set_marker(kill_marker_key(thread), kill_marker_value(seed, number));
  return batch;
}

std::vector<float> kill_vector(std::uint64_t id, std::uint64_t version) {
  SeededRandom random(mix64(id) ^ version);
  std::vector<float> vector(kKillDimension);
  for (float& x : vector) x = static_cast<float>(random.unit()) - 0.5F;
  return vector;
}

std::string kill_payload(std::uint64_t id, std::uint64_t version) {
  SeededRandom random(version ^ mix64(id + 1));
  if (random.below(8) == 0) return {};
  const std::uint64_t padding = random.below(16) == 0 ? random.below(9'000) : random.below(60);
  return R"({"id":)" + std::to_string(id) + R"(,"version":")" + std::to_string(version) + R"(","padding":")" +
         std::string(padding, static_cast<char>('a' + version % 26)) + R"("})";
}

std::string kill_marker_key(std::uint32_t thread) { return "thread " + std::to_string(thread); }

std::string kill_marker_value(std::uint64_t seed, std::uint64_t number) {
  return std::to_string(seed) + "/" + std::to_string(number);
}

OpenOptions kill_options(std::uint64_t seed) {
  SeededRandom random(mix64(seed ^ 0x0B71));
  OpenOptions options;
  constexpr std::array kDurabilities{Durability::sync, Durability::sync, Durability::interval, Durability::none};
  options.durability = kDurabilities[random.below(kDurabilities.size())];
  options.sync_interval = std::chrono::milliseconds(1 + random.below(50));
  options.log_segment_bytes = std::uint64_t{1} << (16 + random.below(7));     // 64 KiB .. 4 MiB
  options.checkpoint_log_bytes = std::uint64_t{1} << (16 + random.below(6));  // 64 KiB .. 2 MiB
  options.checkpoint_on_close = random.below(2) == 0;
  options.indexing_threads = static_cast<std::uint32_t>(1 + random.below(3));
  options.verify_on_open = random.below(2) == 0 ? VerifyOnOpen::metadata : VerifyOnOpen::everything;
  return options;
}

CollectionConfig kill_config() {
  return {.dimension = kKillDimension, .metric = Metric::l2, .m = 8, .ef_construction = 40};
}

}  // namespace holdfast::testing
