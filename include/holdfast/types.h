// Value types of the public API: ids, points, batches, configuration, reports.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "holdfast/status.h"

namespace holdfast {

/// Number of a write batch in its collection's log. The first batch is 1; 0 means "before everything".
using Lsn = std::uint64_t;

/// Identity of a point: an unsigned 64-bit number or a UUID. The number 7 and any UUID are different ids.
class PointId {
 public:
  enum class Kind : std::uint8_t { number = 0, uuid = 1 };

  constexpr PointId() noexcept = default;
  constexpr PointId(std::uint64_t number) noexcept : low_(number) {}  // NOLINT(google-explicit-constructor)
  /// Bytes in the order of the textual form (RFC 9562).
  [[nodiscard]] static PointId uuid(const std::array<std::uint8_t, 16>& bytes) noexcept;
  /// Decimal digits, or 8-4-4-4-12 hexadecimal digits. Anything else: invalid_argument.
  [[nodiscard]] static Result<PointId> parse(std::string_view text);
  /// From the two halves as stored (see high() and low()).
  [[nodiscard]] static constexpr PointId from_parts(Kind kind, std::uint64_t high, std::uint64_t low) noexcept {
    PointId id(low);
    id.high_ = high;
    id.kind_ = kind;
    return id;
  }

  [[nodiscard]] constexpr Kind kind() const noexcept { return kind_; }
  [[nodiscard]] constexpr bool is_uuid() const noexcept { return kind_ == Kind::uuid; }
  /// REQUIRES !is_uuid().
  [[nodiscard]] constexpr std::uint64_t number() const noexcept { return low_; }
  /// First eight bytes of a UUID as a big-endian number; 0 for numbers.
  [[nodiscard]] constexpr std::uint64_t high() const noexcept { return high_; }
  /// Last eight bytes of a UUID as a big-endian number; the number itself otherwise.
  [[nodiscard]] constexpr std::uint64_t low() const noexcept { return low_; }
  [[nodiscard]] std::string to_string() const;

  friend constexpr bool operator==(const PointId&, const PointId&) noexcept = default;
  friend constexpr auto operator<=>(const PointId&, const PointId&) noexcept = default;

 private:
  Kind kind_ = Kind::number;
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

/// How two vectors are compared. Smaller is nearer for all three.
enum class Metric : std::uint8_t {
  l2 = 0,             ///< squared Euclidean distance: sum (a_i - b_i)^2
  inner_product = 1,  ///< negated inner product: -sum a_i b_i
  cosine = 2,         ///< 1 - cosine similarity, in [0, 2]; zero vectors are refused
};
[[nodiscard]] std::string_view to_string(Metric metric) noexcept;
[[nodiscard]] Result<Metric> parse_metric(std::string_view text);

/// When a write is acknowledged.
enum class Durability : std::uint8_t {
  sync = 0,      ///< After fdatasync: survives kill -9 and power loss. The default.
  interval = 1,  ///< After the write to the operating system; synced at latest after `sync_interval`.
                 ///< Survives kill -9; power loss may take the last interval.
  none = 2,      ///< After the write to the operating system; synced at checkpoints and on close only.
};
[[nodiscard]] std::string_view to_string(Durability durability) noexcept;

/// Hard limits. Requests past them get `invalid_argument` or `resource_exhausted`, never a partial effect.
inline constexpr std::uint32_t kMaxDimension = 65'536;
inline constexpr std::uint32_t kMaxK = 65'536;
inline constexpr std::uint32_t kMaxEf = 65'536;
inline constexpr std::uint32_t kMaxM = 128;
inline constexpr std::uint32_t kMaxEfConstruction = 16'384;
inline constexpr std::size_t kMaxPayloadBytes = std::size_t{4} << 20;
inline constexpr std::size_t kMaxBatchOperations = 100'000;
inline constexpr std::size_t kMaxBatchBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxMarkers = 1'024;
inline constexpr std::size_t kMaxMarkerBytes = 4'096;
inline constexpr std::size_t kMaxNameBytes = 128;
inline constexpr std::uint32_t kMaxValues = 4'096;  ///< vectors under one id

/// What a collection keeps the components of its vectors as. The API takes and gives float32; what is stored, what
/// get() returns and what distances are computed from is the nearest value of the type.
enum class ComponentType : std::uint8_t {
  f32 = 0,   ///< IEEE 754 binary32: as written
  f16 = 1,   ///< binary16: rounded to 11 bits, ties to even; a component of 65,520 or more is invalid_argument
  bf16 = 2,  ///< the upper half of a float32: rounded to 8 bits, ties to even; invalid_argument where that is infinite
  i8 = 3,    ///< whole numbers from -128 to 127; anything else is invalid_argument
  u8 = 4,    ///< whole numbers from 0 to 255; anything else is invalid_argument
};
[[nodiscard]] std::string_view to_string(ComponentType type) noexcept;
[[nodiscard]] Result<ComponentType> parse_component_type(std::string_view text);

/// Fixed at creation of a collection.
struct CollectionConfig {
  std::uint32_t dimension = 0;  ///< number of components, 1..kMaxDimension
  Metric metric = Metric::l2;
  std::uint32_t m = 16;                     ///< HNSW M: links chosen per new point and level (2M at level 0), 2..kMaxM
  std::uint32_t ef_construction = 200;      ///< beam width while building, m..kMaxEfConstruction
  ComponentType type = ComponentType::f32;  ///< of the stored vectors

