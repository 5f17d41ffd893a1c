#include "support/sim_content.h"

#include <algorithm>
#include <cstring>

namespace holdfast::testing {
namespace {

const Page& zero_page() {
  static const Page page{};
  return page;
}

bool all_zero(ByteSpan bytes) {
  return bytes.size() <= kPageSize && std::memcmp(bytes.data(), zero_page().data(), bytes.size()) == 0;
}

}  // namespace

std::size_t SimContent::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= size_) return 0;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - offset));
  for (std::size_t done = 0; done < count;) {
    const std::size_t begin = (offset + done) % kPageSize;
    const std::size_t length = std::min<std::size_t>(kPageSize - begin, count - done);
    const PageRef ref = page((offset + done) / kPageSize);
    std::memcpy(out.data() + done, (ref ? *ref : zero_page()).data() + begin, length);
    done += length;
  }
  return count;
}

void SimContent::write(std::uint64_t offset, ByteSpan bytes) {
  if (bytes.empty()) return;
  if (offset + bytes.size() > size_) resize(offset + bytes.size());
  for (std::size_t done = 0; done < bytes.size();) {
    const std::size_t begin = (offset + done) % kPageSize;
    const std::size_t length = std::min<std::size_t>(kPageSize - begin, bytes.size() - done);
    write_in_page((offset + done) / kPageSize, begin, bytes.subspan(done, length));
    done += length;
  }
}

void SimContent::resize(std::uint64_t size) {
  if (size < size_) {
    const std::uint64_t pages = (size + kPageSize - 1) / kPageSize;
    if (size % kPageSize != 0 && page(pages - 1)) {
      Page& last = slot(pages - 1).edit();
      std::fill(last.begin() + static_cast<std::ptrdiff_t>(size % kPageSize), last.end(), std::byte{0});
    }
    nodes_.resize((pages + kPagesPerNode - 1) / kPagesPerNode);
    for (std::uint64_t number = pages; number < nodes_.size() * kPagesPerNode; ++number) {
      if (page(number)) slot(number) = PageRef();
    }
  }
  size_ = size;
}

PageRef SimContent::page(std::uint64_t number) const {
  const std::uint64_t node = number / kPagesPerNode;
  if (node >= nodes_.size() || !nodes_[node]) return {};
  return (*nodes_[node])[number % kPagesPerNode];
}

void SimContent::copy_range(std::uint64_t first_page, std::span<const PageRef> pages, std::uint64_t begin,
                            std::uint64_t end) {
  end = std::min(end, size_);
  while (begin < end) {
    const std::uint64_t number = begin / kPageSize;
    const std::size_t from = begin % kPageSize;
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(kPageSize - from, end - begin));
    const PageRef& source = pages[number - first_page];
    if (length == kPageSize) {
      if (source || page(number)) slot(number) = source;
    } else {
      write_in_page(number, from, ByteSpan(source ? *source : zero_page()).subspan(from, length));
    }
    begin += length;
  }
}

Bytes SimContent::whole() const {
  Bytes bytes(size_);
  read(0, bytes);
  return bytes;
}

PageRef& SimContent::slot(std::uint64_t number) {
  const std::uint64_t node = number / kPagesPerNode;
  if (node >= nodes_.size()) nodes_.resize(node + 1);
  if (!nodes_[node]) nodes_[node] = Cow<Node>(Node{});
  return nodes_[node].edit()[number % kPagesPerNode];
}

void SimContent::write_in_page(std::uint64_t number, std::size_t begin, ByteSpan bytes) {
  const bool zero = all_zero(bytes);
  if (zero && !page(number)) return;
  PageRef& ref = slot(number);
  if (zero && bytes.size() == kPageSize) {
    ref = PageRef();
    return;
  }
  if (!ref || bytes.size() == kPageSize) ref = PageRef(Page{});  // a whole page needs nothing of the old one
  std::memcpy(ref.edit().data() + begin, bytes.data(), bytes.size());
}

}  // namespace holdfast::testing
