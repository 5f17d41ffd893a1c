#include "storage/space_reserve.h"

#include "base/try.h"

namespace holdfast::storage {

SpaceReserve::SpaceReserve(os::FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

void SpaceReserve::adopt() {
  const MutexLock lock(mutex_);
  if (closed_ || file_) return;
  auto found = fs_.open(path_, os::FileSystem::Access::read_write);
  if (!found.ok()) return;
  const auto size = (*found)->size();
  if (!size.ok()) return;
  file_ = std::move(found).value();
  // Power loss, or a copy of the directory, may have left the size without the space.
  if (!file_->allocate(*size).ok()) {
    file_->truncate(0).ignore();  // V1
    return;
  }
  bytes_.store(*size, std::memory_order_relaxed);
  whole_.store(*size, std::memory_order_relaxed);
}

Status SpaceReserve::hold(std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  wanted_.store(bytes, std::memory_order_relaxed);
  if (closed_) return {StatusCode::closed, "the reserve is closed"};
  if (impossible_) return {StatusCode::invalid_argument, path_ + ": this file system cannot set space aside"};
  const std::uint64_t had = this->bytes();
  if (bytes <= had) {
    if (!lent_ && !part_lent_ && had - bytes > bytes / 2) shrink_to(bytes);
    whole_.store(this->bytes(), std::memory_order_relaxed);
    return {};
  }
  if (lent_ || part_lent_) {
    return {StatusCode::disk_full, path_ + " is in use: the disk is full, and a checkpoint makes room"};
  }
  Status grown = grow_to(bytes);
  if (grown.code() == StatusCode::invalid_argument) impossible_ = true;
  return grown;
}

bool SpaceReserve::give_all() {
  const MutexLock lock(mutex_);
  return !closed_ && !lent_ && shrink_to(0);
}

bool SpaceReserve::lend(std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  if (closed_ || lent_ || part_lent_ || this->bytes() < bytes) return false;
  part_lent_ = shrink_to(this->bytes() - bytes);
  return part_lent_;
}

void SpaceReserve::repay_part() {
  const MutexLock lock(mutex_);
  part_lent_ = false;
}

std::uint64_t SpaceReserve::lend_but(std::uint64_t keep) {
  const MutexLock lock(mutex_);
  const std::uint64_t had = this->bytes();
  if (closed_ || lent_ || had <= keep || !shrink_to(keep)) return 0;
  lent_ = true;
  whole_.store(keep, std::memory_order_relaxed);
  return had - keep;
}

void SpaceReserve::repay() {
  const MutexLock lock(mutex_);
  lent_ = false;
}

void SpaceReserve::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  file_.reset();
}

bool SpaceReserve::shrink_to(std::uint64_t bytes) {
  if (!file_ || !file_->truncate(bytes).ok()) return false;
  bytes_.store(bytes, std::memory_order_relaxed);
  return true;
}

Status SpaceReserve::grow_to(std::uint64_t bytes) {
  if (!file_) {
    auto made = fs_.create(path_);
    if (made.status().code() == StatusCode::already_exists) made = fs_.open(path_, os::FileSystem::Access::read_write);
    HF_ASSIGN(file_, std::move(made));
  }
  if (Status status = file_->allocate(bytes); !status.ok()) {
    file_->truncate(this->bytes()).ignore();  // a part of it may have been set aside
    return status;
  }
  bytes_.store(bytes, std::memory_order_relaxed);
  whole_.store(bytes, std::memory_order_relaxed);
  return {};
}

}  // namespace holdfast::storage
