#include "engine/repair_text.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace holdfast::engine {

namespace {

constexpr std::size_t kIdsShown = 10;

std::string counted(std::uint64_t number, const char* one, const char* many) {
  return std::to_string(number) + " " + (number == 1 ? one : many);
}

/// The number that follows the last `mark` of `text` and is followed by ':' or the end.
bool number_behind(std::string_view text, std::string_view mark, std::uint64_t& number) {
  for (std::size_t at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1)) {
    std::size_t digit = at + mark.size();
    std::uint64_t value = 0;
    const std::size_t first = digit;
    while (digit < text.size() && std::isdigit(static_cast<unsigned char>(text[digit])) != 0 && digit - first < 19) {
      value = value * 10 + static_cast<std::uint64_t>(text[digit++] - '0');
    }
    if (digit == first || (digit < text.size() && text[digit] != ':' && text[digit] != ',')) continue;
    number = value;
    return true;
  }
  return false;
}

}  // namespace

const char* explanation_of(Salvage salvage) noexcept {
  switch (salvage) {
    case Salvage::drop_checkpoint:
      return "sets the damaged checkpoint aside; another one and the log hold everything, nothing is lost";
    case Salvage::trim_log:
      return "sets the damaged log aside; the checkpoint holds everything that it says, nothing is lost";
    case Salvage::rebuild_graph:
      return "builds the graph anew from the vectors, which takes as long as indexing them; nothing is lost";
    case Salvage::rebuild_ids: return "sorts the ids anew, from the rows themselves; nothing is lost";
    case Salvage::rebuild_codes:
      return "leaves the codes out, which are made anew from the vectors when the store is open; nothing is lost";
    case Salvage::drop_points: return "removes the points of which a row is damaged; their ids become free";
    case Salvage::cut_log:
      return "ends the log before the damage; every later batch is lost, also those that can be read: the collection "
             "is as it was just before the damaged batch";
    case Salvage::skip_frames:
      return "leaves out only the damaged batches and applies the readable ones behind them; what the damaged ones "
             "wrote is lost, what they replaced or deleted is back, and nobody can tell which ids that is";
    case Salvage::roll_back:
      return "sets the whole log aside: the collection is as of its last sound checkpoint, every later batch is lost";
    case Salvage::rebuild_manifest:
      return "finds out from the files themselves which of them make up the checkpoint; what a file held that is gone, "
             "or "
             "cannot be read at all, is lost";
    case Salvage::rebuild_catalog:
      return "takes the names of the collections from their manifests; a collection whose drop was interrupted "
             "comes back";
  }
  return "";
}

std::uint64_t offset_in(const std::string& message, const std::string& file) {
  std::uint64_t offset = 0;
  if (!file.empty() && number_behind(message, file + " at ", offset)) return offset;
  return 0;
}

bool offset_behind(const std::string& message, const std::string& mark, std::uint64_t& offset) {
  return number_behind(message, mark, offset);
}

std::string describe_loss(const RepairLoss& loss, bool all) {
  std::string text;
  if (!loss.ids.empty()) {
    text = counted(loss.ids.size(), "point", "points") + " (";
    const std::size_t shown = all ? loss.ids.size() : std::min(kIdsShown, loss.ids.size());
    for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + loss.ids[i].to_string();
    text += shown < loss.ids.size() ? ", ...)" : ")";
  }
  if (loss.unknown_points != 0) {
    text += text.empty() ? "" : "; ";
    text += counted(loss.unknown_points, "row", "rows") + " whose ids cannot be read";
  }
  if (loss.first_lsn != 0) {
    text += text.empty() ? "" : "; ";
    text += loss.last_lsn == 0 ? "every batch from lsn " + std::to_string(loss.first_lsn) + " on"
            : loss.last_lsn == loss.first_lsn
                ? "the batch with lsn " + std::to_string(loss.first_lsn)
                : "batches within lsn " + std::to_string(loss.first_lsn) + " to " + std::to_string(loss.last_lsn);
    if (loss.unread_batches != 0) text += ", " + std::to_string(loss.unread_batches) + " of them unreadable";
  }
  for (const std::string& what : loss.unnamed) text += (text.empty() ? "" : "; ") + what;
  return text;
}

std::string report_text(const std::vector<RepairStep>& steps) {
  std::string text =
      "What a repair has taken out of the store stands here, as it was found. Remove this directory when it is not "
      "needed any more.\n";
  for (const RepairStep& step : steps) {
    if (!step.chosen) continue;
    text += "\n" + std::string(to_string(step.salvage)) + ": " + step.explanation + ".\n";
    if (!step.collection.empty()) text += "  collection: " + step.collection + "\n";
    text += "  damage: " + step.file + " at " + std::to_string(step.offset) + ": " + step.damage + "\n";
    const std::string loss = describe_loss(step.loss, true);
    text += "  lost: " + (loss.empty() ? "nothing" : loss) + "\n";
  }
  return text;
}

}  // namespace holdfast::engine
