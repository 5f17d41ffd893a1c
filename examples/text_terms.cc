// Words, stems and stop words: the part of the embedder that knows English.
#include <algorithm>
#include <array>

#include "text_embedder.h"

namespace demo {
namespace {

bool is_vowel(std::string_view word, std::size_t i) noexcept {
  switch (word[i]) {
    case 'a':
    case 'e':
    case 'i':
    case 'o':
    case 'u': return true;
    case 'y': return i > 0 && !is_vowel(word, i - 1);
    default: return false;
  }
}

bool has_vowel(std::string_view word) noexcept {
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (is_vowel(word, i)) return true;
  }
  return false;
}

/// What is left after "-ed" or "-ing": "stopp" -> "stop".
void undouble(std::string& word) {
  const std::size_t n = word.size();
  if (n < 4 || word[n - 1] != word[n - 2]) return;
  if (is_vowel(word, n - 1) || word[n - 1] == 'l' || word[n - 1] == 's' || word[n - 1] == 'z') return;
  word.pop_back();
}

// Sorted, for binary search.
constexpr auto kStopWords = std::to_array<std::string_view>(
    {"a",    "about", "all",   "also",  "am",    "an",    "and",  "any",   "are",        "as",      "at",   "be",
     "been", "being", "but",   "by",    "can",   "do",    "does", "e",     "especially", "etc",     "for",  "from",
     "g",    "had",   "has",   "have",  "he",    "her",   "his",  "how",   "i",          "if",      "in",   "into",
     "is",   "it",    "its",   "may",   "me",    "more",  "most", "my",    "no",         "not",     "of",   "often",
     "on",   "one",   "or",    "other", "s",     "she",   "so",   "some",  "something",  "such",    "t",    "than",
     "that", "the",   "their", "them",  "they",  "thing", "this", "to",    "used",       "usually", "very", "was",
     "we",   "were",  "what",  "when",  "where", "which", "who",  "whose", "with",       "without", "you",  "your"});
static_assert(std::is_sorted(kStopWords.begin(), kStopWords.end()));

}  // namespace

void for_each_word(std::string_view text, const std::function<void(std::string&)>& visit) {
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const auto c = static_cast<unsigned char>(i < text.size() ? text[i] : ' ');
    if (c >= 'A' && c <= 'Z') {
      word.push_back(static_cast<char>(c - 'A' + 'a'));
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80) {
      word.push_back(static_cast<char>(c));
    } else if (!word.empty()) {
      visit(word);
      word.clear();
    }
  }
}

// The first step of Porter's stemmer ("An algorithm for suffix stripping", 1980), and the final e.
std::string stem(std::string_view word) {
  std::string s(word);
  const auto ends = [&s](std::string_view ending) { return s.size() > ending.size() + 1 && s.ends_with(ending); };
  if (s.size() <= 3) return s;
  if (ends("sses") || ends("ies")) {
    s.resize(s.size() - 2);
  } else if (ends("s") && !ends("ss") && !ends("us") && !ends("is")) {
    s.pop_back();
  }
  for (const std::string_view ending : {std::string_view("ed"), std::string_view("ing")}) {
    if (ends(ending) && has_vowel(std::string_view(s).substr(0, s.size() - ending.size()))) {
      s.resize(s.size() - ending.size());
      undouble(s);
      break;
    }
  }
  if (ends("e")) s.pop_back();
  if (ends("y") && !is_vowel(s, s.size() - 2)) s.back() = 'i';
  return s;
}

bool is_stop_word(std::string_view word) noexcept {
  return std::binary_search(kStopWords.begin(), kStopWords.end(), word);
}

}  // namespace demo
