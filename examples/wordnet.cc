#include "wordnet.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <utility>

namespace demo {
namespace {

using holdfast::Result;
using holdfast::Status;
using holdfast::StatusCode;

constexpr std::uint64_t kIdsPerPart = 100'000'000;  // offsets have eight digits

struct DataFile {
  std::string_view name;
  unsigned part_of_speech;
};
constexpr std::array<DataFile, 4> kFiles{{{"data.noun", 1}, {"data.verb", 2}, {"data.adj", 3}, {"data.adv", 4}}};

Status malformed(std::string_view what) { return {StatusCode::data_damaged, "malformed synset: " + std::string(what)}; }

/// Takes fields off the front of a line; they are separated by single spaces.
class Fields {
 public:
  explicit Fields(std::string_view line) noexcept : rest_(line) {}

  [[nodiscard]] bool text(std::string_view& out) noexcept {
    const std::size_t end = rest_.find(' ');
    if (end == std::string_view::npos || end == 0) return false;
    out = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return true;
  }
  [[nodiscard]] bool number(std::uint64_t& out, int base) noexcept {
    std::string_view digits;
    if (!text(digits)) return false;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out, base);
    return error == std::errc() && stop == digits.data() + digits.size();
  }

 private:
  std::string_view rest_;
};

/// "galore(ip)" -> "galore", "domestic_dog" -> "domestic dog".
std::string readable_word(std::string_view raw) {
  if (raw.ends_with(')')) raw = raw.substr(0, std::min(raw.find('('), raw.size()));
  std::string word(raw);
  std::replace(word.begin(), word.end(), '_', ' ');
  return word;
}

std::string_view trimmed(std::string_view text, std::string_view what) {
  const std::size_t first = text.find_first_not_of(what);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(what) - first + 1);
}

/// `a gloss; "an example"; "another"`: the examples are what stands in quotation marks.
void split_gloss(std::string_view gloss, Synset& synset) {
  std::size_t position = 0;
  while (position < gloss.size()) {
    const std::size_t open = gloss.find('"', position);
    synset.definition += gloss.substr(position, open - position);
    if (open == std::string_view::npos) break;
    const std::size_t close = std::min(gloss.find('"', open + 1), gloss.size());
    const std::string_view quoted = gloss.substr(open + 1, close - open - 1);
    // Quotation marks inside a definition set a word apart; an example stands after a semicolon.
    if (trimmed(synset.definition, " ").ends_with(';') || trimmed(synset.definition, " ").empty()) {
      synset.examples.emplace_back(trimmed(quoted, " "));
    } else {
      synset.definition += quoted;
    }
    position = close + 1;
  }
  // Between two examples only separators were left over.
  std::string_view definition = trimmed(synset.definition, " ;,-");
  synset.definition = std::string(definition);
}

unsigned part_number(std::string_view letter) noexcept {
  switch (letter.front()) {
    case 'n': return 1;
    case 'v': return 2;
    case 'r': return 4;
    default: return 3;  // 'a' and its satellites 's'
  }
}

Status read_file(const std::filesystem::path& path, unsigned part_of_speech, std::vector<Synset>& synsets) {
  std::ifstream file(path);
  if (!file) {
    return {StatusCode::not_found,
            "cannot read " + path.string() + "; install WordNet with: apt-get install wordnet-base"};
  }
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == ' ') continue;  // the licence at the head of each file
    auto synset = parse_synset(line, part_of_speech);
    if (!synset.ok()) return synset.status().with_context(path.string() + ", line " + std::to_string(number));
    synsets.push_back(std::move(synset).value());
  }
  if (file.bad()) return {StatusCode::io_error, "reading " + path.string() + " failed"};
  return {};
}

}  // namespace

std::string_view Synset::part_of_speech() const noexcept {
  constexpr std::array<std::string_view, 5> kNames{"unknown", "noun", "verb", "adjective", "adverb"};
  const std::uint64_t part = id / kIdsPerPart;
  return kNames[part < kNames.size() ? part : 0];
}

// offset lex_filenum ss_type w_cnt(hex) {word lex_id}... p_cnt {symbol offset pos source_target}... [frames] | gloss
Result<Synset> parse_synset(std::string_view line, unsigned part_of_speech) {
  const std::size_t bar = line.find(" | ");
  if (bar == std::string_view::npos) return malformed("no gloss");
  Fields fields(line.substr(0, bar + 1));
  std::uint64_t offset = 0, file_number = 0, words = 0, pointers = 0;
  std::string_view type, word, unused;
  if (!fields.number(offset, 10) || !fields.number(file_number, 10) || !fields.text(type)) return malformed("head");
  if (offset >= kIdsPerPart) return malformed("offset");

  Synset synset;
  synset.id = part_of_speech * kIdsPerPart + offset;
  if (!fields.number(words, 16) || words == 0) return malformed("word count");
  for (std::uint64_t i = 0; i < words; ++i) {
    if (!fields.text(word) || !fields.text(unused)) return malformed("words");
    synset.words.push_back(readable_word(word));
  }
  if (!fields.number(pointers, 10)) return malformed("pointer count");
  for (std::uint64_t i = 0; i < pointers; ++i) {
    std::string_view symbol, part;
    std::uint64_t target = 0;
    if (!fields.text(symbol) || !fields.number(target, 10) || !fields.text(part) || !fields.text(unused)) {
      return malformed("pointers");
    }
    const std::uint64_t id = part_number(part) * kIdsPerPart + target;
    if (symbol == "+" || symbol == "&" || symbol == "\\") synset.related.push_back(id);
    if (symbol == "@" || symbol == "@i") synset.parents.push_back(id);
  }
  split_gloss(line.substr(bar + 3), synset);
  return synset;
}

Result<std::vector<Synset>> read_wordnet(const std::filesystem::path& directory) {
  std::vector<Synset> synsets;
  synsets.reserve(120'000);
  for (const DataFile& file : kFiles) {
    Status status = read_file(directory / file.name, file.part_of_speech, synsets);
    if (!status.ok()) return status;
  }
  return synsets;
}

}  // namespace demo
