// A file system of its own in a file: made, mounted in a mount namespace that only this process and its children see,
// and unmounted again. Needs root, loop devices and mkfs; says what is missing.
#pragma once

#include <string>

namespace holdfast::testing {

class LoopMount {
 public:
  /// `type`: ext4 or xfs. `image` and `place` are made.
  LoopMount(std::string type, std::string image, std::string place);
  ~LoopMount();
  LoopMount(const LoopMount&) = delete;
  LoopMount& operator=(const LoopMount&) = delete;

  /// Empty; or why this machine cannot do it.
  [[nodiscard]] std::string make();
  [[nodiscard]] std::string mount();
  [[nodiscard]] std::string unmount();
  [[nodiscard]] const std::string& place() const noexcept { return place_; }

 private:
  const std::string type_;
  const std::string image_;
  const std::string place_;
  bool mounted_ = false;
};

}  // namespace holdfast::testing
