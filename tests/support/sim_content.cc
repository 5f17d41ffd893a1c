#include "support/sim_content.h"

#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "base/random.h"

namespace holdfast::testing {
namespace {

const Page& zero_page() {
  static const Page page{};
  return page;
}

bool all_zero(ByteSpan bytes) {
  return bytes.size() <= kPageSize && std::memcmp(bytes.data(), zero_page().bytes.data(), bytes.size()) == 0;
}

auto& edit_bytes(PageRef& ref) {
  Page& page = ref.edit();
  page.digest.store(0, std::memory_order_relaxed);
  return page.bytes;
}

std::uint64_t digest_of(const Page& page) {
  std::uint64_t digest = page.digest.load(std::memory_order_relaxed);
  if (digest != 0) return digest;
  digest = checksum64(page.bytes) | 1;
  page.digest.store(digest, std::memory_order_relaxed);
  return digest;
}

}  // namespace

std::size_t SimContent::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= size_) return 0;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - offset));
  for (std::size_t done = 0; done < count;) {
    const std::size_t begin = (offset + done) % kPageSize;
    const std::size_t length = std::min<std::size_t>(kPageSize - begin, count - done);
    const PageRef ref = page((offset + done) / kPageSize);
    std::memcpy(out.data() + done, (ref ? *ref : zero_page()).bytes.data() + begin, length);
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
      auto& last = edit_bytes(slot(pages - 1));
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
      write_in_page(number, from, ByteSpan((source ? *source : zero_page()).bytes).subspan(from, length));
    }
    begin += length;
  }
}

Bytes SimContent::whole() const {
  Bytes bytes(size_);
  read(0, bytes);
  return bytes;
}

std::uint64_t SimContent::digest(const PageRef& page) { return digest_of(page ? *page : zero_page()); }

std::uint64_t SimContent::digest() const {
  static const std::uint64_t zeros = digest_of(zero_page());
  std::uint64_t digest = mix64(size_);
  for (std::uint64_t node = 0; node < nodes_.size(); ++node) {
    if (!nodes_[node]) continue;
    for (std::uint64_t i = 0; i < kPagesPerNode; ++i) {
      const PageRef& ref = (*nodes_[node])[i];
      if (!ref) continue;
      const std::uint64_t bytes = digest_of(*ref);
      if (bytes != zeros) digest += mix64(bytes ^ mix64(node * kPagesPerNode + i + 1));
    }
  }
  return mix64(digest);
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
  if (bytes.size() == kPageSize) {  // needs nothing of the old one
    ref = PageRef(std::in_place, bytes);
    return;
  }
  if (!ref) ref = PageRef(std::in_place);
  std::memcpy(edit_bytes(ref).data() + begin, bytes.data(), bytes.size());
}

}  // namespace holdfast::testing