  friend bool operator==(const CollectionConfig&, const CollectionConfig&) = default;
};

/// How thoroughly a checkpoint's files are read at open. `verify()` reads everything at any time.
enum class VerifyOnOpen : std::uint8_t {
  metadata = 0,    ///< the manifest, and of each file what frames it; pages when something first needs them
  everything = 1,  ///< every page, and counts and ids against the rows: damage means the checkpoint before
};

/// Database-wide settings.
struct OpenOptions {
  bool create_if_missing = true;
  Durability durability = Durability::sync;      ///< default of writes that name none
  std::chrono::milliseconds sync_interval{100};  ///< for Durability::interval
  std::uint64_t log_segment_bytes = std::uint64_t{16} << 20;
  /// A background checkpoint starts when the log since the last one exceeds this many bytes.
  std::uint64_t checkpoint_log_bytes = std::uint64_t{256} << 20;
  bool checkpoint_on_close = true;
  /// Every collection sets space aside on the disk, so that on a full disk points can still be erased and checkpoints
  /// written: for one log segment and what its next checkpoint will write, as far as that is known, but not more than
  /// this. Upserts get disk_full rather than touch it. 0: none. Raised to a log segment otherwise.
  std::uint64_t disk_reserve_bytes = std::uint64_t{256} << 20;
  std::uint32_t indexing_threads = 0;  ///< workers that build the graph; 0: one per core
  VerifyOnOpen verify_on_open = VerifyOnOpen::metadata;
  /// Vacuum starts when this many of 100 nodes of the graph are dead, 1..100.
  std::uint32_t vacuum_percent = 8;
  /// Memory that old versions may take because snapshots still read them. Past it the oldest snapshot expires.
  /// 0: no limit.
  std::uint64_t snapshot_bytes_max = std::uint64_t{1} << 30;
  /// A snapshot older than this expires. 0: no limit.
  std::chrono::milliseconds snapshot_age_max{0};
  /// The scrubber reads every page of the newest checkpoint in the background, at this many bytes per second at most,
  /// to find damage before a reader does. 0: off.
  std::uint64_t scrub_bytes_per_second = std::uint64_t{8} << 20;
  /// From the end of one pass of the scrubber to the beginning of the next.
  std::chrono::seconds scrub_interval{24 * 60 * 60};
};

struct WriteOptions {
  std::optional<Durability> durability = {};  ///< overrides OpenOptions::durability
  /// For initial loads: never slow this writer down when the graph falls behind. What is not indexed yet is compared
  /// exactly, so searches get slower until the indexer has caught up (Collection::wait_until_indexed).
  bool bulk = false;
};

/// A list of operations that is applied entirely or not at all. Not thread-safe; reusable after clear().
class WriteBatch {
 public:
  /// Inserts or replaces. `payload` is a JSON object or empty (stored as no payload). Both are copied.
  void upsert(PointId id, std::span<const float> vector, std::string_view payload = {});
  /// Inserts or replaces a point that has several vectors (a document and the vectors of its passages): `vectors` is
  /// `values` x dimension, one vector after the other; 1..kMaxValues. A search finds the id once, by its best vector.
  void upsert_values(PointId id, std::span<const float> vectors, std::uint32_t values, std::string_view payload = {});
  /// Removes the point if it exists.
  void erase(PointId id);
  /// Remembers `value` under `key`, durable together with this batch (e.g. how far an import got).
  /// An empty value removes the marker.
  void set_marker(std::string_view key, std::string_view value);
  void clear() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return operations_.size(); }
  [[nodiscard]] bool empty() const noexcept { return operations_.empty(); }
  /// Approximate bytes that this batch takes in the log.
  [[nodiscard]] std::size_t byte_size() const noexcept;

