#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace iomap::tests {

// A directory of this test alone, removed with all that is in it. Lies on /dev/shm when there is
// room for images (4 GiB), else in /tmp.
class TemporaryDirectory {
 public:
  static absl::StatusOr<TemporaryDirectory> Make();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();

  const std::string& path() const { return path_; }
  // The path of `name` in the directory.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit TemporaryDirectory(std::string path);

  std::string path_;  // empty when moved from
};

}  // namespace iomap::tests
