// What a repair says to people.
#pragma once

#include <string>
#include <vector>

#include "holdfast/admin.h"

namespace holdfast::engine {

/// What the salvage does, and what it gives up, in one sentence.
[[nodiscard]] const char* explanation_of(Salvage salvage) noexcept;

/// Where a message of the engine says that the damage begins: behind "<file> at ", or "byte "; 0: it does not.
[[nodiscard]] std::uint64_t offset_in(const std::string& message, const std::string& file);

/// The number behind a `mark` of the message. False if there is none.
bool offset_behind(const std::string& message, const std::string& mark, std::uint64_t& offset);

/// "3 points (7, 8, 9); batches 12 to 15, 2 of them unreadable"; with every id if `all`. Empty: nothing is lost.
[[nodiscard]] std::string describe_loss(const RepairLoss& loss, bool all);

/// The text of REPORT in a directory of what was set aside.
[[nodiscard]] std::string report_text(const std::vector<RepairStep>& steps);

}  // namespace holdfast::engine