  enum class Kind : std::uint8_t { upsert = 1, erase = 2, marker = 3 };
  /// One operation; spans point into the batch and live until it changes.
  struct Operation {
    Kind kind;
    PointId id;
    std::span<const float> vector;  ///< upsert: values x dimension
    std::uint32_t values;           ///< upsert: vectors, at least 1
    std::string_view payload;       ///< marker: the value
    std::string_view key;           ///< marker only
  };
  [[nodiscard]] Operation operation(std::size_t i) const noexcept;

 private:
  struct Entry {
    Kind kind;
    PointId id;
    std::uint32_t values;
    std::size_t vector_begin, vector_size;
    std::size_t text_begin, text_size;
    std::size_t key_size;  // the key stands before the text
  };
  std::vector<Entry> operations_;
  std::vector<float> vectors_;
  std::string text_;
};

/// What a write did.
struct WriteReceipt {
  Lsn lsn = 0;  ///< position of the batch in the log; 0 for an empty batch
  std::uint64_t upserted = 0;
  std::uint64_t erased = 0;  ///< ids that existed and are now gone
};

struct Point {
  PointId id;
  std::vector<float> vector;  ///< exactly as stored (ComponentType): `values` x dimension components
  std::string payload;        ///< exactly as written; empty if none
  std::uint32_t values = 1;   ///< vectors of this point
};

/// When a search has to end. Past it, it returns what it has found so far (Hits::stopped).
using Deadline = std::chrono::steady_clock::time_point;

struct SnapshotOptions {
  /// The snapshot contains this batch (WriteReceipt::lsn): read-your-writes across threads. A batch that
  /// is still being committed is waited for.
  Lsn at_least = 0;
  std::optional<Deadline> deadline = {};  ///< how long to wait for `at_least`; nothing: 10 seconds
};

/// Common to every kind of search.
struct ReadLimits {
  std::optional<Deadline> deadline = {};
  std::stop_token cancel = {};
};

/// What a search may leave out to be quick. The distances that it returns are exact with each of them.
enum class Preset : std::uint8_t {
  balanced =
      0,      ///< Walks by codes; compares exactly whatever may be among the k nearest, by a bound of the codes' error.
  fast = 1,   ///< By shorter codes and with a narrower bound: what they misplace is found less often. The first such
              ///< search has them made in the background: 128 bytes per point if few of many principal components
              ///< hold most of the variance, else half of the codes' memory again (128 components and more, no bytes).
  exact = 2,  ///< Compares with every point instead of walking the graph.
};
[[nodiscard]] std::string_view to_string(Preset preset) noexcept;
[[nodiscard]] Result<Preset> parse_preset(std::string_view text);

/// How wide a search looks is given by `ef`, or follows from `recall`; naming both is invalid_argument.
struct SearchOptions {
  std::uint32_t k = 10;  ///< results wanted, 1..kMaxK
  std::uint32_t ef =
      0;  ///< beam width, 1..kMaxEf; 0: what `recall` needs, or else max(k, 100). Raised to k if smaller.
  bool with_payload = false;
  bool exact = false;  ///< the same as Preset::exact; with Preset::fast invalid_argument
  ReadLimits limits = {};
  /// Part of the k nearest that is wanted on average, in (0, 1]; 0: not wanted. The beam width for it is measured on
  /// the collection's own points against exact search (Collection::calibrate()), and until then a wide one is assumed;
  /// Hits says which. Where no beam that was measured reaches it, and for 1, every point is compared.
  float recall = 0;
  Preset preset = Preset::balanced;  ///< Preset::exact reaches every recall, and looks at no ef
};

struct RangeOptions {
  float radius = 0;       ///< points with distance <= radius; any number under inner_product, else >= 0; not NaN
  std::uint32_t ef = 0;   ///< how many nodes beyond the radius are looked at before the walk ends; 0: 100
  std::size_t limit = 0;  ///< at most this many, the nearest ones; 0: all of them
  bool with_payload = false;
  bool exact = false;
  ReadLimits limits = {};
};

struct CursorOptions {
  std::uint32_t ef = 0;  ///< how far the walk looks beyond the points it is asked for, 1..kMaxEf; 0: 100
  bool with_payload = false;
  bool exact = false;  ///< order by comparing with every point
};

struct Hit {
  PointId id;
  float distance = 0;        ///< see Metric; computed from the stored vectors, in float32
  std::string payload = {};  ///< if asked for
  std::uint32_t value = 0;   ///< which of the id's vectors is the nearest
};

/// Why a search ended before it was complete.
enum class Stopped : std::uint8_t {
  no = 0,  ///< it is complete
  deadline = 1,
  cancelled = 2,
};

/// Where the beam width of a search came from.
enum class Beam : std::uint8_t {
  given = 0,       ///< SearchOptions::ef, or its default
  calibrated = 1,  ///< measured for SearchOptions::recall on this collection
  assumed = 2,     ///< not measured yet: a width that is enough for most data
  exact = 3,       ///< every point was compared
};
[[nodiscard]] std::string_view to_string(Beam beam) noexcept;

/// Nearest first, no id twice; equal distances in the order of rows, which is fixed within a snapshot.
struct Hits : std::vector<Hit> {
  using std::vector<Hit>::vector;
  Stopped stopped = Stopped::no;  ///< otherwise these are only the hits found until then
  Beam beam = Beam::given;        ///< of search() and search_batch()
  std::uint32_t ef = 0;           ///< the beam width that was used; 0: every point was compared
};

/// What open() found and did. All counts are of this open only.
struct RecoveryReport {
  bool clean = true;       ///< last close was clean and nothing had to be cut
  Lsn checkpoint_lsn = 0;  ///< last batch inside the checkpoint that was used
  std::uint64_t checkpoint_generation = 0;
  bool fell_back = false;  ///< the newest checkpoint was damaged, the one before was used
  Lsn last_lsn = 0;        ///< last batch that is in the store now
  std::uint64_t frames_replayed = 0;
  std::uint64_t bytes_replayed = 0;
  std::uint64_t bytes_cut = 0;             ///< torn tail: never acknowledged
  std::string cut_reason;                  ///< empty if nothing was cut
  std::vector<std::string> files_removed;  ///< orphans of interrupted work
  std::vector<std::string> notes;          ///< damage that cost nothing, in words
  double load_ms = 0;                      ///< manifest and extents
  double replay_ms = 0;                    ///< log
  double total_ms = 0;

