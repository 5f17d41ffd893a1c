#include "crash/kill_workload.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
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

namespace {

void add_point(WriteBatch& batch, std::uint64_t id, std::uint64_t version) {
  const std::uint32_t values = kill_values(id, version);
  if (values == 1) {
    batch.upsert(id, kill_vectors(id, version), kill_payload(id, version));
  } else {
    batch.upsert_values(id, kill_vectors(id, version), values, kill_payload(id, version));
  }
}

}  // namespace

WriteBatch kill_batch(std::uint64_t seed, std::uint32_t thread, std::uint64_t number) {
  WriteBatch batch;
  for (const KillOperation& operation : kill_operations(seed, thread, number)) {
    if (operation.version == 0) {
      batch.erase(operation.id);
    } else {
      add_point(batch, operation.id, operation.version);
    }
  }
  batch.set_marker(kill_marker_key(thread), KillMark{seed, number}.to_string());
  return batch;
}

std::optional<Durability> kill_durability(std::uint64_t seed, std::uint32_t thread, std::uint64_t number) {
  SeededRandom random(mix64(seed + thread) ^ mix64(number));
  if (mix64(seed) % 3 == 0 || random.below(3) != 0) return std::nullopt;
  return static_cast<Durability>(random.below(3));
}

std::uint32_t kill_values(std::uint64_t id, std::uint64_t version) {
  SeededRandom random(mix64(id + 7) ^ version);
  return random.below(6) == 0 ? static_cast<std::uint32_t>(2 + random.below(4)) : 1;
}

std::vector<float> kill_vectors(std::uint64_t id, std::uint64_t version) {
  SeededRandom random(mix64(id) ^ version);
  std::vector<float> vectors(std::size_t{kKillDimension} * kill_values(id, version));
  for (float& x : vectors) x = static_cast<float>(random.unit()) - 0.5F;
  return vectors;
}

std::vector<float> kill_query(std::uint64_t seed) {
  SeededRandom random(mix64(~seed));
  std::vector<float> vector(kKillDimension);
  for (float& x : vector) x = static_cast<float>(random.unit()) - 0.5F;
  return vector;
}

std::string kill_payload(std::uint64_t id, std::uint64_t version) {
  SeededRandom random(version ^ mix64(id + 1));
  if (random.below(8) == 0) return {};
  std::uint64_t padding = random.below(60);
  if (random.below(16) == 0) padding = random.below(9'000);
  if (random.below(1'000) == 0) padding = random.below(300'000);  // larger than the smallest log segment
  return R"({"id":)" + std::to_string(id) + R"(,"version":")" + std::to_string(version) + R"(","padding":")" +
         std::string(padding, static_cast<char>('a' + version % 26)) + R"("})";
}

std::string KillMark::to_string() const {
  return number == 0 ? std::string() : std::to_string(seed) + "/" + std::to_string(number);
}

KillMark KillMark::parse(const std::string& text) {
  KillMark mark;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, mark.seed);
  if (first.ec != std::errc() || first.ptr == end) return {};
  return std::from_chars(first.ptr + 1, end, mark.number).ec == std::errc() ? mark : KillMark{};
}

std::string kill_marker_key(std::uint32_t thread) { return "thread " + std::to_string(thread); }

std::uint64_t kill_guest_version(KillMark mark) { return mix64(mark.seed ^ mix64(mark.number)) | 1; }

WriteBatch kill_guest_batch(KillMark mark) {
  WriteBatch batch;
  for (std::uint64_t id = 0; id < kKillGuestIds; ++id) add_point(batch, id, kill_guest_version(mark));
  batch.set_marker(kill_marker_key(kKillKeeper), mark.to_string());
  return batch;
}

KillLife kill_life(std::uint64_t seed) {
  SeededRandom random(mix64(seed ^ 0x0B71));
  KillLife life;
  OpenOptions& options = life.options;
  constexpr std::array kDurabilities{Durability::sync, Durability::sync, Durability::interval, Durability::none};
  options.durability = kDurabilities[random.below(kDurabilities.size())];
  options.sync_interval = std::chrono::milliseconds(1 + random.below(50));
  options.log_segment_bytes = std::uint64_t{1} << (16 + random.below(7));     // 64 KiB .. 4 MiB
  options.checkpoint_log_bytes = std::uint64_t{1} << (16 + random.below(6));  // 64 KiB .. 2 MiB
  options.checkpoint_on_close = random.below(2) == 0;
  options.indexing_threads = static_cast<std::uint32_t>(1 + random.below(3));
  options.verify_on_open = random.below(2) == 0 ? VerifyOnOpen::metadata : VerifyOnOpen::everything;
  constexpr std::array<std::uint32_t, 5> kVacuumPercents{1, 4, 8, 30, 100};
  options.vacuum_percent = kVacuumPercents[random.below(kVacuumPercents.size())];
  options.scrub_bytes_per_second = random.below(2) == 0 ? 0 : std::uint64_t{1} << (20 + random.below(7));
  options.scrub_interval = std::chrono::seconds(random.below(2));
  life.snapshots_expire = random.below(4) == 0;
  if (life.snapshots_expire) {
    options.snapshot_bytes_max = std::uint64_t{1} << (12 + random.below(10));
    if (random.below(2) == 0) options.snapshot_age_max = std::chrono::milliseconds(1 + random.below(50));
  }
  life.writers = static_cast<std::uint32_t>(1 + random.below(kKillThreads));
  life.snapshot_holders = static_cast<std::uint32_t>(random.below(3));
  life.batches = 50 + random.below(600);
  return life;
}

OpenOptions kill_check_options(std::uint64_t seed) {
  const OpenOptions defaults;
  OpenOptions options = kill_life(seed).options;
  options.snapshot_bytes_max = defaults.snapshot_bytes_max;
  options.snapshot_age_max = defaults.snapshot_age_max;
  return options;
}

CollectionConfig kill_config() {
  return {.dimension = kKillDimension, .metric = Metric::l2, .m = 8, .ef_construction = 40};
}

}  // namespace holdfast::testing
