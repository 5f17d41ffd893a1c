#include "cli/index_wait.h"

#include <algorithm>
#include <future>

#include "cli/interrupt.h"
#include "cli/progress.h"

namespace holdfast::cli {

Status wait_for_index(Database& database, Collection& collection, std::chrono::duration<double> report_every) {
  const std::uint64_t total = collection.stats().growing;
  if (total == 0) return collection.wait_until_indexed();
  Progress progress("indexing", "rows", report_every);
  auto indexed = std::async(std::launch::async, [collection]() mutable { return collection.wait_until_indexed(); });
  while (indexed.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
    if (interrupted()) {
      Status closed = database.close();  // lets go of the waiting thread, too
      indexed.get().ignore();            // closed, or done a moment before: the answer to SIGINT is the same
      return closed.ok() ? Status(StatusCode::cancelled, "interrupted while the graph was built") : closed;
    }
    const std::uint64_t left = std::min(total, collection.stats().growing);
    progress.update(total - left, static_cast<double>(total - left) / static_cast<double>(total));
  }
  return indexed.get();
}

}  // namespace holdfast::cli