  [[nodiscard]] std::string to_string() const;
};

struct CollectionStats {
  std::uint64_t points = 0;         ///< live
  std::uint64_t values = 0;         ///< live vectors: more than points if some have several
  std::uint64_t slots = 0;          ///< rows that exist, dead and free ones included
  std::uint64_t dead_slots = 0;     ///< rows of versions that are gone and not free yet
  std::uint64_t free_slots = 0;     ///< rows that the next writes will use
  std::uint64_t dead_in_graph = 0;  ///< dead rows that are still nodes: vacuum removes them
  std::uint64_t growing = 0;        ///< committed rows that the graph does not hold yet
  std::uint64_t graph_nodes = 0;
  std::uint32_t graph_levels = 0;
  std::uint64_t graph_epoch = 0;
  Lsn last_lsn = 0;
  Lsn synced_lsn = 0;
  Lsn checkpoint_lsn = 0;
  std::uint64_t checkpoint_generation = 0;
  std::uint64_t log_bytes = 0;      ///< bytes of log since the last checkpoint
  std::uint64_t disk_bytes = 0;     ///< all files of the collection, the reserve included
  std::uint64_t reserve_bytes = 0;  ///< set aside for a full disk
  /// What should be set aside. More than reserve_bytes: the disk has no room for it, or cannot set space aside.
  std::uint64_t reserve_wanted_bytes = 0;
  std::uint64_t vector_bytes = 0;    ///< rows in memory or mapped
  std::uint64_t overhead_bytes = 0;  ///< everything else in memory: lists, ids, stamps, payload index, codes
  std::uint64_t code_bytes = 0;      ///< of them codes, by which the graph is searched, those of Preset::fast included
  std::uint64_t code_trainings = 0;  ///< how often codes of either kind were trained since open
  std::uint64_t calibrations = 0;    ///< how often beam widths were measured since open (SearchOptions::recall)
  std::uint64_t calibration_us = 0;  ///< processor time that they took, of all threads
  std::uint64_t payload_bytes = 0;
  std::uint64_t retained_bytes = 0;   ///< what snapshots hold: old versions (lists, payloads, rows), lists they found
  std::uint64_t reclaim_backlog = 0;  ///< dead rows out of the graph that wait for snapshots to go
  std::uint64_t pinned_snapshots = 0;
  Lsn oldest_snapshot_lsn = 0;  ///< 0: there is none
  std::uint64_t oldest_snapshot_age_ms = 0;
  std::uint64_t expired_snapshots = 0;  ///< since open
  std::uint64_t vacuumed_slots = 0;     ///< nodes removed from the graph since open
  std::uint64_t writer_stalls = 0;      ///< writes slowed down since open because the graph was behind
  std::uint64_t writer_stall_us = 0;    ///< for how long in all
  std::uint64_t writes = 0;             ///< batches acknowledged since open
  std::uint64_t groups = 0;             ///< log writes since open
  std::uint64_t syncs = 0;              ///< fdatasync calls on the log since open
  std::uint64_t scrubbed_bytes = 0;     ///< read and checked by the scrubber since open
  std::uint64_t scrub_passes = 0;       ///< passes over everything that it has finished since open
  std::uint64_t damaged_pages = 0;      ///< pages of the checkpoint found damaged since open, by anybody
  std::string damage;                   ///< the first of them, with file and offset; empty if there is none
  std::string checkpoint_error;         ///< why the last checkpoint failed; empty if it did not
  std::string write_error;              ///< why the collection is read-only; empty if it is not
};

}  // namespace holdfast

template <>
struct std::hash<holdfast::PointId> {
  std::size_t operator()(const holdfast::PointId& id) const noexcept {
    std::uint64_t h = (id.low() ^ (id.high() * 0x9E3779B97F4A7C15ULL)) + static_cast<std::uint64_t>(id.kind());
    h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93ULL;
    h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93ULL;
    return static_cast<std::size_t>(h ^ (h >> 32));
  }
};
